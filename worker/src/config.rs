//! Turns flags, environment and file into settings that are checked before a port is bound.
//!
//! Defaults < file < environment < flags.

#![warn(missing_docs)]

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use clap::Parser;
use deepclone_common::access::Principals;
use deepclone_common::config::{ByteRate, ByteSize, Config, LimitSettings};
use deepclone_common::connections::Connections;
use deepclone_common::dial::{DialArguments, Dialer};
use deepclone_common::listener::{Exposure, check};
use deepclone_common::telemetry_settings::OtlpTarget;
use deepclone_common::tls::server::ServerTlsFiles;
use deepclone_core::failure::Failure;

use crate::options::{CoordinatorEndpoint, WorkerLimits};
use crate::reload::WorkerSources;

/// Copies what a coordinator grants, from the source's store to the target's.
#[derive(Clone, Debug, Parser)]
#[command(name = "deepclone-worker", version)]
pub struct WorkerArguments {
    /// A coordinator, such as https://coordinator:7420; repeat it for each one
    #[arg(long, value_name = "URL", required = true)]
    coordinator: Vec<String>,
    /// What people call this worker; without it the host's name and the process's number
    #[arg(long)]
    name: Option<String>,
    /// Bytes of objects held in memory at once [default: 512MiB]
    #[arg(long, value_name = "SIZE")]
    memory: Option<ByteSize>,
    /// The most objects and parts copied at once; as many as pay are, and no more [default: 512]
    #[arg(long, value_name = "N")]
    concurrency: Option<u32>,
    /// The most bytes of objects copied per second, such as 200MiB/s
    #[arg(long, value_name = "RATE")]
    bandwidth: Option<ByteRate>,
    /// Where /livez, /readyz and /metrics are served; port 0 takes a free one
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:0")]
    http_listen: SocketAddr,
    /// The configuration file with the connections
    #[arg(long, value_name = "FILE", env = "DEEPCLONE_CONFIG")]
    config: Option<PathBuf>,
    /// Allow a listener beyond loopback without TLS and authentication
    #[arg(long)]
    insecure: bool,
    /// What it shows to coordinators, and whom it believes.
    #[command(flatten)]
    dial: DialArguments,
}

/// The checked settings of a worker's process.
#[derive(Debug)]
pub struct WorkerSettings {
    /// The coordinators, any of which may lead.
    pub coordinators: Vec<CoordinatorEndpoint>,
    /// What people call the worker.
    pub name: String,
    /// How much it may take.
    pub limits: WorkerLimits,
    /// From where its limits and connections are read again.
    pub sources: WorkerSources,
    /// Address for `/livez`, `/readyz` and `/metrics`.
    pub http_listen: SocketAddr,
    /// Who may reach it.
    pub exposure: Exposure,
    /// Its TLS; `None` without.
    pub tls: Option<ServerTlsFiles>,
    /// Who may read its metrics; `None`: nobody is asked who they are.
    pub principals: Option<Arc<Principals>>,
    /// The connections of the file.
    pub connections: Connections,
    /// Where the spans of traces go; `None`: nowhere.
    pub spans: Option<OtlpTarget>,
}

impl WorkerSettings {
    /// Lays the flags over the file that they name, and checks all. Must be called within a tokio
    /// runtime, which the channels to the coordinators need.
    ///
    /// # Errors
    /// The flag or key at fault.
    pub fn load(arguments: WorkerArguments) -> Result<Self, Failure> {
        let config = Config::load(arguments.config.as_deref())?;
        let connections = Connections::from_config(&config).map_err(|error| error.failure())?;
        let tls = config.tls.files()?;
        let spans = config.telemetry.target()?;
        let principals = config.access.file.as_deref().map(Principals::read).transpose()?;
        let exposure = Exposure::of(tls.is_some(), principals.is_some(), arguments.insecure);
        check(arguments.http_listen, exposure)?;
        let WorkerArguments { memory, concurrency, bandwidth, .. } = arguments;
        let sources = WorkerSources {
            file: arguments.config,
            started: config,
            flags: LimitSettings { memory, concurrency, bandwidth, ..LimitSettings::default() },
        };
        let limits = WorkerLimits::new(sources.over(sources.started.limits))?;
        let dialer = Dialer::new(&arguments.dial)?;
        let coordinators = arguments.coordinator.iter().map(|url| {
            let channel = dialer.channel("--coordinator", url)?;
            Ok(CoordinatorEndpoint { url: url.clone(), channel })
        });
        Ok(Self {
            coordinators: coordinators.collect::<Result<_, Failure>>()?,
            name: arguments.name.unwrap_or_else(default_name),
            limits,
            sources,
            http_listen: arguments.http_listen,
            exposure,
            tls,
            principals: principals.map(Arc::new),
            connections,
            spans,
        })
    }
}

fn default_name() -> String {
    let host = std::fs::read_to_string("/etc/hostname").unwrap_or_default();
    let host = host.trim();
    let host = if host.is_empty() { "worker" } else { host };
    format!("{host}-{}", std::process::id())
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use deepclone_core::reason::Reason;

    use super::*;

    fn load(flags: &[&str]) -> Result<WorkerSettings, Failure> {
        let program = ["deepclone-worker", "--coordinator", "http://127.0.0.1:7420"];
        let arguments = WorkerArguments::try_parse_from(program.iter().chain(flags)).unwrap();
        WorkerSettings::load(arguments)
    }

    #[tokio::test]
    async fn flags_win_over_the_file_and_the_file_over_defaults() {
        let settings = load(&[]).unwrap();
        assert_eq!(settings.limits.memory_bytes, 512 << 20);
        assert_eq!(settings.limits.bandwidth.rate(), None);
        assert_eq!(settings.coordinators[0].url, "http://127.0.0.1:7420");
        assert!(settings.name.ends_with(&format!("-{}", std::process::id())), "{}", settings.name);

        let mut file = tempfile::NamedTempFile::new().unwrap();
        let text = "[limits]\nmemory = \"1GiB\"\nconcurrency = 7\nbandwidth = \"1MiB/s\"";
        writeln!(file, "{text}").unwrap();
        let path = file.path().to_str().unwrap();
        let limits = load(&["--config", path]).unwrap().limits;
        assert_eq!((limits.memory_bytes, limits.copies.most()), (1 << 30, 7));
        assert_eq!(limits.bandwidth.rate(), Some(1 << 20));
        let flags = ["--config", path, "--memory", "2GiB", "--name", "w", "--concurrency", "9"];
        let settings = load(&[&flags[..], &["--bandwidth", "2MiB/s"]].concat()).unwrap();
        let limits = settings.limits;
        assert_eq!((limits.memory_bytes, limits.copies.most()), (2 << 30, 9));
        assert_eq!(limits.bandwidth.rate(), Some(2 << 20));
        assert_eq!(settings.name, "w");
    }

    #[tokio::test]
    async fn what_cannot_be_meant_is_refused_with_its_flag() {
        for (flags, reason, part) in [
            (["--coordinator", "ftp://host"], Reason::InvalidArgument, "http://HOST:PORT"),
            (["--coordinator", "http://"], Reason::InvalidArgument, "it is no URL"),
            (
                ["--ca-file", "/nowhere/ca.pem"],
                Reason::InvalidArgument,
                "--ca-file /nowhere/ca.pem",
            ),
            (["--token-file", "/nowhere"], Reason::InvalidArgument, "--token-file /nowhere"),
            (["--http-listen", "0.0.0.0:0"], Reason::InvalidArgument, "--insecure"),
            (["--config", "/nowhere/deepclone.toml"], Reason::InvalidArgument, "deepclone.toml"),
            (["--concurrency", "0"], Reason::InvalidArgument, "concurrency: write a number"),
            (["--bandwidth", "1KiB/s"], Reason::InvalidArgument, "bandwidth: write 128KiB/s"),
        ] {
            let failure = load(&flags).unwrap_err();
            assert_eq!(failure.reason, reason, "{flags:?}: {failure}");
            assert!(failure.message.contains(part), "{flags:?}: {failure}");
        }
        assert!(load(&["--http-listen", "0.0.0.0:0", "--insecure"]).is_ok());
    }
}
