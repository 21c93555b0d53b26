//! What needs somebody: failures and limits, one entry for each cause and owner.

use std::collections::{BTreeMap, BTreeSet};

use deepclone_core::failure::Failure;
use deepclone_core::readiness::verdict::{NotReady, ReadyVerdict};
use deepclone_core::unix_time::UnixTime;

use super::words::grouped;
use crate::replications::view::{ReplicationView, TableView};

/// From which part of a budget on its owner is told, in percent.
const BUDGET_PERCENT: u8 = 80;

/// Why something needs somebody, the most urgent first.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum CauseKind {
    /// A failure by its reason's name, and its message without what differs from table to table.
    Failing {
        reason: &'static str,
        class: String,
    },
    /// The newest audits found differences.
    Differs,
    BudgetUsedUp {
        budget: String,
    },
    TooFarBehind,
    LagUnknown,
    WaitsForApproval,
    BudgetNearlyUsed {
        budget: String,
    },
}

/// One cause, with all that it holds up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Cause<'a> {
    pub(super) kind: CauseKind,
    pub(super) owner: Option<&'a str>,
    pub(super) replications: BTreeSet<&'a str>,
    pub(super) tables: u64,
    /// When the first of them began; `None` when that is not known.
    pub(super) since: Option<UnixTime>,
    /// The whole message of one of them.
    pub(super) example: Option<&'a str>,
}

/// The causes of all these replications, each with its verdict: the most urgent first, then those
/// of more tables.
pub(super) fn causes<'a>(
    replications: impl IntoIterator<Item = (&'a ReplicationView, &'a ReadyVerdict)>,
) -> Vec<Cause<'a>> {
    let mut found = Found::default();
    for (view, verdict) in replications {
        of_tables(view, verdict, &mut found);
        for _table in &view.unapproved {
            found.add(view, CauseKind::WaitsForApproval, None);
        }
        for (key, used) in &view.budgets {
            let budget = key.to_string();
            let kind = match used.warn_level(&[BUDGET_PERCENT, 100]) {
                Some(100) => CauseKind::BudgetUsedUp { budget },
                Some(_) => CauseKind::BudgetNearlyUsed { budget },
                None => continue,
            };
            found.entry(view, kind);
        }
    }
    let mut causes: Vec<Cause<'_>> = found.causes.into_values().collect();
    causes.sort_by(|one, other| {
        let urgency = |cause: &Cause<'_>| urgency(&cause.kind);
        urgency(one).cmp(&urgency(other)).then(other.tables.cmp(&one.tables))
    });
    causes
}

#[derive(Default)]
struct Found<'a> {
    causes: BTreeMap<(CauseKind, Option<&'a str>), Cause<'a>>,
}

impl<'a> Found<'a> {
    fn entry(&mut self, view: &'a ReplicationView, kind: CauseKind) -> &mut Cause<'a> {
        let owner = view.spec.owner.as_deref();
        let cause = self.causes.entry((kind.clone(), owner)).or_insert_with(|| Cause {
            kind,
            owner,
            replications: BTreeSet::new(),
            tables: 0,
            since: None,
            example: None,
        });
        cause.replications.insert(view.spec.name.as_str());
        cause
    }

    fn add(&mut self, view: &'a ReplicationView, kind: CauseKind, table: Option<&'a TableView>) {
        let cause = self.entry(view, kind);
        cause.tables += 1;
        let Some(table) = table else { return };
        cause.since = match (cause.since, table.failing_since) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        };
        let message = table.failure.as_ref().map(|failure| failure.message.as_str());
        cause.example = cause.example.or(message);
    }
}

fn of_tables<'a>(view: &'a ReplicationView, verdict: &ReadyVerdict, found: &mut Found<'a>) {
    for table in &view.tables {
        if let Some(failure) = &table.failure {
            let (reason, class) = (failure.reason.row().name, message_class(failure, &table.path));
            found.add(view, CauseKind::Failing { reason, class }, Some(table));
        }
    }
    for table in &view.tables {
        let verdict = table.audit.as_ref().and_then(|audit| audit.verdict.as_ref());
        let Some(verdict) = verdict.filter(|verdict| verdict.differences > 0) else { continue };
        let cause = found.entry(view, CauseKind::Differs);
        cause.tables += 1;
        cause.example = cause.example.or(verdict.found.first().map(|first| &*first.detail));
    }
    // A table that fails is behind for that reason.
    let without_failure = |(place, why): &(usize, NotReady)| {
        let table = view.tables.get(*place).filter(|table| table.failure.is_none());
        Some((table?, *why))
    };
    for (table, why) in verdict.not_ready.iter().filter_map(without_failure) {
        match why {
            NotReady::TooFarBehind => found.add(view, CauseKind::TooFarBehind, Some(table)),
            NotReady::LagUnknown => found.add(view, CauseKind::LagUnknown, Some(table)),
            // A first copy that is under way needs nobody.
            NotReady::NotCopied | NotReady::SyncFailing => {}
        }
    }
}

fn urgency(kind: &CauseKind) -> u8 {
    match kind {
        CauseKind::Failing { .. } | CauseKind::Differs => 0,
        CauseKind::BudgetUsedUp { .. } => 1,
        CauseKind::TooFarBehind => 2,
        CauseKind::LagUnknown => 3,
        CauseKind::WaitsForApproval => 4,
        CauseKind::BudgetNearlyUsed { .. } => 5,
    }
}

/// Returns a message without what differs from table to table: its path, the details of the
/// failure, numbers and what is in quotes.
fn message_class(failure: &Failure, path: &str) -> String {
    let mut message = failure.message.clone();
    let mut parts: Vec<&str> = failure.details.values().map(String::as_str).collect();
    parts.push(path);
    // The longest first: one may be a part of another.
    parts.sort_by_key(|part| std::cmp::Reverse(part.len()));
    for part in parts.into_iter().filter(|part| part.len() > 2) {
        message = message.replace(part, "…");
    }
    let mut class = String::with_capacity(message.len());
    let (mut is_quoted, mut last) = (false, ' ');
    for c in message.chars() {
        let c = if c.is_ascii_digit() { '…' } else { c };
        if c == '"' {
            is_quoted = !is_quoted;
            if is_quoted {
                class.push('…');
            }
        } else if !(is_quoted || c == '…' && last == '…') {
            class.push(c);
        }
        last = c;
    }
    class
}

impl Cause<'_> {
    /// One line: what is wrong.
    pub(super) fn what(&self) -> String {
        match &self.kind {
            CauseKind::Failing { class, .. } => class.clone(),
            CauseKind::Differs => {
                "An audit found differences: deepclone repair brings back what is damaged".into()
            }
            CauseKind::BudgetUsedUp { budget } => format!("The budget of {budget} is used up"),
            CauseKind::TooFarBehind => "Further behind than the limit, without a failure".into(),
            CauseKind::LagUnknown => {
                "One of both sides was not asked in time: the lag is unknown".into()
            }
            CauseKind::WaitsForApproval => "New tables wait for approval".into(),
            CauseKind::BudgetNearlyUsed { budget } => {
                format!("The budget of {budget} is used to {BUDGET_PERCENT} % or more")
            }
        }
    }

    /// The replications that it holds up, as far as they fit: the first ones, and how many more.
    pub(super) fn first_replications(&self, count: usize) -> (Vec<&str>, Option<String>) {
        let names: Vec<&str> = self.replications.iter().copied().take(count).collect();
        let more = self.replications.len() - names.len();
        (names, (more > 0).then(|| grouped(more as u64)))
    }
}

#[cfg(test)]
mod tests {
    use deepclone_core::reason::Reason;

    use super::*;

    #[test]
    fn a_message_without_what_differs_is_its_class() {
        for (message, class) in [
            ("PutBlob of sales/orders/part-1.parquet is denied", "PutBlob of … is denied"),
            ("sales/orders: version 41 is damaged", "…: version … is damaged"),
            ("column \"a b\" is too long (1024 of 10)", "column … is too long (… of …)"),
            ("no answer in 30.5 s", "no answer in ….… s"),
            ("", ""),
        ] {
            let failure = Failure::new(Reason::DamagedLog, message)
                .with("key", "sales/orders/part-1.parquet")
                .with("short", "a");
            assert_eq!(message_class(&failure, "sales/orders"), class, "{message}");
        }
    }
}
