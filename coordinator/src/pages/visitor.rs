//! Who reads a page: found before any is shown, where callers are asked who they are.

use std::sync::Arc;

use axum::extract::{ConnectInfo, Request, State};
use axum::http::header::WWW_AUTHENTICATE;
use axum::http::{Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use deepclone_common::access::UnknownCaller;
use deepclone_common::listener::Peer;
use deepclone_common::request_id::RequestId;
use deepclone_core::access::{Permission, Principal, Scope};
use deepclone_core::failure::Failure;
use deepclone_core::reason::Reason;

use super::access::PageAccess;
use crate::access::audit::DONE;
use crate::access::layer::{Gate, to_its_end};
use crate::state::AuditRow;

/// Letters of an address on record: anybody may send any.
const PATH_MAX: usize = 256;

/// What browsers ask for: the token is given as the password of any name.
const CHALLENGE: &str = "Basic realm=\"Deepclone: any name, and your token\", charset=\"UTF-8\"";

/// Who reads a page.
#[derive(Clone, Debug)]
pub(super) struct Visitor {
    /// `None`: nobody is asked.
    principal: Option<Arc<Principal>>,
}

impl Visitor {
    /// The token for forms; `None` for those who may not act.
    pub(super) fn token<'a>(&self, access: &'a PageAccess) -> Option<&'a str> {
        access.token().filter(|_| self.may_act())
    }

    /// Whether a form may be sent. The pages show all tables, so a scope is for other ways.
    fn may_act(&self) -> bool {
        self.principal.as_ref().is_none_or(|principal| {
            principal.allow(Permission::Operate).is_ok() && principal.scope == Scope::default()
        })
    }

    fn may_look(&self) -> bool {
        self.principal.as_ref().is_none_or(|principal| principal.allow(Permission::View).is_ok())
    }
}

/// Lets in who may look, and forms of those who may act. Forms and refusals are put on record.
pub(super) async fn let_in(State(gate): State<Gate>, mut request: Request, next: Next) -> Response {
    let peer = request.extensions().get::<ConnectInfo<Peer>>().map(|ConnectInfo(peer)| peer);
    let address = peer.and_then(|peer| peer.address).map(|address| address.to_string());
    let request_id = RequestId::of(request.headers()).unwrap_or_default().to_string();
    let row = row(request.uri().path(), address.unwrap_or_default());
    let row = AuditRow { request_id, ..row };
    let principal = match gate.who(request.headers(), peer) {
        Ok(principal) => principal,
        Err(why) => {
            if let Err(failure) = gate.count_unknown(peer) {
                return too_many(&failure);
            }
            // A browser asks without a credential first, to learn that it takes one.
            if why != UnknownCaller::NoCredential {
                refused(&gate, row, Reason::Unauthenticated, &why.to_string());
            }
            let challenge = [(WWW_AUTHENTICATE, CHALLENGE)];
            return (StatusCode::UNAUTHORIZED, challenge, format!("{why}\n")).into_response();
        }
    };
    if let Some(Err(failure)) = principal.as_ref().map(|known| gate.count(known)) {
        return too_many(&failure);
    }
    let name = principal.as_ref().map(|principal| principal.name.clone());
    let row = AuditRow { principal: name.unwrap_or_default(), ..row };
    let visitor = Visitor { principal };
    let is_form = !matches!(*request.method(), Method::GET | Method::HEAD);
    if !visitor.may_look() || (is_form && !visitor.may_act()) {
        let what = "you may not do this: it takes the role operator, without a scope";
        refused(&gate, row, Reason::AccessDenied, what);
        return (StatusCode::FORBIDDEN, format!("{what}\n")).into_response();
    }
    request.extensions_mut().insert(visitor);
    let Some(auditor) = gate.auditor().filter(|_| is_form).cloned() else {
        return next.run(request).await;
    };
    to_its_end(async move {
        let answer = next.run(request).await;
        let status = answer.status();
        let outcome = match status.is_success() || status.is_redirection() {
            true => DONE.to_owned(),
            false => format!("HTTP_{}", status.as_u16()),
        };
        auditor.record(AuditRow { outcome, ..row }).await;
        answer
    })
    .await
}

fn too_many(failure: &Failure) -> Response {
    (StatusCode::TOO_MANY_REQUESTS, format!("{}\n", failure.message)).into_response()
}

/// The row of a request for `/replications/NAME/run`, or another address.
fn row(path: &str, address: String) -> AuditRow {
    let path: String = path.trim_start_matches('/').chars().take(PATH_MAX).collect();
    let (resource, verb) = path.rsplit_once('/').unwrap_or(("", &path));
    let (call, resource) = (format!("page/{verb}"), resource.to_owned());
    AuditRow { address, call, resource, ..AuditRow::default() }
}

fn refused(gate: &Gate, row: AuditRow, reason: Reason, message: &str) {
    if let Some(auditor) = gate.auditor() {
        let (outcome, message) = (reason.row().name.to_owned(), message.to_owned());
        auditor.refused(AuditRow { outcome, message, ..row });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_tells_what_is_done_with_what() {
        for (path, call, resource) in [
            ("/replications/sales/run", "page/run", "replications/sales"),
            ("/jobs/0198/cancel", "page/cancel", "jobs/0198"),
            ("/metrics", "page/metrics", ""),
            ("/", "page/", ""),
        ] {
            let row = row(path, "here".to_owned());
            assert_eq!((row.call.as_str(), row.resource.as_str()), (call, resource), "{path}");
        }
        assert!(row(&"/a".repeat(9_999), String::new()).resource.len() <= PATH_MAX);
    }
}
