//! The buckets of histograms, in seconds.

/// Of a request to a store: from a server in the same rack to one that is about to be given up.
pub const STORE_SECONDS: [f64; 12] =
    [0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 30.0];

/// Of a call to a coordinator: a request for tasks waits up to 20 seconds.
pub const CALL_SECONDS: [f64; 9] = [0.001, 0.005, 0.025, 0.1, 0.5, 1.0, 5.0, 20.0, 60.0];

/// Of a transaction: a disk that is next to a process takes milliseconds.
pub const COMMIT_SECONDS: [f64; 9] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.5, 2.5, 10.0];
