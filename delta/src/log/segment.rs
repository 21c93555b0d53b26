//! From a listing to the files that give one version, without IO.
//!
//! A missing commit between the checkpoint and the version is an error; the log never ends before
//! it.

use std::collections::{BTreeMap, BTreeSet};

use super::names::{LogFile, Single, commit_name};

/// Runs of versions that an error names: more say no more.
const RUNS_TOLD_MAX: usize = 4;

/// A file of the log in a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogEntry {
    /// Its name, relative to `_delta_log`.
    pub name: String,
    /// Its length in bytes.
    pub size: u64,
    /// When it was last written, in milliseconds since 1970.
    pub modified_ms: i64,
    /// Its entity tag, if the store gives one.
    pub etag: Option<String>,
}

/// A checkpoint whose files a listing shows all (its sidecars are not checked yet).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckpointFiles {
    /// The version that it holds.
    pub version: u64,
    /// Its one file, or all its parts in order.
    pub files: Vec<LogEntry>,
}

/// The files of a log, as far as it was listed.
#[derive(Clone, Debug, Default)]
pub(super) struct Listing {
    pub(super) commits: BTreeMap<u64, LogEntry>,
    /// Complete checkpoints: the newest first, then by the preferred form.
    pub(super) checkpoints: Vec<CheckpointFiles>,
}

/// Why a listing does not give a version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Gap {
    /// Neither commits nor checkpoints.
    Nothing,
    /// The name of a commit that is needed and missing.
    Missing(String),
    /// The log does not hold this version; it holds those of the text, such as `3, 5 to 7`.
    NotHeld(String),
}

/// The files that give one version of a table.
#[derive(Clone, Debug)]
pub struct LogSegment {
    /// The version that they give.
    pub version: u64,
    /// Checkpoints to start from, the preferred one first; the others are read only if it is
    /// damaged.
    pub checkpoints: Vec<CheckpointFiles>,
    /// The commits up to `version`, oldest first, none missing. Those at and below a checkpoint are
    /// used when it is damaged, and for the times of commits.
    pub commits: Vec<(u64, LogEntry)>,
}

impl Listing {
    pub(super) fn new(entries: impl IntoIterator<Item = LogEntry>) -> Self {
        let mut commits = BTreeMap::new();
        let mut singles: Vec<(u64, Single, LogEntry)> = Vec::new();
        let mut parts: BTreeMap<(u64, u32), BTreeMap<u32, LogEntry>> = BTreeMap::new();
        for entry in entries {
            match LogFile::parse(&entry.name) {
                Some(LogFile::Commit { version }) => {
                    commits.insert(version, entry);
                }
                Some(LogFile::Checkpoint { version, kind }) => {
                    singles.push((version, kind, entry));
                }
                Some(LogFile::Part { version, part, parts: count }) => {
                    parts.entry((version, count)).or_default().insert(part, entry);
                }
                None => {}
            }
        }
        singles.sort_by(|a, b| (b.0, b.1, &a.2.name).cmp(&(a.0, a.1, &b.2.name)));
        let whole_parts = parts
            .into_iter()
            .filter(|((_, count), found)| usize::try_from(*count) == Ok(found.len()))
            .map(|((version, _), found)| CheckpointFiles {
                version,
                files: found.into_values().collect(),
            });
        let mut checkpoints: Vec<_> = singles
            .into_iter()
            .map(|(version, _, entry)| CheckpointFiles { version, files: vec![entry] })
            .chain(whole_parts)
            .collect();
        checkpoints.sort_by_key(|checkpoint| std::cmp::Reverse(checkpoint.version));
        Self { commits, checkpoints }
    }

    /// Returns the newest version that the listing shows.
    pub(super) fn newest(&self) -> Option<u64> {
        let commit = self.commits.keys().next_back().copied();
        let checkpoint = self.checkpoints.first().map(|checkpoint| checkpoint.version);
        commit.max(checkpoint)
    }

    /// Selects the files that give `upto`, or the newest version.
    pub(super) fn segment(self, upto: Option<u64>) -> Result<LogSegment, Gap> {
        let newest = self.newest().ok_or(Gap::Nothing)?;
        let version = upto.unwrap_or(newest);
        let oldest = self.oldest(newest);
        if let Some(version) = upto {
            let held = self.commits.contains_key(&version)
                || self.checkpoints.iter().any(|checkpoint| checkpoint.version == version);
            if !held || oldest.is_some_and(|oldest| version < oldest) {
                return Err(Gap::NotHeld(self.held()));
            }
        }
        let checkpoints: Vec<_> =
            self.checkpoints.into_iter().filter(|found| found.version <= version).collect();
        let needed_from = checkpoints.first().map_or(0, |checkpoint| checkpoint.version + 1);
        for needed in needed_from..=version {
            if !self.commits.contains_key(&needed) {
                return Err(Gap::Missing(commit_name(needed)));
            }
        }
        let mut commits: Vec<_> = self.commits.into_iter().filter(|(v, _)| *v <= version).collect();
        let hole = commits.windows(2).rposition(|pair| pair[1].0 != pair[0].0 + 1);
        commits.drain(..hole.map_or(0, |at| at + 1));
        Ok(LogSegment { version, checkpoints, commits })
    }

    /// Names the newest versions that the files can give, in runs of versions that follow each
    /// other.
    fn held(&self) -> String {
        let starts: BTreeSet<u64> = self.checkpoints.iter().map(|found| found.version).collect();
        let mut runs: Vec<(u64, u64)> = Vec::new();
        let versions: BTreeSet<u64> = self.commits.keys().chain(&starts).copied().collect();
        for version in versions {
            match runs.last_mut() {
                Some((_, last)) if last.checked_add(1) == Some(version) => *last = version,
                _ if version == 0 || starts.contains(&version) => runs.push((version, version)),
                // Nothing below it tells what it adds to.
                _ => {}
            }
        }
        let left_out = runs.len().saturating_sub(RUNS_TOLD_MAX);
        let told = runs.split_off(left_out).into_iter().map(|(first, last)| match first == last {
            true => first.to_string(),
            false => format!("{first} to {last}"),
        });
        let told: Vec<String> =
            (left_out > 0).then(|| "…".to_owned()).into_iter().chain(told).collect();
        if told.is_empty() { "none that can be read".to_owned() } else { told.join(", ") }
    }

    /// Returns the oldest version that the files can give.
    fn oldest(&self, newest: u64) -> Option<u64> {
        let first_commit = self.commits.keys().next().copied().filter(|version| *version == 0);
        let first_checkpoint = self.checkpoints.last().map(|checkpoint| checkpoint.version);
        first_commit.or(first_checkpoint).filter(|oldest| *oldest <= newest)
    }
}

impl LogSegment {
    /// Returns the commits after `checkpoint` up to the segment's version; for `None`, all from
    /// version 0 on.
    ///
    /// # Errors
    /// The name of the first commit that is needed and missing.
    pub fn commits_after(&self, checkpoint: Option<u64>) -> Result<&[(u64, LogEntry)], String> {
        let first = checkpoint.map_or(0, |version| version + 1);
        let start = self.commits.partition_point(|(version, _)| *version < first);
        let found = &self.commits[start..];
        if first > self.version {
            return Ok(found);
        }
        match (found.first(), found.last()) {
            (Some((oldest, _)), Some((newest, _))) if *oldest == first => {
                // A checkpoint may be all that there is of its version.
                if *newest == self.version { Ok(found) } else { Err(commit_name(newest + 1)) }
            }
            _ => Err(commit_name(first)),
        }
    }
}

#[cfg(test)]
mod tests;
