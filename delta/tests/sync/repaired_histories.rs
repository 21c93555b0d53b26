//! Histories drawn at random in which objects of the replica are damaged and repaired between
//! syncs: whatever happens, the replica reads as the source does, byte by byte.

use std::collections::{BTreeMap, BTreeSet};

use deepclone_core::spec::{CloneSpec, Repair};
use deepclone_delta::dv;
use deepclone_delta::verify::{Depth, verify};
use serde_json::json;

use crate::incremental::{Draw, Model};
use crate::support::*;

/// Histories that are drawn.
const SEEDS: u64 = 40;
/// What happens in one history.
const EVENTS: u64 = 30;

/// A live file as a reader sees it, whatever its key is: its bytes, its deletion vector's, and the
/// other fields.
type Read = (Vec<u8>, Option<(Vec<u8>, Option<i32>, i32)>, String);

async fn read(table: &Table) -> Vec<Read> {
    let mut found = Vec::new();
    for (key, add) in table.snapshot().await.files {
        let bytes = table.get(&key.path).await.unwrap_or_else(|| panic!("{} is gone", key.path));
        let vector = match &add.deletion_vector {
            Some(vector) => {
                let object = dv::object_path(&table.store.uri, vector).unwrap().unwrap();
                let bytes = table.get(&object).await.unwrap_or_else(|| panic!("{object} is gone"));
                Some((bytes, vector.offset, vector.size_in_bytes))
            }
            None => None,
        };
        let fields = json!({"stats": format!("{:?}", add.stats), "size": add.size,
            "tags": format!("{:?}", add.tags), "partition": format!("{:?}", add.partition_values),
            "row": add.base_row_id, "version": add.default_row_commit_version});
        found.push((bytes, vector, fields.to_string()));
    }
    found.sort();
    found
}

/// Keys of the objects behind the live files, with the paths that the log has for none of them.
async fn keys(table: &Table) -> BTreeSet<String> {
    let mut keys = BTreeSet::new();
    for (key, add) in table.snapshot().await.files {
        keys.insert(key.path);
        if let Some(vector) = &add.deletion_vector {
            keys.extend(dv::object_path(&table.store.uri, vector).unwrap());
        }
    }
    keys
}

/// Damages some objects of the replica; returns those that are there still.
async fn damage(replica: &Table, draw: &mut Draw) -> BTreeMap<String, Vec<u8>> {
    let keys: Vec<String> = keys(replica).await.into_iter().collect();
    let mut wrong = BTreeMap::new();
    for key in keys {
        if draw.below(3) > 0 {
            continue;
        }
        let mut bytes = replica.get(&key).await.unwrap();
        match draw.below(3) {
            0 => {
                replica.delete(&key).await;
                continue;
            }
            1 => bytes.truncate(bytes.len() / 2),
            _ => bytes[0] ^= 1,
        }
        replica.put(&key, bytes.clone()).await;
        wrong.insert(key, bytes);
    }
    wrong
}

async fn history(seed: u64) {
    let mut draw = Draw(seed);
    let (mut source, replica, further) =
        (Table::new("source"), Table::new("target"), Table::new("further"));
    let mut model = Model::default();
    let (both, id) = (["deletionVectors"], json!({"delta.checkpointInterval": "4"}));
    source.commit(&[features(&both, &both), metadata("source-id", id), add("a0")]).await;
    model.live.insert("a0".to_owned(), None);
    sync(&source, &replica, &spec()).await.unwrap();
    for version in 1..=EVENTS {
        match draw.below(5) {
            0 | 1 => {
                let mut actions = model.commit(&mut draw, version);
                actions.retain(|action| action.get("metaData").is_none());
                source.commit(&actions).await;
            }
            2 => {
                sync(&source, &replica, &spec()).await.unwrap();
                assert_eq!(read(&replica).await, read(&source).await, "{seed} {version}");
            }
            // The replica of the replica has its own names, and no damage.
            3 => {
                sync(&replica, &further, &spec()).await.unwrap();
                assert_eq!(read(&further).await, read(&replica).await, "{seed} {version}");
            }
            _ => {
                let wrong = damage(&replica, &mut draw).await;
                let repair = CloneSpec { repair: Repair::Bytes, ..spec() };
                sync(&source, &replica, &repair).await.unwrap();
                let report = verify(&source.store, &replica.store, Depth::Bytes).await.unwrap();
                assert_eq!(report.differences, [], "{seed} {version}");
                let live = keys(&replica).await;
                for (key, bytes) in wrong {
                    assert_eq!(replica.get(&key).await, Some(bytes), "{key} was overwritten");
                    assert!(!live.contains(&key), "{seed} {version}: {key}");
                    // As a VACUUM does: the source may bring the file back.
                    replica.delete(&key).await;
                }
            }
        }
    }
    sync(&source, &replica, &spec()).await.unwrap();
    assert_eq!(read(&replica).await, read(&source).await, "{seed}");
    sync(&replica, &further, &spec()).await.unwrap();
    assert_eq!(read(&further).await, read(&replica).await, "{seed}");
}

#[tokio::test]
async fn a_replica_reads_as_its_source_whatever_is_damaged_and_repaired_between() {
    for seed in 0..SEEDS {
        history(seed).await;
    }
}
