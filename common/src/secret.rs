//! A value that is never shown: not in a log, an error, `Debug` output or a serialised form.

use std::fmt;
use std::path::Path;

use serde::Deserialize;
use serde::de::{Deserializer, Visitor};

/// Shorter secrets can be guessed.
pub const SECRET_BYTES_MIN: usize = 16;

/// Returns the secret of the setting `key`, or that in the file of `<key>_file`, without the white
/// space around it.
///
/// # Errors
/// Both are there, or the file cannot be read.
pub fn one_of(
    key: &str,
    value: Option<Secret>,
    file: Option<&Path>,
) -> Result<Option<Secret>, String> {
    match (value, file) {
        (Some(_), Some(_)) => Err(format!("write {key} or {key}_file, not both")),
        (value, None) => Ok(value),
        (None, Some(path)) => {
            let failed = |error| format!("{key}_file {} cannot be read: {error}", path.display());
            let text = std::fs::read_to_string(path).map_err(failed)?;
            Ok(Some(Secret::new(text.trim())))
        }
    }
}

/// A credential or a setting that may hold one. There is no `Serialize`.
///
/// ```
/// use deepclone_common::secret::Secret;
/// let secret = Secret::new("hunter2");
/// assert_eq!(format!("{secret:?} {secret}"), "[secret] [secret]");
/// ```
///
/// ```compile_fail
/// fn wants<T: serde::Serialize>(_: T) {}
/// wants(deepclone_common::secret::Secret::new("hunter2"));
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    #[must_use]
    pub fn new(value: impl Into<String>) -> Self {
        Self(value.into())
    }

    /// Returns the value, which goes only to the client that needs it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ScalarVisitor)
    }
}

/// Accepts a string, a boolean or a whole number, as a storage setting can be in TOML.
struct ScalarVisitor;

impl Visitor<'_> for ScalarVisitor {
    type Value = Secret;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string, a boolean or a whole number")
    }

    fn visit_str<E>(self, value: &str) -> Result<Secret, E> {
        Ok(Secret::new(value))
    }

    fn visit_bool<E>(self, value: bool) -> Result<Secret, E> {
        Ok(Secret::new(value.to_string()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Secret, E> {
        Ok(Secret::new(value.to_string()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Secret, E> {
        Ok(Secret::new(value.to_string()))
    }
}
