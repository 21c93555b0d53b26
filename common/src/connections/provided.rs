//! Credentials that a store's own client fetches: their failures are told as such, and never as
//! answers of the store.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use object_store::CredentialProvider;

use crate::store::error::StoreError;

/// A provider of credentials, by its client in the `object_store` crate.
pub(super) struct Provided<T>(pub(super) Arc<dyn CredentialProvider<Credential = T>>);

impl<T> fmt::Debug for Provided<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Provided")
    }
}

#[async_trait]
impl<T: Send + Sync> CredentialProvider for Provided<T> {
    type Credential = T;

    async fn get_credential(&self) -> object_store::Result<Arc<T>> {
        self.0.get_credential().await.map_err(|error| object_store::Error::Generic {
            store: "credentials",
            source: Box::new(StoreError::of_credentials(&error)),
        })
    }
}
