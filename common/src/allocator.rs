//! The memory allocator of every process that links this crate.
//!
//! Small objects are hundreds of short allocations each, made by one thread and freed by another:
//! the C library's allocator takes a third of a worker's CPU time for them. Fuzz targets have an
//! allocator of their own, which bounds their memory.

#[cfg(not(fuzzing))]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The number of `mi_option_purge_delay` in the allocator's list of options.
#[cfg(not(fuzzing))]
const PURGE_DELAY: libmimalloc_sys::mi_option_t = 15;

/// Milliseconds after which freed memory goes back to the system. The allocator's own second is too
/// long for the publishing of a large table, which takes and frees far more than it needs at once.
/// In a tenth of this what bytes flow through goes back before it is needed again.
#[cfg(not(fuzzing))]
const PURGE_DELAY_MS: core::ffi::c_long = 100;

/// Lets freed memory go back to the system soon. For the start of a process, which has no other
/// threads yet.
#[cfg(not(fuzzing))]
#[expect(unsafe_code, reason = "the allocator has no other interface to its options")]
pub(crate) fn give_back_soon() {
    // SAFETY: the function takes any number of an option and any value. It is not meant for two
    // threads at once, and there is one.
    unsafe { libmimalloc_sys::mi_option_set(PURGE_DELAY, PURGE_DELAY_MS) }
}

/// The allocator of a fuzz target gives nothing back.
#[cfg(fuzzing)]
pub(crate) fn give_back_soon() {}
