//! The answer of `audit list`.

use deepclone_core::failure::Failure;
use serde::Serialize;

use super::{CommandOutput, table, units};
use crate::client::audit::AuditEventInfo;

/// Returns the answer for these entries.
///
/// # Errors
/// As [`CommandOutput::new`].
pub fn many(events: &[AuditEventInfo]) -> Result<CommandOutput, Failure> {
    #[derive(Serialize)]
    struct List<'a> {
        events: Vec<Object<'a>>,
    }
    let text = match events.is_empty() {
        true => "nothing is on record".to_owned(),
        false => grid(events),
    };
    CommandOutput::new(text, &List { events: events.iter().map(object).collect() })
}

#[derive(Debug, Serialize)]
struct Object<'a> {
    sequence: i64,
    time: Option<String>,
    principal: &'a str,
    address: &'a str,
    call: &'a str,
    resource: &'a str,
    outcome: &'a str,
    message: &'a str,
    request_id: &'a str,
}

fn object(event: &AuditEventInfo) -> Object<'_> {
    Object {
        sequence: event.sequence,
        time: units::time(event.time_ms),
        principal: &event.principal,
        address: &event.address,
        call: &event.call,
        resource: &event.resource,
        outcome: &event.outcome,
        message: &event.message,
        request_id: &event.request_id,
    }
}

fn grid(events: &[AuditEventInfo]) -> String {
    let row = |event: &AuditEventInfo| {
        [
            units::time(event.time_ms).unwrap_or_default(),
            if event.principal.is_empty() { "-" } else { &event.principal }.to_owned(),
            event.address.clone(),
            event.call.clone(),
            event.resource.clone(),
            event.outcome.clone(),
            event.message.clone(),
        ]
    };
    let rows: Vec<_> = events.iter().map(row).collect();
    let headings = ["TIME", "WHO", "FROM", "CALL", "ABOUT", "OUTCOME", "MESSAGE"];
    table::grid(headings, &rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_entry_is_a_line_without_control_characters() {
        let event = AuditEventInfo {
            sequence: 7,
            time_ms: 1_796_000_000_000,
            principal: String::new(),
            address: "10.0.0.9:4242".to_owned(),
            call: "JobService/\u{1b}[31mCreateJob".to_owned(),
            resource: String::new(),
            outcome: "UNAUTHENTICATED".to_owned(),
            message: "nobody\nis known".to_owned(),
            request_id: "0192f0c1".to_owned(),
        };
        let shown = many(std::slice::from_ref(&event)).unwrap();
        assert_eq!(shown.text.lines().count(), 2, "{}", shown.text);
        assert!(!shown.text.contains('\u{1b}'), "{}", shown.text);
        assert!(shown.json.contains("\"sequence\":7"), "{}", shown.json);
        assert!(shown.json.contains("\"request_id\":\"0192f0c1\""), "{}", shown.json);
        assert_eq!(many(&[]).unwrap().text, "nothing is on record");
    }
}
