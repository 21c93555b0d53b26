//! Tables made by hand, and what a table's log says is live.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use deepclone_common::store::table::TableStore;
use deepclone_core::spec::SourcePoint;
use deepclone_delta::{dv, snapshot};
use object_store::local::LocalFileSystem;

/// Writes a table of `objects` files with `bytes` each: a real log over data that no one reads.
pub(crate) fn synthetic(folder: &Path, objects: usize, bytes: usize) {
    let names: Vec<String> = (0..objects).map(name).collect();
    named(folder, names.iter().map(|name| (name.as_str(), name.as_str(), bytes)));
}

/// The same with files of zeros, which take no room on the disk.
pub(crate) fn sparse(folder: &Path, objects: usize, bytes: usize) {
    let names: Vec<String> = (0..objects).map(name).collect();
    let files = names.iter().map(|name| (name.as_str(), name.as_str(), bytes));
    written(folder, files, |file, bytes| {
        let file = fs::File::create(file).expect("a new file");
        file.set_len(bytes as u64).expect("a file of any length");
    });
}

/// The same as [`synthetic`], with each file's key, its path in the log and its length.
pub(crate) fn named<'a>(folder: &Path, files: impl IntoIterator<Item = (&'a str, &'a str, usize)>) {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    written(folder, files, |file, bytes| {
        let mut data = Vec::with_capacity(bytes + 8);
        while data.len() < bytes {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            data.extend(state.to_le_bytes());
        }
        data.truncate(bytes);
        fs::write(file, data).expect("a new file");
    });
}

/// A table whose files `write` makes, each of a length.
fn written<'a>(
    folder: &Path,
    files: impl IntoIterator<Item = (&'a str, &'a str, usize)>,
    mut write: impl FnMut(&Path, usize),
) {
    fs::create_dir_all(folder.join("_delta_log")).expect("a new folder");
    let mut log = String::from(concat!(
        r#"{"commitInfo":{"timestamp":1700000000000,"operation":"WRITE"}}"#,
        "\n",
        r#"{"protocol":{"minReaderVersion":1,"minWriterVersion":2}}"#,
        "\n",
        r#"{"metaData":{"id":"5fba94ed-9794-4965-ba6e-6ee3c0d22af9","format":{"#,
        r#""provider":"parquet","options":{}},"#,
        r#""schemaString":"{\"type\":\"struct\",\"fields\":[]}","#,
        r#""partitionColumns":[],"configuration":{},"createdTime":1700000000000}}"#,
        "\n",
    ));
    for (key, path, bytes) in files {
        let file = folder.join(key);
        fs::create_dir_all(file.parent().expect("it has a folder")).expect("a new folder");
        write(&file, bytes);
        log.push_str(&format!(
            r#"{{"add":{{"path":"{path}","partitionValues":{{}},"size":{bytes},"#
        ));
        log.push_str("\"modificationTime\":1700000000000,\"dataChange\":true}}\n");
    }
    fs::write(folder.join("_delta_log/00000000000000000000.json"), log).expect("a new file");
}

/// The key of a synthetic table's n-th file.
pub(crate) fn name(number: usize) -> String {
    format!("part-{number:05}.parquet")
}

/// A local table as the library takes it.
pub(crate) fn store(folder: &Path) -> TableStore {
    let store = LocalFileSystem::new_with_prefix(folder).expect("an existing folder");
    TableStore {
        store: Arc::new(store),
        root: object_store::path::Path::default(),
        uri: format!("file://{}", folder.display()),
        large: None,
    }
}

/// The keys of all objects that a table's newest version names: data and deletion vectors.
pub(crate) async fn live_objects(folder: &Path) -> BTreeSet<String> {
    let snapshot =
        snapshot::read(&store(folder), &SourcePoint::Newest).await.expect("a readable table");
    let mut objects = BTreeSet::new();
    for (key, add) in &snapshot.files {
        objects.insert(key.path.clone());
        if let Some(vector) = &add.deletion_vector {
            objects.extend(dv::object_path("", vector).expect("a readable descriptor"));
        }
    }
    objects
}

/// Adds one file of so many bytes to a local table, by the commit of this version.
pub(crate) fn append(folder: &Path, version: u64, name: &str, bytes: usize) {
    fs::write(folder.join(name), vec![7; bytes]).expect("a new file");
    let commit = format!(
        "{{\"commitInfo\":{{\"timestamp\":{},\"operation\":\"WRITE\"}}}}\n{{\"add\":{{\"path\":\
         \"{name}\",\"partitionValues\":{{}},\"size\":{bytes},\"modificationTime\":1700000000000,\
         \"dataChange\":true}}}}\n",
        1_700_000_000_000 + version
    );
    let file = folder.join(format!("_delta_log/{version:020}.json"));
    fs::write(file, commit).expect("a new file");
}
