//! What can be wrong with a connection or with a URI: one line each, never a value of a setting.

use deepclone_core::failure::Failure;
use deepclone_core::reason::Reason;

use super::side::Side;

/// Why a connection or a URI is refused.
#[derive(Debug, thiserror::Error)]
pub enum ConnectionError {
    /// Not a URI that we read.
    #[error("{uri} is not a table URI: {why}")]
    BadUri {
        /// The URI, or what may be shown of it.
        uri: String,
        /// What is wrong.
        why: &'static str,
    },
    /// No connection of this name.
    #[error("connection {name:?} does not exist here: add [connections.{name}] to deepclone.toml")]
    Unknown {
        /// The name asked for.
        name: String,
    },
    /// No connection has a root above the URI.
    #[error(
        "no connection's url is above {uri}: add [connections.NAME] with such a url and its roles \
         to deepclone.toml"
    )]
    NoConnection {
        /// The URI.
        uri: String,
    },
    /// Two connections have the same root above the URI.
    #[error("connections {first:?} and {second:?} both hold {uri}: name the one to use")]
    Ambiguous {
        /// The URI.
        uri: String,
        /// One of them.
        first: String,
        /// Another one.
        second: String,
    },
    /// The connection may not be used on this side.
    #[error("connection {name:?} has not the role {side}: add it to its roles, or use another")]
    Role {
        /// The connection.
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
        /// The connection.
        name: String,
    },
    /// A key that the kind of store does not know.
    #[error(
        "{}: unknown key {key:?}: write an object_store setting of its kind of store in lower case",
        shown(name)
    )]
    UnknownKey {
        /// The connection.
        name: String,
        /// The key.
        key: String,
    },
    /// A key that is known and cannot be used.
    #[error("{}: {key}: {why}", shown(name))]
    BadKey {
        /// The connection.
        name: String,
        /// The key.
        key: String,
        /// What is wrong.
        why: String,
    },
    /// A key that is not built yet.
    #[error("{}: {key} is not built yet: leave it out", shown(name))]
    NotBuilt {
        /// The connection.
        name: String,
        /// The key.
        key: String,
    },
    /// The store's client refuses the settings.
    #[error("{}: {why}", shown(name))]
    Settings {
        /// The connection.
        name: String,
        /// What is wrong, without values.
        why: String,
    },
    /// This machine's connection of that name is another one than the coordinator's.
    #[error(
        "connection {name:?} has other settings here than at the coordinator: make its url, \
         region, account and identity the same"
    )]
    Fingerprint {
        /// The connection.
        name: String,
    },
}

/// A connection by its name; those of the command line's own have none that a user wrote.
fn shown(name: &str) -> String {
    match name.strip_prefix('@') {
        Some(side) => format!("the {side}'s settings in the environment"),
        None => format!("connection {name:?}"),
    }
}

impl ConnectionError {
    /// The error of the table on this side, as it leaves the system.
    #[must_use]
    pub fn failure_of(&self, side: Side) -> Failure {
        let failure = self.failure();
        let message = format!("{side}: {}", failure.message);
        Failure { message, ..failure }
    }

    /// The error as it leaves the system.
    #[must_use]
    pub fn failure(&self) -> Failure {
        let reason = match self {
            Self::NotBuilt { .. } => Reason::Unimplemented,
            _ => Reason::InvalidArgument,
        };
        Failure::new(reason, self.to_string())
    }
}
