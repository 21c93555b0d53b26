//! Logs: to stderr, as text on a terminal and as JSON lines elsewhere.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

/// Starts the log of this process; a second call changes nothing. `DEEPCLONE_LOG` holds a filter in
/// the syntax of [`EnvFilter`]; `default_filter` applies when it is unset or malformed.
pub fn init(default_filter: &str) {
    let filter = std::env::var("DEEPCLONE_LOG").unwrap_or_default();
    let filter = EnvFilter::try_new(if filter.is_empty() { default_filter } else { &filter })
        .unwrap_or_else(|_| EnvFilter::new(default_filter));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // Fails only when another subscriber is installed already, which then stays.
    let _started = if std::io::stderr().is_terminal() {
        builder.try_init()
    } else {
        builder.json().try_init()
    };
}
