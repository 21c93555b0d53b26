//! The errors of connections and of URIs: one line each, never with the value of a setting.

use deepclone_core::failure::Failure;
use deepclone_core::reason::Reason;

use super::side::Side;

/// Why a connection or a URI is refused.
#[derive(Debug, thiserror::Error)]
pub enum ConnectionError {
    /// The text is not a URI of a table.
    #[error("{uri} is not a table URI: {why}")]
    BadUri {
        /// The URI, without anything that may be a secret.
        uri: String,
        why: &'static str,
    },
    /// No connection has this name.
    #[error("connection {name:?} does not exist here: add [connections.{name}] to deepclone.toml")]
    Unknown {
        /// The name that was asked for.
        name: String,
    },
    /// No connection has a root above the URI.
    #[error(
        "no connection's url is above {uri}: add [connections.NAME] with such a url and its roles \
         to deepclone.toml"
    )]
    NoConnection { uri: String },
    /// Two connections have the same root above the URI.
    #[error("connections {first:?} and {second:?} both hold {uri}: name the one to use")]
    Ambiguous {
        uri: String,
        first: String,
        /// Another connection with the same root.
        second: String,
    },
    /// The connection may not be used on this side.
    #[error(
        "connection {name:?} does not have the role {side}: add it to its roles, or use another"
    )]
    Role {
        name: String,
        /// The side asked for.
        side: Side,
    },
    /// The URI is not below the connection's root.
    #[error(
        "{uri} is not below the url of connection {name:?}: name a table below it, or another \
         connection"
    )]
    OutsideRoot {
        /// The URI or path.
        uri: String,
        name: String,
    },
    /// The kind of store has no such key.
    #[error(
        "{}: unknown key {key:?}: write an object_store setting of its kind of store in lower case",
        shown(name)
    )]
    UnknownKey { name: String, key: String },
    /// The key exists, but has a value that cannot be used.
    #[error("{}: {key}: {why}", shown(name))]
    BadKey { name: String, key: String, why: String },
    /// The store's client refuses the settings as a whole.
    #[error("{}: {why}", shown(name))]
    Settings {
        name: String,
        /// What is wrong, without values.
        why: String,
    },
    /// A rule about what may go where cannot apply.
    #[error("rules: {name:?}: {why}")]
    BadRule { name: String, why: String },
    /// The connection of that name has other settings here than at the coordinator.
    #[error(
        "connection {name:?} has other settings here than at the coordinator: make its url, \
         region, account and identity the same"
    )]
    Fingerprint { name: String },
}

/// Names a connection for a user, who gave no name to those of the command line.
fn shown(name: &str) -> String {
    match name.strip_prefix('@') {
        Some(side) => format!("the {side}'s settings in the environment"),
        None => format!("connection {name:?}"),
    }
}

impl ConnectionError {
    /// Returns the failure for a client, with the side of the table.
    #[must_use]
    pub fn failure_of(&self, side: Side) -> Failure {
        let failure = self.failure();
        let message = format!("{side}: {}", failure.message);
        Failure { message, ..failure }
    }

    /// Returns the failure for a client.
    #[must_use]
    pub fn failure(&self) -> Failure {
        Failure::new(Reason::InvalidArgument, self.to_string())
    }
}
