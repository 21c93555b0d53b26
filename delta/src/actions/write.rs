//! From actions to JSON: fields in Spark's order, then the unknown ones by name. An absent field is
//! left out, never written as null.

use std::fmt::Write as _;

use super::kinds::{
    Add, DeletionVector, DomainMetadata, LogAction, Metadata, Protocol, Remove, Txn, Unknown,
};
use super::texts::Texts;

impl LogAction {
    /// Formats the action as one line of JSON, without the line feed.
    #[must_use]
    pub fn to_json(&self) -> String {
        let mut out = String::with_capacity(256);
        out.push('{');
        text(&mut out, self.name());
        out.push(':');
        self.write_value(&mut out);
        out.push('}');
        out
    }

    /// Appends the line of an `add`, without the line feed.
    pub(crate) fn write_add(out: &mut String, add: &Add) {
        out.push_str("{\"add\":");
        add.write(out);
        out.push('}');
    }

    /// Returns the action's name in the log.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Add(_) => "add",
            Self::Remove(_) => "remove",
            Self::Metadata(_) => "metaData",
            Self::Protocol(_) => "protocol",
            Self::Txn(_) => "txn",
            Self::DomainMetadata(_) => "domainMetadata",
            Self::CommitInfo(_) => "commitInfo",
            Self::Cdc(_) => "cdc",
            Self::Other(name, _) => name,
        }
    }

    fn write_value(&self, out: &mut String) {
        match self {
            Self::Add(add) => add.write(out),
            Self::Remove(remove) => remove.write(out),
            Self::Metadata(metadata) => metadata.write(out),
            Self::Protocol(protocol) => protocol.write(out),
            Self::Txn(txn) => txn.write(out),
            Self::DomainMetadata(domain) => domain.write(out),
            // Pretty-printed values would break "one action a line".
            Self::CommitInfo(raw) | Self::Cdc(raw) | Self::Other(_, raw) => {
                one_line(out, raw.get());
            }
        }
    }
}

impl Add {
    fn write(&self, out: &mut String) {
        let mut object = Object::open(out);
        object.text("path", &self.path);
        object.texts("partitionValues", Some(&self.partition_values));
        object.number("size", Some(self.size));
        object.number("modificationTime", Some(self.modification_time));
        object.number("dataChange", Some(self.data_change));
        object.optional_text("stats", self.stats.as_deref());
        object.texts("tags", self.tags.as_ref());
        object.deletion_vector(self.deletion_vector.as_deref());
        object.number("baseRowId", self.base_row_id);
        object.number("defaultRowCommitVersion", self.default_row_commit_version);
        object.optional_text("clusteringProvider", self.clustering_provider.as_deref());
        object.close(&self.unknown);
    }
}

impl Remove {
    fn write(&self, out: &mut String) {
        let mut object = Object::open(out);
        object.text("path", &self.path);
        object.number("deletionTimestamp", self.deletion_timestamp);
        object.number("dataChange", Some(self.data_change));
        object.number("extendedFileMetadata", self.extended_file_metadata);
        object.texts("partitionValues", self.partition_values.as_ref());
        object.number("size", self.size);
        object.optional_text("stats", self.stats.as_deref());
        object.texts("tags", self.tags.as_ref());
        object.deletion_vector(self.deletion_vector.as_deref());
        object.number("baseRowId", self.base_row_id);
        object.number("defaultRowCommitVersion", self.default_row_commit_version);
        object.close(&self.unknown);
    }
}

impl DeletionVector {
    fn write(&self, out: &mut String) {
        let mut object = Object::open(out);
        object.text("storageType", &self.storage_type);
        object.text("pathOrInlineDv", &self.path_or_inline);
        object.number("offset", self.offset);
        object.number("sizeInBytes", Some(self.size_in_bytes));
        object.number("cardinality", Some(self.cardinality));
        object.close(&self.unknown);
    }
}

impl Metadata {
    fn write(&self, out: &mut String) {
        let mut object = Object::open(out);
        object.text("id", &self.id);
        object.optional_text("name", self.name.as_deref());
        object.optional_text("description", self.description.as_deref());
        object.key("format");
        one_line(object.out, self.format.get());
        object.text("schemaString", &self.schema_string);
        object.list("partitionColumns", Some(&self.partition_columns));
        object.key("configuration");
        let entries =
            self.configuration.iter().map(|(key, value)| (key.as_str(), Some(value.as_str())));
        map(object.out, entries);
        object.number("createdTime", self.created_time);
        object.close(&self.unknown);
    }
}

impl Protocol {
    fn write(&self, out: &mut String) {
        let mut object = Object::open(out);
        object.number("minReaderVersion", Some(self.min_reader_version));
        object.number("minWriterVersion", Some(self.min_writer_version));
        object.list("readerFeatures", self.reader_features.as_deref());
        object.list("writerFeatures", self.writer_features.as_deref());
        object.close(&self.unknown);
    }
}

impl Txn {
    fn write(&self, out: &mut String) {
        let mut object = Object::open(out);
        object.text("appId", &self.app_id);
        object.number("version", Some(self.version));
        object.number("lastUpdated", self.last_updated);
        object.close(&self.unknown);
    }
}

impl DomainMetadata {
    fn write(&self, out: &mut String) {
        let mut object = Object::open(out);
        object.text("domain", &self.domain);
        object.text("configuration", &self.configuration);
        object.number("removed", Some(self.removed));
        object.close(&self.unknown);
    }
}

/// A JSON object that is being written field by field; the unknown fields close it.
struct Object<'a> {
    out: &'a mut String,
    first: bool,
}

impl<'a> Object<'a> {
    fn open(out: &'a mut String) -> Self {
        out.push('{');
        Self { out, first: true }
    }

    fn key(&mut self, name: &str) {
        if !self.first {
            self.out.push(',');
        }
        self.first = false;
        text(self.out, name);
        self.out.push(':');
    }

    fn text(&mut self, name: &str, value: &str) {
        self.key(name);
        text(self.out, value);
    }

    fn optional_text(&mut self, name: &str, value: Option<&str>) {
        if let Some(value) = value {
            self.text(name, value);
        }
    }

    /// Writes a number or a boolean, whose text is its JSON.
    fn number(&mut self, name: &str, value: Option<impl std::fmt::Display>) {
        if let Some(value) = value {
            self.key(name);
            // Writing to a String cannot fail.
            let _ = write!(self.out, "{value}");
        }
    }

    fn texts(&mut self, name: &str, value: Option<&Texts>) {
        if let Some(value) = value {
            self.key(name);
            map(self.out, value.iter());
        }
    }

    fn list(&mut self, name: &str, value: Option<&[String]>) {
        let Some(value) = value else { return };
        self.key(name);
        self.out.push('[');
        for (index, item) in value.iter().enumerate() {
            if index > 0 {
                self.out.push(',');
            }
            text(self.out, item);
        }
        self.out.push(']');
    }

    fn deletion_vector(&mut self, value: Option<&DeletionVector>) {
        if let Some(value) = value {
            self.key("deletionVector");
            value.write(self.out);
        }
    }

    fn close(mut self, unknown: &Unknown) {
        for (name, raw) in unknown {
            self.key(name);
            one_line(self.out, raw.get());
        }
        self.out.push('}');
    }
}

fn map<'a>(out: &mut String, entries: impl Iterator<Item = (&'a str, Option<&'a str>)>) {
    out.push('{');
    for (index, (key, value)) in entries.enumerate() {
        if index > 0 {
            out.push(',');
        }
        text(out, key);
        out.push(':');
        match value {
            Some(value) => text(out, value),
            None => out.push_str("null"),
        }
    }
    out.push('}');
}

/// Appends JSON text without its line breaks: outside strings they are white space, inside they are
/// always escaped.
fn one_line(out: &mut String, raw: &str) {
    out.extend(raw.chars().filter(|c| !matches!(c, '\n' | '\r')));
}

/// The bytes that a JSON string has an escape for.
const IS_ESCAPED: [bool; 256] = {
    let mut escaped = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        escaped[byte] = byte < b' ' as usize || byte == b'"' as usize || byte == b'\\' as usize;
        byte += 1;
    }
    escaped
};

/// Appends a JSON string. What needs no escape is copied as a whole.
pub(crate) fn text(out: &mut String, value: &str) {
    out.push('"');
    let mut copied = 0;
    let escaped = value.bytes().enumerate().filter(|(_, byte)| IS_ESCAPED[usize::from(*byte)]);
    for (at, byte) in escaped {
        let escape = match byte {
            b'"' => "\\\"",
            b'\\' => "\\\\",
            b'\n' => "\\n",
            b'\r' => "\\r",
            b'\t' => "\\t",
            _ => "",
        };
        out.push_str(&value[copied..at]);
        out.push_str(escape);
        if escape.is_empty() {
            let _ = write!(out, "\\u{byte:04x}");
        }
        copied = at + 1;
    }
    out.push_str(&value[copied..]);
    out.push('"');
}
