//! The one process that decides and publishes.
//!
//! Layout, in pipeline order:
//!
//! * [`config`]: flags, environment, file → settings.
//! * [`rpc`]: the gRPC faces.
//! * [`driver`]: the one loop that owns the machine.
//! * [`effects`]: planning and publishing.
//! * [`job_plan`]: a job's plan with all that the machine does not see of it.
//! * [`state`]: facts that survive a crash.
//! * [`metrics`]: what `/metrics` tells.
//! * [`server`]: a coordinator as a process.
//! * [`embedded`]: a coordinator inside another process.

pub mod config;
pub mod driver;
pub mod effects;
pub mod embedded;
pub mod job_plan;
pub mod metrics;
pub mod rpc;
pub mod server;
pub mod state;
