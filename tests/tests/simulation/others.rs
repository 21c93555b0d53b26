//! Everybody else: writers and VACUUMs of the sources, VACUUMs and writers of the replicas, whoever
//! damages one, and whole buckets that do not answer.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::clouds::{By, NORTH, SOUTH};
use crate::random::Random;
use crate::reader::{self, objects};
use crate::scenario::Scenario;
use crate::source::Place;
use crate::world::{Parts, World};

/// Does `work` again and again, until the end of what goes wrong.
pub(crate) async fn repeat(
    world: Arc<World>,
    every_ms: u64,
    until: CancellationToken,
    mut work: impl FnMut(&mut Parts, &mut Random),
) {
    let mut random = world.lock().random.fork();
    loop {
        let pause = Duration::from_millis(random.within(every_ms / 2..every_ms * 3 / 2));
        tokio::select! {
            biased;
            () = until.cancelled() => return,
            () = tokio::time::sleep(pause) => {}
        }
        let mut parts = world.lock();
        work(&mut parts, &mut random);
        parts.settle();
    }
}

/// Starts everybody of a scenario.
pub(crate) fn start(world: &Arc<World>, scenario: &Scenario, until: &CancellationToken) {
    let spawn = |every_ms, work: fn(&mut Parts, &mut Random)| {
        tokio::spawn(repeat(Arc::clone(world), every_ms, until.clone(), work));
    };
    for at in 0..scenario.styles.len() {
        let (kept_ms, recreates) = (scenario.source_kept_ms, scenario.recreates);
        let work = move |parts: &mut Parts, random: &mut Random| {
            let Parts { clouds, sources, .. } = parts;
            let table = &mut sources.tables[at];
            let is_new = recreates && random.chance(50);
            let mut place = Place { clouds, ledger: &mut sources.ledger, random };
            match is_new {
                true => table.create(&mut place),
                false => table.advance(&mut place),
            }
            table.vacuum(place.clouds, kept_ms);
        };
        tokio::spawn(repeat(Arc::clone(world), scenario.commit_every_ms, until.clone(), work));
    }
    if let Some(every_ms) = scenario.vacuum_every_ms {
        spawn(every_ms, |parts, random| vacuum(parts, random.pick(&["t", "u"])));
    }
    if let Some(every_ms) = scenario.foreign_every_ms {
        spawn(every_ms, |parts, random| {
            let target = random.pick(&["t", "u"]);
            foreign_commit(parts, random, target);
        });
    }
    if let Some(every_ms) = scenario.damage_every_ms {
        spawn(every_ms, |parts, random| {
            let target = random.pick(&["t", "u"]);
            damage(parts, random, target);
        });
    }
    if let Some(every_ms) = scenario.outage_every_ms {
        spawn(every_ms, |parts, random| {
            let until_ms = parts.clouds.now_ms + random.within(5_000..140_000) as i64;
            parts.outages.insert(random.pick(&[NORTH, SOUTH]), until_ms);
        });
    }
}

/// Removes what the newest version of a replica has not needed for its retention.
fn vacuum(parts: &mut Parts, target: &str) {
    let Some(head) = reader::head(&parts.clouds, target) else { return };
    let Ok(view) = reader::read(&parts.clouds, target, head) else { return };
    let before_ms = parts.clouds.now_ms - view.retention_ms();
    let recent = view.removed.iter().filter(|(_, when)| **when >= before_ms);
    let names = view.live.keys().chain(recent.map(|(name, _)| name));
    let needed: BTreeSet<String> = names.flat_map(|name| objects(target, name)).collect();
    let folder = format!("{target}/");
    let gone: Vec<String> = parts
        .clouds
        .list(SOUTH, &folder)
        .filter(|(key, object)| {
            let is_data = !key[folder.len()..].starts_with('_');
            is_data && object.written_ms < before_ms && !needed.contains(*key)
        })
        .map(|(key, _)| key.clone())
        .collect();
    for key in gone {
        parts.clouds.remove(SOUTH, &key, By::Others);
    }
}

/// Another engine writes to a replica: something that changes nothing, a file, or a removal.
fn foreign_commit(parts: &mut Parts, random: &mut Random, target: &str) {
    let Some(head) = reader::head(&parts.clouds, target) else { return };
    let Ok(view) = reader::read(&parts.clouds, target, head) else { return };
    let now_ms = parts.clouds.now_ms;
    let mut lines = vec![json!({"commitInfo": {"timestamp": now_ms, "operation": "VACUUM END"}})];
    let path = format!("data_{}.parquet", random.within(0..20));
    let key = format!("{target}/{path}");
    // Its object may be gone though it is live: two live files of one path are no table.
    let is_live = view.live.values().any(|add| add["path"] == path);
    match random.within(0..3) {
        0 if !is_live && parts.clouds.get(SOUTH, &key).is_none() => {
            let bytes = format!("foreign {now_ms}").into_bytes();
            lines.push(json!({"add": {"path": path, "partitionValues": {}, "size": bytes.len(),
                "modificationTime": now_ms, "dataChange": true}}));
            parts.clouds.put(SOUTH, &key, bytes.into(), By::Others);
        }
        1 if !view.live.is_empty() => {
            let adds: Vec<_> = view.live.values().collect();
            let add = random.pick(&adds);
            let mut remove = json!({"path": add["path"], "deletionTimestamp": now_ms,
                "dataChange": true});
            if let Some(vector) = add.get("deletionVector") {
                remove["deletionVector"] = vector.clone();
            }
            lines.push(json!({"remove": remove}));
        }
        _ => {}
    }
    let text: Vec<String> = lines.iter().map(ToString::to_string).collect();
    let key = reader::commit_key(target, head + 1);
    parts.clouds.put(SOUTH, &key, text.join("\n").into(), By::Others);
}

/// Damages an object that the newest version of a replica needs.
fn damage(parts: &mut Parts, random: &mut Random, target: &str) {
    let clouds = &mut parts.clouds;
    let Some(head) = reader::head(clouds, target) else { return };
    let Ok(view) = reader::read(clouds, target, head) else { return };
    let keys: Vec<String> = view.live.keys().flat_map(|name| objects(target, name)).collect();
    if keys.is_empty() {
        return;
    }
    let key = random.pick(&keys);
    let Some(bytes) = clouds.get(SOUTH, &key).map(|object| object.bytes.clone()) else { return };
    match random.within(0..3) {
        0 => clouds.remove(SOUTH, &key, By::Damage),
        1 => _ = clouds.put(SOUTH, &key, bytes.slice(..bytes.len() / 2), By::Damage),
        _ => _ = clouds.put(SOUTH, &key, changed(&bytes), By::Damage),
    }
}

/// As many bytes, of which the last is another one.
fn changed(bytes: &[u8]) -> Bytes {
    let mut changed = bytes.to_vec();
    if let Some(last) = changed.last_mut() {
        // Never back to what it was.
        *last = last.wrapping_add(1);
    }
    changed.into()
}
