//! Damage to replicas: objects that are deleted, cut or changed at their length, and what of it no
//! repair has mended yet.

use std::collections::BTreeMap;

use crate::check::objects;
use crate::clouds::{By, Clouds, SOUTH};
use crate::random::Random;
use crate::reader;
use crate::source::FileName;
use crate::world::Parts;

/// What was damaged, and is not mended.
#[derive(Clone, Debug, Default)]
pub(crate) struct Damage {
    since_ms: BTreeMap<String, i64>,
    /// How often something was damaged.
    pub(crate) count: u64,
}

impl Damage {
    /// An object is damaged from now on.
    pub(crate) fn done(&mut self, key: &str, now_ms: i64) {
        self.count += 1;
        self.since_ms.entry(key.to_owned()).or_insert(now_ms);
    }

    /// The object is right again, or gone because nobody needs it.
    pub(crate) fn mended(&mut self, key: &str) {
        self.since_ms.remove(key);
    }

    pub(crate) fn is_damaged(&self, key: &str) -> bool {
        self.since_ms.contains_key(key)
    }

    /// Which objects of these files were damaged before this time, and still are.
    pub(crate) fn left<'a>(
        &'a self,
        target: &'a str,
        files: impl Iterator<Item = &'a FileName> + 'a,
        before_ms: i64,
    ) -> impl Iterator<Item = String> + 'a {
        let keys = files.flat_map(move |name| objects(target, name));
        keys.filter(move |key| self.since_ms.get(key).is_some_and(|since| *since < before_ms))
    }
}

/// Damages an object that the newest version of a replica needs.
pub(crate) fn inflict(parts: &mut Parts, random: &mut Random, target: &str) {
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
fn changed(bytes: &[u8]) -> bytes::Bytes {
    let mut changed = bytes.to_vec();
    if let Some(last) = changed.last_mut() {
        // Never back to what it was.
        *last = last.wrapping_add(1);
    }
    changed.into()
}

/// What is damaged of the newest version of a replica that was repaired in calm.
pub(crate) fn at_the_end(clouds: &Clouds, damage: &Damage, target: &str) -> Vec<String> {
    let Some(head) = reader::head(clouds, target) else { return Vec::new() };
    match reader::read(clouds, target, head) {
        Ok(view) => {
            let left = damage.left(target, view.live.keys(), i64::MAX);
            left.map(|key| format!("{key} is damaged at the end")).collect()
        }
        Err(why) => vec![why],
    }
}
