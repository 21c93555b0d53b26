//! The runtime of every process.
//!
//! What waits for a disk runs on threads of its own. Each of them keeps some memory of the
//! allocator for itself, so their number is bounded: by what a disk can do at once, far below the
//! 512 that the runtime would start.

use std::io;

use tokio::runtime::{Builder, Runtime};

use crate::allocator;

/// Threads that wait for disks.
const BLOCKING_THREADS_MAX: usize = 64;

/// Starts the process's runtime, with as many working threads as the machine has cores. To be
/// called once, before any other thread is started.
///
/// # Errors
/// The system gives no thread.
pub fn start() -> io::Result<Runtime> {
    allocator::give_back_soon();
    bounded().build()
}

fn bounded() -> Builder {
    let mut builder = Builder::new_multi_thread();
    builder.enable_all().max_blocking_threads(BLOCKING_THREADS_MAX);
    builder
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use super::*;

    #[test]
    fn no_more_threads_than_a_disk_has_use_for_wait_at_once() {
        static NOW: AtomicUsize = AtomicUsize::new(0);
        static MOST: AtomicUsize = AtomicUsize::new(0);
        let wait = || {
            MOST.fetch_max(1 + NOW.fetch_add(1, Ordering::Relaxed), Ordering::Relaxed);
            std::thread::sleep(Duration::from_millis(5));
            NOW.fetch_sub(1, Ordering::Relaxed);
        };
        let runtime = bounded().build().unwrap();
        runtime.block_on(async {
            let waits: Vec<_> =
                (0..4 * BLOCKING_THREADS_MAX).map(|_| tokio::task::spawn_blocking(wait)).collect();
            for wait in waits {
                wait.await.unwrap();
            }
        });
        let most = MOST.load(Ordering::Relaxed);
        assert!((2..=BLOCKING_THREADS_MAX).contains(&most), "{most}");
    }
}
