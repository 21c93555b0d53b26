//! Flags, environment and file → settings that are checked before a port is bound.
//!
//! Defaults < file < environment < flags.

#![warn(missing_docs)]

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;

use clap::Parser;
use deepclone_common::access::Principals;
use deepclone_common::config::Config;
use deepclone_common::connections::Connections;
use deepclone_common::lineage_settings::LineageTarget;
use deepclone_common::listener::{Exposure, check};
use deepclone_common::secret::Secret;
use deepclone_common::telemetry_settings::OtlpTarget;
use deepclone_common::tls::server::ServerTlsFiles;
use deepclone_common::webhook_settings::{Webhook, webhooks};
use deepclone_core::failure::Failure;
use deepclone_core::price::PriceTable;
use deepclone_core::reason::Reason;

use crate::reload::SettingSources;
use crate::state::Place;

const GRPC_PORT: u16 = 7420;
const HTTP_PORT: u16 = 7421;
const DATABASE: &str = "sqlite:deepclone.db";
/// The least size of shared objects: a part is a sixteenth of it, and S3 takes no less than 5 MiB.
const SHARED_OBJECT_MIN: u64 = 80 << 20;

/// Decides and publishes the syncs of Delta tables; workers copy.
#[derive(Clone, Debug, Parser)]
#[command(name = "deepclone-coordinator", version)]
pub struct Args {
    /// Address for gRPC; port 0 takes a free one [default: 127.0.0.1:7420]
    #[arg(long, value_name = "ADDRESS", env = "DEEPCLONE_LISTEN")]
    pub listen: Option<SocketAddr>,
    /// Address for the pages, /livez, /readyz and /metrics [default: 127.0.0.1:7421]
    #[arg(long, value_name = "ADDRESS", env = "DEEPCLONE_HTTP_LISTEN")]
    pub http_listen: Option<SocketAddr>,
    /// Where the state lives: sqlite:FILE [default: sqlite:deepclone.db]
    #[arg(long, value_name = "URL", env = "DEEPCLONE_DATABASE", hide_env_values = true)]
    pub database: Option<String>,
    /// The configuration file with the connections
    #[arg(long, value_name = "FILE", env = "DEEPCLONE_CONFIG")]
    pub config: Option<PathBuf>,
    /// Listen beyond loopback without TLS and authentication
    #[arg(long)]
    pub insecure: bool,
}

/// The settings of a coordinator process, checked.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where the gRPC services listen.
    pub listen: SocketAddr,
    /// Where the pages, `/livez`, `/readyz` and `/metrics` are served.
    pub http_listen: SocketAddr,
    /// Who may reach both addresses.
    pub exposure: Exposure,
    /// The TLS of both listeners; `None` without.
    pub tls: Option<ServerTlsFiles>,
    /// Who may ask; `None`: nobody is asked who they are.
    pub principals: Option<Arc<Principals>>,
    /// Where the state lives.
    pub place: Place,
    /// The connections of the file.
    pub connections: Connections,
    /// Bytes of an object that several workers share; `None`: the default.
    pub shared_object: Option<u64>,
    /// What notices must carry; `None`: none are taken.
    pub hook_secret: Option<Secret>,
    /// Where events of lineage go; `None`: nowhere.
    pub lineage: Option<LineageTarget>,
    /// Where the spans of traces go; `None`: nowhere.
    pub spans: Option<OtlpTarget>,
    /// Who is told of failures.
    pub webhooks: Vec<Webhook>,
    /// By which prices costs are estimated.
    pub prices: PriceTable,
    /// From where the connections are read again.
    pub sources: SettingSources,
}

impl Settings {
    /// Lays the flags over the configuration file that they name, and checks the result.
    ///
    /// # Errors
    /// Names the flag or key at fault.
    pub fn load(args: &Args) -> Result<Self, Failure> {
        let config = Config::load(args.config.as_deref())?;
        let default = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let listen = args.listen.or(config.listen.grpc).unwrap_or(default(GRPC_PORT));
        let http_listen = args.http_listen.or(config.listen.http).unwrap_or(default(HTTP_PORT));
        let tls = config.tls.files()?;
        let principals = config.access.file.as_deref().map(Principals::read).transpose()?;
        let exposure = Exposure::of(tls.is_some(), principals.is_some(), args.insecure);
        check(listen, exposure)?;
        check(http_listen, exposure)?;
        let file_url = config.database.url.as_ref().map(|url| url.expose());
        let place = place(args.database.as_deref().or(file_url).unwrap_or(DATABASE))?;
        let connections = Connections::from_config(&config).map_err(|error| error.failure())?;
        let shared_object = config.limits.shared_object.map(|size| size.0);
        if shared_object.is_some_and(|size| size < SHARED_OBJECT_MIN) {
            let message = format!(
                "limits.shared_object: {SHARED_OBJECT_MIN} bytes at least, for stores take no \
                 smaller parts"
            );
            return Err(Failure::new(Reason::InvalidArgument, message));
        }
        let hook_secret = config.hooks.secret()?;
        let prices = config.prices.table()?;
        let lineage = config.lineage.target()?;
        let spans = config.telemetry.target()?;
        let webhooks = webhooks(&config.webhooks)?;
        Ok(Self {
            listen,
            http_listen,
            exposure,
            tls,
            principals: principals.map(Arc::new),
            place,
            connections,
            shared_object,
            lineage,
            spans,
            webhooks,
            hook_secret,
            prices,
            sources: SettingSources { file: args.config.clone(), started: config },
        })
    }
}

/// Returns the file of the database that a coordinator with this flag and configuration uses.
///
/// # Errors
/// The URL means nothing, or its database is no file.
pub fn database_file(flag: Option<&str>, config: &Config) -> Result<PathBuf, Failure> {
    let file_url = config.database.url.as_ref().map(|url| url.expose());
    match place(flag.or(file_url).unwrap_or(DATABASE))? {
        Place::File(path) => Ok(path),
        Place::Private => {
            let message = "--database: a database in memory has no file: write sqlite:FILE";
            Err(Failure::new(Reason::InvalidArgument, message))
        }
    }
}

/// Returns where the state of a database URL lives. The URL may hold a password: no error repeats
/// it.
fn place(url: &str) -> Result<Place, Failure> {
    if url.starts_with("postgres:") || url.starts_with("postgresql:") {
        let message = "--database: postgres:// is not built yet, use sqlite:FILE";
        return Err(Failure::new(Reason::Unimplemented, message));
    }
    let path = url.strip_prefix("sqlite:").map(|path| path.strip_prefix("//").unwrap_or(path));
    match path {
        Some(":memory:") => Ok(Place::Private),
        Some(path) if !path.is_empty() && !path.contains('?') => Ok(Place::File(path.into())),
        _ => Err(Failure::new(Reason::InvalidArgument, "--database: write sqlite:FILE")),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn load(flags: &[&str]) -> Result<Settings, Failure> {
        let program = std::iter::once(&"deepclone-coordinator");
        Settings::load(&Args::try_parse_from(program.chain(flags)).unwrap())
    }

    #[test]
    fn databases_have_one_form_and_errors_keep_secrets() {
        assert_eq!(place("sqlite:a.db"), Ok(Place::File("a.db".into())));
        assert_eq!(place("sqlite:///var/a.db"), Ok(Place::File("/var/a.db".into())));
        assert_eq!(place("sqlite::memory:"), Ok(Place::Private));
        for (url, reason) in [
            ("postgres://u:hunter2@h/d", Reason::Unimplemented),
            ("postgresql://u:hunter2@h/d", Reason::Unimplemented),
            ("mysql://u:hunter2@h/d", Reason::InvalidArgument),
            ("sqlite:", Reason::InvalidArgument),
            ("a.db", Reason::InvalidArgument),
        ] {
            let failure = place(url).unwrap_err();
            assert_eq!(failure.reason, reason, "{url}");
            assert_eq!(failure.reason.row().exit, 2);
            assert!(!failure.message.contains("hunter2"));
        }
    }

    #[test]
    fn the_file_of_a_database_is_that_which_a_coordinator_uses() {
        let configured = Config::parse("[database]\nurl = \"sqlite:of-the-file.db\"").unwrap();
        let none = Config::default();
        for (flag, config, wanted) in [
            (None, &none, "deepclone.db"),
            (None, &configured, "of-the-file.db"),
            (Some("sqlite:a.db"), &configured, "a.db"),
        ] {
            assert_eq!(database_file(flag, config), Ok(PathBuf::from(wanted)));
        }
        let failure = database_file(Some("sqlite::memory:"), &none).unwrap_err();
        assert!(failure.message.contains("has no file"), "{failure}");
    }

    #[test]
    fn flags_win_over_the_file_and_the_file_over_defaults() {
        let settings = load(&[]).unwrap();
        assert_eq!(settings.listen, "127.0.0.1:7420".parse().unwrap());
        assert_eq!(settings.http_listen, "127.0.0.1:7421".parse().unwrap());
        assert_eq!(settings.place, Place::File("deepclone.db".into()));

        let mut file = tempfile::NamedTempFile::new().unwrap();
        writeln!(file, "[listen]\ngrpc = \"127.0.0.1:1\"\nhttp = \"127.0.0.1:2\"").unwrap();
        let path = file.path().to_str().unwrap();
        let settings = load(&["--config", path, "--http-listen", "127.0.0.1:3"]).unwrap();
        assert_eq!(settings.listen.port(), 1);
        assert_eq!(settings.http_listen.port(), 3);
    }

    #[test]
    fn objects_are_shared_from_a_size_on_whose_parts_stores_take() {
        let with = |text: &str| {
            let mut file = tempfile::NamedTempFile::new().unwrap();
            writeln!(file, "[limits]\nshared_object = \"{text}\"").unwrap();
            load(&["--config", file.path().to_str().unwrap()])
        };
        assert_eq!(load(&[]).unwrap().shared_object, None);
        assert_eq!(with("80MiB").unwrap().shared_object, Some(80 << 20));
        let failure = with("79MiB").unwrap_err();
        assert_eq!(failure.reason.row().exit, 2);
        assert!(failure.message.contains("shared_object"));
    }

    #[test]
    fn the_secret_of_notices_comes_from_one_place_and_is_long_enough() {
        let secret = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(secret.path(), "  0123456789abcdef\n").unwrap();
        let path = secret.path().display();
        let with = |text: &str| {
            let mut file = tempfile::NamedTempFile::new().unwrap();
            writeln!(file, "[hooks]\n{text}").unwrap();
            let settings = load(&["--config", file.path().to_str().unwrap()]);
            settings.map(|settings| settings.hook_secret.map(|found| found.expose().to_owned()))
        };
        let whole = Some("0123456789abcdef".to_owned());
        assert_eq!(load(&[]).unwrap().hook_secret, None);
        assert_eq!(with("secret = \"0123456789abcdef\"").unwrap(), whole);
        assert_eq!(with(&format!("secret_file = \"{path}\"")).unwrap(), whole);
        for (text, part) in [
            ("secret = \"hunter2\"", "16 bytes or more"),
            ("secret_file = \"/nowhere\"", "cannot be read"),
            (&format!("secret = \"0123456789abcdef\"\nsecret_file = \"{path}\""), "not both"),
        ] {
            let failure = with(text).unwrap_err();
            assert!(failure.message.contains(part), "{failure}");
            assert!(!failure.message.contains("hunter2"));
        }
    }

    #[test]
    fn no_listener_leaves_loopback_unless_asked() {
        for flag in ["--listen", "--http-listen"] {
            let failure = load(&[flag, "0.0.0.0:0"]).unwrap_err();
            assert_eq!(failure.reason.row().exit, 2);
            assert!(failure.message.contains("--insecure"));
            assert!(load(&[flag, "0.0.0.0:0", "--insecure"]).is_ok());
        }
    }
}
