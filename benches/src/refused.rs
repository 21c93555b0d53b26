//! What S3 answers when it does not do a request.

use http::StatusCode;

/// Why a request is not done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    InvalidPart,
    InvalidRange,
    MalformedXml,
    NoSuchBucket,
    NoSuchKey,
    NoSuchUpload,
    NotImplemented,
    PreconditionFailed,
    SlowDown,
}

impl Refused {
    pub(crate) fn status(self) -> StatusCode {
        match self {
            Self::InvalidPart | Self::MalformedXml => StatusCode::BAD_REQUEST,
            Self::InvalidRange => StatusCode::RANGE_NOT_SATISFIABLE,
            Self::NoSuchBucket | Self::NoSuchKey | Self::NoSuchUpload => StatusCode::NOT_FOUND,
            Self::NotImplemented => StatusCode::NOT_IMPLEMENTED,
            Self::PreconditionFailed => StatusCode::PRECONDITION_FAILED,
            Self::SlowDown => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// The error in S3's form.
    pub(crate) fn xml(self) -> String {
        let code = match self {
            Self::InvalidPart => "InvalidPart",
            Self::InvalidRange => "InvalidRange",
            Self::MalformedXml => "MalformedXML",
            Self::NoSuchBucket => "NoSuchBucket",
            Self::NoSuchKey => "NoSuchKey",
            Self::NoSuchUpload => "NoSuchUpload",
            Self::NotImplemented => "NotImplemented",
            Self::PreconditionFailed => "PreconditionFailed",
            Self::SlowDown => "SlowDown",
        };
        format!("<Error><Code>{code}</Code><Message>{code}</Message></Error>")
    }
}
