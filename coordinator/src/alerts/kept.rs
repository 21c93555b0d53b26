//! What receivers were told, as rows of the state: a restart repeats nothing, and still tells the
//! end of what was told before it.

use std::collections::BTreeMap;

use deepclone_common::webhook_settings::Webhook;
use deepclone_core::alert::{AlertCause, AlertRecord};

use crate::state::{ALERT_ROWS, ReplicationRow, RowChange, RowKey};

/// Returns what keeps that a receiver is, or is about to be, told of a cause.
pub(super) fn kept(webhook: &str, record: &AlertRecord) -> RowChange {
    // It has no map, and so nothing that JSON cannot hold.
    let body = serde_json::to_vec(record).unwrap_or_default();
    RowChange { key: key(webhook, &record.cause), body: Some(body) }
}

/// Returns what drops that.
pub(super) fn gone(webhook: &str, cause: &AlertCause) -> RowChange {
    RowChange { key: key(webhook, cause), body: None }
}

/// Returns what was kept, by receiver, and what drops the rows that nobody needs: of receivers that
/// are gone, of kinds that one does not want, and those that cannot be read.
pub(super) fn read(
    rows: Vec<ReplicationRow>,
    webhooks: &[Webhook],
) -> (BTreeMap<String, Vec<AlertRecord>>, Vec<RowChange>) {
    let (mut records, mut useless) = (BTreeMap::<String, Vec<AlertRecord>>::new(), Vec::new());
    for ReplicationRow { key, body } in rows {
        let record: Option<AlertRecord> = serde_json::from_slice(&body).ok();
        let webhook = webhooks.iter().find(|webhook| webhook.name == key.owner);
        let is_wanted = |record: &AlertRecord| {
            webhook.is_some_and(|webhook| webhook.policy.kinds.contains(&record.cause.kind))
        };
        match record.filter(is_wanted) {
            Some(record) => records.entry(key.owner).or_default().push(record),
            None => useless.push(RowChange { key, body: None }),
        }
    }
    (records, useless)
}

fn key(webhook: &str, cause: &AlertCause) -> RowKey {
    let AlertCause { kind, subject, reason } = cause;
    let part = format!("{} {reason} {subject}", kind.name());
    RowKey { owner: webhook.to_owned(), kind: ALERT_ROWS.to_owned(), part }
}

#[cfg(test)]
mod tests {
    use deepclone_core::alert::{AlertDetail, AlertKind};
    use deepclone_core::unix_time::UnixTime;

    use super::super::tests::webhook;
    use super::*;

    #[test]
    fn what_was_kept_is_read_and_the_rest_is_dropped() {
        let cause = AlertCause {
            kind: AlertKind::Diverged,
            subject: "lake-dr".to_owned(),
            reason: "TARGET_DIVERGED".to_owned(),
        };
        let record = AlertRecord {
            cause: cause.clone(),
            detail: AlertDetail { tables: vec!["a".to_owned()], ..AlertDetail::default() },
            since: UnixTime(5),
            is_told: true,
            gone_since: Some(UnixTime(7)),
        };
        let row = |change: RowChange| ReplicationRow {
            key: change.key,
            body: change.body.unwrap_or_else(|| b"garbage".to_vec()),
        };
        let missed = AlertRecord {
            cause: AlertCause { kind: AlertKind::ObjectiveMissed, ..cause.clone() },
            ..record.clone()
        };
        let rows = vec![
            row(kept("oncall", &record)),
            row(kept("oncall", &missed)),
            row(kept("removed", &record)),
            row(gone("chat", &cause)),
        ];
        let webhooks = ["oncall", "chat"].map(|name| webhook(name, [AlertKind::Diverged].into()));
        let (records, useless) = read(rows, &webhooks);
        assert_eq!(records, BTreeMap::from([("oncall".to_owned(), vec![record])]));
        let dropped: Vec<&str> = useless.iter().map(|change| &*change.key.owner).collect();
        assert_eq!(dropped, ["oncall", "removed", "chat"]);
    }
}
