//! Reads of objects whose keys have empty segments (`a//b`), which `object_store`'s paths cannot
//! hold.
//!
//! The client is asked for a path with a stand-in for each empty segment, and the request's
//! extensions tell the connector of [`crate::store::client`] to cut the stand-ins out of the URI
//! and to sign again. So the client encodes the key as ever, and a request that the connector did
//! not change asks for a key that nobody has, never for `a/b`. The connector confirms each change;
//! an answer without it is refused.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use http::{Method, Uri};
use object_store::client::{HttpError, HttpRequest};
use object_store::path::{Error, Path};
use object_store::{GetOptions, GetResult, ObjectStore};

use crate::store::error::{StoreError, StoreErrorKind};
use crate::store::signing::Signing;
use crate::store::uri::with_path_and_query;

/// The stand-in. Letters alone, which no client encodes.
const STAND_IN: &str = "emptySegmentOfTheKey";

/// Where an object lies in a store, for reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectPath {
    path: Path,
    /// `None` when `path` is the key.
    stand_in: Option<StandIn>,
}

/// What stands for the empty segments of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
struct StandIn {
    text: String,
    /// The number of empty segments.
    count: usize,
}

impl From<Path> for ObjectPath {
    fn from(path: Path) -> Self {
        Self { path, stand_in: None }
    }
}

impl ObjectPath {
    /// Returns the place of `key`, which may have empty segments between others.
    ///
    /// # Errors
    /// The key has a `.` or `..` segment, or begins or ends with an empty one.
    pub(crate) fn parse(key: &str) -> Result<Self, Error> {
        let count = key.split('/').filter(|segment| segment.is_empty()).count();
        if key.is_empty() || count == 0 {
            return Ok(Path::parse(key)?.into());
        }
        if key.starts_with('/') || key.ends_with('/') {
            return Err(Error::EmptySegment { path: key.to_owned() });
        }
        let mut text = STAND_IN.to_owned();
        while key.contains(&text) {
            text.push('X');
        }
        let segments: Vec<&str> = key
            .split('/')
            .map(|segment| if segment.is_empty() { text.as_str() } else { segment })
            .collect();
        let path = Path::parse(segments.join("/"))?;
        Ok(Self { path, stand_in: Some(StandIn { text, count }) })
    }

    #[must_use]
    pub fn key(&self) -> String {
        match &self.stand_in {
            Some(stand_in) => self.path.as_ref().replace(&stand_in.text, ""),
            None => self.path.to_string(),
        }
    }

    /// Sends one request for the object.
    ///
    /// # Errors
    /// The store's; `Unsupported` when its client cannot name the key.
    pub async fn get(
        &self,
        store: &dyn ObjectStore,
        mut options: GetOptions,
    ) -> Result<GetResult, StoreError> {
        let Some(stand_in) = &self.stand_in else {
            return Ok(store.get_opts(&self.path, options).await?);
        };
        let asked = LiteralRead { stand_in: stand_in.clone(), is_done: Arc::default() };
        options.extensions.insert(asked.clone());
        let answer = store.get_opts(&self.path, options).await.map_err(StoreError::from);
        let is_done = asked.is_done.load(Ordering::Relaxed);
        match answer {
            Ok(answer) if is_done => Ok(answer),
            // Another error came before the request, or shows no object's state.
            Err(error) if is_done || error.kind != StoreErrorKind::NotFound => {
                let message = error.message.replace(&stand_in.text, "");
                Err(StoreError { message, ..error })
            }
            Ok(_) | Err(_) => {
                let message = "the store's client cannot name a key with an empty segment";
                Err(StoreError::new(StoreErrorKind::Unsupported, message))
            }
        }
    }
}

/// What the caller wants, in the extensions of a request.
#[derive(Clone, Debug)]
struct LiteralRead {
    stand_in: StandIn,
    /// Set by the connector once the request asks for the key itself.
    is_done: Arc<AtomicBool>,
}

/// Makes a read ask for its literal key, where its extensions want that and the store's signature
/// is known.
pub(crate) async fn name_literally(
    request: &mut HttpRequest,
    signing: &Signing,
) -> Result<(), HttpError> {
    let Some(asked) = request.extensions().get::<LiteralRead>().cloned() else { return Ok(()) };
    let reads = matches!(*request.method(), Method::GET | Method::HEAD);
    if !reads || !signing.can_sign(request) {
        return Ok(());
    }
    let Some(uri) = without(request.uri(), &asked.stand_in)? else { return Ok(()) };
    *request.uri_mut() = uri;
    signing.sign(request).await?;
    asked.is_done.store(true, Ordering::Relaxed);
    Ok(())
}

/// Cuts the stand-ins out of the path; `None` when something else holds their text, too.
fn without(uri: &Uri, stand_in: &StandIn) -> Result<Option<Uri>, HttpError> {
    let StandIn { text, count } = stand_in;
    if uri.path().matches(text.as_str()).count() != *count {
        return Ok(None);
    }
    let mut whole = uri.path().replace(text.as_str(), "");
    if let Some(query) = uri.query() {
        whole = format!("{whole}?{query}");
    }
    with_path_and_query(uri, &whole).map(Some)
}

#[cfg(test)]
mod tests;
