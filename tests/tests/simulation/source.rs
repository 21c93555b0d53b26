//! The source tables: logs written by hand, and what each of their versions holds.
//!
//! Names and sizes are the same in every table: only bytes tell their files apart. An object's
//! *generation* counts how often its key was written; a version of the log says the least that a
//! reader of it may see.

mod commit;
mod table;
mod vector;

pub(crate) use table::{FileName, Ledger, Live, Place, Source, Sources, Style, Version};
