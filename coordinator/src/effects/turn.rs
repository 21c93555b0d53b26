//! Which plans are made at the same time: so many, and of those that hold large tables so many as
//! fit into an amount of memory (I8). One that waits for memory takes no place from small ones, and
//! the time that it waits is not its own.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use deepclone_core::failure::Failure;
use deepclone_core::reason::Reason;
use deepclone_delta::sync::PlanRoom;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use tokio::sync::{Mutex as AsyncMutex, OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

/// Plans that are made at the same time: most wait for stores.
const PLANS_AT_ONCE_MAX: usize = 16;
/// Bytes of memory that larger plans may take together; one that takes more is made alone.
const BYTES_AT_ONCE_MAX: u64 = 2 << 30;
/// Bytes of a plan that does not ask for memory: all places together take a quarter of the above.
const SMALL_BYTES_MAX: u64 = 32 << 20;
/// Bytes of a unit in which memory is lent: a mebibyte.
const UNIT_BYTES: u64 = 1 << 20;

/// The turns of one process.
#[derive(Clone, Debug)]
pub(crate) struct Turns {
    places: Arc<Semaphore>,
    units: Arc<Semaphore>,
}

/// The turn of one plan; it ends when it is dropped.
#[derive(Debug)]
pub(crate) struct Turn {
    turns: Turns,
    held: AsyncMutex<Held>,
    waited: Mutex<Waited>,
}

#[derive(Debug)]
struct Held {
    place: Option<OwnedSemaphorePermit>,
    memory: Option<OwnedSemaphorePermit>,
}

/// How long a plan waited for memory.
#[derive(Debug, Default)]
struct Waited {
    before: Duration,
    since: Option<Instant>,
}

impl Turns {
    pub(crate) fn new() -> Self {
        Self {
            places: Arc::new(Semaphore::new(PLANS_AT_ONCE_MAX)),
            units: Arc::new(Semaphore::new(units(BYTES_AT_ONCE_MAX) as usize)),
        }
    }

    /// Waits until another plan may be made.
    pub(crate) async fn next(&self) -> Turn {
        let held = AsyncMutex::new(Held { place: self.place().await, memory: None });
        Turn { turns: self.clone(), held, waited: Mutex::default() }
    }

    async fn place(&self) -> Option<OwnedSemaphorePermit> {
        // The semaphore is never closed.
        Arc::clone(&self.places).acquire_owned().await.ok()
    }
}

impl Turn {
    /// Runs an effect for `most` at the longest, without the time in which it waits for memory.
    ///
    /// # Errors
    /// The effect's failure, or `StorageUnavailable` when the time is over.
    pub(crate) async fn in_time<T>(
        &self,
        most: Duration,
        what: &str,
        effect: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Failure> {
        let begun = Instant::now();
        let over = async {
            loop {
                let left = (most + self.waited()).saturating_sub(begun.elapsed());
                if left.is_zero() {
                    return;
                }
                tokio::time::sleep(left).await;
            }
        };
        tokio::select! {
            biased;
            ended = effect => ended,
            () = over => Err(late(most, what)),
        }
    }

    fn waited(&self) -> Duration {
        let waited = self.waited.lock().unwrap_or_else(PoisonError::into_inner);
        waited.before + waited.since.map_or(Duration::ZERO, |since| since.elapsed())
    }

    /// Waits for units of memory and, after them, for a place: what waits for memory takes none.
    async fn wait(&self, held: &mut Held, units: u32) {
        held.place = None;
        tracing::info!(mebibytes = units, "a plan waits for memory that other plans have");
        self.note(|waited| waited.since = Some(Instant::now()));
        held.memory = Arc::clone(&self.turns.units).acquire_many_owned(units).await.ok();
        held.place = self.turns.place().await;
        self.note(|waited| {
            waited.before += waited.since.take().map_or(Duration::ZERO, |since| since.elapsed());
        });
    }

    fn note(&self, change: impl FnOnce(&mut Waited)) {
        change(&mut self.waited.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

impl PlanRoom for Turn {
    fn take(&self, bytes: u64) -> BoxFuture<'_, ()> {
        async move {
            let mut held = self.held.lock().await;
            // Two plans that kept what they have would wait for each other.
            held.memory = None;
            if bytes <= SMALL_BYTES_MAX {
                return;
            }
            let units = units(bytes.min(BYTES_AT_ONCE_MAX));
            match Arc::clone(&self.turns.units).try_acquire_many_owned(units) {
                Ok(memory) => held.memory = Some(memory),
                Err(_) => self.wait(&mut held, units).await,
            }
        }
        .boxed()
    }
}

/// Bytes in whole units, of which there are few.
fn units(bytes: u64) -> u32 {
    u32::try_from(bytes.div_ceil(UNIT_BYTES)).unwrap_or(u32::MAX)
}

/// Runs an effect for `most` at the longest.
///
/// # Errors
/// The effect's failure, or `StorageUnavailable` when the time is over.
pub(crate) async fn in_time<T>(
    most: Duration,
    what: &str,
    effect: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    tokio::time::timeout(most, effect).await.map_err(|_| late(most, what))?
}

fn late(most: Duration, what: &str) -> Failure {
    let message = format!(
        "{what} did not end within {} s: see whether both stores answer, and try again",
        most.as_secs()
    );
    Failure::new(Reason::StorageUnavailable, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOST: Duration = Duration::from_secs(60);

    async fn is_over(turn: &Turn, effect: impl Future<Output = ()>) -> bool {
        let effect = async {
            effect.await;
            Ok(())
        };
        match turn.in_time(MOST, "it", effect).await {
            Ok(()) => false,
            Err(failure) => {
                assert_eq!(failure.reason, Reason::StorageUnavailable);
                assert!(failure.message.starts_with("it did not end within 60 s"), "{failure}");
                true
            }
        }
    }

    fn is_waiting(take: &mut BoxFuture<'_, ()>) -> bool {
        take.now_or_never().is_none()
    }

    #[tokio::test(start_paused = true)]
    async fn an_effect_that_does_not_end_is_ended_and_gives_its_turn_back() {
        let turns = Turns::new();
        for _ in 0..=PLANS_AT_ONCE_MAX {
            let turn = turns.next().await;
            turn.take(BYTES_AT_ONCE_MAX).await;
            assert!(is_over(&turn, std::future::pending()).await);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn large_plans_wait_for_each_other_and_small_ones_for_none() {
        let turns = Turns::new();
        let [first, second, third] = [turns.next().await, turns.next().await, turns.next().await];
        first.take(BYTES_AT_ONCE_MAX / 2).await;
        second.take(BYTES_AT_ONCE_MAX / 2).await;
        let mut more = third.take(SMALL_BYTES_MAX + 1);
        assert!(is_waiting(&mut more));
        for _ in 0..2 * PLANS_AT_ONCE_MAX {
            turns.next().await.take(SMALL_BYTES_MAX).await;
        }
        // What was lent before is given back first.
        second.take(SMALL_BYTES_MAX).await;
        more.await;
        let alone = turns.next().await;
        let mut all = alone.take(u64::MAX);
        assert!(is_waiting(&mut all));
        drop((first, third));
        all.await;
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_for_memory_takes_no_place_and_no_time_of_its_own() {
        let turns = Turns::new();
        let large = turns.next().await;
        large.take(u64::MAX).await;
        let mut waiting = Vec::new();
        for _ in 0..2 * PLANS_AT_ONCE_MAX {
            let turn = turns.next().await;
            waiting.push(tokio::spawn(async move {
                let work = async {
                    turn.take(BYTES_AT_ONCE_MAX).await;
                    tokio::time::sleep(MOST / 2).await;
                };
                is_over(&turn, work).await
            }));
            tokio::task::yield_now().await;
        }
        tokio::time::sleep(MOST * 10).await;
        assert!(waiting.iter().all(|plan| !plan.is_finished()));
        drop(large);
        for plan in waiting {
            assert!(!plan.await.unwrap(), "it waited longer than it may work");
        }
    }
}
