//! A notice → the body that a receiver is sent: pure.

use deepclone_common::store::redact::redact_line;
use deepclone_common::webhook_settings::WebhookFormat;
use deepclone_core::alert::{
    AlertCause, AlertDetail, AlertKind, AlertNotice, AlertPhase, AlertRecord,
};
use deepclone_core::unix_time::UnixTime;
use serde_json::{Value, json};

/// The longest error that is sent.
const ERROR_CHARS_MAX: usize = 1_000;

/// Returns the JSON object of the n-th attempt to send a notice, from 1.
#[must_use]
pub fn generic(notice: &AlertNotice, attempt: u32, now: UnixTime) -> Value {
    let AlertRecord { cause, detail, since, .. } = &notice.record;
    let text = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    json!({
        "version": 1,
        "id": notice.id(),
        "alert_id": notice.alert_id(),
        "event": notice.event(),
        "kind": cause.kind.name(),
        "subject": cause.subject,
        "reason": text(&cause.reason),
        "summary": redact_line(&detail.summary),
        "error": text(&shortened(&redact_line(&detail.error))),
        "tables": detail.tables,
        "tables_count": detail.tables_count,
        "owner": text(&detail.owner),
        "since": since.to_string(),
        "ended": notice.record.gone_since.filter(|_| is_over(notice)).map(|end| end.to_string()),
        "sent": now.to_string(),
        "attempt": attempt,
    })
}

/// Returns what Slack's incoming webhooks take.
#[must_use]
pub fn slack(notice: &AlertNotice) -> Value {
    let AlertRecord { cause, detail, since, .. } = &notice.record;
    let head = match is_over(notice) {
        true => format!("Recovered: {}", cause.kind.name()),
        false => cause.kind.name().to_owned(),
    };
    let mut text = format!("*{head}* {}\nsince {since}", escaped(&redact_line(&detail.summary)));
    if !detail.error.is_empty() && !is_over(notice) {
        let error = shortened(&redact_line(&detail.error));
        text += &format!("\n> {}", escaped(&error));
    }
    if !detail.owner.is_empty() {
        text += &format!("\nowner: {}", escaped(&detail.owner));
    }
    json!({"text": text})
}

/// Returns what a receiver is sent to see whether messages arrive.
#[must_use]
pub fn trial(webhook: &str, format: WebhookFormat, now: UnixTime) -> Value {
    let summary = format!("this is a trial of the webhook {webhook}");
    if format == WebhookFormat::Slack {
        return json!({"text": format!("*test* {summary}")});
    }
    let cause = AlertCause {
        kind: AlertKind::SyncFailed,
        subject: webhook.to_owned(),
        reason: String::new(),
    };
    let detail = AlertDetail { summary, ..AlertDetail::default() };
    let record = AlertRecord { cause, detail, since: now, is_told: false, gone_since: None };
    let mut body = generic(&AlertNotice { phase: AlertPhase::Raised, record }, 1, now);
    (body["event"], body["kind"]) = (json!("test"), json!("test"));
    body
}

fn is_over(notice: &AlertNotice) -> bool {
    notice.phase == AlertPhase::Recovered
}

/// Slack gives a meaning to three characters.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(ERROR_CHARS_MAX) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
