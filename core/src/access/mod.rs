//! Who may do what: roles, what calls need, and the places a principal may read and write.
//!
//! A [`Principal`] is a person or a process that is known by name. Its [`Role`] decides which calls
//! it may make, its [`Scope`] which tables these may concern, a [`CallBucket`] how many there are.

mod bucket;
mod place;
mod principal;
mod role;
mod scope;

pub use bucket::{CallBucket, CallRate};
pub use place::{AccessPlace, AccessPlaceError};
pub use principal::{Principal, TooLittle};
pub use role::{Permission, Role, RoleError};
pub use scope::{Reach, Scope};
