//! The bound on memory: an allocator that ends the process when more is taken than any input of a
//! few KiB may need.
//!
//! libFuzzer has bounds of its own (`-rss_limit_mb`), which see memory only once it is touched, and
//! so miss an allocation by a length that lies.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

/// Bytes that may be taken at once, the fuzzer's own corpus included.
const BYTES_MAX: usize = 1 << 30;

static TAKEN: AtomicUsize = AtomicUsize::new(0);

/// The system's allocator, with a bound.
pub struct Bounded;

impl Bounded {
    fn take(bytes: usize) {
        let before = TAKEN.fetch_add(bytes, Ordering::Relaxed);
        if before.saturating_add(bytes) > BYTES_MAX {
            // The message itself needs memory.
            TAKEN.store(0, Ordering::Relaxed);
            eprintln!("{bytes} bytes more than {before}: beyond the bound of {BYTES_MAX}");
            std::process::abort();
        }
    }
}

// SAFETY: every call goes to the system's allocator with the same layout.
unsafe impl GlobalAlloc for Bounded {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        Self::take(layout.size());
        // SAFETY: the caller's layout.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        Self::take(layout.size());
        // SAFETY: the caller's layout.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        Self::take(size);
        TAKEN.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller's pointer and layout.
        unsafe { System.realloc(pointer, layout, size) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        TAKEN.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller's pointer and layout.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Bounded = Bounded;
