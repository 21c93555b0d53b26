//! The keys of a table: which are there, and what they hold.

use std::collections::BTreeMap;
use std::fmt;

use deepclone_core::replication::Word;

use super::node::{FileNode, FileValue, NodeKey};
use super::report::FileReport;

/// A table whose keys are asked for one by one. Those that nobody asked for are mistakes.
pub(super) struct TableKeys<'a> {
    path: String,
    pub(super) line: usize,
    entries: Vec<(&'a NodeKey, &'a FileNode)>,
    asked: Vec<&'static str>,
}

/// The value of a key, or an entry of a list.
pub(super) struct TableField<'a> {
    pub(super) path: String,
    pub(super) line: usize,
    node: &'a FileNode,
}

impl<'a> TableKeys<'a> {
    /// The keys of `node`, which is at `path`; `None` and a mistake when it is no table.
    pub(super) fn of(
        node: &'a FileNode,
        path: &str,
        line: usize,
        report: &mut FileReport<'_>,
    ) -> Option<Self> {
        let FileValue::Table(table) = &node.value else {
            report.error(line, path, format_args!("it is {}, not a table", node.value.kind()));
            return None;
        };
        let entries = table.iter().map(|(key, node)| (key, node)).collect();
        Some(Self { path: path.to_owned(), line, entries, asked: Vec::new() })
    }

    pub(super) fn has(&self, key: &str) -> bool {
        self.entries.iter().any(|(found, _)| found.text == key)
    }

    /// The line of a key, or that of the table.
    pub(super) fn line_of(&self, key: &str) -> usize {
        let found = self.entries.iter().find(|(found, _)| found.text == key);
        found.map_or(self.line, |(found, _)| found.line)
    }

    /// Adds keys that are not there.
    pub(super) fn with_defaults(mut self, defaults: &[(&'a NodeKey, &'a FileNode)]) -> Self {
        let added: Vec<_> =
            defaults.iter().filter(|(key, _)| !self.has(&key.text)).copied().collect();
        self.entries.extend(added);
        self
    }

    /// The keys of these names, for others that lack them.
    pub(super) fn only(&self, names: &[&str]) -> Vec<(&'a NodeKey, &'a FileNode)> {
        let is_named = |(key, _): &&(&NodeKey, &FileNode)| names.contains(&key.text.as_str());
        self.entries.iter().filter(is_named).copied().collect()
    }

    pub(super) fn field(
        &mut self,
        key: &'static str,
        report: &mut FileReport<'_>,
    ) -> Option<TableField<'a>> {
        // A key that must be there is asked for twice.
        if !self.asked.contains(&key) {
            self.asked.push(key);
        }
        let (found, node) = self.entries.iter().find(|(found, _)| found.text == key)?;
        let path = self.path_of(key);
        report.field(&path, found.line);
        Some(TableField { path, line: found.line, node })
    }

    /// As [`Self::field`]; it is a mistake when the key is not there.
    pub(super) fn required(
        &mut self,
        key: &'static str,
        report: &mut FileReport<'_>,
    ) -> Option<TableField<'a>> {
        let field = self.field(key, report);
        if field.is_none() {
            report.error(self.line, &self.path_of(key), "it is missing");
        }
        field
    }

    pub(super) fn text(
        &mut self,
        key: &'static str,
        report: &mut FileReport<'_>,
    ) -> Option<String> {
        self.field(key, report)?.text(report).map(ToOwned::to_owned)
    }

    pub(super) fn text_or(
        &mut self,
        key: &'static str,
        default: &str,
        report: &mut FileReport<'_>,
    ) -> String {
        self.text(key, report).unwrap_or_else(|| default.to_owned())
    }

    /// An empty text when it is not there, which is a mistake.
    pub(super) fn required_text(
        &mut self,
        key: &'static str,
        report: &mut FileReport<'_>,
    ) -> String {
        let field = self.required(key, report);
        field.and_then(|field| field.text(report)).unwrap_or_default().to_owned()
    }

    pub(super) fn parsed<T, E: fmt::Display>(
        &mut self,
        key: &'static str,
        parse: impl FnOnce(&str) -> Result<T, E>,
        report: &mut FileReport<'_>,
    ) -> Option<T> {
        self.field(key, report)?.parsed(parse, report)
    }

    /// The choice that is written, or the first one.
    pub(super) fn word<T: Word>(&mut self, key: &'static str, report: &mut FileReport<'_>) -> T {
        let written = self.parsed(key, T::of_word, report);
        written.unwrap_or(T::WORDS[0].1)
    }

    pub(super) fn integer<T: TryFrom<i64>>(
        &mut self,
        key: &'static str,
        report: &mut FileReport<'_>,
    ) -> Option<T> {
        let field = self.field(key, report)?;
        let FileValue::Integer(number) = field.node.value else {
            let kind = field.node.value.kind();
            report.error(field.line, &field.path, format_args!("it is {kind}, not a whole number"));
            return None;
        };
        let fitting = T::try_from(number).ok();
        if fitting.is_none() {
            report.error(field.line, &field.path, format_args!("{number} is out of range"));
        }
        fitting
    }

    pub(super) fn boolean(
        &mut self,
        key: &'static str,
        report: &mut FileReport<'_>,
    ) -> Option<bool> {
        let field = self.field(key, report)?;
        let FileValue::Boolean(value) = field.node.value else {
            let kind = field.node.value.kind();
            let message = format_args!("it is {kind}: write true or false without quotes");
            report.error(field.line, &field.path, message);
            return None;
        };
        Some(value)
    }

    /// A list of texts; a text alone is a list of one.
    pub(super) fn texts(&mut self, key: &'static str, report: &mut FileReport<'_>) -> Vec<String> {
        let Some(field) = self.field(key, report) else { return Vec::new() };
        let texts = field
            .entries(report)
            .into_iter()
            .filter_map(|entry| entry.text(report).map(ToOwned::to_owned));
        texts.collect()
    }

    /// The tables of a list.
    pub(super) fn tables(
        &mut self,
        key: &'static str,
        report: &mut FileReport<'_>,
    ) -> Vec<TableKeys<'a>> {
        let Some(field) = self.field(key, report) else { return Vec::new() };
        let entries = field.entries(report);
        entries.into_iter().filter_map(|entry| entry.table(report)).collect()
    }

    pub(super) fn table(
        &mut self,
        key: &'static str,
        report: &mut FileReport<'_>,
    ) -> Option<TableKeys<'a>> {
        self.field(key, report)?.table(report)
    }

    /// The texts of a table whose keys may have any names.
    pub(super) fn pairs(
        &mut self,
        key: &'static str,
        report: &mut FileReport<'_>,
    ) -> BTreeMap<String, String> {
        let table = self.table(key, report);
        table.map(|table| table.all_texts(report)).unwrap_or_default()
    }

    fn all_texts(self, report: &mut FileReport<'_>) -> BTreeMap<String, String> {
        let mut found = BTreeMap::new();
        for (key, node) in &self.entries {
            let path = self.path_of(&key.text);
            report.field(&path, key.line);
            let field = TableField { path, line: key.line, node };
            found.extend(field.text(report).map(|text| (key.text.clone(), text.to_owned())));
        }
        found
    }

    /// Ends the table: what was not asked for is a mistake.
    pub(super) fn finish(self, report: &mut FileReport<'_>) {
        self.check_known(&self.asked, report);
    }

    pub(super) fn check_known(&self, known: &[&str], report: &mut FileReport<'_>) {
        for (key, _) in &self.entries {
            if !known.contains(&key.text.as_str()) {
                report.error(key.line, &self.path_of(&key.text), unknown(&key.text, known));
            }
        }
    }

    fn path_of(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }
}

impl<'a> TableField<'a> {
    pub(super) fn text(&self, report: &mut FileReport<'_>) -> Option<&'a str> {
        if let FileValue::Text(text) = &self.node.value {
            return Some(text);
        }
        let kind = self.node.value.kind();
        report.error(self.line, &self.path, format_args!("it is {kind}: write a text in quotes"));
        None
    }

    pub(super) fn parsed<T, E: fmt::Display>(
        &self,
        parse: impl FnOnce(&str) -> Result<T, E>,
        report: &mut FileReport<'_>,
    ) -> Option<T> {
        let parsed = parse(self.text(report)?);
        parsed.map_err(|error| report.error(self.line, &self.path, error)).ok()
    }

    pub(super) fn table(&self, report: &mut FileReport<'_>) -> Option<TableKeys<'a>> {
        self.table_at(&self.path, report)
    }

    /// As [`Self::table`], at another path.
    pub(super) fn table_at(
        &self,
        path: &str,
        report: &mut FileReport<'_>,
    ) -> Option<TableKeys<'a>> {
        TableKeys::of(self.node, path, self.line, report)
    }

    /// The entries of a list; what is no list is its only entry.
    pub(super) fn entries(&self, report: &mut FileReport<'_>) -> Vec<TableField<'a>> {
        let FileValue::List(list) = &self.node.value else {
            let path = self.path.clone();
            return vec![TableField { path, line: self.line, node: self.node }];
        };
        let entry = |(at, node): (usize, &'a FileNode)| {
            let path = format!("{}[{at}]", self.path);
            report.field(&path, node.line);
            TableField { path, line: node.line, node }
        };
        list.iter().enumerate().map(entry).collect()
    }
}

/// Names the key that was probably meant, or all that there are.
fn unknown(key: &str, known: &[&str]) -> String {
    let nearest = known.iter().min_by_key(|other| distance(key, other));
    match nearest.filter(|other| distance(key, other) <= 2) {
        Some(other) => format!("there is no such key: did you mean {other}?"),
        None => format!("there is no such key: there are {}", known.join(", ")),
    }
}

/// How many letters must be added, taken away or replaced to make one text of the other.
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (at, letter) in one.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = at + 1;
        for (column, theirs) in other.iter().enumerate() {
            let replaced = diagonal + usize::from(letter != *theirs);
            diagonal = row[column + 1];
            row[column + 1] = replaced.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row[other.len()]
}
