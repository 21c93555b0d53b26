//! A file of replications, in TOML or YAML: read, checked, and every mistake told with its line.
//!
//! * `from_toml`, `from_yaml`: text → a tree of values with their lines (`node`).
//! * `keys`: the keys of a table; `units`: lengths of time, sizes and rates.
//! * `declaration`, `timing`, `limits`, `upkeep`: the keys of a replication; `shared_budget`: of a
//!   budget.
//! * `report`: mistakes, and the lines of fields. [`error`]: mistakes as they are told.
//!
//! The keys are described in `docs/replications.md`.

mod declaration;
pub mod error;
mod from_toml;
mod from_yaml;
mod keys;
mod limits;
mod node;
mod report;
mod shared_budget;
#[cfg(test)]
mod tests;
mod timing;
mod units;
mod upkeep;

use std::path::Path;

use deepclone_core::replication::{
    CheckedReplication, ReplicationName, ReplicationSpec, SetError, SharedBudgetSpec,
    check_budgets, check_set,
};
use deepclone_core::unix_time::UnixTime;

use declaration::DEFAULTS;
use error::{FileError, FileErrors};
use keys::{TableField, TableKeys};
use node::{FileNode, NodeKey};
use report::{FieldLines, FileReport, located, sorted};

/// The form that this version reads.
const VERSION: i64 = 1;

/// Replications without mistakes, in the order of the file.
#[derive(Clone, Debug)]
pub struct ReplicationFile {
    pub specs: Vec<ReplicationSpec>,
    pub checked: Vec<CheckedReplication>,
    /// Budgets of several of them.
    pub budgets: Vec<SharedBudgetSpec>,
    file: String,
    lines: FieldLines,
}

/// The form of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileForm {
    Toml,
    Yaml,
}

impl FileForm {
    /// By the ending of the name: `.yaml` and `.yml` are YAML, all others TOML.
    #[must_use]
    pub fn of(path: &Path) -> Self {
        let ending = path.extension().map(|ending| ending.to_ascii_lowercase());
        match ending.as_deref().and_then(|ending| ending.to_str()) {
            Some("yaml" | "yml") => Self::Yaml,
            _ => Self::Toml,
        }
    }
}

impl ReplicationFile {
    /// Reads the text of a file; `file` is its name for mistakes.
    ///
    /// # Errors
    /// Every mistake, in the order of lines; of a text that is no TOML or YAML, the first one.
    pub fn read(file: &str, text: &str, form: FileForm, now: UnixTime) -> Result<Self, FileErrors> {
        let parsed = match form {
            FileForm::Toml => from_toml::parse(text),
            FileForm::Yaml => from_yaml::parse(text),
        };
        let mut report = FileReport::new(file);
        let (found, budgets) = match parsed {
            Ok(root) => whole(&root, &mut report),
            Err((line, message)) => {
                report.error(line, "", message);
                return Err(sorted(report.into_parts().1));
            }
        };
        let (lines, mut errors) = report.into_parts();
        let specs: Vec<ReplicationSpec> = found.iter().map(|found| found.spec.clone()).collect();
        let set_errors = if errors.is_empty() {
            match (check_set(&specs, now), check_budgets(&budgets)) {
                (Ok(checked), Ok(_)) => {
                    let file = file.to_owned();
                    return Ok(Self { specs, checked, budgets, file, lines });
                }
                (checked, checked_budgets) => {
                    let mut errors = checked.err().unwrap_or_default();
                    errors.extend(checked_budgets.err().unwrap_or_default());
                    errors
                }
            }
        } else {
            check_intact(&found, now)
        };
        let names: Vec<String> = found.into_iter().map(|found| found.label).collect();
        errors.extend(set_errors.iter().map(|error| located(file, &names, &lines, error)));
        Err(sorted(errors))
    }

    /// Returns a mistake that somebody else found, such as a coordinator, with its line.
    #[must_use]
    pub fn located(&self, error: &SetError) -> FileError {
        let names: Vec<String> = self.specs.iter().map(|spec| spec.name.to_string()).collect();
        located(&self.file, &names, &self.lines, error)
    }
}

/// A replication as it was read.
struct ReadReplication {
    /// Its name, or its place when it has none.
    label: String,
    spec: ReplicationSpec,
    /// Whether each of its keys could be read.
    is_intact: bool,
}

fn whole(
    root: &FileNode,
    report: &mut FileReport<'_>,
) -> (Vec<ReadReplication>, Vec<SharedBudgetSpec>) {
    let Some(mut keys) = TableKeys::of(root, "", 1, report) else { return Default::default() };
    if keys.required("version", report).is_some() {
        let version: Option<i64> = keys.integer("version", report);
        if version.is_some_and(|version| version != VERSION) {
            let line = keys.line_of("version");
            report.error(line, "version", format!("this program reads version {VERSION} only"));
        }
    }
    let defaults = keys.table("defaults", report);
    let entries = keys.field("replication", report).map(|field| field.entries(report));
    let budgets = keys.tables("budget", report);
    keys.finish(report);
    let zone = defaults.as_ref().map(|table| table.only(&["time_zone"])).unwrap_or_default();
    let budgets = budgets.into_iter().map(|table| table.with_defaults(&zone));
    let budgets = budgets.map(|table| shared_budget::shared_budget(table, report)).collect();
    let defaults = defaults.map(|table| {
        let known = table.only(&DEFAULTS);
        table.check_known(&DEFAULTS, report);
        known
    });
    let defaults = defaults.unwrap_or_default();
    (replications(entries.unwrap_or_default(), &defaults, report), budgets)
}

fn replications<'a>(
    entries: Vec<TableField<'a>>,
    defaults: &[(&'a NodeKey, &'a FileNode)],
    report: &mut FileReport<'_>,
) -> Vec<ReadReplication> {
    let mut found = Vec::new();
    for (index, entry) in entries.into_iter().enumerate() {
        let label = format!("replication[{index}]");
        report.begin(Some(index), &label, entry.line);
        let mistakes = report.mistakes();
        let table = entry.table_at("", report);
        let Some(mut table) = table.map(|table| table.with_defaults(defaults)) else { continue };
        let name = table.required("name", report);
        let name = name.and_then(|name| name.parsed(str::parse::<ReplicationName>, report));
        let label = name.as_ref().map_or(label, ToString::to_string);
        report.begin(Some(index), &label, entry.line);
        // Any name will do to read the rest.
        let Some(name) = name.or_else(|| format!("unnamed-{index}").parse().ok()) else { continue };
        let spec = declaration::replication(table, name, report);
        found.push(ReadReplication { label, spec, is_intact: report.mistakes() == mistakes });
    }
    found
}

/// Checks those that could be read: the others would only be told twice.
fn check_intact(found: &[ReadReplication], now: UnixTime) -> Vec<SetError> {
    let mut errors = Vec::new();
    for (index, found) in found.iter().enumerate().filter(|(_, found)| found.is_intact) {
        let own = found.spec.check(now).err().unwrap_or_default();
        errors.extend(own.into_iter().map(|error| SetError { index: Some(index), error }));
    }
    errors
}
