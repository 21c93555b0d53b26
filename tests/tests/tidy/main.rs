//! Holds the shape of the code: sizes, circles of files, names, doc comments, and the arrows
//! between our crates.
//!
//! Each rule is one test, and each test names every place that breaks the rule, not only the first.

#![expect(clippy::expect_used, reason = "a broken workspace is a failed test")]

mod circles;
mod claims;
mod doc_comments;
mod modules;
mod packages;
mod sizes;
mod type_names;
mod workspace;
