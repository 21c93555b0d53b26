//! Tables that a pattern newly finds and that are copied only once somebody approves them, because
//! they are large. A table that `include` names, and every table that the first look under a
//! declaration finds, waits for nobody.

use deepclone_core::failure::Failure;
use deepclone_core::ids::TableNumber;
use deepclone_core::reason::Reason;

use super::entry::{ReplicationEntry, Table};
use super::kept::Approval;

impl Approval {
    /// What becomes of it where tables of more bytes than `ask_above` wait.
    pub(super) fn judged(self, ask_above: Option<u64>) -> Self {
        match (self, ask_above) {
            (Self::Asked { bytes: Some(bytes) }, Some(most)) if bytes > most => self,
            (Self::Asked { bytes: None }, Some(_)) => self,
            _ => Self::Given,
        }
    }
}

impl Table {
    /// True when it is not copied until somebody approves it, or its bytes are known.
    pub(super) fn waits_for_approval(&self) -> bool {
        self.kept.approval != Approval::Given
    }
}

impl ReplicationEntry {
    /// Returns what a table needs that a look at the sources finds for the first time.
    pub(super) fn approval_of_new(&self, path: &str) -> Approval {
        let asks = self.has_looked && self.spec.ask_above_bytes.is_some() && !self.names(path);
        if asks { Approval::Asked { bytes: None } } else { Approval::Given }
    }

    /// Judges a table by its bytes, if they are known now, and by the declaration.
    pub(super) fn judge_approval(&mut self, number: TableNumber, found: Option<u64>) {
        let Some(table) = self.tables.get(&number) else { return };
        let approval = match table.kept.approval {
            _ if self.names(&table.kept.path) => Approval::Given,
            Approval::Asked { bytes } => Approval::Asked { bytes: found.or(bytes) },
            Approval::Given => Approval::Given,
        };
        let judged = approval.judged(self.spec.ask_above_bytes);
        if let Some(table) = self.tables.get_mut(&number) {
            table.kept.approval = judged;
        }
    }

    /// The tables that wait, with their bytes, in the order of their paths.
    pub(super) fn unapproved(&self) -> Vec<(String, u64)> {
        let mut waiting: Vec<(String, u64)> = self
            .tables
            .values()
            .filter(|table| !table.is_gone)
            .filter_map(|table| match table.kept.approval {
                Approval::Asked { bytes: Some(bytes) } => Some((table.kept.path.clone(), bytes)),
                Approval::Asked { bytes: None } | Approval::Given => None,
            })
            .collect();
        waiting.sort();
        waiting
    }

    /// Approves tables, all or none. One that waits for nobody stays as it is.
    ///
    /// # Errors
    /// A path that is none of its tables.
    pub(super) fn approve(&mut self, paths: &[String]) -> Result<Vec<TableNumber>, Failure> {
        let number = |path: &String| {
            let found = self.tables.iter().find(|(_, table)| table.kept.path == *path);
            found.map(|(number, _)| *number).ok_or_else(|| {
                let message = format!("{path:?} is no table of the replication {}", self.spec.name);
                Failure::new(Reason::InvalidArgument, message).with("field", "paths")
            })
        };
        let numbers: Vec<TableNumber> = paths.iter().map(number).collect::<Result<_, _>>()?;
        for number in &numbers {
            if let Some(table) = self.tables.get_mut(number) {
                table.kept.approval = Approval::Given;
            }
        }
        Ok(numbers)
    }

    /// True when `include` names this very table.
    fn names(&self, path: &str) -> bool {
        self.checked.tables.literals().any(|literal| literal == path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_asked_for_stands_while_the_table_is_too_large() {
        let asked = |bytes| Approval::Asked { bytes };
        for (approval, ask_above, judged) in [
            (Approval::Given, Some(0), Approval::Given),
            (asked(Some(11)), Some(10), asked(Some(11))),
            (asked(Some(10)), Some(10), Approval::Given),
            (asked(None), Some(10), asked(None)),
            (asked(None), None, Approval::Given),
            (asked(Some(11)), None, Approval::Given),
        ] {
            assert_eq!(approval.judged(ask_above), judged, "{approval:?} {ask_above:?}");
        }
    }
}
