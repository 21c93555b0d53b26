//! What a source's writers do: append, rewrite, delete, delete rows, replace a file in place,
//! write a checkpoint.

use bytes::Bytes;
use serde_json::{Value, json};
use uuid::Uuid;

use super::table::{FileName, Live, Place, Source, size};
use super::vector::{self, Vector};
use crate::clouds::{By, NORTH};

fn add(name: &FileName, live: &Live, data_change: bool) -> Value {
    let mut add = json!({"path": name.0, "partitionValues": {}, "size": live.size,
        "modificationTime": live.modified_ms, "dataChange": data_change,
        "stats": "{\"numRecords\":3}"});
    if let Some(vector) = &live.vector {
        add["deletionVector"] = vector.descriptor();
    }
    json!({"add": add})
}

fn remove(name: &FileName, live: &Live, now_ms: i64, data_change: bool) -> Value {
    let mut remove = json!({"path": name.0, "deletionTimestamp": now_ms,
        "dataChange": data_change, "extendedFileMetadata": true, "partitionValues": {},
        "size": live.size});
    if let Some(vector) = &live.vector {
        remove["deletionVector"] = vector.descriptor();
    }
    json!({"remove": remove})
}

impl Source {
    /// A `commitInfo`. Quiet writers do not tell when: two tables may have one commit in common.
    fn info(&self, place: &Place<'_>, operation: &str) -> Value {
        let when = if self.style.is_quiet { 5 } else { place.clouds.now_ms };
        json!({"commitInfo": {"timestamp": when, "operation": operation}})
    }

    /// Begins a life of the table: what was there is gone, its objects stay for a while.
    pub(crate) fn create(&mut self, place: &mut Place<'_>) {
        let log: Vec<String> =
            place.clouds.list(NORTH, &self.log_key("")).map(|(key, _)| key.clone()).collect();
        for key in log {
            place.clouds.remove(NORTH, &key, By::Others);
        }
        self.lives += 1;
        self.next = 0;
        self.live.clear();
        self.left.clear();
        let mut actions = vec![self.info(place, "CREATE TABLE AS SELECT")];
        actions.extend(self.header());
        for _ in 0..place.random.within(1..self.style.names) {
            actions.extend(self.add_file(place));
        }
        self.commit(place, &actions);
    }

    /// Goes on by one commit, or by what lies beside the log.
    pub(crate) fn advance(&mut self, place: &mut Place<'_>) {
        match place.random.within(0..20) {
            0..8 => self.append(place),
            8..11 => self.rewrite(place),
            11..13 => self.delete(place),
            13..15 if self.style.has_vectors => self.delete_rows(place),
            15 | 16 if self.style.replaces_in_place => self.replace_in_place(place),
            17 => self.checkpoint(place),
            18 | 19 if self.style.restores => self.restore(place),
            _ => {
                let info = self.info(place, "OPTIMIZE");
                self.commit(place, &[info]);
            }
        }
    }

    /// A file under a free name. `None`: all names are in use.
    pub(super) fn add_file(&mut self, place: &mut Place<'_>) -> Option<Value> {
        let name = |number| format!("data_{number}.parquet");
        let names = self.style.names * if self.style.reuses_names { 1 } else { 50 };
        let start = if self.style.reuses_names { place.random.within(0..names) } else { 0 };
        let number = (0..names).map(|offset| (start + offset) % names).find(|number| {
            let is_live = self.live.keys().any(|(path, _)| *path == name(*number));
            let was_used = place.ledger.generations.contains_key(&self.key(&name(*number)));
            !is_live && (self.style.reuses_names || !was_used)
        })?;
        let (path, size) = (name(number), size(self.style, number));
        let generation = self.write(place, &path, size);
        let live = Live { size, modified_ms: place.clouds.now_ms, generation, vector: None };
        let file = (path, None);
        let action = add(&file, &live, true);
        self.live.insert(file, live);
        Some(action)
    }

    /// A live file leaves. `None`: there is none.
    fn remove_file(&mut self, place: &mut Place<'_>, data_change: bool) -> Option<Value> {
        let names: Vec<FileName> = self.live.keys().cloned().collect();
        if names.is_empty() {
            return None;
        }
        let name = place.random.pick(&names);
        let live = self.live.remove(&name)?;
        let now_ms = place.clouds.now_ms;
        self.removed.push((name.0.clone(), now_ms));
        match &live.vector {
            Some(vector) => self.removed.push((vector.object(), now_ms)),
            None => self.left.push((name.clone(), live.clone())),
        }
        Some(remove(&name, &live, now_ms, data_change))
    }

    pub(super) fn append(&mut self, place: &mut Place<'_>) {
        let mut actions = vec![self.info(place, "WRITE")];
        for _ in 0..place.random.within(1..5) {
            actions.extend(self.add_file(place));
        }
        self.commit(place, &actions);
    }

    /// Rows move to a new file, as by OPTIMIZE, or change, as by MERGE.
    pub(super) fn rewrite(&mut self, place: &mut Place<'_>) {
        let data_change = place.random.chance(500);
        let mut actions = vec![self.info(place, "MERGE")];
        for _ in 0..place.random.within(1..4) {
            actions.extend(self.remove_file(place, data_change));
        }
        if let Some(mut action) = self.add_file(place) {
            let removed: Vec<Value> = actions
                .iter()
                .filter_map(|action| Some(action.get("remove")?["path"].clone()))
                .collect();
            action["add"]["dataChange"] = data_change.into();
            // A name that leaves and comes back in one commit would be two things at once.
            if removed.contains(&action["add"]["path"]) {
                self.live.retain(|(path, _), _| action["add"]["path"] != *path);
            } else {
                actions.push(action);
            }
        }
        self.commit(place, &actions);
    }

    pub(super) fn delete(&mut self, place: &mut Place<'_>) {
        let mut actions = vec![self.info(place, "DELETE")];
        actions.extend(self.remove_file(place, true));
        self.commit(place, &actions);
    }

    /// A file that left comes back, while its object is there as it was.
    fn restore(&mut self, place: &mut Place<'_>) {
        let is_there = |(name, live): &&(FileName, Live)| {
            let key = self.key(&name.0);
            let is_live = self.live.keys().any(|(path, _)| *path == name.0);
            let is_same = place.ledger.generations.get(&key) == Some(&live.generation);
            !is_live && is_same && place.clouds.get(NORTH, &key).is_some()
        };
        let back: Vec<(FileName, Live)> = self.left.iter().filter(is_there).cloned().collect();
        if back.is_empty() {
            return;
        }
        let (name, live) = place.random.pick(&back);
        self.left.retain(|(left, _)| *left != name);
        let actions = [self.info(place, "RESTORE"), add(&name, &live, true)];
        self.live.insert(name, live);
        self.commit(place, &actions);
    }

    /// Some files get a deletion vector, or another one.
    pub(super) fn delete_rows(&mut self, place: &mut Place<'_>) {
        let names: Vec<FileName> = self.live.keys().cloned().collect();
        let files: Vec<&FileName> =
            names.iter().filter(|_| place.random.chance(300)).take(3).collect();
        let id = Uuid::from_u128(u128::from(place.random.within(1..u64::MAX)) << 20);
        let mut actions = vec![self.info(place, "DELETE")];
        for (number, name) in files.iter().enumerate() {
            let Some(old) = self.live.remove(*name) else { continue };
            let new = Live { vector: Some(Vector { file: id, place: number }), ..old.clone() };
            let new_name = (name.0.clone(), new.vector.as_ref().map(Vector::id));
            let now_ms = place.clouds.now_ms;
            actions.push(remove(name, &old, now_ms, true));
            actions.push(add(&new_name, &new, true));
            if let Some(vector) = &old.vector {
                self.removed.push((vector.object(), now_ms));
            }
            self.live.insert(new_name, new);
        }
        if !files.is_empty() {
            let object = Vector { file: id, place: 0 }.object();
            let (key, bytes) = (self.key(&object), Bytes::from(vector::file(id, files.len())));
            place.ledger.vector_files.insert(key.clone(), bytes.clone());
            place.clouds.put(NORTH, &key, bytes, By::Others);
        }
        self.commit(place, &actions);
    }

    /// A live file gets other bytes under its name; the log says so by its time, as a rule.
    pub(super) fn replace_in_place(&mut self, place: &mut Place<'_>) {
        let names: Vec<FileName> = self.live.keys().cloned().collect();
        if names.is_empty() {
            return;
        }
        let name = place.random.pick(&names);
        let Some(mut live) = self.live.get(&name).cloned() else { return };
        let generation = self.write(place, &name.0, live.size);
        if place.random.chance(800) {
            live.generation = generation;
            live.modified_ms = place.clouds.now_ms;
            let action = add(&name, &live, true);
            self.live.insert(name, live);
            let info = self.info(place, "WRITE");
            self.commit(place, &[info, action]);
        }
    }

    /// A checkpoint of the newest version; the commits below it may go.
    pub(super) fn checkpoint(&mut self, place: &mut Place<'_>) {
        if !self.style.has_vectors || self.next == 0 {
            return;
        }
        let version = self.next - 1;
        let mut rows = vec![json!({"checkpointMetadata": {"version": version}})];
        rows.extend(self.header());
        rows.extend(self.live.iter().map(|(name, live)| add(name, live, false)));
        let lines: Vec<String> = rows.iter().map(Value::to_string).collect();
        let id = Uuid::from_u128(u128::from(place.random.within(1..u64::MAX)));
        let key = self.log_key(&format!("{version:020}.checkpoint.{id}.json"));
        place.clouds.put(NORTH, &key, lines.join("\n").into(), By::Others);
        if place.random.chance(300) {
            for old in 0..version {
                let key = self.log_key(&format!("{old:020}.json"));
                place.clouds.remove(NORTH, &key, By::Others);
            }
        }
    }
}
