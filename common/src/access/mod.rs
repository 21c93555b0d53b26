//! Who asks: the file with the principals, and the credentials by which they are known.
//!
//! What each may do is decided elsewhere ([`deepclone_core::access`]).
//!
//! * `credential`: what a request shows.
//! * `file`: `access.toml`.
//! * `jwt`: JWTs of an identity provider.
//! * `policy`: credential → principal.
//! * `token`: tokens, which are kept as digests alone.

mod credential;
mod file;
mod jwt;
mod policy;
mod token;

use std::path::Path;
use std::sync::Arc;

pub use credential::Credential;
use deepclone_core::access::Principal;
use deepclone_core::failure::Failure;
use deepclone_core::unix_time::UnixTime;
use jwt::OpenKeys;
use policy::AccessPolicy;
pub use policy::UnknownCaller;
pub use token::{NewToken, new_token};

use crate::reloaded::Reloaded;

/// The principals of a file, which is read again when it changes.
#[derive(Debug)]
pub struct Principals(Reloaded<AccessPolicy>);

impl Principals {
    /// Reads the file. Within a tokio runtime alone where it names a URL of keys: a task asks for
    /// them from then on, until this is dropped.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT` with the file and what is wrong in it.
    pub fn read(file: &Path) -> Result<Self, Failure> {
        let path = file.to_owned();
        let open = OpenKeys::default();
        let load = move || file::read(&path, &open);
        Reloaded::new("the file of principals", vec![file.to_owned()], load).map(Self)
    }

    /// Returns who shows this credential.
    ///
    /// # Errors
    /// There is none, nobody has it, or its time is over.
    pub fn who(
        &self,
        credential: &Credential,
        now: UnixTime,
    ) -> Result<Arc<Principal>, UnknownCaller> {
        self.0.get().who(credential, now)
    }

    /// Whether the file still has this principal, with the same role and scope.
    #[must_use]
    pub fn has(&self, principal: &Principal) -> bool {
        self.0.get().has(principal)
    }
}
