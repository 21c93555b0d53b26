//! The layer in front of every service: it finds out who calls, and refuses those who may not.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use deepclone_common::access::{Credential, Principals, UnknownCaller};
use deepclone_common::clock::Clock;
use deepclone_common::http::Doorkeeper;
use deepclone_common::listener::Peer;
use deepclone_common::request_id::RequestId;
use deepclone_core::access::{Permission, Principal};
use deepclone_core::failure::Failure;
use deepclone_core::reason::Reason;
use deepclone_core::unix_time::UnixTime;
use deepclone_proto::status::{from_status, to_status};
use tonic::body::Body;
use tonic::codegen::http::{HeaderMap, Request, Response, StatusCode};
use tonic::{Code, Status};
use tower::{Layer, Service};
use tracing::Instrument as _;

use super::audit::{Auditor, DONE};
use super::caller::{CallSubject, Caller};
use super::calls::{CallNeed, is_change, needed, short_name};
use super::quota::Quota;
use crate::state::AuditRow;

/// Letters of a call's name on record: anybody may send any.
const CALL_NAME_MAX: usize = 128;

/// Who is known to a coordinator, and by what.
#[derive(Clone, Debug, Default)]
pub struct Gate {
    /// `None`: nobody is asked.
    principals: Option<Arc<Principals>>,
    clock: Clock,
    auditor: Option<Auditor>,
    quota: Arc<Quota>,
}

impl Gate {
    /// Returns a gate for these principals; with `None` everybody may do everything.
    #[must_use]
    pub fn new(principals: Option<Arc<Principals>>, clock: Clock, auditor: Auditor) -> Self {
        Self { principals, clock, auditor: Some(auditor), quota: Arc::default() }
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

    /// Counts one more request of a principal.
    ///
    /// # Errors
    /// `OVERLOADED`: it makes too many.
    pub fn count(&self, known: &Principal) -> Result<(), Failure> {
        self.quota.allow_known(&known.name, known.role, UnixTime(self.clock.now_ms()))
    }

    /// Counts one more refusal of somebody who is not known.
    ///
    /// # Errors
    /// `OVERLOADED`: there are too many from this address.
    pub fn count_unknown(&self, peer: Option<&Peer>) -> Result<(), Failure> {
        let address = peer.and_then(|peer| peer.address);
        let address = address.map(|address| address.ip().to_string()).unwrap_or_default();
        self.quota.allow_unknown(&address, UnixTime(self.clock.now_ms()))
    }

    /// Lets in those who may look at the metrics, each request under the caller's quota.
    #[must_use]
    pub fn doorkeeper(&self) -> Doorkeeper {
        let gate = self.clone();
        Arc::new(move |headers, peer| {
            let crowded = |_| StatusCode::TOO_MANY_REQUESTS;
            match gate.who(headers, Some(peer)) {
                Ok(None) => Ok(()),
                Ok(Some(known)) => {
                    gate.count(&known).map_err(crowded)?;
                    known.allow(Permission::View).map_err(|_| StatusCode::FORBIDDEN)
                }
                Err(_) => {
                    gate.count_unknown(Some(peer)).map_err(crowded)?;
                    Err(StatusCode::UNAUTHORIZED)
                }
            }
        })
    }

    /// What puts changes and refusals on record; `None` where nothing is.
    #[must_use]
    pub fn auditor(&self) -> Option<&Auditor> {
        self.auditor.as_ref()
    }

    /// Returns who makes the call at `path`, if they may make it; else with the name of the caller,
    /// where it is known.
    fn caller(
        &self,
        path: &str,
        headers: &HeaderMap,
        peer: Option<&Peer>,
    ) -> Result<Caller, (Failure, String)> {
        let need = needed(path);
        if !self.asks() || need == Some(CallNeed::Nothing) {
            return Ok(Caller::default());
        }
        let unknown = |failure: Failure| (failure, String::new());
        let principal = match self.who(headers, peer) {
            Ok(principal) => principal,
            Err(error) => {
                self.count_unknown(peer).map_err(unknown)?;
                return Err(unknown(error.into()));
            }
        };
        let Some(known) = &principal else { return Ok(Caller::default()) };
        let of_known = |failure: Failure| (failure, known.name.clone());
        self.count(known).map_err(of_known)?;
        match need {
            Some(CallNeed::Permission(permission)) => {
                known.allow(permission).map_err(|error| of_known(error.into()))?;
            }
            Some(CallNeed::Known) => {}
            Some(CallNeed::Nothing) | None => {
                let message = format!("no role may call {path:?}, for there is no such call");
                let failure = Failure::new(Reason::AccessDenied, message);
                return Err(of_known(failure));
            }
        }
        let (known, principals) = (Arc::clone(known), self.principals.clone());
        Ok(Caller::new(known, principals, Arc::clone(&self.quota)))
    }

    /// Refuses a call, and puts that on record.
    fn refuse(&self, row: AuditRow, failure: &Failure) -> Response<Body> {
        if let Some(auditor) = &self.auditor {
            let outcome = failure.reason.row().name.to_owned();
            auditor.refused(AuditRow { outcome, message: failure.message.clone(), ..row });
        }
        to_status(failure).into_http()
    }
}

/// Puts on record how a call ended.
async fn record(
    auditor: &Auditor,
    row: AuditRow,
    about: &CallSubject,
    is_change: bool,
    status: Option<Status>,
) {
    let row = AuditRow { resource: about.resource.clone(), ..row };
    let changes_nothing = about.is_trial || !is_change;
    let failed = status.filter(|status| status.code() != Code::Ok);
    match failed.map(|status| from_status(&status)) {
        None if changes_nothing => {}
        None => auditor.record(AuditRow { outcome: DONE.to_owned(), ..row }).await,
        Some(Failure { reason, message, .. }) => {
            let row = AuditRow { outcome: reason.row().name.to_owned(), message, ..row };
            match reason {
                Reason::AccessDenied => auditor.refused(row),
                _ if changes_nothing => {}
                _ => auditor.record(row).await,
            }
        }
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
        let address = peer.and_then(|peer| peer.address).map(|address| address.to_string());
        let row = AuditRow {
            address: address.unwrap_or_default(),
            call: short_name(path).chars().take(CALL_NAME_MAX).collect(),
            request_id: request.extensions().get().map(RequestId::to_string).unwrap_or_default(),
            ..AuditRow::default()
        };
        let caller = match self.gate.caller(path, request.headers(), peer) {
            Ok(caller) => caller,
            Err((failure, principal)) => {
                let refusal = self.gate.refuse(AuditRow { principal, ..row }, &failure);
                return Box::pin(std::future::ready(Ok(refusal)));
            }
        };
        let auditor = self.gate.auditor.clone().filter(|_| is_recorded(path));
        let is_change = is_change(path);
        let principal = caller.name().unwrap_or_default().to_owned();
        request.extensions_mut().insert(caller.clone());
        let answer = self.inner.call(request);
        let recorded = async move {
            let answer = answer.await?;
            if let Some(auditor) = auditor {
                let row = AuditRow { principal, ..row };
                // The status of a call that failed comes with its headers.
                let status = Status::from_header_map(answer.headers());
                record(&auditor, row, &caller.subject(), is_change, status).await;
            }
            Ok(answer)
        };
        match is_change {
            true => Box::pin(to_its_end(recorded)),
            false => Box::pin(recorded),
        }
    }
}

/// Does something to its end, also when nobody waits for it any more: a caller that hangs up must
/// not keep what it changed off the record.
pub(crate) async fn to_its_end<T: Send + 'static>(
    work: impl Future<Output = T> + Send + 'static,
) -> T {
    match tokio::spawn(work.in_current_span()).await {
        Ok(done) => done,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // The runtime ends, and this call with it.
            Err(_) => std::future::pending().await,
        },
    }
}

/// Returns whether a call that was let in may end with something to put on record.
fn is_recorded(path: &str) -> bool {
    matches!(needed(path), Some(CallNeed::Permission(of)) if of != Permission::View)
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::time::Duration;

    use tokio::sync::Notify;
    use tower::service_fn;

    use super::*;
    use crate::state::{AuditQuery, MemoryStore, Store as _};

    #[tokio::test]
    async fn a_caller_that_hangs_up_stays_on_record() {
        let store = Arc::new(MemoryStore::default());
        let auditor = Auditor::new(store.clone(), Clock::System, Arc::default());
        let gate = Gate::new(None, Clock::System, auditor);
        let (begun, go_on) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let (inner_begun, inner_go_on) = (Arc::clone(&begun), Arc::clone(&go_on));
        let inner = service_fn(move |_: Request<Body>| {
            let (begun, go_on) = (Arc::clone(&inner_begun), Arc::clone(&inner_go_on));
            async move {
                begun.notify_one();
                go_on.notified().await;
                Ok::<_, Infallible>(Response::new(Body::empty()))
            }
        });
        let request = Request::builder().uri("/deepclone.v1.JobService/CancelJob");
        let call = gate.layer(inner).call(request.body(Body::empty()).unwrap());
        let caller = tokio::spawn(call);
        begun.notified().await;
        caller.abort();
        assert!(caller.await.unwrap_err().is_cancelled());
        go_on.notify_one();
        let query = AuditQuery { size: 9, ..AuditQuery::default() };
        let on_record = async {
            loop {
                if let [row] = &store.audited(&query).await.unwrap()[..] {
                    return (row.call.clone(), row.outcome.clone());
                }
                tokio::task::yield_now().await;
            }
        };
        let row = tokio::time::timeout(Duration::from_secs(10), on_record).await.unwrap();
        assert_eq!(row, ("JobService/CancelJob".to_owned(), DONE.to_owned()));
    }
}
