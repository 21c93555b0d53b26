//! What a process tells of itself while it runs: the log, and the spans of traces where a collector
//! is configured.
//!
//! * [`span`]: a span, once it is over.
//! * [`spans`]: the queue of spans: whoever tells of one never waits for the collector.
//! * `otlp`: spans → the collector; the one file that uses OpenTelemetry's crates.
//! * `logs`: the log, on stderr.

mod logs;
mod otlp;
pub mod span;
pub mod spans;

pub use logs::init;
