//! The tables to copy: logs alone, for nothing is copied. Each file is as large as a task is of one
//! object.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// Bytes of a file.
const FILE_BYTES: u64 = 64 << 20;
const HEAD: &str = concat!(
    r#"{"protocol":{"minReaderVersion":1,"minWriterVersion":2}}"#,
    "\n",
    r#"{"metaData":{"id":"5fba94ed-9794-4965-ba6e-6ee3c0d22af9","#,
    r#""format":{"provider":"parquet","options":{}},"#,
    r#""schemaString":"{\"type\":\"struct\",\"fields\":[{\"name\":\"id\",\"type\":\"long\","#,
    r#"\"nullable\":true,\"metadata\":{}}]}","#,
    r#""partitionColumns":[],"configuration":{}}}"#,
    "\n",
);

/// The name of a table.
pub(crate) fn name(number: u32) -> String {
    format!("table-{number:03}")
}

/// Writes tables of so many files each, and a place for their replicas. Returns the configuration
/// with connections to both.
pub(crate) fn write(folder: &Path, tables: u32, files: u32) -> std::io::Result<PathBuf> {
    let log = log(files);
    for number in 0..tables {
        let path = folder.join("source").join(name(number)).join("_delta_log");
        std::fs::create_dir_all(&path)?;
        std::fs::write(path.join("00000000000000000000.json"), &log)?;
    }
    std::fs::create_dir_all(folder.join("target"))?;
    let mut config = String::new();
    for side in ["source", "target"] {
        let url = folder.join(side);
        let url = url.display();
        config += &format!("[connections.{side}]\nurl = \"file://{url}\"\nroles = [\"{side}\"]\n");
    }
    let path = folder.join("deepclone.toml");
    std::fs::write(&path, config)?;
    Ok(path)
}

fn log(files: u32) -> String {
    let mut lines = HEAD.to_owned();
    for number in 0..files {
        let _written = writeln!(
            lines,
            concat!(
                r#"{{"add":{{"path":"part-{:08}.parquet","partitionValues":{{}},"size":{},"#,
                r#""modificationTime":1700000000000,"dataChange":true}}}}"#,
            ),
            number, FILE_BYTES,
        );
    }
    lines
}
