//! A model worker: what it holds, what it copies, and what it tells.

use std::collections::{BTreeMap, VecDeque};

use deepclone_core::concurrency::{Tuner, TunerSample};
use deepclone_core::copy_plan::CopyPlan;
use deepclone_core::ids::{GrantKey, WorkerId};
use deepclone_core::machine::HeldTask;
use deepclone_core::task::Capacity;
use uuid::Uuid;

use crate::link::Link;
use crate::plan::{FINISH_TRIPS, OPEN_TRIPS, Work};

/// The same as of the real worker: see `worker/src/held.rs`.
const OBJECTS_HELD_MAX: u32 = 2_048;
const WAITING_BYTES_MAX: u64 = 256 << 20;
/// Time between two samples of the tuner: see `worker/src/slots/mod.rs`.
pub(crate) const SAMPLE_US: u64 = 100_000;

/// What a worker copies, and how far it is.
#[derive(Debug)]
pub(crate) struct ModelWorker {
    pub(crate) id: WorkerId,
    link: Link,
    tuner: Tuner,
    tasks: BTreeMap<GrantKey, Held>,
    /// What has not begun.
    objects: VecDeque<Piece>,
    /// The other parts of objects whose upload is open.
    parts: VecDeque<Piece>,
    part_is_next: bool,
    running: BTreeMap<u64, Running>,
    started: u64,
    sampled_us: u64,
    sample: TunerSample,
    /// True while a request for tasks is not answered.
    pub(crate) is_asking: bool,
}

#[derive(Debug)]
struct Held {
    objects: Vec<u64>,
    /// Pieces of each object that are not copied yet.
    left: Vec<u64>,
    objects_left: usize,
    bytes_begun: u64,
    bytes_done: u64,
}

/// An object, or a part of one.
#[derive(Clone, Copy, Debug)]
struct Piece {
    key: GrantKey,
    object: usize,
    bytes: u64,
    /// The first part of an object: its upload is opened before the others may begin.
    opens: bool,
}

#[derive(Debug)]
struct Running {
    piece: Piece,
    /// When its bytes begin and end to flow.
    flows_us: (u64, u64),
}

/// What happens later at a worker.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Later {
    /// The upload of a piece's object is open.
    Opened(u64),
    /// A piece is at the target.
    Ended(u64),
    /// An object is at the target, or its upload is open: no slot is in use for that.
    Completed(GrantKey),
}

impl Held {
    fn bytes(&self) -> u64 {
        self.objects.iter().sum()
    }
}

impl ModelWorker {
    pub(crate) fn new(number: u128, link: Link, slots_max: u32) -> Self {
        Self {
            id: WorkerId(Uuid::from_u128(number + 1)),
            link,
            tuner: Tuner::new(slots_max),
            tasks: BTreeMap::new(),
            objects: VecDeque::new(),
            parts: VecDeque::new(),
            part_is_next: true,
            running: BTreeMap::new(),
            started: 0,
            sampled_us: 0,
            sample: TunerSample::default(),
            is_asking: false,
        }
    }

    /// Takes on a task; returns what happens later if that takes no slot.
    pub(crate) fn take(&mut self, now: u64, key: GrantKey, work: &Work) -> Option<(u64, Later)> {
        let (objects, trips) = match work {
            Work::Objects(objects) => {
                for (object, &bytes) in objects.iter().enumerate() {
                    let opens = matches!(CopyPlan::of(bytes), CopyPlan::Parts(_));
                    self.objects.push_back(Piece { key, object, bytes: first_of(bytes), opens });
                }
                (objects.clone(), None)
            }
            Work::Parts(parts) => {
                for (object, &bytes) in parts.iter().enumerate() {
                    self.parts.push_back(Piece { key, object, bytes, opens: false });
                }
                (parts.clone(), None)
            }
            Work::Open => (vec![0], Some(OPEN_TRIPS)),
            Work::Finish(_) => (vec![0], Some(FINISH_TRIPS)),
        };
        let left = objects.iter().map(|&bytes| pieces_of(bytes).len() as u64).collect();
        let objects_left = objects.len();
        let held = Held { objects, left, objects_left, bytes_begun: 0, bytes_done: 0 };
        self.tasks.insert(key, held);
        trips.map(|trips| (now + trips * self.link.round_trip_us, Later::Completed(key)))
    }

    /// Lets go of a task, which is done or not wanted any more.
    pub(crate) fn drop_task(&mut self, key: &GrantKey) {
        self.tasks.remove(key);
        self.objects.retain(|piece| piece.key != *key);
        self.parts.retain(|piece| piece.key != *key);
        self.running.retain(|_, running| running.piece.key != *key);
    }

    /// Begins pieces while there are slots; returns what happens later, and when.
    pub(crate) fn begin(&mut self, now: u64) -> Vec<(u64, Later)> {
        let mut later = Vec::new();
        while self.running.len() < self.tuner.slots() as usize {
            let Some(piece) = self.next() else { break };
            let trip = self.link.round_trip_us;
            let opened = now + if piece.opens { 2 * trip } else { trip };
            let flowed = opened + self.link.moves_us(piece.bytes);
            self.started += 1;
            let held = self.tasks.get_mut(&piece.key).unwrap();
            // As the real one counts: with the first part the whole object, until the others can
            // begin.
            let bytes = if piece.opens { held.objects[piece.object] } else { piece.bytes };
            held.bytes_begun += bytes;
            if piece.opens {
                later.push((opened, Later::Opened(self.started)));
            }
            later.push((flowed + trip, Later::Ended(self.started)));
            self.running.insert(self.started, Running { piece, flows_us: (opened, flowed) });
            self.sample.requests += 2;
        }
        let used = u32::try_from(self.running.len()).unwrap();
        self.sample.slots_used = self.sample.slots_used.max(used);
        later
    }

    /// As a lane serves them: see `worker/src/slots/lane.rs`.
    fn next(&mut self) -> Option<Piece> {
        let (first, second) = match self.part_is_next {
            true => (&mut self.parts, &mut self.objects),
            false => (&mut self.objects, &mut self.parts),
        };
        let next = first.pop_front().or_else(|| second.pop_front())?;
        self.part_is_next = !self.part_is_next;
        Some(next)
    }

    /// Something happened; returns what follows, and the task that is done by it.
    pub(crate) fn happens(
        &mut self,
        now: u64,
        what: Later,
    ) -> (Vec<(u64, Later)>, Option<GrantKey>) {
        match what {
            Later::Opened(number) => {
                if let Some(Running { piece, .. }) = self.running.get(&number) {
                    let Piece { key, object, bytes: first, .. } = *piece;
                    let held = self.tasks.get_mut(&key).unwrap();
                    let bytes = held.objects[object];
                    // The other parts wait from now on.
                    held.bytes_begun -= bytes - first;
                    let rest = pieces_of(bytes).into_iter().skip(1);
                    let rest = rest.map(|bytes| Piece { key, object, bytes, opens: false });
                    self.parts.extend(rest);
                }
                (Vec::new(), None)
            }
            Later::Ended(number) => match self.running.remove(&number) {
                Some(running) => self.ended(now, &running),
                None => (Vec::new(), None),
            },
            Later::Completed(key) => (Vec::new(), self.completed(key)),
        }
    }

    fn ended(&mut self, now: u64, running: &Running) -> (Vec<(u64, Later)>, Option<GrantKey>) {
        let Piece { key, object, bytes, .. } = running.piece;
        self.sample.copies += 1;
        self.sample.bytes += self.flowed(running, self.sampled_us, now);
        let held = self.tasks.get_mut(&key).unwrap();
        held.bytes_done += bytes;
        held.left[object] -= 1;
        if held.left[object] > 0 {
            return (Vec::new(), None);
        }
        match CopyPlan::of(held.objects[object]) {
            CopyPlan::Whole => (Vec::new(), self.completed(key)),
            CopyPlan::Parts(_) => {
                let at = now + self.link.round_trip_us;
                (vec![(at, Later::Completed(key))], None)
            }
        }
    }

    /// An object is at the target; returns the task when it was the last one.
    fn completed(&mut self, key: GrantKey) -> Option<GrantKey> {
        let held = self.tasks.get_mut(&key)?;
        held.objects_left -= 1;
        (held.objects_left == 0).then_some(key)
    }

    /// Shows the tuner what happened since the last sample.
    pub(crate) fn sample(&mut self, now: u64) {
        let flowed =
            self.running.values().map(|running| self.flowed(running, self.sampled_us, now));
        let mut sample = TunerSample {
            elapsed_ms: (now - self.sampled_us) / 1_000,
            is_waiting: !(self.objects.is_empty() && self.parts.is_empty()),
            ..self.sample
        };
        sample.bytes += flowed.sum::<u64>();
        self.tuner.step(&sample);
        self.sampled_us = now;
        let slots_used = u32::try_from(self.running.len()).unwrap();
        self.sample = TunerSample { slots_used, ..TunerSample::default() };
    }

    /// Bytes of a piece that flowed between two moments.
    fn flowed(&self, running: &Running, from: u64, to: u64) -> u64 {
        let (begins, ends) = running.flows_us;
        let flows = to.min(ends).saturating_sub(from.max(begins));
        flows * self.link.bytes_per_second / 1_000_000
    }

    /// What more it can take on.
    pub(crate) fn capacity(&self) -> Capacity {
        let mut capacity = Capacity { bytes: WAITING_BYTES_MAX, objects: OBJECTS_HELD_MAX };
        for held in self.tasks.values().filter(|held| held.objects_left > 0) {
            let waits = held.bytes().saturating_sub(held.bytes_begun);
            capacity.bytes = capacity.bytes.saturating_sub(waits);
            let objects = u32::try_from(held.objects.len()).unwrap();
            capacity.objects = capacity.objects.saturating_sub(objects);
        }
        capacity
    }

    /// What it says in a heartbeat.
    pub(crate) fn held(&self) -> Vec<HeldTask> {
        let held = self.tasks.iter();
        held.map(|(&key, held)| {
            let bytes_done = held.bytes_done;
            HeldTask { key, bytes_done, bytes_read: bytes_done }
        })
        .collect()
    }

    pub(crate) fn slots(&self) -> u32 {
        self.tuner.slots()
    }
}

/// The bytes of each piece of an object.
fn pieces_of(bytes: u64) -> Vec<u64> {
    match CopyPlan::of(bytes) {
        CopyPlan::Whole => vec![bytes],
        CopyPlan::Parts(parts) => parts.ranges().map(|range| range.end - range.start).collect(),
    }
}

fn first_of(bytes: u64) -> u64 {
    pieces_of(bytes)[0]
}
