//! What people do by the pages, and who may not.

use std::sync::{Arc, Mutex};

use deepclone_coordinator::pages::data::PageAction;
use deepclone_core::standing::Pause;
use deepclone_core::unix_time::UnixTime;

use crate::fake::FakeData;
use crate::samples::{change, fleet, fleet_of, in_minutes, small, state_of};
use crate::site::{Answer, Site};
use crate::work::{self, COPYING, FAILED, job_id, worker, workers};

type Done = Arc<Mutex<Vec<PageAction>>>;

fn data() -> FakeData {
    FakeData { jobs: work::jobs(), workers: workers(), ..FakeData::good(fleet()) }
}

async fn site() -> (Site, Done) {
    let data = data();
    let done = Arc::clone(&data.done);
    (Site::showing(data).await, done)
}

fn take(done: &Done) -> Vec<PageAction> {
    std::mem::take(&mut *done.lock().unwrap())
}

/// The token in the forms of a page.
async fn token(site: &Site, path: &str) -> String {
    let body = site.get(path).await.body;
    let found =
        body.split("name=\"token\" value=\"").nth(1).and_then(|rest| rest.split('"').next());
    found.unwrap().to_owned()
}

/// Posts as a browser does from a page of the site, with these headers in place of its own.
async fn post(site: &Site, path: &str, body: &str, instead: &[(&str, &str)]) -> Answer {
    let origin = format!("http://{}", site.address);
    let own = [
        ("host", site.address.as_str()),
        ("origin", origin.as_str()),
        ("sec-fetch-site", "same-origin"),
        ("content-type", "application/x-www-form-urlencoded"),
    ];
    let is_own = |(name, _): &&(&str, &str)| instead.iter().all(|(other, _)| other != name);
    let mut headers: Vec<(&str, &str)> = own.iter().filter(is_own).copied().collect();
    headers.extend(instead.iter().filter(|(_, value)| !value.is_empty()));
    Answer::read(site.send("POST", path, &headers, body).await).await
}

#[tokio::test]
async fn each_form_does_what_it_says_and_leads_back() {
    let (site, done) = site().await;
    let job = job_id(COPYING);
    let busy = workers()[2].worker;
    let name = || "orders-dr".parse().unwrap();
    // Six in the evening in Berlin.
    let evening = UnixTime(1_795_712_400_000);
    let token = token(&site, "/replications/orders-dr").await;
    for (path, more, action, page) in [
        ("/replications/orders-dr/run".to_owned(), "", PageAction::Run(name()), None),
        ("/replications/orders-dr/pause".into(), "&until=", PageAction::Pause(name(), None), None),
        (
            "/replications/orders-dr/pause".into(),
            "&until=2026-11-26T18%3A00",
            PageAction::Pause(name(), Some(evening)),
            None,
        ),
        ("/replications/orders-dr/resume".into(), "", PageAction::Resume(name()), None),
        (
            "/replications/orders-dr/approve".into(),
            "&path=shop%2Fa%26b%20%C3%BC",
            PageAction::Approve(name(), "shop/a&b ü".to_owned()),
            None,
        ),
        (format!("/jobs/{job}/hold"), "", PageAction::Hold(job), Some(format!("/jobs/{job}"))),
        (
            format!("/jobs/{job}/release"),
            "",
            PageAction::Release(job),
            Some(format!("/jobs/{job}")),
        ),
        (format!("/jobs/{job}/cancel"), "", PageAction::Cancel(job), Some(format!("/jobs/{job}"))),
        (format!("/workers/{busy}/drain"), "", PageAction::Drain(busy), Some("/workers".into())),
    ] {
        let answer = post(&site, &path, &format!("token={token}{more}"), &[]).await;
        assert_eq!(answer.status, 303, "{path}: {}", answer.body);
        let page = page.unwrap_or_else(|| "/replications/orders-dr".to_owned());
        assert!(answer.head.contains(&format!("location: {page}\r\n")), "{path}: {}", answer.head);
        assert_eq!(take(&done), [action]);
    }
}

#[tokio::test]
async fn each_table_that_waits_has_a_button_that_approves_it() {
    let mut view = small("orders-dr", 1);
    view.unapproved = vec![("shop/a".to_owned(), 1), ("shop/b \"c\"".to_owned(), 2)];
    let data = FakeData::good(fleet_of(vec![view]));
    let body = Site::showing(data.clone()).await.get("/replications/orders-dr").await.body;
    assert_eq!(body.matches("action=\"/replications/orders-dr/approve\"").count(), 2, "{body}");
    for path in ["shop/a", "shop/b &quot;c&quot;"] {
        assert!(body.contains(&format!("name=\"path\" value=\"{path}\"")), "{body}");
    }
    let beyond = Site::reached(data, Some("10.0.0.7:7421")).await;
    let body = beyond.get("/replications/orders-dr").await.body;
    assert!(body.contains("shop/a") && !body.contains("/approve"), "{body}");
}

/// Each of these is refused by one check alone: without it, the action would be done.
#[tokio::test]
async fn nobody_acts_from_elsewhere() {
    let (site, done) = site().await;
    let token = token(&site, "/replications/orders-dr").await;
    let good = format!("token={token}");
    let path = "/replications/orders-dr/run";
    let foreign = "http://evil.example";
    let port = site.address.rsplit(':').next().unwrap();
    let rebound = format!("evil.example:{port}");
    let rebound_origin = format!("http://{rebound}");
    let neighbour = "http://127.0.0.1:1";
    for (what, status, instead, body) in [
        ("another site says so", 403, vec![("sec-fetch-site", "cross-site")], &good),
        ("the same site, another port", 403, vec![("sec-fetch-site", "same-site")], &good),
        (
            "an old browser, another origin",
            403,
            vec![("sec-fetch-site", ""), ("origin", foreign)],
            &good,
        ),
        ("another port", 403, vec![("sec-fetch-site", ""), ("origin", neighbour)], &good),
        ("an opaque origin", 403, vec![("sec-fetch-site", ""), ("origin", "null")], &good),
        ("no browser", 403, vec![("sec-fetch-site", ""), ("origin", "")], &good),
        ("no token", 403, vec![], &String::new()),
        ("the token of another process", 403, vec![], &format!("token={}", "0".repeat(64))),
        (
            "a name that stands for loopback",
            421,
            vec![("host", rebound.as_str()), ("origin", rebound_origin.as_str())],
            &good,
        ),
        ("a name of its own", 421, vec![("host", "a")], &good),
    ] {
        let answer = post(&site, path, body, &instead).await;
        assert_eq!(answer.status, status, "{what}: {}", answer.body);
        assert_eq!(take(&done), [], "{what}");
    }
    assert_eq!(post(&site, path, &good, &[]).await.status, 303);
    assert_eq!(take(&done).len(), 1);
}

#[tokio::test]
async fn a_page_behind_a_tunnel_acts_and_no_other_page_of_this_machine_does() {
    let (site, done) = site().await;
    let token = token(&site, "/replications/orders-dr").await;
    let (path, body) = ("/replications/orders-dr/run", format!("token={token}"));
    let (host, origin) = (("host", "localhost:9000"), ("origin", "http://localhost:9000"));
    assert_eq!(post(&site, path, &body, &[host, origin]).await.status, 303);
    assert_eq!(take(&done).len(), 1);
    for origin in ["http://localhost:9001", "http://127.0.0.1:9000", "https://localhost:9000"] {
        for site_header in ["", "same-origin"] {
            let instead = [host, ("origin", origin), ("sec-fetch-site", site_header)];
            assert_eq!(post(&site, path, &body, &instead).await.status, 403, "{origin}");
        }
    }
    assert_eq!(take(&done), []);
}

#[tokio::test]
async fn no_page_is_shown_to_a_name_that_stands_for_loopback() {
    let site = site().await.0;
    let port = site.address.rsplit(':').next().unwrap().to_owned();
    for path in ["/", "/replications/orders-dr", "/jobs", "/workers", "/style.css", "/none"] {
        for (host, is_own) in [
            (format!("127.0.0.1:{port}"), true),
            (format!("localhost:{port}"), true),
            (format!("[::1]:{port}"), true),
            // The end of a tunnel.
            ("localhost:9000".to_owned(), true),
            ("127.0.0.1".to_owned(), true),
            (format!("evil.example:{port}"), false),
            ("evil.example:9000".to_owned(), false),
            (format!("localhost.evil.example:{port}"), false),
        ] {
            let answer = Answer::read(site.send("GET", path, &[("host", &host)], "").await).await;
            assert_eq!(answer.status != 421, is_own, "{path} {host}");
            assert_eq!(answer.body.contains("http://localhost:"), !is_own, "{path} {host}");
        }
    }
    // What machines ask for has no such check.
    for path in ["/livez", "/readyz", "/metrics"] {
        let answer = Answer::read(site.send("GET", path, &[("host", "probe")], "").await).await;
        assert_eq!(answer.status, 200, "{path}");
    }
}

#[tokio::test]
async fn beyond_loopback_the_pages_are_read_alone() {
    let data = data();
    let done = Arc::clone(&data.done);
    let site = Site::reached(data, Some("10.0.0.7:7421")).await;
    let job = format!("/jobs/{}", job_id(COPYING));
    for path in ["/", "/replications/orders-dr", &job, "/workers"] {
        let answer =
            Answer::read(site.send("GET", path, &[("host", "coordinator.example")], "").await)
                .await;
        assert_eq!(answer.status, 200, "{path}");
        for part in ["method=\"post\"", "name=\"token\"", "/cancel", "/drain"] {
            assert!(!answer.body.contains(part), "{path}: {part}");
        }
    }
    let drain = format!("/workers/{}/drain", workers()[2].worker);
    for path in [format!("{job}/cancel"), drain.clone()] {
        let answer = site.get(&path).await;
        assert_eq!(answer.status, 403, "{path}");
        assert!(answer.body.contains("for reading alone"), "{}", answer.body);
    }
    for path in ["/replications/orders-dr/run".to_owned(), format!("{job}/hold"), drain] {
        assert_eq!(post(&site, &path, "token=", &[]).await.status, 403, "{path}");
    }
    assert_eq!(take(&done), []);
}

#[tokio::test]
async fn what_cannot_be_undone_is_asked_for_once_more() {
    let (site, done) = site().await;
    let job = format!("/jobs/{}", job_id(COPYING));
    let page = site.get(&job).await.body;
    assert!(page.contains(&format!("href=\"{job}/cancel\"")), "{page}");
    assert!(!page.contains(&format!("action=\"{job}/cancel\"")), "{page}");
    let asked = site.get(&format!("{job}/cancel")).await;
    assert!(asked.body.contains(&format!("action=\"{job}/cancel\"")), "{}", asked.body);
    assert!(asked.body.contains("Yes, cancel it") && asked.body.contains("No, go back"));
    let drain = format!("/workers/{}/drain", workers()[2].worker);
    let asked = site.words(&drain).await;
    assert!(asked.contains("Drain copy-7f4b-1?") && asked.contains("Yes, drain it"), "{asked}");
    assert_eq!(take(&done), [], "asking does nothing");
}

#[tokio::test]
async fn what_is_refused_says_why() {
    let (site, done) = site().await;
    let token = token(&site, "/replications/orders-dr").await;
    let absent = worker(99, "", deepclone_core::machine::WorkerState::Lost).worker;
    for (path, more, status, part) in [
        ("/replications/none/run".to_owned(), "", 303, ""),
        ("/replications/NO%20NAME/run".into(), "", 404, "There is no replication"),
        ("/replications/none/pause".into(), "", 404, "There is no replication"),
        ("/replications/orders-dr/pause".into(), "&until=x", 400, "is no date and time"),
        ("/replications/orders-dr/pause".into(), "&until=2026-11-26T14:20", 400, "is over"),
        (format!("/jobs/{}/cancel", job_id(FAILED)), "", 409, "has ended"),
        ("/jobs/none/cancel".into(), "", 404, "There is no job"),
        (format!("/jobs/{}/hold", job_id(1)), "", 404, "there is no job"),
        ("/workers/none/drain".into(), "", 404, "There is no worker"),
    ] {
        let answer = post(&site, &path, &format!("token={token}{more}"), &[]).await;
        assert_eq!(answer.status, status, "{path}: {}", answer.body);
        assert!(answer.body.contains(part), "{path}: {}", answer.body);
    }
    assert_eq!(take(&done).len(), 1, "the fake knows every replication");
    assert_eq!(site.get(&format!("/workers/{absent}/drain")).await.status, 404);
    let long = format!("token={token}&until={}", "0".repeat(32 << 10));
    assert_eq!(post(&site, "/replications/orders-dr/pause", &long, &[]).await.status, 413);
    assert_eq!(take(&done), []);
}

#[tokio::test]
async fn a_page_offers_what_can_be_done() {
    use deepclone_coordinator::replications::view::ReplicationState;

    let mut paused = small("paused", 1);
    paused.pause = Some(Pause { until: Some(in_minutes(60)) });
    paused.state = state_of(ReplicationState::Running, "copying", None);
    change(&mut paused, |spec| spec.time_zone = "Asia/Tokyo".into());
    let site = Site::of(fleet_of(vec![paused, small("waits", 1)])).await;
    for (name, offered, not_offered) in [
        ("paused", "Resume paused until 23:20 JST (in 1 h)", "Pause"),
        ("waits", "Pause until (Europe/Berlin), or for good", "Resume"),
    ] {
        let words = site.words(&format!("/replications/{name}")).await;
        assert!(words.contains(&format!("Run now {offered}")), "{words}");
        assert!(!words.contains(&format!("Run now {not_offered}")), "{words}");
    }
    let mut held = work::copying();
    held.limits.held = true;
    let jobs = vec![work::still(held)];
    let site = Site::showing(FakeData { jobs, ..FakeData::good(fleet()) }).await;
    let words = site.words(&format!("/jobs/{}", job_id(COPYING))).await;
    assert!(words.contains("Release Cancel…"), "{words}");
    let ended = format!("/jobs/{}", job_id(FAILED));
    assert!(!self::site().await.0.words(&ended).await.contains("Cancel…"));
}
