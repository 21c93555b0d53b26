//! The answers of `deepclone replication apply` and `diff`: what becomes of each replication.

use deepclone_core::failure::Failure;
use deepclone_core::visible::visible;
use serde::Serialize;

use super::{CommandOutput, table, units};
use crate::client::replication::{ChangeInfo, SetChanges};

#[derive(Debug, Serialize)]
struct ChangeObject<'a> {
    name: &'a str,
    change: &'static str,
    former_name: Option<&'a str>,
    changed_fields: &'a [String],
    tables: Option<i64>,
    new_tables: Option<i64>,
    replicas: Option<i64>,
    bytes: Option<i64>,
    bytes_at_least: bool,
    cost: Option<String>,
    notices: &'a [String],
}

#[derive(Debug, Serialize)]
struct BudgetChangeObject<'a> {
    budget: &'a str,
    change: &'static str,
}

/// Returns the answer of `apply`, or of `diff`, which changed nothing.
///
/// # Errors
/// As [`CommandOutput::new`].
pub fn changes(set: &SetChanges, is_done: bool) -> Result<CommandOutput, Failure> {
    #[derive(Serialize)]
    struct List<'a> {
        applied: bool,
        changes: Vec<ChangeObject<'a>>,
        budgets: Vec<BudgetChangeObject<'a>>,
    }
    let note = match (set.is_change(), is_done) {
        (false, _) => "nothing changes",
        (true, true) => "applied",
        (true, false) => "nothing is changed yet: `deepclone replication apply` does it",
    };
    let text = format!("{}\n{note}", grid(set));
    let budgets = set.budgets.iter();
    let budgets = budgets.map(|(budget, change)| BudgetChangeObject { budget, change }).collect();
    let changes = set.replications.iter().map(|change| ChangeObject {
        name: &change.name,
        change: change.kind,
        former_name: Some(change.former_name.as_str()).filter(|name| !name.is_empty()),
        changed_fields: &change.changed_fields,
        tables: change.tables,
        new_tables: change.new_tables,
        replicas: change.replicas,
        bytes: change.bytes,
        bytes_at_least: change.bytes_at_least,
        cost: change.cost.map(|cost| cost.to_string()),
        notices: &change.notices,
    });
    CommandOutput::new(text, &List { applied: is_done, changes: changes.collect(), budgets })
}

/// Writes what would become of each replication and shared budget, and the notices below.
#[must_use]
pub fn grid(set: &SetChanges) -> String {
    let changes = &set.replications;
    let mut rows: Vec<_> = changes.iter().map(row).collect();
    rows.extend(set.budgets.iter().map(|(budget, change)| {
        let what = "a budget of several replications".to_owned();
        [(*change).to_owned(), budget.clone(), String::new(), String::new(), what]
    }));
    let mut text = table::grid(["CHANGE", "NAME", ">TABLES", ">TO COPY", "WHAT"], &rows);
    for change in changes {
        for notice in &change.notices {
            text.push_str(&format!("\nnote: {}: {}", visible(&change.name), visible(notice)));
        }
    }
    text
}

fn row(change: &ChangeInfo) -> [String; 5] {
    let fields = change.changed_fields.join(", ");
    let what = match change.kind {
        "RENAME" if fields.is_empty() => format!("from {}", change.former_name),
        "RENAME" => format!("from {}; {fields}", change.former_name),
        "RETIRE" => "no round begins any more; its replicas stay as they are".to_owned(),
        "CREATE" => "its first round copies what the target lacks".to_owned(),
        "ADOPT" => {
            let replicas = units::count(change.replicas.unwrap_or_default(), "replica");
            format!("it goes on with {replicas} at the target")
        }
        _ => fields,
    };
    [change.kind.to_owned(), change.name.clone(), tables(change), to_copy(change), what]
}

fn tables(change: &ChangeInfo) -> String {
    match (change.tables, change.new_tables) {
        (Some(tables), Some(new)) if new < tables => format!("{tables}, {new} new"),
        (Some(tables), _) => tables.to_string(),
        (None, _) if is_surveyed(change) => "not known".to_owned(),
        (None, _) => String::new(),
    }
}

fn to_copy(change: &ChangeInfo) -> String {
    let cost = change.cost.map(|cost| format!(", about {cost}")).unwrap_or_default();
    match (change.bytes, change.bytes_at_least) {
        (Some(bytes), false) => format!("{}{cost}", units::bytes(bytes)),
        (Some(bytes), true) => format!("at least {}{cost}", units::bytes(bytes)),
        (None, _) if change.kind == "RENAME" && !is_surveyed(change) => units::bytes(0),
        (None, _) if is_surveyed(change) => "not known".to_owned(),
        (None, _) => String::new(),
    }
}

/// True when sources and targets were looked at for it.
fn is_surveyed(change: &ChangeInfo) -> bool {
    change.replicas.is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(kind: &'static str) -> ChangeInfo {
        ChangeInfo {
            name: "shop".to_owned(),
            kind,
            former_name: String::new(),
            changed_fields: Vec::new(),
            tables: None,
            new_tables: None,
            replicas: None,
            bytes: None,
            bytes_at_least: false,
            cost: None,
            notices: Vec::new(),
        }
    }

    fn set(change: ChangeInfo) -> SetChanges {
        SetChanges { replications: vec![change], budgets: Vec::new() }
    }

    #[test]
    fn shared_budgets_stand_below_the_replications() {
        let budgets = vec![("owner finance".to_owned(), "CREATE")];
        let set = SetChanges { budgets, ..set(change("UNCHANGED")) };
        let shown = changes(&set, false).unwrap();
        let row = shown.text.lines().nth(2).unwrap().split_whitespace().collect::<Vec<_>>();
        assert_eq!(row.join(" "), "CREATE owner finance a budget of several replications");
        assert!(shown.text.contains("nothing is changed yet"), "{}", shown.text);
        let object: serde_json::Value = serde_json::from_str(&shown.json).unwrap();
        assert_eq!(object["budgets"][0]["budget"], "owner finance");
        assert_eq!(object["budgets"][0]["change"], "CREATE");
    }

    fn seen(kind: &'static str, tables: i64, new: i64, bytes: Option<i64>) -> ChangeInfo {
        let (tables, new_tables) = (Some(tables), Some(new));
        ChangeInfo { tables, new_tables, replicas: Some(1), bytes, ..change(kind) }
    }

    #[test]
    fn each_kind_says_what_it_means() {
        let fields = vec!["include".to_owned()];
        for (given, expect) in [
            (
                seen("CREATE", 2, 2, Some(2048)),
                "CREATE shop 2 2.0 KiB its first round copies what the target lacks",
            ),
            (
                ChangeInfo { bytes_at_least: true, ..seen("CREATE", 2, 2, Some(2048)) },
                "CREATE shop 2 at least 2.0 KiB its first round copies what the target lacks",
            ),
            (
                seen("ADOPT", 2, 2, Some(0)),
                "ADOPT shop 2 0 B it goes on with 1 replica at the target",
            ),
            (
                ChangeInfo { changed_fields: fields.clone(), ..seen("CHANGE", 3, 1, None) },
                "CHANGE shop 3, 1 new not known include",
            ),
            (
                ChangeInfo { tables: None, new_tables: None, ..seen("CREATE", 0, 0, None) },
                "CREATE shop not known not known its first round copies what the target lacks",
            ),
            (
                ChangeInfo { former_name: "store".to_owned(), ..change("RENAME") },
                "RENAME shop 0 B from store",
            ),
            (
                ChangeInfo {
                    former_name: "store".to_owned(),
                    changed_fields: fields,
                    ..change("RENAME")
                },
                "RENAME shop 0 B from store; include",
            ),
            (
                change("RETIRE"),
                "RETIRE shop no round begins any more; its replicas stay as they are",
            ),
            (change("UNCHANGED"), "UNCHANGED shop"),
        ] {
            let text = grid(&set(given));
            let words: Vec<&str> = text.lines().nth(1).unwrap().split_whitespace().collect();
            assert_eq!(words.join(" "), expect);
        }
    }

    #[test]
    fn notices_stand_below_and_the_object_has_every_key() {
        let notices = vec!["its tables are not known: no\u{7}".to_owned()];
        let cost = Some("3.10 EUR".parse().unwrap());
        let given = ChangeInfo { notices, cost, ..seen("CREATE", 1, 1, Some(1)) };
        let shown = changes(&set(given), false).unwrap();
        assert!(shown.text.contains("1 B, about 3.10 EUR"), "{}", shown.text);
        let note = "\nnote: shop: its tables are not known: no\\u{7}\nnothing is changed yet";
        assert!(shown.text.contains(note), "{}", shown.text);
        let object: serde_json::Value = serde_json::from_str(&shown.json).unwrap();
        let change = &object["changes"][0];
        assert_eq!((&change["bytes"], &change["cost"]), (&1.into(), &"3.10 EUR".into()));
        assert_eq!(change.as_object().unwrap().len(), 11);
    }
}
