//! What of the damage to replicas no repair has mended yet.

use std::collections::BTreeMap;

use crate::clouds::Clouds;
use crate::reader::{self, objects};
use crate::source::FileName;

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

/// What a repair that was asked for at `asked_ms` left damaged of the version that it tells of.
pub(crate) fn left_by(
    clouds: &Clouds,
    damage: &Damage,
    target: &str,
    (version, asked_ms): (Option<u64>, i64),
    notices: &[String],
) -> Vec<String> {
    let Some(Ok(view)) = version.map(|version| reader::read(clouds, target, version)) else {
        return vec![format!("repaired version {version:?}, which is none")];
    };
    // An object that is gone at the source as well, and is told.
    let is_told = |key: &String| {
        let key = key.trim_start_matches(target).trim_start_matches('/');
        notices.iter().any(|notice| notice.contains(&format!("{key} cannot be judged")))
    };
    let left = damage.left(target, view.live.keys(), asked_ms).filter(|key| !is_told(key));
    left.map(|key| format!("left {key} damaged: {notices:?}")).collect()
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
