//! The write of a body that may be larger than what memory should hold.

use deepclone_common::store::large::{LargePut, NewObject};
use deepclone_common::store::table::TableStore;
use futures::TryStreamExt as _;
use object_store::path::Path;

use super::body::{Body, BodySource};
use super::{PutOutcome, key, put_if_absent, settled};
use crate::error::DeltaError;

/// The attempts at one body, until whoever asked for it knows the outcome.
pub(crate) struct BodyPut<'a> {
    table: &'a TableStore,
    relative: &'a str,
    sent: BodySource<'a>,
    /// `None` for a body that is put from memory.
    large: Option<(LargePut<'a>, Path)>,
}

impl<'a> BodyPut<'a> {
    /// Begins to write `body` at `relative`. Nothing is sent yet.
    ///
    /// # Errors
    /// A store cannot name it.
    pub(crate) fn new(
        table: &'a TableStore,
        relative: &'a str,
        body: &'a Body,
    ) -> Result<Self, DeltaError> {
        let large = match table.large.as_ref().filter(|_| !body.is_held()) {
            Some(large) => Some((large.begin(body.bytes()), key(table, relative)?)),
            None => None,
        };
        Ok(Self { table, relative, sent: BodySource::new(body), large })
    }

    /// Writes it unless an object is there, by one conditional request. An unknown outcome is read
    /// back before the next attempt, which goes on with what the store has.
    ///
    /// # Errors
    /// As [`put_if_absent`], and a temporary file that cannot be read.
    pub(crate) async fn attempt(&mut self) -> Result<PutOutcome, DeltaError> {
        let (table, relative) = (self.table, self.relative);
        let Some((put, key)) = &mut self.large else {
            return put_if_absent(table, relative, self.sent.payload().await?).await;
        };
        let object = NewObject { key, relative, store: &table.uri, body: &self.sent };
        let mut put = put.attempt(&object).await;
        // What was not read was not sent: no completion follows on it.
        if let (Err(_), Some(error)) = (&put, self.sent.unread()) {
            return Err(error);
        }
        if let Ok(etag @ None) = &mut put {
            // A file has its tag, which no answer told.
            *etag = listed_tag(table, key).await;
        }
        settled(table, relative, put)
    }

    /// Ends the attempts, and throws away what they left that made no object.
    pub(crate) async fn end(self) {
        if let Some((put, key)) = self.large {
            let (relative, store, body) = (self.relative, &self.table.uri, &self.sent);
            put.end(&NewObject { key: &key, relative, store, body }).await;
        }
    }
}

/// As [`put_if_absent`] with a body that may be larger than what memory should hold.
///
/// # Errors
/// As [`put_if_absent`], and a temporary file that cannot be read.
pub(crate) async fn put_body_if_absent(
    table: &TableStore,
    relative: &str,
    body: &Body,
) -> Result<PutOutcome, DeltaError> {
    let mut put = BodyPut::new(table, relative, body)?;
    let outcome = put.attempt().await;
    put.end().await;
    outcome
}

/// The entity tag of an object as a listing tells it, which the next sync compares. That of a local
/// file says more where the file is asked for by itself.
async fn listed_tag(table: &TableStore, key: &Path) -> Option<String> {
    let (folder, _) = key.as_ref().rsplit_once('/')?;
    let folder = Path::parse(folder).ok()?;
    let mut listed = table.store.list(Some(&folder));
    while let Some(meta) = listed.try_next().await.ok()? {
        if meta.location == *key {
            return meta.e_tag;
        }
    }
    None
}
