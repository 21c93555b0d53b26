//! YAML as a tree of values with their lines.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::{Spanned, options};

use super::node::{FileNode, FileValue, NodeKey};

/// Returns the tree, or the line and the text of the first mistake.
pub(super) fn parse(text: &str) -> Result<FileNode, (usize, String)> {
    let options = options! { with_snippet: false };
    let parsed: Result<Spanned<YamlValue>, _> = serde_saphyr::from_str_with_options(text, options);
    parsed.map(node).map_err(|error| {
        let line = error.location().map_or(1, |location| number(location.line()));
        let message = error.without_snippet().to_string();
        let message = message.lines().next().unwrap_or_default();
        // The line is told already, and the options are ours.
        let endings = [" at line ", ", set DuplicateKeyPolicy"];
        let end = endings.into_iter().filter_map(|ending| message.rfind(ending)).min();
        (line, message[..end.unwrap_or(message.len())].to_owned())
    })
}

fn node(spanned: Spanned<YamlValue>) -> FileNode {
    FileNode { line: number(spanned.referenced.line()), value: spanned.value.0 }
}

fn number(line: u64) -> usize {
    usize::try_from(line).unwrap_or(1).max(1)
}

struct YamlValue(FileValue);

impl<'de> Deserialize<'de> for YamlValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(YamlVisitor).map(YamlValue)
    }
}

struct YamlVisitor;

impl<'de> Visitor<'de> for YamlVisitor {
    type Value = FileValue;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a text, a number, a list or a table of keys")
    }

    fn visit_str<E>(self, text: &str) -> Result<FileValue, E> {
        Ok(FileValue::Text(text.to_owned()))
    }

    fn visit_i64<E>(self, number: i64) -> Result<FileValue, E> {
        Ok(FileValue::Integer(number))
    }

    fn visit_u64<E>(self, number: u64) -> Result<FileValue, E> {
        let number = i64::try_from(number);
        Ok(number.map_or(FileValue::Other("a number that is too large"), FileValue::Integer))
    }

    fn visit_f64<E>(self, _: f64) -> Result<FileValue, E> {
        Ok(FileValue::Other("a number with a point"))
    }

    fn visit_bool<E>(self, value: bool) -> Result<FileValue, E> {
        Ok(FileValue::Boolean(value))
    }

    fn visit_unit<E>(self) -> Result<FileValue, E> {
        Ok(FileValue::Other("empty"))
    }

    fn visit_none<E>(self) -> Result<FileValue, E> {
        Ok(FileValue::Other("empty"))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<FileValue, A::Error> {
        let mut nodes = Vec::new();
        while let Some(value) = list.next_element()? {
            nodes.push(node(value));
        }
        Ok(FileValue::List(nodes))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut table: A) -> Result<FileValue, A::Error> {
        let mut entries = Vec::new();
        while let Some((key, value)) = table.next_entry::<Spanned<String>, _>()? {
            let line = number(key.referenced.line());
            entries.push((NodeKey { line, text: key.value }, node(value)));
        }
        Ok(FileValue::Table(entries))
    }
}
