//! What is answered at each address, and what a browser may do with it.

use deepclone_core::failure::Failure;
use deepclone_core::reason::Reason;

use crate::samples::{fleet, fleet_of};
use crate::site::Site;

#[tokio::test]
async fn every_page_answers_with_its_headers_also_without_a_body() {
    let site = Site::of(fleet()).await;
    for (path, status) in [
        ("/", 200),
        ("/?q=dr&page=7", 200),
        ("/replications/orders-dr", 200),
        ("/replications/none", 404),
        ("/replications/%3Cb%3E%E2%80%AE", 404),
        ("/nothing/here", 404),
        ("/jobs", 200),
        ("/jobs?state=copying&after=1795737600000-00000000-0000-0000-0000-000000000003", 200),
        ("/jobs/00000000-0000-0000-0000-000000000001", 404),
        ("/jobs/none", 404),
        ("/jobs/none/events", 404),
        ("/workers", 200),
        ("/workers?q=none", 200),
        ("/style.css", 200),
        ("/live.js", 200),
        ("/icon.svg", 200),
    ] {
        let answer = site.get(path).await;
        assert_eq!(answer.status, status, "{path}");
        for header in [
            "content-security-policy: default-src 'none'; style-src 'self'; img-src 'self'; \
             form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
            "x-frame-options: deny",
            "x-content-type-options: nosniff",
            "referrer-policy: same-origin",
            "cross-origin-resource-policy: same-origin",
        ] {
            assert!(answer.head.contains(header), "{path}: {header}");
        }
        let is_kept = answer.head.contains("cache-control: public");
        assert_eq!(is_kept, path.contains('.'), "{path}");
        let head = site.ask("HEAD", path).await;
        assert_eq!((head.status, head.body.as_str()), (status, ""), "{path}");
    }
    assert_eq!(site.ask("POST", "/").await.status, 405);
    assert_eq!(site.get("/livez").await.body, "ok\n");
    assert_eq!(site.get("/readyz").await.status, 200);
}

#[tokio::test]
async fn what_is_absent_is_named_and_escaped() {
    let site = Site::of(fleet()).await;
    let body = site.get("/replications/%3Cb%3E%E2%80%AE").await.body;
    assert!(body.contains("&lt;b&gt;\\u{202e}"), "{body}");
    assert!(!body.contains("<b>") && !body.contains('\u{202e}'));
}

#[tokio::test]
async fn nothing_that_can_be_shown_is_no_yes() {
    let failure = Failure::new(Reason::CoordinatorUnavailable, "the coordinator is stopping");
    let site = Site::answering(Err(failure)).await;
    for path in ["/", "/replications/orders-dr", "/jobs", "/workers"] {
        let answer = site.get(path).await;
        assert_eq!(answer.status, 503);
        assert!(answer.body.contains("the coordinator is stopping"));
        assert!(!answer.body.contains("YES"));
    }
}

#[tokio::test]
async fn without_replications_the_page_says_what_to_do() {
    let words = Site::of(fleet_of(Vec::new())).await.words("/").await;
    assert!(words.contains("No replications yet"), "{words}");
    assert!(words.contains("deepclone replication apply FILE"), "{words}");
    assert!(!words.contains("YES"));
}
