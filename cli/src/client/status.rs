//! What a coordinator answers instead of what was asked for, as a `Failure`: by its ErrorInfo, else
//! by its code.

use std::error::Error;

use deepclone_common::request_id::RequestId;
use deepclone_core::failure::Failure;
use deepclone_core::reason::Reason;
use deepclone_proto::status::{DOMAIN, from_status};
use tonic::{Code, Status};
use tonic_types::StatusExt;

/// The detail with the id of the request, by which an operator finds the lines of the log.
pub const REQUEST: &str = "request";

/// Returns the failure of the coordinator, or `COORDINATOR_UNAVAILABLE` when the call broke.
#[must_use]
pub fn failure(status: Status) -> Failure {
    let ours = status.get_details_error_info().is_some_and(|info| info.domain == DOMAIN);
    if !ours && is_broken(&status) {
        let message = "the coordinator does not answer any more";
        return Failure::new(Reason::CoordinatorUnavailable, message);
    }
    let failure = from_status(&status);
    let message = failure.message.split_whitespace().collect::<Vec<_>>().join(" ");
    let failure = Failure { message, ..failure };
    match RequestId::of(status.metadata().as_ref()) {
        Some(id) => failure.with(REQUEST, id.as_str()),
        None => failure,
    }
}

/// Returns true for the errors of tonic when a connection is refused or breaks.
fn is_broken(status: &Status) -> bool {
    match status.code() {
        Code::Unavailable | Code::Unknown | Code::DeadlineExceeded => true,
        Code::Internal | Code::Cancelled => status.source().is_some(),
        _ => false,
    }
}

/// Returns the failure for an answer that this version cannot read.
pub(super) fn malformed(what: impl std::fmt::Display) -> Failure {
    let message = format!("the coordinator's answer cannot be read: {what}");
    Failure::new(Reason::Internal, message)
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use deepclone_core::reason::REASONS;
    use tonic_types::ErrorDetails;

    use super::*;

    #[test]
    fn every_reason_survives_the_wire() {
        for row in REASONS {
            let metadata = HashMap::from([("key".to_owned(), "a.parquet".to_owned())]);
            let details = ErrorDetails::with_error_info(row.name, "deepclone", metadata);
            let status = Status::with_error_details(Code::from_i32(row.grpc), "it is\nso", details);
            let wanted = Failure::new(row.reason, "it is so").with("key", "a.parquet");
            assert_eq!(failure(status.clone()), wanted);
            let mut answered = status;
            answered.metadata_mut().insert("x-request-id", "0192f0c1".parse().unwrap());
            assert_eq!(failure(answered), wanted.with(REQUEST, "0192f0c1"));
        }
    }

    #[test]
    fn an_error_without_a_reason_goes_by_its_code() {
        let cases = [
            (Code::Unavailable, Reason::CoordinatorUnavailable, 5),
            (Code::Unknown, Reason::CoordinatorUnavailable, 5),
            (Code::InvalidArgument, Reason::InvalidArgument, 2),
            (Code::Unimplemented, Reason::Unimplemented, 2),
            (Code::Unauthenticated, Reason::Unauthenticated, 5),
            (Code::PermissionDenied, Reason::AccessDenied, 5),
            (Code::ResourceExhausted, Reason::Internal, 1),
        ];
        for (code, reason, exit) in cases {
            let failure = failure(Status::new(code, "transport error"));
            assert_eq!((failure.reason, failure.reason.row().exit), (reason, exit), "{code:?}");
        }
    }
}
