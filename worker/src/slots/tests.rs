//! Lanes whose copies are sleeps: no store is needed to see how many run at once.

use deepclone_common::metrics::catalog::Catalog;
use deepclone_common::metrics::exposition::classic;
use deepclone_common::store::error::StoreErrorKind;
use deepclone_core::job_limits::JobShare;
use deepclone_core::limits::{SLOTS_FIRST, SLOTS_MAX};
use deepclone_core::spec::Verification;
use deepclone_core::task::{TaskSide, TaskWork};
use futures::FutureExt;
use tokio::task::JoinSet;

use super::lane::Slot;
use super::*;
use crate::job_pace::JobPace;
use crate::options::WorkerLimits;

const FIRST: usize = SLOTS_FIRST as usize;
/// Long enough for each sample to count.
const LONG: Duration = Duration::from_millis(100);

fn budget(memory_bytes: u64) -> Budget {
    Budget::new(&WorkerLimits::of(memory_bytes, SLOTS_MAX, None))
}

fn lane() -> Lane {
    Lane::new(budget(1 << 30), Arc::default())
}

/// Every slot that is free.
fn all(lane: &Lane) -> Vec<Slot> {
    // Without tokio's own bound on how much one test polls.
    std::iter::from_fn(|| tokio::task::unconstrained(lane.slot(1)).now_or_never()).collect()
}

/// An interval in which the lane's store refused half of the requests.
fn refused(lane: &Lane) -> u32 {
    for _ in 0..20 {
        lane.meter().request();
        lane.meter().request();
        lane.meter().failed(StoreErrorKind::Throttled);
    }
    lane.sample(LONG)
}

#[tokio::test]
async fn slots_are_given_up_to_the_limit_and_again_when_they_are_free() {
    let lane = lane();
    let mut slots = all(&lane);
    assert_eq!(slots.len(), FIRST);
    slots.pop();
    assert_eq!(all(&lane).len(), 1);
}

#[tokio::test]
async fn more_slots_go_to_the_copies_that_wait_in_their_order() {
    let lane = lane();
    let _used = all(&lane);
    let mut first = Box::pin(lane.slot(1));
    let mut second = Box::pin(lane.slot(1));
    assert!(first.as_mut().now_or_never().is_none() && second.as_mut().now_or_never().is_none());
    // The first work that is seen pays.
    for _ in 0..2 {
        lane.meter().wrote();
        lane.sample(LONG);
    }
    // The second one is served, too, but not before the first.
    assert!(first.as_mut().now_or_never().is_some());
    assert!(second.as_mut().now_or_never().is_some());
    assert_eq!(all(&lane).len(), FIRST, "32 more, and the two that were served are free again");
}

#[tokio::test]
async fn parts_and_what_has_not_begun_take_turns() {
    let lane = lane();
    let mut used = all(&lane);
    let (served, mut order) = tokio::sync::mpsc::unbounded_channel();
    let mut copies = JoinSet::new();
    for name in ["object 1", "object 2", "object 3", "object 4", "part 1", "part 2"] {
        let (lane, served) = (lane.clone(), served.clone());
        copies.spawn(async move {
            let is_part = name.starts_with("part");
            let slot = if is_part { lane.slot_of_part(1).await } else { lane.slot(1).await };
            served.send(name).unwrap();
            std::future::pending::<()>().await;
            drop(slot);
        });
    }
    tokio::task::yield_now().await;
    for expected in ["part 1", "object 1", "part 2", "object 2", "object 3", "object 4"] {
        assert!(order.try_recv().is_err(), "more copies run than the limit allows");
        used.pop();
        assert_eq!(order.recv().await, Some(expected));
    }
}

#[tokio::test]
async fn fewer_slots_are_taken_back_as_copies_end() {
    let lane = lane();
    let mut used = all(&lane);
    let fewer = refused(&lane) as usize;
    assert!(fewer < FIRST);
    used.truncate(fewer + 1);
    assert!(all(&lane).is_empty(), "more copies run than the limit allows");
    used.pop();
    assert!(all(&lane).is_empty(), "more copies run than the limit allows");
    used.pop();
    let again = all(&lane);
    assert_eq!(again.len(), 1);
    drop((used, again));
    assert_eq!(all(&lane).len(), fewer);
}

#[tokio::test]
async fn a_worker_that_may_copy_more_or_fewer_has_lanes_that_follow() {
    let limits = WorkerLimits::of(1 << 30, 8, None);
    let lane = Lane::new(Budget::new(&limits), Arc::default());
    let used = all(&lane);
    assert_eq!(used.len(), 8);
    limits.copies.set(2);
    assert_eq!(lane.sample(LONG), 2);
    drop(used);
    assert_eq!(all(&lane).len(), 2);
    limits.copies.set(64);
    assert_eq!(lane.sample(LONG), 4, "it begins to grow again");
    assert_eq!(all(&lane).len(), 4);
}

#[tokio::test]
async fn a_job_that_may_do_no_more_leaves_the_slots_to_others() {
    let share = JobShare { bytes_per_second: None, concurrency: Some(2) };
    let lane = lane();
    let of_job = lane.for_job(JobPace::new(share));
    let used = all(&of_job);
    assert_eq!(used.len(), 2);
    let mut waiting = Box::pin(of_job.slot(1));
    assert!(waiting.as_mut().now_or_never().is_none());
    assert_eq!(all(&lane).len(), FIRST - 2);
    drop(used);
    assert!(waiting.now_or_never().is_some());
}

#[tokio::test]
async fn a_copy_that_is_cancelled_waits_no_more() {
    let lane = lane();
    let used = all(&lane);
    let waiting = tokio::spawn({
        let lane = lane.clone();
        async move { drop(lane.slot(1).await) }
    });
    tokio::task::yield_now().await;
    waiting.abort();
    assert!(waiting.await.unwrap_err().is_cancelled());
    drop(used);
    assert!(lane.is_idle());
}

#[tokio::test]
async fn only_what_a_busy_store_says_is_a_refusal() {
    for (kind, refusals) in [
        (StoreErrorKind::Throttled, 1),
        (StoreErrorKind::TimedOut, 1),
        (StoreErrorKind::Transient, 0),
        (StoreErrorKind::Precondition, 0),
        (StoreErrorKind::NotFound, 0),
    ] {
        let lane = lane();
        lane.meter().failed(kind);
        assert_eq!(lane.meter().take().refusals, refusals, "{kind:?}");
    }
}

fn spec(source: u8, target: u8) -> TaskSpec {
    let side = |name: &str, number| TaskSide {
        connection: format!("{name}-{number}"),
        fingerprint: [number; 32],
        root: String::new(),
    };
    TaskSpec {
        source: side("source", source),
        target: side("target", target),
        verification: Verification::Digest,
        work: TaskWork::Objects(Vec::new()),
    }
}

#[tokio::test]
async fn each_route_has_slots_of_its_own_and_all_share_the_bytes() {
    let lanes = Lanes::new(budget(10 << 10), WorkerMetrics::default());
    let (one, other) = (lanes.of(&spec(1, 2)), lanes.of(&spec(1, 3)));
    refused(&one);
    assert!(all(&lanes.of(&spec(1, 2))).len() < FIRST, "the route has a new lane");
    let held = other.slot(10 << 10).await;
    assert!(one.slot(1).now_or_never().is_none(), "more bytes are held than the budget has");
    drop(held);
    assert!(one.slot(1).now_or_never().is_some());
}

/// Copies of 80 ms for each of two requests run on a lane while there are slots.
async fn copy(lane: Lane, number: u64) {
    let _slot = lane.slot(1).await;
    // Not all at the same moment.
    let latency = Duration::from_millis(74 + number % 13);
    for _ in 0..2 {
        lane.meter().request();
        tokio::time::sleep(latency).await;
    }
    lane.meter().read(4096);
    lane.meter().wrote();
}

#[tokio::test(start_paused = true)]
async fn a_far_store_soon_gets_many_slots_and_the_metric_shows_it() {
    let mut catalog = Catalog::default();
    let metrics = WorkerMetrics::new(&mut catalog);
    let lanes = Lanes::new(budget(1 << 30), metrics);
    let begun = Instant::now();
    let mut copies = JoinSet::new();
    for number in 0..4_000 {
        copies.spawn(copy(lanes.of(&spec(1, 2)), number));
    }
    while copies.join_next().await.is_some() {}
    // 128 slots take 5 seconds.
    let elapsed = begun.elapsed();
    assert!(elapsed < Duration::from_millis(2_500), "{elapsed:?}");
    let shown = |name: &str| {
        let text = classic(catalog.registry()).unwrap();
        let series = format!("{name}{{source=\"source-1\",target=\"target-2\"}} ");
        let found = text.lines().find_map(|line| line.strip_prefix(&series));
        found.map(|number| number.parse::<u32>().unwrap())
    };
    assert_eq!(shown("deepclone_worker_slots"), Some(512));
    // The copies are over: so many were at work in the last interval, and none is in the next.
    tokio::time::sleep(2 * INTERVAL).await;
    assert_eq!(shown("deepclone_worker_slots_used"), Some(0));
    let _slot = lanes.of(&spec(1, 2)).slot(1).await;
    tokio::time::sleep(2 * INTERVAL).await;
    assert_eq!(shown("deepclone_worker_slots_used"), Some(1));
}
