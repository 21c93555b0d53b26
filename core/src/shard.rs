//! Objects packed into tasks.
