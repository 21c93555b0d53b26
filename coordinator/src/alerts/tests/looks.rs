//! How often it is looked, and what is shown when a clock was set back.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use deepclone_common::clock::Clock;
use deepclone_core::failure::Failure;
use deepclone_core::reason::Reason;
use deepclone_core::unix_time::UnixTime;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use super::super::lone_syncs::LoneSyncs;
use super::super::receiver::SeenNews;
use super::super::watch::look;
use super::views::{NOW, current, fleet, replication};
use crate::observers::LoneEnd;
use crate::replications::message::{EngineMessage, Replications};

/// An engine of one replication that is well, the looks at it, and what is shown of them.
struct Looks {
    asked: Arc<AtomicUsize>,
    ends: mpsc::Sender<LoneEnd>,
    seen: SeenNews,
}

fn looks(clock: Clock) -> Looks {
    let (sender, mut requests) = mpsc::channel(8);
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    tokio::spawn(async move {
        while let Some(request) = requests.recv().await {
            let EngineMessage::Fleet(answer) = request else { panic!("another request") };
            count.fetch_add(1, Ordering::Relaxed);
            let now = fleet(vec![replication("a", vec![current("x", 0)])]);
            assert!(answer.send(Ok(Arc::new(now))).is_ok());
        }
    });
    let (ends, lone_ends) = mpsc::channel(1_024);
    let (show, seen) = watch::channel(None);
    let replications = Replications::new(sender);
    tokio::spawn(look(clock, replications, LoneSyncs::default(), lone_ends, Arc::new(show)));
    Looks { asked, ends, seen }
}

fn clock(start: UnixTime) -> Clock {
    Clock::Simulated { start_ms: start.0, started: Instant::now() }
}

#[tokio::test(start_paused = true)]
async fn syncs_that_end_one_after_another_are_looked_at_together() {
    let mut looks = looks(clock(NOW));
    looks.seen.changed().await.unwrap();
    for number in 0..2_000 {
        let failure = Some(Failure::new(Reason::NoWorkers, "nobody copies"));
        let target = format!("s3://dr/{}", number % 7);
        looks.ends.send(LoneEnd { target, at: NOW, failure }).await.unwrap();
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    let seen = looks.seen.borrow().clone().unwrap();
    assert_eq!(seen.sightings.present.len(), 7);
    assert!(looks.asked.load(Ordering::Relaxed) <= 5, "{:?}", looks.asked);
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_was_set_back_after_the_start_hides_nothing() {
    let mut looks = looks(clock(NOW.after(Duration::from_secs(7_200))));
    looks.seen.changed().await.unwrap();
    let seen = looks.seen.borrow_and_update().clone().unwrap();
    // Its table was found to be well just now.
    assert!(seen.sightings.unsettled.is_empty(), "{:?}", seen.sightings);
}
