//! A `Failure` as a `google.rpc.Status` and back, so that both ends of a call have the same words.
//!
//! The status carries one `ErrorInfo`: its reason is the name in the table of reasons, its domain
//! [`DOMAIN`], its metadata the failure's details.

use deepclone_core::failure::Failure;
use deepclone_core::reason::Reason;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt as _};

/// The domain of every `ErrorInfo` that Deepclone sends.
pub const DOMAIN: &str = "deepclone";

/// Returns the status for a failure.
#[must_use]
pub fn to_status(failure: &Failure) -> Status {
    let row = failure.reason.row();
    let metadata: std::collections::HashMap<_, _> = failure.details.clone().into_iter().collect();
    let details = ErrorDetails::with_error_info(row.name, DOMAIN, metadata);
    Status::with_error_details(Code::from_i32(row.grpc), &failure.message, details)
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
        return Failure { reason, message: status.message().to_owned(), details };
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
        message => message.replace('\n', " "),
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
