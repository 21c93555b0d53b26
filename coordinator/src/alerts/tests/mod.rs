//! What is so of replications as they are, what a message says, and how it is delivered.

mod delivery;
mod looks;
mod seen;
mod views;

use std::collections::BTreeSet;
use std::time::Duration;

use deepclone_common::post::PostAddress;
use deepclone_common::secret::Secret;
use deepclone_common::webhook_settings::{Webhook, WebhookFormat};
use deepclone_core::alert::{
    AlertCause, AlertDetail, AlertKind, AlertNotice, AlertPhase, AlertPolicy, AlertRecord,
};
use deepclone_core::calendar::windows::Windows;
use deepclone_core::unix_time::UnixTime;
use serde_json::json;

use super::message::{generic, slack};

/// A receiver of these kinds that nobody listens for.
pub(super) fn webhook(name: &str, kinds: BTreeSet<AlertKind>) -> Webhook {
    Webhook {
        name: name.to_owned(),
        address: PostAddress::new(&Secret::new("http://127.0.0.1:9/"), None).unwrap(),
        format: WebhookFormat::Generic,
        secret: Some(Secret::new("0123456789abcdef")),
        policy: AlertPolicy {
            kinds,
            tells_recovery: true,
            hold: Duration::ZERO,
            open: Windows::default(),
        },
    }
}

const SINCE: UnixTime = UnixTime(1_793_721_600_000);

fn notice(phase: AlertPhase) -> AlertNotice {
    let record = AlertRecord {
        cause: AlertCause {
            kind: AlertKind::SyncFailed,
            subject: "lake-dr".to_owned(),
            reason: "PERMISSION_DENIED".to_owned(),
        },
        detail: AlertDetail {
            summary: "lake-dr: syncs fail (PERMISSION_DENIED, 1 table)".to_owned(),
            error: "GET https://lake/orders?sig=hunter2: <403> & more".to_owned(),
            tables: vec!["sales/orders".to_owned()],
            tables_count: 1,
            owner: "team-finance".to_owned(),
        },
        since: SINCE,
        is_told: phase == AlertPhase::Recovered,
        gone_since: (phase == AlertPhase::Recovered).then_some(UnixTime(SINCE.0 + 60_000)),
    };
    AlertNotice { phase, record }
}

#[test]
fn a_message_says_what_happened_and_no_secret() {
    let raised = notice(AlertPhase::Raised);
    let body = generic(&raised, 2, UnixTime(SINCE.0 + 1_000));
    let expected = json!({
        "version": 1,
        "id": raised.id(),
        "alert_id": raised.alert_id(),
        "event": "sync_failed",
        "kind": "sync_failed",
        "subject": "lake-dr",
        "reason": "PERMISSION_DENIED",
        "summary": "lake-dr: syncs fail (PERMISSION_DENIED, 1 table)",
        "error": "GET https://lake/orders?*** <403> & more",
        "tables": ["sales/orders"],
        "tables_count": 1,
        "owner": "team-finance",
        "since": "2026-11-03T16:00:00Z",
        "ended": null,
        "sent": "2026-11-03T16:00:01Z",
        "attempt": 2,
    });
    assert_eq!(body, expected);
    let end = generic(&notice(AlertPhase::Recovered), 1, SINCE);
    assert_eq!((&end["event"], &end["kind"]), (&json!("recovered"), &json!("sync_failed")));
    assert_eq!(end["ended"], "2026-11-03T16:01:00Z");
    assert_eq!(end["alert_id"], body["alert_id"]);
}

#[test]
fn a_message_for_slack_is_a_text_without_its_signs() {
    let text = "*sync_failed* lake-dr: syncs fail (PERMISSION_DENIED, 1 table)\n\
                since 2026-11-03T16:00:00Z\n\
                &gt; GET https://lake/orders?*** &lt;403&gt; &amp; more\nowner: team-finance";
    assert_eq!(slack(&notice(AlertPhase::Raised)), json!({"text": text.replacen("&gt;", ">", 1)}));
    let end = "*Recovered: sync_failed* lake-dr: syncs fail (PERMISSION_DENIED, 1 table)\n\
               since 2026-11-03T16:00:00Z\nowner: team-finance";
    assert_eq!(slack(&notice(AlertPhase::Recovered)), json!({"text": end}));
}

#[test]
fn a_long_error_is_cut_at_a_character() {
    let mut long = notice(AlertPhase::Raised);
    long.record.detail.error = "ä".repeat(5_000);
    let error = generic(&long, 1, SINCE)["error"].as_str().unwrap().to_owned();
    assert_eq!(error.chars().count(), 1_001);
}
