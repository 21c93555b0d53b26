//! TOML as a tree of values with their lines.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::node::{FileNode, FileValue, NodeKey};

/// Returns the tree, or the line and the text of the first mistake.
pub(super) fn parse(text: &str) -> Result<FileNode, (usize, String)> {
    let lines = Lines { text };
    let table = DeTable::parse(text).map_err(|error| {
        let line = error.span().map_or(1, |span| lines.of(&span));
        (line, error.message().replace('\n', ", "))
    })?;
    Ok(FileNode { line: 1, value: lines.table(table.get_ref()) })
}

struct Lines<'a> {
    text: &'a str,
}

impl Lines<'_> {
    fn of(&self, span: &Range<usize>) -> usize {
        let before = self.text.get(..span.start).unwrap_or(self.text);
        1 + before.bytes().filter(|byte| *byte == b'\n').count()
    }

    fn node(&self, value: &Spanned<DeValue<'_>>) -> FileNode {
        FileNode { line: self.of(&value.span()), value: self.value(value.get_ref()) }
    }

    fn value(&self, value: &DeValue<'_>) -> FileValue {
        match value {
            DeValue::String(text) => FileValue::Text(text.to_string()),
            DeValue::Integer(number) => {
                let parsed = i64::from_str_radix(number.as_str(), number.radix());
                parsed.map_or(FileValue::Other("a number that is too large"), FileValue::Integer)
            }
            DeValue::Float(_) => FileValue::Other("a number with a point"),
            DeValue::Boolean(value) => FileValue::Boolean(*value),
            DeValue::Datetime(_) => FileValue::Other("a date or time without quotes"),
            DeValue::Array(list) => {
                FileValue::List(list.iter().map(|value| self.node(value)).collect())
            }
            DeValue::Table(table) => self.table(table),
        }
    }

    /// The keys in the order of their lines.
    fn table(&self, table: &DeTable<'_>) -> FileValue {
        let entry = |(key, value): (&Spanned<_>, &Spanned<DeValue<'_>>)| {
            let text = AsRef::<str>::as_ref(key.get_ref()).to_owned();
            (NodeKey { line: self.of(&key.span()), text }, self.node(value))
        };
        let mut entries: Vec<(NodeKey, FileNode)> = table.iter().map(entry).collect();
        entries.sort_by_key(|(key, _)| key.line);
        FileValue::Table(entries)
    }
}
