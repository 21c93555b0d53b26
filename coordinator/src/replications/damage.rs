//! What of the rows of replications this version cannot read, or not act on.

use std::collections::BTreeMap;

use deepclone_core::unix_time::UnixTime;

use super::rows;
use crate::state::ReplicationRow;

/// Returns one line for each replication and each budget that a start could not go on with.
#[must_use]
pub fn damage(rows: Vec<ReplicationRow>, now: UnixTime) -> Vec<String> {
    // One damaged row hides no other one: each owner is read alone.
    let mut by_owner: BTreeMap<String, Vec<ReplicationRow>> = BTreeMap::new();
    for row in rows {
        by_owner.entry(row.key.owner.clone()).or_default().push(row);
    }
    let mut found = Vec::new();
    for (owner, rows) in by_owner {
        match rows::read(rows) {
            Err(error) => found.push(format!("{owner}: {error}")),
            Ok(kept) => {
                for (id, replication) in &kept.replications {
                    let Err(mistakes) = replication.spec.check(now) else { continue };
                    let name = &replication.spec.name;
                    found.extend(mistakes.iter().map(|mistake| {
                        format!("{id}: the declaration of {name:?} means nothing: {mistake}")
                    }));
                }
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use deepclone_core::ids::ReplicationId;
    use deepclone_core::replication::{
        CloneOptions, DueSpec, MissedPolicy, OverlapPolicy, ReplicationSpec, ResumePolicy,
        ScheduleSpec,
    };
    use uuid::Uuid;

    use super::super::kept::Times;
    use super::*;
    use crate::state::RowKey;

    const NOW: UnixTime = UnixTime(1_795_700_000_000);

    fn spec() -> ReplicationSpec {
        let every = DueSpec::Every(Duration::from_secs(3_600));
        ReplicationSpec {
            name: "orders-dr".parse().unwrap(),
            renamed_from: vec![],
            takes_over: vec![],
            owner: None,
            group: None,
            labels: BTreeMap::new(),
            source: "prod".to_owned(),
            target: "dr".to_owned(),
            include: vec!["sales/**".to_owned()],
            exclude: vec![],
            clone: CloneOptions::default(),
            time_zone: "Europe/Berlin".to_owned(),
            schedule: ScheduleSpec { due: every, spread: None },
            on_missed: MissedPolicy::Once,
            on_overlap: OverlapPolicy::Skip,
            on_resume: ResumePolicy::NextSlot,
            windows: vec![],
            close_grace: Duration::ZERO,
            max_lag: None,
            budget: None,
            bandwidth: vec![],
            ask_above_bytes: None,
            priority: 0,
            jobs_at_once: 1,
            audit: None,
            vacuum: None,
        }
    }

    fn declared(number: u128, change: impl FnOnce(&mut ReplicationSpec)) -> Vec<ReplicationRow> {
        let id = ReplicationId(Uuid::from_u128(number));
        let mut spec = spec();
        change(&mut spec);
        let times = Times { created: NOW, updated: NOW };
        let changes = rows::spec(id, &spec, times);
        let kept = changes.map(|change| ReplicationRow {
            key: change.key,
            body: change.body.unwrap_or_default(),
        });
        kept.into()
    }

    #[test]
    fn each_row_that_cannot_be_read_is_told_and_hides_no_other() {
        assert_eq!(damage(declared(1, |_| {}), NOW), [""; 0]);
        let mut rows = declared(1, |_| {});
        rows.extend(declared(2, |spec| spec.time_zone = "Europe/Nowhere".to_owned()));
        let mut garbage = declared(3, |_| {});
        garbage[0].body = vec![0xff];
        rows.extend(garbage);
        let key = RowKey { owner: "who".to_owned(), kind: "table".to_owned(), part: "1".into() };
        rows.push(ReplicationRow { key, body: vec![] });
        let found = damage(rows, NOW);
        let wanted = ["Europe/Nowhere", "that cannot be read", "\"who\" is no id"];
        assert_eq!(found.len(), wanted.len(), "{found:?}");
        for (line, part) in found.iter().zip(wanted) {
            assert!(line.contains(part), "{line}");
        }
    }
}
