//! Who reads a page: found before any is shown, where callers are asked who they are.

use std::sync::Arc;

use axum::extract::{ConnectInfo, Request, State};
use axum::http::header::WWW_AUTHENTICATE;
use axum::http::{Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use deepclone_common::listener::Peer;
use deepclone_core::access::{Permission, Principal, Scope};

use super::access::PageAccess;
use crate::access::layer::Gate;

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

/// Lets in who may look, and forms of those who may act.
pub(super) async fn let_in(State(gate): State<Gate>, mut request: Request, next: Next) -> Response {
    let peer = request.extensions().get::<ConnectInfo<Peer>>().map(|ConnectInfo(peer)| peer);
    let principal = match gate.who(request.headers(), peer) {
        Ok(principal) => principal,
        Err(why) => {
            let challenge = [(WWW_AUTHENTICATE, CHALLENGE)];
            return (StatusCode::UNAUTHORIZED, challenge, format!("{why}\n")).into_response();
        }
    };
    let visitor = Visitor { principal };
    let is_form = !matches!(*request.method(), Method::GET | Method::HEAD);
    if !visitor.may_look() || (is_form && !visitor.may_act()) {
        let what = "you may not do this: it takes the role operator, without a scope";
        return (StatusCode::FORBIDDEN, format!("{what}\n")).into_response();
    }
    request.extensions_mut().insert(visitor);
    next.run(request).await
}
