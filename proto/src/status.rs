//! A `Failure` as a `google.rpc.Status` and back, so that both ends of a call have the same words.
//!
//! The status carries one `ErrorInfo`: its reason is the name in the table of reasons, its domain
//! [`DOMAIN`], its metadata the failure's details. What is long is cut: a status travels in
//! headers, and one that does not fit loses its reason, too.

use std::borrow::Cow;
use std::collections::HashMap;

use deepclone_core::failure::Failure;
use deepclone_core::limits::{STATUS_DETAILS_BYTES_MAX, STATUS_MESSAGE_BYTES_MAX};
use deepclone_core::reason::Reason;
use deepclone_core::visible::cut;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt as _};

/// The domain of every `ErrorInfo` that Deepclone sends.
pub const DOMAIN: &str = "deepclone";

/// Returns the status for a failure.
#[must_use]
pub fn to_status(failure: &Failure) -> Status {
    let row = failure.reason.row();
    let details = ErrorDetails::with_error_info(row.name, DOMAIN, metadata(failure));
    let message = cut(Cow::Borrowed(&failure.message), STATUS_MESSAGE_BYTES_MAX);
    Status::with_error_details(Code::from_i32(row.grpc), message, details)
}

/// Returns the details by name, each as long as there is room.
fn metadata(failure: &Failure) -> HashMap<String, String> {
    let mut room = STATUS_DETAILS_BYTES_MAX;
    let mut metadata = HashMap::new();
    for (name, value) in &failure.details {
        let Some(left) = room.checked_sub(name.len()).filter(|left| *left > 0) else { break };
        let value = cut(Cow::Borrowed(value), left);
        room = left.saturating_sub(value.len());
        metadata.insert(name.clone(), value.into_owned());
    }
    metadata
}

/// Returns the failure in a status. For a status that is not ours (a refused connection, a proxy's
/// answer) it is [`Reason::CoordinatorUnavailable`] when a later try may succeed, else `Internal`.
#[must_use]
pub fn from_status(status: &Status) -> Failure {
    let info = status.get_details_error_info().filter(|info| info.domain == DOMAIN);
    if let Some(info) = info
        && let Some(reason) = Reason::from_name(&info.reason)
    {
        let details = info.metadata.into_iter().collect();
        return Failure { details, ..Failure::new(reason, status.message()) };
    }
    let reason = match status.code() {
        Code::Unavailable | Code::DeadlineExceeded => Reason::CoordinatorUnavailable,
        Code::Cancelled => Reason::Cancelled,
        Code::InvalidArgument | Code::OutOfRange => Reason::InvalidArgument,
        Code::Unimplemented => Reason::Unimplemented,
        Code::PermissionDenied => Reason::AccessDenied,
        Code::Unauthenticated => Reason::Unauthenticated,
        _ => Reason::Internal,
    };
    let message = match status.message() {
        "" => format!("the call failed: {}", status.code()),
        message => message.to_owned(),
    };
    Failure::new(reason, message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use deepclone_core::reason::REASONS;

    #[test]
    fn every_reason_survives_the_wire_with_its_details() {
        for row in REASONS {
            let failure = Failure::new(row.reason, "the key a/b is gone").with("key", "a/b");
            let status = to_status(&failure);
            assert_eq!(status.code() as i32, row.grpc);
            assert_eq!(from_status(&status), failure);
        }
    }

    #[test]
    fn a_status_fits_into_the_headers_of_every_client() {
        for text in ["x", "é", "%", "\u{1f642}"] {
            let long = text.repeat(100_000);
            let failure = Failure::new(Reason::UnsupportedFeature, long.as_str());
            let failure = failure.with("key", long.as_str()).with("path", long.as_str());
            let status = to_status(&failure);
            let mut headers = tonic::codegen::http::HeaderMap::new();
            status.add_header(&mut headers).unwrap();
            let bytes: usize = headers.iter().map(|(k, v)| k.as_str().len() + v.len()).sum();
            assert!(bytes < 15 << 10, "{bytes} bytes of headers");
            let back = from_status(&status);
            assert_eq!(back.reason, Reason::UnsupportedFeature);
            assert!(back.message.ends_with('…') && back.details["key"].ends_with('…'));
        }
    }

    #[test]
    fn a_foreign_status_keeps_its_meaning() {
        let cases = [
            (Status::unavailable("tcp connect error"), Reason::CoordinatorUnavailable),
            (Status::internal("x"), Reason::Internal),
            (Status::unimplemented(""), Reason::Unimplemented),
        ];
        for (status, reason) in cases {
            let failure = from_status(&status);
            assert_eq!(failure.reason, reason);
            assert!(!failure.message.is_empty());
        }
    }
}
