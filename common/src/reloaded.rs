//! A value that is read from files, and read again when one of them changes.
//!
//! Whoever asks for the value looks at the files, at most once a second: there is no task beside
//! the work. A file that cannot be used any more is logged, and the value stays as it was.

use std::fmt;
use std::fs::Metadata;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use deepclone_core::failure::Failure;

/// How long a look at the files counts.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// What tells that a file is another one than before. Links are followed, for secrets are often
/// replaced by changing one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    modified: Option<SystemTime>,
    bytes: u64,
    file: u64,
}

struct State<T> {
    value: Arc<T>,
    stamps: Vec<Option<Stamp>>,
    looked: Instant,
}

type Load<T> = Box<dyn Fn() -> Result<T, Failure> + Send + Sync>;

/// A value that is read from files, and read again when one of them changes.
pub struct Reloaded<T> {
    what: &'static str,
    files: Vec<PathBuf>,
    load: Load<T>,
    state: Mutex<State<T>>,
}

impl<T> Reloaded<T> {
    /// Reads the value by `load`, which reads `files`; `what` it is stands in the log.
    ///
    /// # Errors
    /// Those of `load`.
    pub fn new(
        what: &'static str,
        files: Vec<PathBuf>,
        load: impl Fn() -> Result<T, Failure> + Send + Sync + 'static,
    ) -> Result<Self, Failure> {
        // Looked at first: a file that changes meanwhile is read once more.
        let stamps = stamps(&files);
        let value = Arc::new(load()?);
        let state = Mutex::new(State { value, stamps, looked: Instant::now() });
        Ok(Self { what, files, load: Box::new(load), state })
    }

    /// Returns the value as the files have it.
    pub fn get(&self) -> Arc<T> {
        self.get_at(Instant::now())
    }

    fn get_at(&self, now: Instant) -> Arc<T> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if now.saturating_duration_since(state.looked) < LOOK_EVERY {
            return Arc::clone(&state.value);
        }
        state.looked = now;
        let stamps = stamps(&self.files);
        if stamps != state.stamps {
            state.stamps = stamps;
            match (self.load)() {
                Ok(value) => {
                    state.value = Arc::new(value);
                    tracing::info!("{} changed, and was read again", self.what);
                }
                Err(failure) => {
                    tracing::warn!("{} changed, and stays as it was: {failure}", self.what);
                }
            }
        }
        Arc::clone(&state.value)
    }
}

impl<T> fmt::Debug for Reloaded<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reloaded").field("what", &self.what).field("files", &self.files).finish()
    }
}

fn stamps(files: &[PathBuf]) -> Vec<Option<Stamp>> {
    files.iter().map(|file| std::fs::metadata(file).ok().map(|meta| stamp(&meta))).collect()
}

fn stamp(meta: &Metadata) -> Stamp {
    use std::os::unix::fs::MetadataExt as _;
    Stamp { modified: meta.modified().ok(), bytes: meta.len(), file: meta.ino() }
}

#[cfg(test)]
mod tests {
    use deepclone_core::reason::Reason;

    use super::*;

    #[test]
    fn a_value_follows_its_files_and_survives_bad_ones() {
        let folder = tempfile::tempdir().unwrap();
        let (file, link) = (folder.path().join("v1"), folder.path().join("now"));
        std::fs::write(&file, "1").unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        let path = link.clone();
        let load = move || {
            let text = std::fs::read_to_string(&path).unwrap_or_default();
            text.parse::<u64>().map_err(|_| Failure::new(Reason::InvalidArgument, "no number"))
        };
        let value = Reloaded::new("the number", vec![link.clone()], load).unwrap();
        let mut now = Instant::now();
        let mut later = || {
            now += LOOK_EVERY;
            now
        };
        assert_eq!(*value.get(), 1);
        std::fs::write(&file, "22").unwrap();
        assert_eq!(*value.get(), 1, "within a second nobody looks");
        assert_eq!(*value.get_at(later()), 22);
        // As a secret of an orchestrator is replaced.
        let next = folder.path().join("v2");
        std::fs::write(&next, "33").unwrap();
        std::fs::remove_file(&link).unwrap();
        std::os::unix::fs::symlink(&next, &link).unwrap();
        assert_eq!(*value.get_at(later()), 33);
        std::fs::write(&next, "no number").unwrap();
        assert_eq!(*value.get_at(later()), 33);
        std::fs::remove_file(&next).unwrap();
        assert_eq!(*value.get_at(later()), 33);
        std::fs::write(&next, "4").unwrap();
        assert_eq!(*value.get_at(later()), 4);
        assert!(
            Reloaded::new("it", vec![], || {
                Err::<u64, _>(Failure::new(Reason::InvalidArgument, "no number"))
            })
            .is_err()
        );
    }
}
