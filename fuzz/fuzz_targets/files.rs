//! Files of operators: `deepclone.toml`, `access.toml`, and files of replications as TOML and YAML.
//! The first byte chooses the form.
#![no_main]

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use deepclone::replication_file::{FileForm, ReplicationFile};
use deepclone_common::access::Principals;
use deepclone_common::config::Config;
use deepclone_common::connections::Connections;
use deepclone_core::unix_time::UnixTime;
use deepclone_fuzz::{check_failure, run};

const NOW: UnixTime = UnixTime(1_800_000_000_000);

static FILE: LazyLock<PathBuf> = LazyLock::new(|| {
    std::env::temp_dir().join(format!("deepclone-fuzz-{}.toml", std::process::id()))
});

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Some((kind, bytes)) = bytes.split_first() else { return };
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    match kind % 4 {
        0 => configuration(text),
        1 => {
            std::fs::write(&*FILE, text).expect("a file in the folder for temporary files");
            run(async { principals(&FILE) });
        }
        2 => replications(text, FileForm::Toml),
        _ => replications(text, FileForm::Yaml),
    }
});

fn configuration(text: &str) {
    let config = match Config::parse(text) {
        Ok(config) => config,
        Err(failure) => return check_failure(&failure),
    };
    if let Err(failure) = config.tls.files() {
        check_failure(&failure);
    }
    if let Err(failure) = config.prices.table() {
        check_failure(&failure);
    }
    if let Err(error) = Connections::from_config(&config) {
        check_failure(&error.failure());
    }
}

fn principals(file: &Path) {
    if let Err(failure) = Principals::read(file) {
        check_failure(&failure);
    }
}

fn replications(text: &str, form: FileForm) {
    let Err(errors) = ReplicationFile::read("r", text, form, NOW) else { return };
    for error in errors.to_string().lines() {
        assert!(!error.contains(char::is_control), "not one line: {error:?}");
    }
}
