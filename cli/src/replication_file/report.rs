//! What reading finds out: mistakes, and the lines of fields.

use std::collections::BTreeMap;
use std::fmt;

use deepclone_core::replication::SetError;

use super::error::{FileError, FileErrors};

/// The lines of fields by the place of the replication and the path in it.
pub(super) type FieldLines = BTreeMap<(Option<usize>, String), usize>;

/// Collects mistakes instead of stopping at the first one.
pub(super) struct FileReport<'a> {
    file: &'a str,
    /// The replication that is read: its place and its name.
    subject: (Option<usize>, String),
    errors: Vec<FileError>,
    lines: FieldLines,
}

impl<'a> FileReport<'a> {
    pub(super) fn new(file: &'a str) -> Self {
        let subject = (None, String::new());
        Self { file, subject, errors: Vec::new(), lines: FieldLines::new() }
    }

    /// Begins a part of the file, with its line.
    pub(super) fn begin(&mut self, index: Option<usize>, name: &str, line: usize) {
        self.subject = (index, name.to_owned());
        self.lines.insert((index, String::new()), line);
    }

    pub(super) fn field(&mut self, path: &str, line: usize) {
        self.lines.insert((self.subject.0, path.to_owned()), line);
    }

    pub(super) fn error(&mut self, line: usize, field: &str, message: impl fmt::Display) {
        self.errors.push(FileError {
            file: self.file.to_owned(),
            line,
            field: field.to_owned(),
            replication: self.subject.1.clone(),
            message: message.to_string(),
        });
    }

    pub(super) fn mistakes(&self) -> usize {
        self.errors.len()
    }

    pub(super) fn into_parts(self) -> (FieldLines, Vec<FileError>) {
        (self.lines, self.errors)
    }
}

/// Returns a mistake of a declaration with the line of its field, or of the nearest one around it.
pub(super) fn located(
    file: &str,
    names: &[String],
    lines: &FieldLines,
    found: &SetError,
) -> FileError {
    let SetError { index, error } = found;
    let mut path = error.field.as_str();
    let line = loop {
        match lines.get(&(*index, path.to_owned())) {
            Some(line) => break *line,
            None if path.is_empty() => break 1,
            None => path = &path[..path.rfind(['.', '[']).unwrap_or(0)],
        }
    };
    let name = index.and_then(|index| names.get(index)).cloned().unwrap_or_default();
    let (field, message) = (error.field.clone(), error.message.clone());
    FileError { file: file.to_owned(), line, field, replication: name, message }
}

/// Sorts the mistakes by line. One that several replications have at one line is in the defaults,
/// and is told once.
pub(super) fn sorted(mut errors: Vec<FileError>) -> FileErrors {
    errors.sort_by_key(|error| error.line);
    let mut told: Vec<FileError> = Vec::new();
    for error in errors {
        let is_same = |other: &&mut FileError| {
            (other.line, &other.field, &other.message) == (error.line, &error.field, &error.message)
        };
        match told.iter_mut().find(is_same) {
            Some(earlier) => earlier.replication = "defaults".to_owned(),
            None => told.push(error),
        }
    }
    FileErrors(told)
}
