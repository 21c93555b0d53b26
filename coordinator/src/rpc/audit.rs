//! `AuditService`: operators read who asked for what.

use deepclone_proto::convert::WireError;
use deepclone_proto::convert::time::{timestamp_from_wire, timestamp_to_wire};
use deepclone_proto::v1::{self, audit_service_server::AuditService};
use tonic::{Request, Response, Status};

use super::convert::{body, refused, status};
use super::names;
use crate::effects::Context;
use crate::state::{AuditQuery, AuditRow};

/// Serves `AuditService` over the state.
pub struct AuditCalls {
    context: Context,
}

impl AuditCalls {
    #[must_use]
    pub fn new(context: Context) -> Self {
        Self { context }
    }
}

#[tonic::async_trait]
impl AuditService for AuditCalls {
    async fn list_audit_events(
        &self,
        request: Request<v1::ListAuditEventsRequest>,
    ) -> Result<Response<v1::ListAuditEventsResponse>, Status> {
        let query = query(body(request)).map_err(refused)?;
        let size = query.size;
        // One more tells whether there is a next page.
        let query = AuditQuery { size: size + 1, ..query };
        let mut rows =
            self.context.store.audited(&query).await.map_err(|error| status(error.failure()))?;
        let is_more = rows.len() > size;
        rows.truncate(size);
        let last = rows.last().filter(|_| is_more).map(|row| row.id.to_string());
        let events = rows.into_iter().map(event).collect();
        let next_page_token = last.unwrap_or_default();
        Ok(Response::new(v1::ListAuditEventsResponse { events, next_page_token }))
    }
}

fn query(request: v1::ListAuditEventsRequest) -> Result<AuditQuery, WireError> {
    let given = |text: String| Some(text).filter(|text| !text.is_empty());
    let before = given(request.page_token).map(|token| token.parse());
    let before = before.transpose().map_err(|_| WireError::invalid("page_token", "it is none"))?;
    let since = request.since_time.map(|time| timestamp_from_wire(time, "since_time"));
    Ok(AuditQuery {
        principal: given(request.principal),
        resource: given(request.resource),
        since_ms: since.transpose()?,
        before,
        size: names::page_size(request.page_size)?,
    })
}

fn event(row: AuditRow) -> v1::AuditEvent {
    v1::AuditEvent {
        sequence: row.id,
        event_time: Some(timestamp_to_wire(row.at_ms)),
        principal: row.principal,
        address: row.address,
        call: row.call,
        resource: row.resource,
        outcome: row.outcome,
        message: row.message,
        request_id: row.request_id,
    }
}
