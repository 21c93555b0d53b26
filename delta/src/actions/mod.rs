//! The actions of a Delta log, without loss: fields that we do not know survive as raw JSON.
//!
//! Shapes: <https://github.com/delta-io/delta/blob/master/PROTOCOL.md#actions>
//!
//! Flow: [`parse_commit`] (a stream of JSON values) → actions → [`LogAction::to_json`]. A field
//! that is null counts as absent.

mod error;
mod fields;
mod kinds;
mod oddity;
mod parse;
mod stream;
mod texts;
mod write;

#[cfg(test)]
mod tests;

pub use error::ParseError;
pub use kinds::{
    Add, Configuration, DeletionVector, DomainMetadata, LogAction, Metadata, Protocol, Remove, Txn,
    Unknown,
};
pub(crate) use oddity::Oddities;
pub use oddity::Oddity;
pub(crate) use parse::value as parse_value;
pub use stream::{Parsed, parse_commit};
pub use texts::Texts;
pub(crate) use write::text as json_text;
