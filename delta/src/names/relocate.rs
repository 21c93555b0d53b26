//! Makes absolute paths of the source's log relative, for they would point back at the source. A
//! path with `.`, `..` or empty segments becomes the key that it resolves to.
//!
//! All paths are inside the source's folder: reading refuses others. An absolute deletion vector
//! gets another unique id by it, so this happens before the difference.

use std::collections::BTreeMap;

use crate::actions::Add;
use crate::error::DeltaError;
use crate::file_key::FileKey;
use crate::paths::{encode, is_absolute};
use crate::{dv, paths};

/// Returns the live map with relative paths and relative deletion vectors only, and whether one was
/// spelled in another way.
pub(crate) fn relative(
    source_uri: &str,
    files: BTreeMap<FileKey, Add>,
) -> Result<(BTreeMap<FileKey, Add>, bool), DeltaError> {
    let changes = |add: &Add| {
        is_absolute(&add.path)
            || paths::is_roundabout(&add.path)
            || add.deletion_vector.as_ref().is_some_and(|vector| vector.storage_type == "p")
    };
    if !files.values().any(changes) {
        return Ok((files, false));
    }
    let mut is_respelled = false;
    let files: Result<_, DeltaError> = files
        .into_iter()
        .map(|(key, mut add)| {
            if is_absolute(&add.path) || paths::is_roundabout(&add.path) {
                add.path = encode(&key.path);
                is_respelled = true;
            }
            if let Some(vector) = add.deletion_vector.as_deref_mut()
                && vector.storage_type == "p"
            {
                dv::make_relative(source_uri, vector)?;
                is_respelled = true;
            }
            let dv = add.deletion_vector.as_deref().map(dv::unique_id);
            Ok((FileKey { path: key.path, dv }, add))
        })
        .collect();
    Ok((files?, is_respelled))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::actions::LogAction;

    #[test]
    fn absolute_paths_become_relative_and_relative_ones_stay_verbatim() {
        let uri = "file:///data/t";
        for (key, text) in [
            ("a b/ü%.parquet", "a%20b/%C3%BC%25.parquet"),
            ("p=1:2/x:y", "p=1%3A2/x:y"),
            ("x:y", "x%3Ay"),
            ("x/y", "x/y"),
            ("x", "x"),
        ] {
            assert_eq!(encode(key), text);
            assert_eq!(crate::paths::decode(uri, text).unwrap().key, key);
        }
        assert!(is_absolute("s3a://b/x") && is_absolute("/x") && !is_absolute("p=1%3A2/x"));
        assert!(!is_absolute("date=2021-09-08 11:11/x"));
    }

    #[test]
    fn nothing_names_the_sources_folder_any_more() {
        let name = "ab/deletion_vector_d2c639aa-8816-431a-aaf6-d3fe2512ff61.bin";
        let absolute = format!("s3://b/t/{name}");
        let relative_form = ("u", "ab^-aqEH.-t@S}K{vb[*k^");
        for (uri, path, vector, wanted_path, wanted_vector) in [
            ("s3://b/t", "s3://b/t/a%20b", ("i", "x"), "a%20b", ("i", "x")),
            ("s3://b/t", "/t/x", relative_form, "x", relative_form),
            ("file:///t", "file:/t/x", ("i", "x"), "x", ("i", "x")),
            ("s3://b/t", "a/./b", ("p", absolute.as_str()), "a/b", relative_form),
            ("s3://b/t", "a%2Db", ("p", &absolute), "a%2Db", relative_form),
        ] {
            let add = json!({"path": path, "size": 1, "modificationTime": 1, "dataChange": true,
                "deletionVector": {"storageType": vector.0, "pathOrInlineDv": vector.1,
                    "sizeInBytes": 1, "cardinality": 1}});
            let LogAction::Add(add) =
                LogAction::from_json(&json!({ "add": add }).to_string()).unwrap()
            else {
                unreachable!()
            };
            let files = BTreeMap::from([(FileKey::of_add(uri, &add).unwrap(), add)]);
            let (mut files, is_respelled) = relative(uri, files).unwrap();
            let (key, add) = files.pop_first().unwrap();
            assert_eq!(is_respelled, path != wanted_path || vector != wanted_vector, "{path}");
            assert_eq!(
                (key, add.path.as_str()),
                (FileKey::of_add(uri, &add).unwrap(), wanted_path)
            );
            let vector = add.deletion_vector.unwrap();
            assert_eq!((&*vector.storage_type, &*vector.path_or_inline), wanted_vector, "{path}");
        }
    }
}
