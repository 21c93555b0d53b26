//! The first page: the answer, what needs somebody, and the replications.

use deepclone_coordinator::replications::view::{FleetView, ReplicationView};
use deepclone_core::failure::Failure;
use deepclone_core::reason::Reason;

use crate::samples::{
    absent, behind, change, current, fleet, fleet_of, many, minutes_ago, orders_dr, small, view,
};
use crate::site::Site;

async fn first(fleet: FleetView) -> String {
    Site::of(fleet).await.words("/").await
}

#[track_caller]
fn has(words: &str, parts: &[&str]) {
    for part in parts {
        assert!(words.contains(part), "{part:?} is not in {words}");
    }
}

#[tokio::test]
async fn the_answer_is_one_sentence() {
    let with = |change: fn(&mut ReplicationView)| {
        let mut view = small("a", 1_004);
        change(&mut view);
        vec![view]
    };
    let cases: [(Vec<ReplicationView>, &str); 8] = [
        (with(|_| {}), "YES: all 1,004 tables · would lose nothing from before 14:19 CET (20 s)"),
        (
            with(|view| behind(&mut view.tables[0], 9)),
            "YES: all 1,004 tables · would lose commits since 14:11 CET (9 min)",
        ),
        (
            with(|view| view.tables.iter_mut().take(12).for_each(|table| behind(table, 18))),
            "NO: 12 of 1,004 tables · would lose commits since 14:02 CET (18 min)",
        ),
        (
            with(|view| view.tables[0] = absent("a")),
            "NO: 1 of 1,004 tables · would lose nothing from before 14:19 CET (20 s) · 1 table \
             has no complete copy",
        ),
        (
            with(|view| view.tables[0].freshness.checked = Some(minutes_ago(47))),
            "UNKNOWN: 1 of 1,004 tables · may lose commits since 13:33 CET (47 min)",
        ),
        (
            with(|view| view.tables.truncate(1)),
            "YES: the one table · would lose nothing from before",
        ),
        (
            with(|view| {
                for table in &mut view.tables {
                    table.freshness.checked = None;
                }
            }),
            "UNKNOWN: 1,004 of 1,004 tables · 1,004 tables have a source that has never answered",
        ),
        (vec![view("a", None)], "UNKNOWN: there is no table yet"),
    ];
    for (views, sentence) in cases {
        has(&first(fleet_of(views)).await, &["Can we fail over?", sentence]);
    }
}

#[tokio::test]
async fn what_has_one_cause_and_owner_is_one_entry() {
    let mut other = small("other", 2);
    change(&mut other, |spec| spec.owner = Some("team-finance".into()));
    let message = "PutBlob of x/part-9 is denied: the token lacks the permission `write`";
    let failure = Failure::new(Reason::PermissionDenied, message).with("key", "x/part-9");
    other.tables[0].failure = Some(failure.clone());
    let mut foreign = small("foreign", 1);
    foreign.tables[0].failure = Some(failure);
    let words = first(fleet_of(vec![orders_dr(), other, foreign])).await;
    has(
        &words,
        &[
            "Needs you (3 causes)",
            "PERMISSION_DENIED PutBlob of … is denied: the token lacks the permission `write` 13 \
             tables · orders-dr, other · owner team-finance · since 13:40 CET (40 min ago)",
            "1 table · foreign · no owner",
            "The budget of owner team-finance is used to 80 % or more",
        ],
    );
    let quiet = first(fleet_of(vec![small("a", 2)])).await;
    has(&quiet, &["Nothing needs you"]);
}

#[tokio::test]
async fn each_kind_of_need_is_named() {
    has(
        &first(fleet()).await,
        &[
            "NO: 23 of 1,004 tables · would lose commits since 13:59 CET (21 min), perhaps since \
             13:33 CET (47 min) · 9 tables have no complete copy",
            "The budget of experiments is used up",
            "Further behind than the limit, without a failure 2 tables · payments-dr",
            "One of both sides was not asked in time: the lag is unknown 96 tables · clickstream",
            "New tables wait for approval 2 tables · archive · owner platform",
        ],
    );
}

#[tokio::test]
async fn the_worst_replication_comes_first() {
    let body = Site::of(fleet()).await.get("/").await.body;
    let rows: Vec<&str> = body
        .split("<th scope=\"row\"><a href=\"/replications/")
        .skip(1)
        .filter_map(|row| row.split('"').next())
        .collect();
    assert_eq!(
        rows,
        [
            "orders-dr",
            "payments-dr",
            "archive",
            "clickstream",
            "bi",
            "events",
            "experiments",
            "quarterly-close-of-the-books-for-the-auditors-of-all-countries",
            "zz-reference",
        ]
    );
}

#[tokio::test]
async fn a_row_says_how_far_what_now_and_at_what_cost() {
    has(
        &first(fleet()).await,
        &[
            "orders-dr owner team-finance NO 12 of 187 tables 18 min / 15 min asked 20 s ago \
             14:02 CET copying 1 table: 40 % 14:30 CET 17.0 + 1.0 of 20.0 TiB",
            "bi owner analytics YES 512 tables 0 asked 20 s ago 14:19 CET waiting for a window \
             copying is denied in the office hours until 22:00 CET (in 7 h 40 min) 14:30 CET the \
             window opens 22:00 CET no limit",
            "clickstream owner team-web UNKNOWN 96 of 96 tables unknown / 15 min asked 47 min ago \
             13:33 CET",
            "events no owner YES 24 tables 0 / 15 min asked 20 s ago 10:19 UTC-03 waiting for its \
             slot at a commit",
            "archive owner platform NO 9 of 41 tables 0 9 not copied asked 20 s ago none yet",
            "paused by hand until Sat 28 Nov 16:20 CET (in 2 d 2 h) none",
        ],
    );
}

#[tokio::test]
async fn one_that_is_late_is_ready() {
    let mut view = small("a", 64);
    for (table, minutes) in view.tables.iter_mut().zip([9, 11, 15]) {
        behind(table, minutes);
    }
    let site = Site::of(fleet_of(vec![view.clone()])).await;
    has(&site.words("/").await, &["YES 64 tables 2 late 15 min / 15 min"]);
    has(&site.words("/replications/a").await, &["2 tables late, though ready"]);
    // Without a limit to page, the one to warn takes its place.
    change(&mut view, |spec| spec.max_lag.as_mut().unwrap().page = None);
    let words = first(fleet_of(vec![view])).await;
    has(&words, &["NO 2 of 64 tables"]);
    assert!(!words.contains(" late"), "{words}");
}

#[tokio::test]
async fn groups_are_judged_by_themselves() {
    let site = Site::of(fleet()).await;
    has(&site.words("/").await, &["shop NO"]);
    let words = site.words("/?group=shop").await;
    has(&words, &["Can we fail over shop?", "NO: 14 of 251 tables", "Replications (2)"]);
    assert!(!words.contains("clickstream"));
    has(&site.words("/?group=none").await, &["UNKNOWN: there is no table yet"]);
}

#[tokio::test]
async fn a_search_finds_names_owners_groups_labels_and_connections() {
    let mut other = view("other", Some("Team-B"));
    change(&mut other, |spec| {
        (spec.group, spec.target) = (Some("warehouse".into()), "north".into());
        spec.labels.insert("cost".into(), "4711".into());
    });
    other.tables = vec![current("a")];
    let site = Site::of(fleet_of(vec![other, small("orders", 1)])).await;
    for query in ["other", "team-b", "WAREHOUSE", "north", "4711", "cost", "%20oth%20"] {
        let words = site.words(&format!("/?q={query}")).await;
        has(&words, &["Replications (1 of 2)", "other owner Team-B"]);
        assert!(!words.contains("orders"), "{query}");
    }
    let body = site.get("/?q=%22%3E%3Cscript%3E").await.body;
    assert!(body.contains("value=\"&quot;&gt;&lt;script&gt;\"") && !body.contains("<script"));
    has(&crate::site::words(&body), &["Replications (0 of 2)", "None has"]);
}

#[tokio::test]
async fn a_thousand_replications_are_five_pages() {
    let site = Site::of(many(1_000)).await;
    for (address, rows, place) in [
        ("/", 200, "1 to 200 of 1,000"),
        ("/?page=5", 200, "801 to 1,000 of 1,000"),
        ("/?page=99", 200, "801 to 1,000 of 1,000"),
        ("/?q=replication-00", 100, ""),
    ] {
        let body = site.get(address).await.body;
        assert_eq!(body.matches("<th scope=\"row\">").count(), rows, "{address}");
        assert!(body.len() < 300_000, "{address}: {} bytes", body.len());
        has(&crate::site::words(&body), &[place]);
    }
    let middle = site.get("/?q=replication&page=2").await.body;
    assert!(middle.contains("rel=\"prev\" href=\"?page=1&amp;q=replication\""));
    assert!(middle.contains("rel=\"next\" href=\"?page=3&amp;q=replication\""));
}

/// The quickest of some answers, for the machine may be busy with something else.
async fn quickest(site: &Site) -> std::time::Duration {
    let mut quickest = std::time::Duration::MAX;
    for _ in 0..10 {
        let began = std::time::Instant::now();
        assert_eq!(site.get("/").await.status, 200);
        quickest = quickest.min(began.elapsed());
    }
    quickest
}

#[tokio::test]
async fn a_thousand_replications_are_shown_at_once() {
    // Both show 200 of them.
    let (few, many) = (Site::of(many(200)).await, Site::of(many(1_000)).await);
    let (few, many) = (quickest(&few).await, quickest(&many).await);
    println!("200 replications: {few:?}, 1,000: {many:?}");
    assert!(many < 8 * few, "{many:?} for five times as many as in {few:?}");
    // A build without optimisation takes several times as long as one that is given away.
    let most = if cfg!(debug_assertions) { 500 } else { 100 };
    assert!(many.as_millis() <= most, "{many:?}");
}
