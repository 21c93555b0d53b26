//! Signs requests to a store after the connector of [`crate::store::client`] changed them: those to
//! S3 once, at last, where the `object_store` client signs none; others again.

use std::fmt;
use std::sync::{Arc, OnceLock};

use http::header::AUTHORIZATION;
use object_store::Error;
use object_store::aws::{AwsAuthorizer, AwsCredentialProvider};
use object_store::azure::{AzureAccessKey, AzureAuthorizer, AzureCredential};
use object_store::client::{HttpError, HttpErrorKind, HttpRequest};

use super::error::StoreError;

/// The header of S3 Express, whose requests are signed for a session and not with the credentials.
const SESSION_TOKEN: &str = "x-amz-s3session-token";
const REQUEST_PAYER: &str = "x-amz-request-payer";

/// How a request is signed after it was changed.
#[derive(Clone, Debug, Default)]
pub enum Signing {
    /// Not at all: this module does not know the client.
    #[default]
    Unknown,
    /// With the credentials of the store, which are set once the store is built.
    S3(Arc<OnceLock<S3Signer>>),
    /// With the account's key; `None` when a token authorizes, which signs no header.
    Azure(Option<Arc<AzureSigner>>),
    /// Not at all: a token authorizes, which covers no part of a request.
    Token,
}

/// Signs requests to Azure.
pub struct AzureSigner {
    /// The name of the storage account.
    pub account: String,
    /// The key of the account.
    pub key: AzureAccessKey,
}

/// Signs requests to S3.
pub struct S3Signer {
    /// The credentials of the store, which refreshes them.
    credentials: AwsCredentialProvider,
    /// The region that the signature names.
    region: String,
    /// True where the store's client leaves its requests unsigned.
    signs_all: bool,
    /// True where each request says that its sender pays.
    pays: bool,
}

impl fmt::Debug for S3Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("S3Signer").field("region", &self.region).finish_non_exhaustive()
    }
}

impl fmt::Debug for AzureSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AzureSigner").field("account", &self.account).finish_non_exhaustive()
    }
}

impl Signing {
    /// Returns whether this request can be signed again, or needs no signature.
    pub(crate) fn can_sign(&self, request: &HttpRequest) -> bool {
        match self {
            Self::Unknown => false,
            Self::S3(_) => !request.headers().contains_key(SESSION_TOKEN),
            Self::Azure(_) | Self::Token => true,
        }
    }

    /// Signs the request again if it was signed.
    pub(crate) async fn sign(&self, request: &mut HttpRequest) -> Result<(), HttpError> {
        if !request.headers().contains_key(AUTHORIZATION) {
            return Ok(());
        }
        match self {
            Self::Unknown | Self::Token => Ok(()),
            Self::S3(signer) => match signer.get() {
                Some(signer) => signer.sign(request).await,
                None => Ok(()),
            },
            Self::Azure(signer) => match signer {
                Some(signer) => signer.sign(request),
                None => Ok(()),
            },
        }
    }
}

impl S3Signer {
    /// A signer of requests that were signed and changed.
    #[must_use]
    pub fn new(credentials: AwsCredentialProvider, region: String) -> Self {
        Self { credentials, region, signs_all: false, pays: false }
    }

    /// Returns the same for a store whose client leaves its requests unsigned. With `pays` each of
    /// them says that its sender pays.
    #[must_use]
    pub fn of_all(self, pays: bool) -> Self {
        Self { signs_all: true, pays, ..self }
    }
}

impl Signing {
    /// Signs a request that nothing changes any more, where the store's client left that to us.
    pub(crate) async fn sign_last(&self, request: &mut HttpRequest) -> Result<(), HttpError> {
        match self {
            Self::S3(signer) => match signer.get().filter(|signer| signer.signs_all) {
                Some(signer) => signer.sign(request).await,
                None => Ok(()),
            },
            Self::Unknown | Self::Azure(_) | Self::Token => Ok(()),
        }
    }
}

impl S3Signer {
    async fn sign(&self, request: &mut HttpRequest) -> Result<(), HttpError> {
        let credential = self.credentials.get_credential().await.map_err(unsigned)?;
        request.headers_mut().remove(AUTHORIZATION);
        let pays = self.pays || request.headers().contains_key(REQUEST_PAYER);
        AwsAuthorizer::new(&credential, "s3", &self.region)
            .with_sign_payload(false)
            .with_request_payer(pays)
            .try_authorize(request, None)
            .map_err(unsigned)
    }
}

impl AzureSigner {
    fn sign(&self, request: &mut HttpRequest) -> Result<(), HttpError> {
        request.headers_mut().remove(AUTHORIZATION);
        let credential = AzureCredential::AccessKey(self.key.clone());
        AzureAuthorizer::new(&credential, &self.account).try_authorize(request).map_err(unsigned)
    }
}

/// The error of a request that was not sent. What it means is judged here: the store's client would
/// take it for a request without an answer.
fn unsigned(error: Error) -> HttpError {
    HttpError::new(HttpErrorKind::Unknown, StoreError::from(error))
}

#[cfg(test)]
mod tests;
