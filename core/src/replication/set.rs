//! All replications of a file: what no two of them may share.

use std::collections::BTreeMap;

use super::checked::CheckedReplication;
use super::error::{SetError, SpecError};
use super::name::ReplicationName;
use super::spec::ReplicationSpec;
use crate::limits::REPLICATIONS_MAX;
use crate::unix_time::UnixTime;

/// Checks each replication, and all of them together. An empty set is refused: a file that lost
/// its lines would end every replication.
///
/// Two connections that lead to one place are not seen here.
///
/// # Errors
/// Every mistake: first those of each replication, then those of two.
pub fn check_set(
    specs: &[ReplicationSpec],
    now: UnixTime,
) -> Result<Vec<CheckedReplication>, Vec<SetError>> {
    let of_set =
        |message: String| SetError { index: None, error: SpecError::new("replication", message) };
    let count = specs.len();
    if count == 0 {
        return Err(vec![of_set("there is none: to end them all, retire each by its name".into())]);
    }
    if count > REPLICATIONS_MAX {
        return Err(vec![of_set(format!("there are {count}, at most {REPLICATIONS_MAX}"))]);
    }
    let mut checked = Vec::new();
    let mut errors = Vec::new();
    for (index, spec) in specs.iter().enumerate() {
        match spec.check(now) {
            Ok(replication) => checked.push((index, replication)),
            Err(found) => {
                errors
                    .extend(found.into_iter().map(|error| SetError { index: Some(index), error }));
            }
        }
    }
    errors.extend(shared_names(specs));
    errors.extend(shared_tables(&checked));
    if errors.is_empty() {
        Ok(checked.into_iter().map(|(_, replication)| replication).collect())
    } else {
        Err(errors)
    }
}

fn shared_names(specs: &[ReplicationSpec]) -> Vec<SetError> {
    let mut errors = Vec::new();
    let mut add = |index, field: String, message: String| {
        errors.push(SetError { index: Some(index), error: SpecError::new(field, message) });
    };
    let mut present: BTreeMap<&ReplicationName, usize> = BTreeMap::new();
    for (index, spec) in specs.iter().enumerate() {
        if present.insert(&spec.name, index).is_some() {
            add(index, "name".into(), format!("{} is there twice", spec.name));
        }
    }
    let mut former: BTreeMap<&ReplicationName, usize> = BTreeMap::new();
    for (index, spec) in specs.iter().enumerate() {
        for (at, name) in spec.renamed_from.iter().enumerate() {
            let field = format!("renamed_from[{at}]");
            if present.get(name).is_some_and(|other| *other != index) {
                add(index, field, format!("{name} is the name of a replication here"));
            } else if let Some(other) = former.insert(name, index).filter(|other| *other != index) {
                add(index, field, format!("{} was renamed from {name}, too", specs[other].name));
            }
        }
    }
    errors
}

/// Tables that two replications would write at one connection: the same pattern, or a table that is
/// named by one and meant by a pattern of the other. One mistake for each two of them.
fn shared_tables(checked: &[(usize, CheckedReplication)]) -> Vec<SetError> {
    let mut targets: BTreeMap<&str, Vec<Member<'_>>> = BTreeMap::new();
    for (index, replication) in checked {
        targets.entry(&replication.spec.target).or_default().push((*index, replication));
    }
    let mut shared = BTreeMap::new();
    for members in targets.values() {
        same_patterns(members, &mut shared);
        named_and_meant(members, &mut shared);
    }
    let error = |((earlier, later), (field, what)): ((usize, usize), (String, &str))| {
        let name = checked.iter().find(|(index, _)| *index == earlier)?.1.spec.name.clone();
        let target = &checked.iter().find(|(index, _)| *index == later)?.1.spec.target;
        let message = format!("{name} keeps {what} at {target}, too");
        Some(SetError { index: Some(later), error: SpecError::new(field, message) })
    };
    shared.into_iter().filter_map(error).collect()
}

/// A replication and its place in the set.
type Member<'a> = (usize, &'a CheckedReplication);

/// By the places of the earlier and the later replication: the field of the later one, and the
/// pattern or table.
type Shared<'a> = BTreeMap<(usize, usize), (String, &'a str)>;

fn same_patterns<'a>(members: &[Member<'a>], shared: &mut Shared<'a>) {
    let mut owners: BTreeMap<&str, usize> = BTreeMap::new();
    for (index, replication) in members {
        for (at, pattern) in replication.tables.include.iter().enumerate() {
            let text = pattern.as_str();
            let owner = *owners.entry(text).or_insert(*index);
            if owner != *index {
                let field = format!("include[{at}]");
                shared.entry((owner, *index)).or_insert((field, text));
            }
        }
    }
}

fn named_and_meant<'a>(members: &[Member<'a>], shared: &mut Shared<'a>) {
    let is_wild = |(_, replication): &&Member<'_>| {
        replication.tables.include.iter().any(|pattern| !pattern.is_literal())
    };
    for (wild, other) in members.iter().filter(is_wild) {
        for (named, replication) in members.iter().filter(|(index, _)| index != wild) {
            let table = replication.tables.literals().find(|table| other.tables.contains(table));
            if let Some(table) = table {
                let pair = (*wild.min(named), *wild.max(named));
                shared.entry(pair).or_insert(("include".to_owned(), table));
            }
        }
    }
}
