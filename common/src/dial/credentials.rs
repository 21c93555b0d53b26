//! What a process shows to coordinators, and whom it believes, as its flags say.

use std::path::{Path, PathBuf};

use clap::Args;
use deepclone_core::failure::Failure;
use deepclone_core::reason::Reason;
use http::HeaderValue;

use crate::reloaded::Reloaded;

/// The heading of these options in `--help`.
const HEADING: &str = "The way to a coordinator";

/// How a process reaches its coordinators.
#[derive(Clone, Debug, Default, Args)]
pub struct DialArguments {
    /// Believe coordinators whose certificate is of an authority in this file (PEM), and no others
    #[arg(long, global = true, value_name = "FILE", env = "DEEPCLONE_CA_FILE")]
    #[arg(hide_env_values = true, help_heading = HEADING)]
    pub ca_file: Option<PathBuf>,
    /// Show this certificate (PEM, the chain after it) to coordinators
    #[arg(long, global = true, value_name = "FILE", env = "DEEPCLONE_CERT_FILE")]
    #[arg(hide_env_values = true, help_heading = HEADING, requires = "key_file")]
    pub cert_file: Option<PathBuf>,
    /// The private key of --cert-file (PEM)
    #[arg(long, global = true, value_name = "FILE", env = "DEEPCLONE_KEY_FILE")]
    #[arg(hide_env_values = true, help_heading = HEADING, requires = "cert_file")]
    pub key_file: Option<PathBuf>,
    /// The file with the token to show to coordinators
    #[arg(long, global = true, value_name = "FILE", env = "DEEPCLONE_TOKEN_FILE")]
    #[arg(hide_env_values = true, help_heading = HEADING)]
    pub token_file: Option<PathBuf>,
}

/// A token in a file, which is read again when the file changes.
#[derive(Debug)]
pub(super) struct TokenFile(Reloaded<HeaderValue>);

impl TokenFile {
    pub(super) fn read(file: &Path) -> Result<Self, Failure> {
        let path = file.to_owned();
        let load = move || read(&path);
        Reloaded::new("the token", vec![file.to_owned()], load).map(Self)
    }

    /// The value of the header `authorization`.
    pub(super) fn header(&self) -> HeaderValue {
        self.0.get().as_ref().clone()
    }
}

fn read(file: &Path) -> Result<HeaderValue, Failure> {
    let invalid = |what: &str| {
        let message = format!("--token-file {}: {what}", file.display());
        Failure::new(Reason::InvalidArgument, message)
    };
    let text = std::fs::read_to_string(file)
        .map_err(|error| invalid(&format!("it cannot be read: {error}")))?;
    match text.trim() {
        "" => Err(invalid("it is empty")),
        token => bearer(token).ok_or_else(|| invalid("it holds more than a token")),
    }
}

/// Returns the header of a token.
fn bearer(token: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(&format!("Bearer {token}")).ok()?;
    value.set_sensitive(true);
    Some(value)
}
