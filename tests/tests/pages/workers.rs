//! The page of workers.

use deepclone_core::machine::WorkerState;

use crate::fake::FakeData;
use crate::samples::{fleet, fleet_of};
use crate::site::Site;
use crate::work::{worker, workers};

async fn site() -> Site {
    Site::showing(FakeData { workers: workers(), ..FakeData::good(fleet()) }).await
}

#[tokio::test]
async fn each_worker_says_what_it_does_and_how_fast() {
    let body = site().await.get("/workers").await.body;
    let words = crate::site::words(&body);
    for part in [
        "Workers (3)",
        "Together they hold 13 tasks and copy 483.0 MiB/s.",
        "copy-7f4b-1 dr, prod active Drain… copy-7f4b-1 gets nothing of archive until 14:23 CET: \
         GET",
        "12 480.0 MiB/s 126,976 31.0 TiB 0.1.0 14:20 CET 0 s ago",
        "copy-7f4b-0 dr, prod draining Its last failure no answer in 30 s 1 3.0 MiB/s",
        "a-host-of-the-old-fleet dr, prod lost 0 unknown 0 0 B 0.1.0 13:40 CET 40 min ago",
    ] {
        assert!(words.contains(part), "{part:?} is not in {words}");
    }
    assert!(!body.contains("topsecret"));
    let place = |name: &str| words.find(name).unwrap();
    assert!(place("copy-7f4b-1") < place("copy-7f4b-0"));
    assert!(place("copy-7f4b-0") < place("a-host"));
}

#[tokio::test]
async fn a_search_finds_names_states_and_connections() {
    for (query, count) in [("7f4b", 2), ("LOST", 1), ("prod", 3), ("none", 0)] {
        let words = site().await.words(&format!("/workers?q={query}")).await;
        let counted = if count == 3 { "(3)".to_owned() } else { format!("({count} of 3)") };
        assert!(words.contains(&format!("Workers {counted}")), "{query}: {words}");
    }
    let many = (0..300).map(|n| worker(n, &format!("w{n:03}"), WorkerState::Active)).collect();
    let site = Site::showing(FakeData { workers: many, ..FakeData::good(fleet()) }).await;
    let words = site.words("/workers?page=2").await;
    assert!(words.contains("201 to 300 of 300") && !words.contains("w000"), "{words}");
}

#[tokio::test]
async fn without_workers_the_page_says_how_to_start_one() {
    let words = Site::of(fleet_of(Vec::new())).await.words("/workers").await;
    assert!(words.contains("No workers yet"), "{words}");
    assert!(words.contains("deepclone-worker --coordinator http://HOST:7420"), "{words}");
}
