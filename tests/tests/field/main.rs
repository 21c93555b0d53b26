//! Stores as they are: the real binary between two stores that lie and fail on order.
//!
//! Each case is a way in which copies fail in the field. It is either survived, with the right
//! bytes at the target and nothing left behind, or refused with one message that names cause and
//! object.
//!
//! * `bench`   – a table, a source, a target, and the binary between them
//! * `writes`  – writes whose answers are lost, late, early, or mean another thing
//! * `reads`   – reads that are slow, cut, changed or not what was asked for
//! * `uploads` – large objects by parts
//! * `commits` – commits and checkpoints that are too long for one put
//! * `refusals` – what lasts: each cause has its own words
//! * `passing` – what passes: throttling, clocks, tokens, idle connections
//! * `identities` – credentials of a provider of identities, and `provider`, which hands them out
//! * `by_store` – Google Cloud Storage on both sides, which copies by itself
//! * `ahead`   – what a first sync does while its plan is made
//! * `doctor`  – checkups of stores that lack a right or lie
//! * `names`  – names, metadata and listings as stores have them
//! * `counts` – what a result says of a copy that is not whole, and of one that took repeats
//! * `replicas` – standing orders whose target refuses, or is emptied
//! * `killed` – what a worker read that is killed
//! * `logs`  – the lines that operators read
//! * `standing` – a coordinator with a replication between two such stores
//! * `bounds` – memory and bandwidth

#![expect(clippy::expect_used, clippy::panic, reason = "a test that fails, fails")]

mod ahead;
mod bench;
mod bounds;
mod by_store;
mod commits;
mod counts;
mod doctor;
mod identities;
mod killed;
mod logs;
mod names;
mod over_tls;
mod passing;
mod provider;
mod reads;
mod refusals;
mod replicas;
mod standing;
mod uploads;
mod writes;
