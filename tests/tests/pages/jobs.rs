//! The pages of jobs.

use deepclone_coordinator::driver::snapshot::{JobPhases, JobSnapshot};

use crate::fake::FakeData;
use crate::samples::{fleet, fleet_of};
use crate::site::Site;
use crate::work::{self, COPYING, FAILED, QUEUED, SUCCEEDED, job_id, still};

async fn site() -> Site {
    Site::showing(FakeData { jobs: work::jobs(), ..FakeData::good(fleet()) }).await
}

async fn page(number: u128) -> String {
    site().await.words(&format!("/jobs/{}", job_id(number))).await
}

#[track_caller]
fn has(words: &str, parts: &[&str]) {
    for part in parts {
        assert!(words.contains(part), "{part:?} is not in {words}");
    }
}

#[tokio::test]
async fn a_list_says_of_each_job_what_became_of_it() {
    let words = site().await.words("/jobs").await;
    has(
        &words,
        &[
            "ml/features prod → dr queued 14:19 CET none runs for 1 min no replication",
            "sales/fact_020 prod → dr copying 14:08 CET 172.0 GiB of 420.0 GiB runs for 12 min \
             orders-dr",
            "tmp/<b>bold</b> prod → dr failed PERMISSION_DENIED 14:08 CET none 3 min no \
             replication"
                .replace('<', "&lt;")
                .replace('>', "&gt;")
                .as_str(),
            "sales/fact_020 prod → dr succeeded 14:08 CET 420.0 GiB of 420.0 GiB 9 min orders-dr",
        ],
    );
    let copying = site().await.words("/jobs?state=copying").await;
    has(&copying, &["sales/fact_020 prod → dr copying"]);
    assert!(!copying.contains("ml/features"), "{copying}");
    has(&site().await.words("/jobs?state=held").await, &["No job is held."]);
    let empty = Site::of(fleet_of(Vec::new())).await.words("/jobs").await;
    has(&empty, &["None has been asked for", "deepclone job create SOURCE TARGET"]);
}

#[tokio::test]
async fn a_list_goes_on_at_older_jobs() {
    let jobs = (0..250).map(|n| still(JobSnapshot { job: job_id(n), ..work::copying() }));
    let data = FakeData { jobs: jobs.collect(), ..FakeData::good(fleet()) };
    let site = Site::showing(data).await;
    let mut address = "/jobs?state=copying".to_owned();
    for (rows, is_last) in [(100, false), (100, false), (50, true)] {
        let body = site.get(&address).await.body;
        assert_eq!(body.matches("<th class=\"path\" scope=\"row\">").count(), rows, "{address}");
        assert!(body.len() < 150_000, "{} bytes", body.len());
        let next =
            body.split("rel=\"next\" href=\"").nth(1).and_then(|rest| rest.split('"').next());
        assert_eq!(next.is_none(), is_last, "{address}");
        assert_eq!(body.contains("← Newest"), address.contains("after"), "{address}");
        address = next.unwrap_or_default().replace("&amp;", "&");
    }
}

#[tokio::test]
async fn a_job_says_how_far_it_is_and_since_when() {
    has(
        &page(COPYING).await,
        &[
            "Sync of sales/fact_020 Copying.",
            "Bytes 172.0 GiB of 420.0 GiB Objects 1,640 of 4,100 Rate 293.5 MiB/s on average",
            "Tasks 16 of 40 Attempts tasks given out 21 times Workers 3 at work",
            "waiting and planning 14:08 CET 2 min copying 14:10 CET runs for 10 min",
            "source s3://prod-lake/sales/fact_020 target s3://dr-lake/sales/fact_020",
            "kept by orders-dr version the newest verify digest limits 200MiB/s",
            "source version 4,183 objects copied 1,640",
            "proved by 1,600 by checksum of the target's store 40 by receipt of an earlier sync",
            "Notices the source's change data feed is on",
        ],
    );
    has(&page(QUEUED).await, &["Queued: another sync of the same target goes first.", "none yet"]);
    has(
        &page(SUCCEEDED).await,
        &[
            "Succeeded: the replica is at the source's version.",
            "copying 14:10 CET 6 min publishing 14:16 CET 1 min",
            "Workers 2 workers finished tasks of it",
            "source version 4,182 replica version 977",
            "ended 14:17 CET (3 min ago)",
        ],
    );
}

#[tokio::test]
async fn a_failure_comes_with_what_to_do_and_without_secrets() {
    let body = site().await.get(&format!("/jobs/{}", job_id(FAILED))).await.body;
    has(
        &crate::site::words(&body),
        &[
            "Why it failed PERMISSION_DENIED PutBlob of",
            "is denied: the token lacks the permission `write`",
            "Give the credentials of the connection the permission that is named",
        ],
    );
    assert!(!body.contains("topsecret") && !body.contains("<b>") && !body.contains('\u{202e}'));
}

#[tokio::test]
async fn a_job_that_ended_long_ago_tells_what_is_still_known() {
    let planned_ms = work::succeeded().phases.planned_ms;
    let phases = JobPhases { planned_ms, publishing_ms: None };
    let old = JobSnapshot { phases, ..work::succeeded() };
    let never = JobSnapshot { phases: JobPhases::default(), job: job_id(1), ..work::succeeded() };
    let data = FakeData { jobs: vec![still(old), still(never)], ..FakeData::good(fleet()) };
    let site = Site::showing(data).await;
    let words = site.words(&format!("/jobs/{}", job_id(SUCCEEDED))).await;
    has(&words, &["copying and publishing 14:10 CET 7 min What was asked for"]);
    let words = site.words(&format!("/jobs/{}", job_id(1))).await;
    has(&words, &["waiting and planning 14:08 CET 9 min What was asked for"]);
}

#[tokio::test]
async fn only_the_page_of_a_job_that_runs_has_a_script() {
    let site = site().await;
    for (number, is_live) in [(COPYING, true), (QUEUED, true), (SUCCEEDED, false)] {
        let answer = site.get(&format!("/jobs/{}", job_id(number))).await;
        let events = format!("data-events=\"/jobs/{}/events\"", job_id(number));
        assert_eq!(answer.body.contains(&events), is_live, "{number}");
        assert_eq!(answer.body.matches("<script").count(), usize::from(is_live));
        assert!(answer.head.contains("script-src 'self'; connect-src 'self'"));
        assert!(!answer.head.contains("unsafe"));
    }
    for path in ["/", "/jobs", "/workers", "/replications/orders-dr"] {
        let answer = site.get(path).await;
        assert!(!answer.body.contains("<script") && !answer.head.contains("script-src"), "{path}");
    }
}
