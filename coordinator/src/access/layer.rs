//! The layer in front of every service: it finds out who calls, and refuses those who may not.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use deepclone_common::access::{Credential, Principals, UnknownCaller};
use deepclone_common::clock::Clock;
use deepclone_common::listener::Peer;
use deepclone_core::access::Principal;
use deepclone_core::failure::Failure;
use deepclone_core::reason::Reason;
use deepclone_core::unix_time::UnixTime;
use deepclone_proto::status::to_status;
use tonic::body::Body;
use tonic::codegen::http::{HeaderMap, Request, Response};
use tower::{Layer, Service};

use super::caller::Caller;
use super::calls::{CallNeed, needed};

/// Who is known to a coordinator, and by what.
#[derive(Clone, Debug, Default)]
pub struct Gate {
    /// `None`: nobody is asked.
    principals: Option<Arc<Principals>>,
    clock: Clock,
}

impl Gate {
    /// Returns a gate for these principals; with `None` everybody may do everything.
    #[must_use]
    pub fn new(principals: Option<Arc<Principals>>, clock: Clock) -> Self {
        Self { principals, clock }
    }

    /// Whether callers are asked who they are.
    #[must_use]
    pub fn asks(&self) -> bool {
        self.principals.is_some()
    }

    /// Returns who sent these headers; `None` where nobody is asked.
    ///
    /// # Errors
    /// Nobody is known by what they show.
    pub fn who(
        &self,
        headers: &HeaderMap,
        peer: Option<&Peer>,
    ) -> Result<Option<Arc<Principal>>, UnknownCaller> {
        let Some(principals) = &self.principals else { return Ok(None) };
        let now = UnixTime(self.clock.now_ms());
        principals.who(&Credential::of(headers, peer), now).map(Some)
    }

    /// Returns who makes the call at `path`, if they may make it.
    fn caller(
        &self,
        path: &str,
        headers: &HeaderMap,
        peer: Option<&Peer>,
    ) -> Result<Caller, Failure> {
        if !self.asks() {
            return Ok(Caller::Anybody);
        }
        let need = needed(path);
        if need == Some(CallNeed::Nothing) {
            return Ok(Caller::Anybody);
        }
        let Some(principal) = self.who(headers, peer)? else { return Ok(Caller::Anybody) };
        match need {
            Some(CallNeed::Permission(permission)) => principal.allow(permission)?,
            Some(CallNeed::Known) => {}
            Some(CallNeed::Nothing) | None => {
                let message = format!("no role may call {path:?}, for there is no such call");
                return Err(Failure::new(Reason::AccessDenied, message));
            }
        }
        Ok(Caller::Known(principal))
    }
}

impl<S> Layer<S> for Gate {
    type Service = Gated<S>;

    fn layer(&self, inner: S) -> Gated<S> {
        Gated { gate: self.clone(), inner }
    }
}

/// A service behind the gate.
#[derive(Clone, Debug)]
pub struct Gated<S> {
    gate: Gate,
    inner: S,
}

impl<S> Service<Request<Body>> for Gated<S>
where
    S: Service<Request<Body>, Response = Response<Body>>,
    S::Future: Send + 'static,
    S::Error: Send + 'static,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        let peer = request.extensions().get::<Peer>();
        let path = request.uri().path();
        match self.gate.caller(path, request.headers(), peer) {
            Ok(caller) => {
                request.extensions_mut().insert(caller);
                Box::pin(self.inner.call(request))
            }
            Err(failure) => {
                let address = peer.and_then(|peer| peer.address);
                tracing::warn!(?address, call = path, "refused: {failure}");
                let refusal = to_status(&failure).into_http();
                Box::pin(std::future::ready(Ok(refusal)))
            }
        }
    }
}
