//! Whether a store is reached, knows the credentials, and lets its objects be listed and read.

use futures::TryStreamExt as _;
use object_store::{GetOptions, GetRange, ObjectMeta, ObjectStore as _};

use super::check::{Check, reason_of};
use crate::connections::Opened;
use crate::store::error::{StoreError, StoreErrorKind};

const REACHABLE: &str = "reachable";
const CREDENTIALS: &str = "credentials";
const LIST: &str = "list";
const READ: &str = "read";
const ALLOW_LIST: &str = "allow listing (S3: s3:ListBucket; Azure: Storage Blob Data Reader)";
const ALLOW_READ: &str = "allow reading (S3: s3:GetObject; Azure: Storage Blob Data Reader)";
/// Parts of refusals that say that nobody is known by the credentials, or not any more.
const UNKNOWN: [&str; 8] = [
    "InvalidAccessKeyId",
    "SignatureDoesNotMatch",
    "ExpiredToken",
    "InvalidToken",
    "RequestTimeTooSkewed",
    "AuthenticationFailed",
    "InvalidAuthenticationInfo",
    "credentials file",
];

/// What the first listing found.
pub(super) struct Listed {
    pub(super) checks: Vec<Check>,
    /// The first object below the root.
    pub(super) first: Option<ObjectMeta>,
    /// Nothing answers, or nothing may be asked: the other checks would say the same.
    pub(super) is_over: bool,
}

/// Lists the first keys below the root.
pub(super) async fn list(opened: &Opened) -> Listed {
    let mut keys = opened.table.store.list(Some(&opened.table.root));
    let first = keys.try_next().await.map_err(StoreError::from);
    let reached = || Check::ok(REACHABLE, "the store answers");
    match first {
        Ok(first) => Listed {
            checks: vec![
                reached(),
                Check::ok(CREDENTIALS, "the store knows them"),
                Check::ok(LIST, "keys below the root are listed"),
            ],
            first,
            is_over: false,
        },
        Err(error) => refused(&error),
    }
}

fn refused(error: &StoreError) -> Listed {
    let reached = || Check::ok(REACHABLE, "the store answers");
    let is_unknown = UNKNOWN.iter().any(|part| error.message.contains(part));
    let checks = match error.kind {
        StoreErrorKind::BucketMissing => {
            let advice = "make the bucket or container, or correct the connection's url";
            vec![reached(), Check::refused(LIST, error, advice)]
        }
        kind if kind.is_denied() && is_unknown => {
            let advice = "correct the connection's credentials, or this machine's clock";
            vec![reached(), Check::refused(CREDENTIALS, error, advice)]
        }
        kind if kind.is_denied() => {
            let unclear = "listing is refused, which does not tell whether the store knows them";
            let unclear = Check::warn(CREDENTIALS, unclear, ALLOW_LIST);
            vec![reached(), unclear, Check::refused(LIST, error, ALLOW_LIST)]
        }
        _ => {
            let advice = "see whether the endpoint, the network and the store are as they should";
            vec![Check::refused(REACHABLE, error, advice)]
        }
    };
    Listed { checks, first: None, is_over: true }
}

/// Reads a byte of an object that is there.
pub(super) async fn read(opened: &Opened, first: Option<&ObjectMeta>) -> Check {
    let Some(first) = first else {
        return Check::skipped(READ, "there is no object to read");
    };
    let range = (first.size > 0).then_some(GetRange::Bounded(0..1));
    let options = GetOptions { range, ..GetOptions::default() };
    let answer = async {
        let answer = opened.table.store.get_opts(&first.location, options).await?;
        answer.bytes().await
    };
    match answer.await.map_err(StoreError::from) {
        Ok(_) => Check::ok(READ, format!("{} can be read", first.location)),
        Err(error) => {
            let message = format!("{}: {error}", first.location);
            Check::failed(READ, reason_of(&error), message, ALLOW_READ)
        }
    }
}
