//! The way to the server of a store, on which connections are opened ahead of requests.

use http::Uri;

use crate::store::client::OneClient;

/// The client of a store, and the address of its server.
#[derive(Clone, Debug)]
pub(super) struct ServerLine {
    client: OneClient,
    address: Uri,
}

impl ServerLine {
    /// The way to `address`; `None` where that is none.
    pub(super) fn new(client: OneClient, address: &str) -> Option<Self> {
        Some(Self { client, address: address.parse().ok()? })
    }

    /// Opens connections until `count` of them wait for requests that are about to come.
    pub(super) fn connect_ahead(&self, count: usize) {
        self.client.connect_ahead(&self.address, count);
    }
}
