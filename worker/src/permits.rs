//! Permits whose number changes while they are in use.

use std::sync::{Arc, Mutex, MutexGuard};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// A number of permits; clones share them. The longest wait is served first.
#[derive(Clone, Debug)]
pub struct Permits {
    semaphore: Arc<Semaphore>,
    count: Arc<Mutex<PermitCount>>,
}

/// One of the permits, which is free again when this is dropped.
#[derive(Debug)]
pub(crate) struct Permit {
    permit: Option<OwnedSemaphorePermit>,
    count: Arc<Mutex<PermitCount>>,
}

#[derive(Debug)]
struct PermitCount {
    most: u32,
    /// Permits to take away as they come back.
    surplus: usize,
}

impl Permits {
    /// So many permits, all of them free.
    #[must_use]
    pub fn new(most: u32) -> Self {
        let count = PermitCount { most, surplus: 0 };
        Self {
            semaphore: Arc::new(Semaphore::new(most as usize)),
            count: Arc::new(Mutex::new(count)),
        }
    }

    /// The number of permits, free ones and others.
    #[must_use]
    pub fn most(&self) -> u32 {
        lock(&self.count).most
    }

    /// Changes the number of permits. Those in use stay so: where there are too many, the ones that
    /// come back first are taken away.
    pub fn set(&self, most: u32) {
        let mut count = lock(&self.count);
        let before = std::mem::replace(&mut count.most, most);
        if most > before {
            let more = (most - before) as usize;
            let kept = more.min(count.surplus);
            count.surplus -= kept;
            self.semaphore.add_permits(more - kept);
        } else {
            let fewer = (before - most) as usize;
            count.surplus += fewer - self.semaphore.forget_permits(fewer);
        }
    }

    /// Waits for a permit.
    pub(crate) async fn acquire(&self) -> Permit {
        // It fails only when the semaphore is closed, which never happens.
        let permit = Arc::clone(&self.semaphore).acquire_owned().await.ok();
        Permit { permit, count: Arc::clone(&self.count) }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut count = lock(&self.count);
        let Some(permit) = self.permit.take() else { return };
        if count.surplus > 0 {
            count.surplus -= 1;
            permit.forget();
        } else {
            // Under the lock, so that a change of the number finds it free.
            drop(permit);
        }
    }
}

fn lock(count: &Mutex<PermitCount>) -> MutexGuard<'_, PermitCount> {
    count.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;

    /// Every permit that is free.
    fn all(permits: &Permits) -> Vec<Permit> {
        let next = || tokio::task::unconstrained(permits.acquire()).now_or_never();
        std::iter::from_fn(next).collect()
    }

    #[tokio::test]
    async fn no_permit_is_lost_or_made_by_changes_while_they_are_used() {
        for (changes, held, free) in [
            (&[4][..], 0, 4),
            (&[4, 9], 3, 6),
            (&[9, 4], 3, 1),
            (&[9, 4], 6, 0),
            (&[9, 4, 2, 7], 6, 1),
            (&[9, 1, 9], 9, 0),
            (&[9, 1, 12], 9, 3),
        ] {
            let permits = Permits::new(changes[0]);
            let mut used = all(&permits);
            used.truncate(held);
            for &most in &changes[1..] {
                permits.set(most);
            }
            let last = changes[changes.len() - 1];
            let now = all(&permits);
            assert_eq!((permits.most(), now.len()), (last, free), "{changes:?} with {held} held");
            drop((used, now));
            assert_eq!(all(&permits).len(), last as usize, "{changes:?} with {held} held");
        }
    }

    #[tokio::test]
    async fn more_permits_go_to_those_that_wait_and_fewer_come_back() {
        let permits = Permits::new(1);
        let first = permits.acquire().await;
        let mut second = Box::pin(permits.acquire());
        assert!(second.as_mut().now_or_never().is_none());
        permits.set(2);
        let second = second.now_or_never().unwrap();
        permits.set(1);
        drop(first);
        assert!(permits.acquire().now_or_never().is_none(), "one is in use, and one is allowed");
        drop(second);
        assert!(permits.acquire().now_or_never().is_some());
    }
}
