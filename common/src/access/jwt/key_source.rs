//! Where the keys of an identity provider come from: a file, or a URL.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use deepclone_core::failure::Failure;
use deepclone_core::reason::Reason;

use super::asked::{AskedKeys, AskingPace};
use super::fetch::KeyUrl;
use super::keys::VerifyingKeys;
use crate::reloaded::Reloaded;

/// Where keys come from, as the file of principals says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum KeyPlace {
    File(PathBuf),
    Url(KeyUrl),
}

/// The keys of a place, as they are now.
#[derive(Debug)]
pub(super) enum KeySource {
    File(Reloaded<VerifyingKeys>),
    Url(AskedKeys),
}

impl KeySource {
    fn open(place: &KeyPlace, pace: AskingPace) -> Result<Self, String> {
        match place {
            KeyPlace::File(file) => {
                let path = file.clone();
                let load = move || read(&path);
                Reloaded::new("the file of keys", vec![file.clone()], load)
                    .map(Self::File)
                    .map_err(|failure| failure.message)
            }
            KeyPlace::Url(url) => {
                let url = url.clone();
                let fetch = move || {
                    let url = url.clone();
                    async move { url.fetch().await }
                };
                AskedKeys::start(fetch, pace).map(Self::Url)
            }
        }
    }

    pub(super) fn get(&self) -> Arc<VerifyingKeys> {
        match self {
            Self::File(keys) => keys.get(),
            Self::Url(keys) => keys.get(),
        }
    }

    /// Has the keys asked for again; returns whether anybody is.
    pub(super) fn ask_again(&self) -> bool {
        match self {
            Self::File(_) => false,
            Self::Url(keys) => {
                keys.ask_again();
                true
            }
        }
    }
}

fn read(file: &Path) -> Result<VerifyingKeys, Failure> {
    let failed = |what: String| {
        let message = format!("jwks_file {}: {what}", file.display());
        Failure::new(Reason::InvalidArgument, message)
    };
    let text =
        std::fs::read(file).map_err(|error| failed(format!("it cannot be read: {error}")))?;
    VerifyingKeys::parse(&text).map_err(failed)
}

/// The source that is open: it stays, with its keys, when the file of principals changes and still
/// names the same place.
#[derive(Debug, Default)]
pub(in crate::access) struct OpenKeys {
    pub(super) pace: AskingPace,
    open: Mutex<Option<(KeyPlace, Arc<KeySource>)>>,
}

impl OpenKeys {
    pub(super) fn at(&self, place: KeyPlace) -> Result<Arc<KeySource>, String> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((of, source)) = &*open
            && *of == place
        {
            return Ok(Arc::clone(source));
        }
        let source = Arc::new(KeySource::open(&place, self.pace)?);
        *open = Some((place, Arc::clone(&source)));
        Ok(source)
    }

    /// Lets go of the source, for the file names none any more.
    pub(in crate::access) fn close(&self) {
        *self.open.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}
