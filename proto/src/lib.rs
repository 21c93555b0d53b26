//! The gRPC API of Deepclone: generated types, and checked conversions to the types of `core`.
//!
//! A client needs the generated types of [`v1`] alone. It creates a job with `JobService` and
//! follows it with `WatchJob`; an error is a `google.rpc.Status`, which [`status::from_status`]
//! converts to a [`Failure`](deepclone_core::failure::Failure) with a reason:
//!
//! ```no_run
//! use deepclone_proto::status::from_status;
//! use deepclone_proto::v1::job_service_client::JobServiceClient;
//! use deepclone_proto::v1::{CloneSpec, CreateJobRequest, Job, TableRef, WatchJobRequest};
//!
//! # async fn clone() -> Result<(), Box<dyn std::error::Error>> {
//! let mut jobs = JobServiceClient::connect("http://127.0.0.1:7420").await?;
//! let table = |uri: &str| Some(TableRef { uri: uri.to_owned(), connection: String::new() });
//! let spec = CloneSpec {
//!     source: table("s3://lake/orders"),
//!     target: table("gs://replicas/orders"),
//!     ..CloneSpec::default()
//! };
//! let job = Job { spec: Some(spec), ..Job::default() };
//! let request = CreateJobRequest { job: Some(job), ..CreateJobRequest::default() };
//! let job = jobs.create_job(request).await.map_err(|status| from_status(&status))?.into_inner();
//!
//! let mut changes = jobs.watch_job(WatchJobRequest { name: job.name }).await?.into_inner();
//! while let Some(change) = changes.message().await? {
//!     let job = change.job.unwrap_or_default();
//!     println!("{}: {}", job.name, job.state().as_str_name());
//! }
//! # Ok(())
//! # }
//! ```
//!
//! An enum that is left at `*_UNSPECIFIED` means the default of the command line. A value that is
//! not implemented yet is refused with `UNIMPLEMENTED` and its name. Between Deepclone's own
//! processes a missing field is an error.
//!
//! Layout:
//!
//! * [`v1`]: `deepclone.v1`, generated. Only the `rpc` folders use it.
//! * [`state`]: `deepclone.state.v1`, generated. Only the coordinator's `state` folder uses it.
//! * [`convert`]: `TryFrom` into the types of `core`, and `From` out of them.
//! * [`status`]: a `Failure` as a `google.rpc.Status`, and back.

#![warn(missing_docs)]

pub mod convert;
pub mod status;

/// The versions of the dispatch protocol that this build speaks. From 2 on, a task may be a step in
/// the copy of an object that several workers share, which a worker of 1 cannot do.
pub const DISPATCH_PROTOCOLS: std::ops::RangeInclusive<u32> = 2..=2;

/// The encoded descriptors of `deepclone.v1` and of its imports, for reflection.
pub const FILE_DESCRIPTOR_SET: &[u8] =
    include_bytes!(concat!(env!("OUT_DIR"), "/deepclone.v1.bin"));

/// The public package `deepclone.v1`.
pub mod v1 {
    #![expect(clippy::allow_attributes, reason = "the generator writes them")]
    include!(concat!(env!("OUT_DIR"), "/deepclone.v1.rs"));
}

/// The messages that the coordinator stores.
pub mod state {
    /// The generated package `deepclone.state.v1`.
    pub mod v1 {
        include!(concat!(env!("OUT_DIR"), "/internal/deepclone.state.v1.rs"));
    }
}
