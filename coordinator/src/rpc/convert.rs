//! Requests → their bodies; failures → the statuses of calls.

use deepclone_core::failure::Failure;
use deepclone_proto::convert::WireError;
use deepclone_proto::status::to_status;
use tonic::{Request, Status};

/// Returns a failure as the status of a call.
pub(super) fn status(failure: Failure) -> Status {
    to_status(&failure)
}

/// Returns the field at fault as the status of a call.
pub(super) fn refused(error: WireError) -> Status {
    to_status(&error.into())
}

/// Returns the message of a request.
pub(super) fn body<T>(request: Request<T>) -> T {
    request.into_inner()
}
