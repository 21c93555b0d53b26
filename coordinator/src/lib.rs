//! The one process that decides and publishes.
//!
//! Layout, in pipeline order:
//!
//! * [`config`]: flags, environment, file → settings.
//! * [`rpc`]: the gRPC faces.
//! * [`driver`]: the one loop that owns the machine.
//! * [`effects`]: planning and publishing.
//! * [`state`]: facts that survive a crash.
//! * [`http`]: what `/metrics` tells.
//! * [`server`]: a coordinator as a process.
//! * [`embedded`]: a coordinator inside another process.

pub mod config;
pub mod driver;
pub mod effects;
pub mod embedded;
pub mod http;
pub mod rpc;
pub mod server;
pub mod state;
