//! An S3 server in memory behind a link of any length, to measure copiers with: it takes less CPU
//! than they do, so that they are what is measured.
//!
//! It listens at two addresses. Clients reach the objects at one of them, over the link, whose
//! faults meet them and where their requests are counted. The bench reaches the same objects at
//! the other one, and sets the link there.
//!
//! * `content`  – the bytes of an object
//! * `objects`  – buckets, objects and uploads
//! * `listing`  – pages of a bucket's keys
//! * `refused`  – what S3 answers when it does not do a request
//! * `request`  – what a request asks for
//! * `s3`       – does what a request asks for
//! * `body`     – the bodies of requests and answers, counted and cut
//! * `counts`   – requests and bytes by their kind
//! * `faults`   – which requests are refused, and which bodies are cut
//! * `link`     – how long bytes are on their way
//! * `shared`   – what the two addresses share
//! * `clients`  – the requests of clients
//! * `control`  – the requests of the bench
//! * `server`   – the two addresses

mod body;
mod clients;
mod content;
mod control;
mod counts;
mod faults;
mod link;
mod listing;
mod objects;
mod refused;
mod request;
mod s3;
mod server;
mod shared;

#[cfg(test)]
mod tests;

pub use server::{Addresses, start};
