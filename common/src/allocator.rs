//! The memory allocator of every process that links this crate.
//!
//! Small objects are hundreds of short allocations each, made by one thread and freed by another:
//! the C library's allocator takes a third of a worker's CPU time for them. Fuzz targets have an
//! allocator of their own, which bounds their memory.

#[cfg(not(fuzzing))]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;
