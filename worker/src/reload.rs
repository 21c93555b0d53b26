//! The limits and the connections are read again while the worker runs: at each SIGHUP.
//!
//! Flags win over the file for as long as the process runs. A file that cannot be read or makes no
//! sense changes nothing. Copies under way go on with the connection that they began with; a worker
//! that offers other connections than before registers again.

use std::path::PathBuf;

use deepclone_common::config::{ByteRate, Config, LimitSettings};
use deepclone_common::connections::{Connections, Replaced};
use deepclone_core::failure::Failure;
use tokio::signal::unix::Signal;

use crate::options::WorkerLimits;

/// From where the settings of a worker's process come.
#[derive(Clone, Debug)]
pub struct WorkerSources {
    /// The configuration file; `None` when there is none.
    pub file: Option<PathBuf>,
    /// What the file said at the start.
    pub started: Config,
    /// The limits that the command line says.
    pub flags: LimitSettings,
}

/// Reads the settings of a process again, and changes them.
#[derive(Debug)]
pub(crate) struct Reload {
    sources: WorkerSources,
    limits: WorkerLimits,
    connections: Connections,
}

/// What became of the settings.
#[derive(Debug, PartialEq, Eq)]
struct Reloaded {
    concurrency: u32,
    bandwidth: Option<ByteRate>,
    connections: Replaced,
    /// What the file says in vain, one line each.
    notices: Vec<String>,
}

impl WorkerSources {
    /// Lays the flags over what the file says.
    #[must_use]
    pub fn over(&self, file: LimitSettings) -> LimitSettings {
        let LimitSettings { memory, concurrency, bandwidth, .. } = self.flags;
        LimitSettings {
            memory: memory.or(file.memory),
            concurrency: concurrency.or(file.concurrency),
            bandwidth: bandwidth.or(file.bandwidth),
            ..file
        }
    }
}

impl Reload {
    /// `limits` and `connections` are those that the process started with.
    pub(crate) fn new(
        sources: WorkerSources,
        limits: WorkerLimits,
        connections: Connections,
    ) -> Self {
        Self { sources, limits, connections }
    }

    /// Reads the settings again at each signal, for ever.
    pub(crate) async fn at_each(self, mut hangups: Signal) {
        while hangups.recv().await.is_some() {
            match self.again() {
                Ok(Reloaded { concurrency, bandwidth, connections, notices }) => {
                    for notice in notices {
                        tracing::warn!("{notice}");
                    }
                    let bandwidth = bandwidth.map_or("none".to_owned(), |rate| rate.to_string());
                    let connections = connections.to_string();
                    let what = "SIGHUP: the limits and the connections were read again";
                    tracing::info!(concurrency, bandwidth, connections, "{what}");
                }
                Err(failure) => {
                    tracing::error!("SIGHUP: the settings stay as they were: {}", failure.message);
                }
            }
        }
    }

    /// Reads the file again, and changes the limits and the connections, or nothing.
    fn again(&self) -> Result<Reloaded, Failure> {
        let now = Config::load(self.sources.file.as_deref())?;
        let settings = self.sources.over(now.limits);
        let _checked = WorkerLimits::new(settings)?;
        let connections = self.connections.replace(&now).map_err(|error| error.failure())?;
        self.limits.change(settings)?;
        let (concurrency, bandwidth) = (self.limits.copies.most(), self.limits.bandwidth.rate());
        let bandwidth = bandwidth.map(ByteRate);
        Ok(Reloaded { concurrency, bandwidth, connections, notices: self.notices(&now, settings) })
    }

    fn notices(&self, now: &Config, settings: LimitSettings) -> Vec<String> {
        let mut notices = Vec::new();
        if self.sources.file.is_none() {
            notices.push("there is no file to read settings from: start with --config".to_owned());
        }
        for section in self.sources.started.sections_changed(now) {
            if matches!(section, "tls" | "access" | "telemetry") {
                notices.push(format!("[{section}] changed: it needs a restart of the worker"));
            }
        }
        let file = now.limits;
        let flags = self.sources.flags;
        for (key, is_in_both) in [
            ("memory", flags.memory.is_some() && file.memory.is_some()),
            ("concurrency", flags.concurrency.is_some() && file.concurrency.is_some()),
            ("bandwidth", flags.bandwidth.is_some() && file.bandwidth.is_some()),
        ] {
            if is_in_both {
                notices.push(format!("--{key} of the command line wins over {key} in the file"));
            }
        }
        let memory_bytes = WorkerLimits::memory_of(settings);
        if memory_bytes != self.limits.memory_bytes {
            let now = self.limits.memory_bytes;
            notices.push(format!(
                "memory stays at {now} bytes: {memory_bytes} bytes need a restart of the worker"
            ));
        }
        notices
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use deepclone_common::config::ByteSize;
    use deepclone_core::reason::Reason;

    use super::*;

    const NONE: LimitSettings =
        LimitSettings { memory: None, concurrency: None, bandwidth: None, shared_object: None };
    const MIB: u64 = 1 << 20;

    fn reload(file: Option<&Path>, flags: LimitSettings) -> Reload {
        let started = Config::load(file).unwrap();
        let connections = Connections::from_config(&started).unwrap();
        let sources = WorkerSources { file: file.map(Path::to_owned), started, flags };
        let limits = WorkerLimits::new(sources.over(sources.started.limits)).unwrap();
        Reload::new(sources, limits, connections)
    }

    #[tokio::test]
    async fn the_file_of_now_counts_and_flags_win_over_it() {
        let flags = LimitSettings {
            memory: Some(ByteSize(MIB)),
            concurrency: Some(3),
            bandwidth: Some(ByteRate(2 * MIB)),
            ..NONE
        };
        let wins = |key| format!("--{key} of the command line wins over {key} in the file");
        let restart = "memory stays at 536870912 bytes: 1048576 bytes need a restart of the worker";
        for (flags, text, concurrency, bandwidth, notices) in [
            (NONE, "concurrency = 9", 9, None, vec![]),
            (NONE, "concurrency = 9\nbandwidth = \"1MiB/s\"", 8, Some(MIB), vec![]),
            (NONE, "concurrency = 2\nbandwidth = \"50MiB/s\"", 2, Some(50 * MIB), vec![]),
            (NONE, "concurrency = 9\nmemory = \"1MiB\"", 9, None, vec![restart.to_owned()]),
            (flags, "", 3, Some(2 * MIB), vec![]),
            (
                flags,
                "memory = \"1GiB\"\nconcurrency = 9\nbandwidth = \"1GiB/s\"",
                3,
                Some(2 * MIB),
                ["memory", "concurrency", "bandwidth"].map(wins).into(),
            ),
        ] {
            let file = tempfile::NamedTempFile::new().unwrap();
            let reload = reload(Some(file.path()), flags);
            std::fs::write(file.path(), format!("[limits]\n{text}")).unwrap();
            let bandwidth = bandwidth.map(ByteRate);
            let connections = Replaced::default();
            let wanted = Reloaded { concurrency, bandwidth, connections, notices };
            assert_eq!(reload.again(), Ok(wanted), "{text}");
            assert_eq!(reload.limits.copies.most(), concurrency, "{text}");
        }
    }

    #[tokio::test]
    async fn a_limit_that_left_the_file_is_none_again() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "[limits]\nbandwidth = \"1MiB/s\"").unwrap();
        let reload = reload(Some(file.path()), NONE);
        assert_eq!(reload.limits.bandwidth.rate(), Some(MIB));
        std::fs::write(file.path(), "").unwrap();
        assert_eq!(reload.again().unwrap().bandwidth, None);
        assert_eq!(reload.limits.bandwidth.rate(), None);
    }

    #[tokio::test]
    async fn a_bad_file_changes_nothing() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "[limits]\nconcurrency = 7\nbandwidth = \"4MiB/s\"").unwrap();
        let reload = reload(Some(file.path()), NONE);
        for (text, part) in [
            ("[limits]\nconcurrency = 9\nbandwidth = \"1KiB/s\"", "bandwidth: write 128KiB/s"),
            ("[limits]\nconcurrency = 0\nbandwidth = \"1MiB/s\"", "concurrency: write a number"),
            ("[limits]\nbandwidth = \"fast\"", "line 2"),
            ("[nonsense]", "nonsense"),
        ] {
            std::fs::write(file.path(), text).unwrap();
            let failure = reload.again().unwrap_err();
            assert_eq!(failure.reason, Reason::InvalidArgument, "{text}");
            assert!(failure.message.contains(part), "{text}: {failure}");
            let limits = &reload.limits;
            assert_eq!((limits.copies.most(), limits.bandwidth.rate()), (7, Some(4 * MIB)));
        }
    }

    #[tokio::test]
    async fn connections_are_replaced_with_the_limits_or_neither() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let one = |name: &str| {
            format!("[connections.{name}]\nurl = \"file:///x/{name}\"\nroles = [\"source\"]\n")
        };
        std::fs::write(file.path(), one("lake")).unwrap();
        let reload = reload(Some(file.path()), NONE);
        let offered = || {
            let offers = reload.connections.offers().into_iter();
            offers.map(|offer| offer.name).collect::<Vec<_>>()
        };
        let limits = "[limits]\nconcurrency = 3\n";
        for bad in [
            format!("{}{limits}[connections.bad]\nurl = \"s3://b\"\nroles = []", one("dr")),
            format!("{}[limits]\nconcurrency = 0", one("dr")),
        ] {
            std::fs::write(file.path(), bad).unwrap();
            reload.again().unwrap_err();
            assert_eq!((offered(), reload.limits.copies.most()), (vec!["lake".to_owned()], 512));
        }
        let tls = "[tls]\ncert_file = \"c\"\nkey_file = \"k\"\n[listen]\ngrpc = \"[::1]:1\"";
        std::fs::write(file.path(), format!("{}{limits}{tls}", one("dr"))).unwrap();
        let reloaded = reload.again().unwrap();
        assert_eq!(reloaded.connections.to_string(), "added: dr; removed: lake");
        assert_eq!(reloaded.notices, ["[tls] changed: it needs a restart of the worker"]);
        assert_eq!((offered(), reload.limits.copies.most()), (vec!["dr".to_owned()], 3));
    }

    #[tokio::test]
    async fn without_a_file_the_log_says_so() {
        let notices = reload(None, NONE).again().unwrap().notices;
        assert_eq!(notices, ["there is no file to read settings from: start with --config"]);
    }
}
