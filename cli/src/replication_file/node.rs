//! A file as a tree of values with their lines, whichever form it is written in.

/// A value and the line that it begins on, from 1.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct FileNode {
    pub(super) line: usize,
    pub(super) value: FileValue,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum FileValue {
    Text(String),
    Integer(i64),
    Boolean(bool),
    /// What no key takes, by its name for people: a number with a point, a date, …
    Other(&'static str),
    List(Vec<FileNode>),
    Table(Vec<(NodeKey, FileNode)>),
}

/// A key and its line.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct NodeKey {
    pub(super) line: usize,
    pub(super) text: String,
}

impl FileValue {
    /// What it is, for people.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Text(_) => "a text",
            Self::Integer(_) => "a number",
            Self::Boolean(_) => "true or false",
            Self::Other(kind) => kind,
            Self::List(_) => "a list",
            Self::Table(_) => "a table of keys",
        }
    }
}
