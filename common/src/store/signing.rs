//! Signs a request to a store again after the connector of [`crate::store::client`] changed it.

use std::fmt;
use std::sync::{Arc, OnceLock};

use http::header::AUTHORIZATION;
use object_store::Error;
use object_store::aws::{AwsAuthorizer, AwsCredentialProvider};
use object_store::azure::{AzureAccessKey, AzureAuthorizer, AzureCredential};
use object_store::client::{HttpError, HttpErrorKind, HttpRequest};

/// The header of S3 Express, whose requests are signed for a session and not with the credentials.
const SESSION_TOKEN: &str = "x-amz-s3session-token";
const REQUEST_PAYER: &str = "x-amz-request-payer";

/// How a request is signed again after it was changed.
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
    pub credentials: AwsCredentialProvider,
    /// The region that the signature names.
    pub region: String,
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
    async fn sign(&self, request: &mut HttpRequest) -> Result<(), HttpError> {
        let credential = self.credentials.get_credential().await.map_err(unsigned)?;
        request.headers_mut().remove(AUTHORIZATION);
        AwsAuthorizer::new(&credential, "s3", &self.region)
            .with_sign_payload(false)
            .with_request_payer(request.headers().contains_key(REQUEST_PAYER))
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

fn unsigned(error: Error) -> HttpError {
    HttpError::new(HttpErrorKind::Unknown, error)
}
