//! The file that a command is given.

use std::path::Path;

use deepclone_common::clock::Clock;
use deepclone_core::failure::Failure;
use deepclone_core::replication::{ReplicationSpec, SetError, SharedBudgetSpec, SpecError};
use deepclone_core::unix_time::UnixTime;

use crate::commands::context::CommandContext;
use crate::refusal::invalid;
use crate::replication_file::error::FileError;
use crate::replication_file::{FileForm, ReplicationFile};

/// What a file declares.
pub(super) struct DeclaredSet {
    pub(super) specs: Vec<ReplicationSpec>,
    pub(super) budgets: Vec<SharedBudgetSpec>,
    file: ReplicationFile,
}

impl DeclaredSet {
    /// Returns a refusal of the coordinator with the line that it is about.
    pub(super) fn located(&self, failure: Failure) -> Failure {
        let detail = |key: &str| failure.details.get(key).map_or("", String::as_str);
        let name = detail("replication");
        let index = self.specs.iter().position(|spec| spec.name.as_str() == name);
        let is_of_set = name.is_empty() && detail("field").starts_with("budget[");
        if index.is_none() && !is_of_set {
            return failure;
        }
        let error = SetError { index, error: SpecError::new(detail("field"), &failure.message) };
        let FileError { file, line, .. } = self.file.located(&error);
        Failure { message: format!("{file}:{line}: {}", failure.message), ..failure }
    }
}

/// Reads a file, and names every mistake in it.
pub(super) fn read(path: &Path, context: &CommandContext) -> Result<DeclaredSet, Failure> {
    let name = path.display().to_string();
    let text = std::fs::read_to_string(context.current_dir.join(path))
        .map_err(|error| invalid(format!("{name} cannot be read: {error}")))?;
    let now = UnixTime(Clock::System.now_ms());
    let file = ReplicationFile::read(&name, &text, FileForm::of(path), now);
    let file = file.map_err(|errors| {
        let lines: Vec<String> = errors.0.iter().map(ToString::to_string).collect();
        invalid(lines.join("; "))
    })?;
    Ok(DeclaredSet { specs: file.specs.clone(), budgets: file.budgets.clone(), file })
}
