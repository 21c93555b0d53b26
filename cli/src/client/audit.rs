//! The call of `AuditService`, and what it tells, converted from the wire.

use deepclone_core::failure::Failure;
use deepclone_proto::convert::time::{timestamp_from_wire, timestamp_to_wire};
use deepclone_proto::v1;

use super::CoordinatorClient;
use super::status::{failure, malformed};

/// Entries on a page that is asked for.
const PAGE_SIZE: i32 = 200;

/// A change, an attempt at one, or a refusal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditEventInfo {
    /// Its place in the record.
    pub sequence: i64,
    /// In milliseconds since 1970.
    pub time_ms: i64,
    /// Who asked; empty when that is not known.
    pub principal: String,
    /// Where the request came from.
    pub address: String,
    /// The service and the call, as `JobService/CreateJob`.
    pub call: String,
    /// What it was about; empty when that is not known.
    pub resource: String,
    /// `OK`, or a reason.
    pub outcome: String,
    /// Of what was refused or failed.
    pub message: String,
    /// Leads to the lines of the coordinator's log.
    pub request_id: String,
}

/// Which entries are asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuditFilter {
    /// Only those of this principal.
    pub principal: Option<String>,
    /// Only those of this resource.
    pub resource: Option<String>,
    /// Only those from this time on, in milliseconds since 1970.
    pub since_ms: Option<i64>,
    /// So many of the newest.
    pub limit: usize,
}

impl CoordinatorClient {
    /// Returns who asked for what, the newest first.
    ///
    /// # Errors
    /// `ACCESS_DENIED` or `COORDINATOR_UNAVAILABLE`.
    pub async fn audit(&mut self, filter: &AuditFilter) -> Result<Vec<AuditEventInfo>, Failure> {
        let mut events = Vec::new();
        let mut page_token = String::new();
        while events.len() < filter.limit {
            let left = i32::try_from(filter.limit - events.len()).unwrap_or(PAGE_SIZE);
            let request = v1::ListAuditEventsRequest {
                page_size: left.min(PAGE_SIZE),
                page_token,
                principal: filter.principal.clone().unwrap_or_default(),
                resource: filter.resource.clone().unwrap_or_default(),
                since_time: filter.since_ms.map(timestamp_to_wire),
            };
            let page = self.audits.list_audit_events(request).await.map_err(failure)?.into_inner();
            for event in page.events {
                events.push(AuditEventInfo::try_from(event)?);
            }
            page_token = page.next_page_token;
            if page_token.is_empty() {
                break;
            }
        }
        Ok(events)
    }
}

impl TryFrom<v1::AuditEvent> for AuditEventInfo {
    type Error = Failure;

    fn try_from(wire: v1::AuditEvent) -> Result<Self, Failure> {
        let time = wire.event_time.ok_or_else(|| malformed("AuditEvent.event_time is missing"))?;
        Ok(Self {
            sequence: wire.sequence,
            time_ms: timestamp_from_wire(time, "event_time").map_err(malformed)?,
            principal: wire.principal,
            address: wire.address,
            call: wire.call,
            resource: wire.resource,
            outcome: wire.outcome,
            message: wire.message,
            request_id: wire.request_id,
        })
    }
}
