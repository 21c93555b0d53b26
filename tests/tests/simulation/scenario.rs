//! From a seed to a run: which tables, which jobs, what goes wrong.

use crate::faults::Faults;
use crate::random::Random;
use crate::source::Style;

/// What a run is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A run in which nothing goes wrong.
    Calm,
    /// Stores and the network fail, processes live.
    Stores,
    /// Coordinators and workers die.
    Deaths,
    /// Two sources of one name, files replaced in place, outages, VACUUMs of the replica.
    Evidence,
    /// A worker reports what it was never granted.
    Liar,
    /// An object that is copied by parts.
    Large,
    /// Two coordinators with states of their own sync into one target.
    Rivals,
    /// All of these at once.
    Chaos,
}

/// Two of nine objects have as many bytes, and each is shared by some twenty tasks.
const SHARED_BYTES: u64 = 200;

/// How much longer runs with repairs are.
const LONGER: u64 = 3;

const KINDS: [Kind; 8] = [
    Kind::Calm,
    Kind::Stores,
    Kind::Deaths,
    Kind::Evidence,
    Kind::Liar,
    Kind::Large,
    Kind::Rivals,
    Kind::Chaos,
];

/// A sync that a client asks for.
#[derive(Clone, Debug)]
pub(crate) struct Order {
    pub(crate) at_ms: u64,
    pub(crate) site: usize,
    pub(crate) source: usize,
    pub(crate) target: &'static str,
    pub(crate) overwrites: bool,
    pub(crate) reclones: bool,
    pub(crate) reads_back: bool,
    pub(crate) cancel_ms: Option<u64>,
    /// It is no sync: what is damaged of the replica is brought back.
    pub(crate) repairs: bool,
}

/// What one run is made of, all drawn from its seed.
#[derive(Clone, Debug)]
pub(crate) struct Scenario {
    pub(crate) kind: Kind,
    pub(crate) faults: Faults,
    pub(crate) styles: Vec<Style>,
    pub(crate) sites: usize,
    pub(crate) workers: u64,
    pub(crate) task_objects_max: usize,
    /// Bytes of objects that workers share.
    pub(crate) group_bytes_min: Option<u64>,
    pub(crate) orders: Vec<Order>,
    /// Until when things go wrong and tables change.
    pub(crate) until_ms: u64,
    /// Between two commits of a source.
    pub(crate) commit_every_ms: u64,
    /// Between two VACUUMs of the replicas.
    pub(crate) vacuum_every_ms: Option<u64>,
    /// Between two vacuums of ours.
    pub(crate) own_vacuum_every_ms: Option<u64>,
    /// Between two objects of the replicas that are damaged.
    pub(crate) damage_every_ms: Option<u64>,
    /// Between two commits of somebody else at a target.
    pub(crate) foreign_every_ms: Option<u64>,
    /// Between two outages of a whole bucket.
    pub(crate) outage_every_ms: Option<u64>,
    /// Objects that left a source are gone after this time.
    pub(crate) source_kept_ms: i64,
    pub(crate) recreates: bool,
    pub(crate) keeps_checksums: bool,
    pub(crate) counts_tags_by_key: bool,
    /// Listings tell no entity tags, so that each sync is planned from both whole tables.
    pub(crate) hides_tags: bool,
    pub(crate) has_liar: bool,
    /// A coordinator that starts again may have lost its state.
    pub(crate) loses_state: bool,
}

impl Scenario {
    /// The run of this seed.
    pub(crate) fn new(seed: u64, random: &mut Random) -> Self {
        let kind = KINDS[(seed % KINDS.len() as u64) as usize];
        let is = |kinds: &[Kind]| kinds.contains(&kind);
        let styles = styles(kind, random);
        let has_rivals = is(&[Kind::Chaos]) && random.chance(300);
        let has_many_tasks = is(&[Kind::Stores, Kind::Evidence]);
        let mut scenario = Self {
            kind,
            faults: faults(kind, random),
            sites: 1 + usize::from(is(&[Kind::Rivals]) || has_rivals),
            workers: random.within(1..4),
            task_objects_max: random.within(1..if has_many_tasks { 3 } else { 6 }) as usize,
            // Half of the seeds of each kind, and none of those that failed before it was so.
            group_bytes_min: (seed / KINDS.len() as u64).is_multiple_of(2).then_some(SHARED_BYTES),
            orders: Vec::new(),
            until_ms: random.within(120..if kind == Kind::Evidence { 1_000 } else { 400 }) * 1_000,
            commit_every_ms: random.within(3..40) * 1_000,
            vacuum_every_ms: None,
            own_vacuum_every_ms: None,
            damage_every_ms: None,
            foreign_every_ms: None,
            outage_every_ms: None,
            source_kept_ms: match is(&[Kind::Calm, Kind::Stores, Kind::Liar]) {
                true => 100_000_000,
                false => random.within(10..300) as i64 * 1_000,
            },
            recreates: is(&[Kind::Evidence, Kind::Chaos])
                && random.chance(300)
                && !styles[0].is_quiet,
            keeps_checksums: random.chance(200),
            counts_tags_by_key: random.chance(500),
            // A fifth of the seeds of each kind, and none of those that failed before it was so.
            hides_tags: seed / KINDS.len() as u64 % 5 == 2,
            has_liar: is(&[Kind::Liar]) || (is(&[Kind::Chaos]) && random.chance(300)),
            loses_state: is(&[Kind::Deaths, Kind::Chaos]) && random.chance(200),
            styles,
        };
        if is(&[Kind::Evidence, Kind::Liar, Kind::Rivals, Kind::Chaos]) {
            scenario.vacuum_every_ms = Some(random.within(5..40) * 1_000);
        }
        if is(&[Kind::Evidence, Kind::Rivals, Kind::Chaos]) && random.chance(500) {
            scenario.foreign_every_ms = Some(random.within(30..120) * 1_000);
        }
        if is(&[Kind::Evidence, Kind::Chaos]) {
            scenario.outage_every_ms = Some(random.within(40..120) * 1_000);
        }
        scenario.orders = scenario.draw_orders(random);
        scenario
    }

    /// Lets vacuums of ours run in place of everybody else's.
    pub(crate) fn with_own_vacuums(mut self, seed: u64) -> Self {
        self.vacuum_every_ms = None;
        self.own_vacuum_every_ms = Some(5_000 + seed % 7 * 5_000);
        self.faults.vacuum_death = seed % 5 * 3;
        self
    }

    /// Lets replicas be damaged, and repairs run beside syncs and vacuums of ours.
    pub(crate) fn with_repairs(mut self, seed: u64) -> Self {
        self = self.with_own_vacuums(seed);
        // A stream of its own: the rest of the run is that of the seed.
        let mut random = Random::new(!seed);
        // Long enough for what a sync replaced to be beyond the retention.
        self.until_ms *= LONGER;
        self.orders.iter_mut().for_each(|order| order.at_ms *= LONGER);
        self.damage_every_ms = Some(random.within(4..40) * 1_000);
        // Syncs adopt what slow vacuums are about to delete.
        self.styles.iter_mut().for_each(|style| style.restores = true);
        self.faults.vacuum_slow = 150;
        let syncs = self.orders.clone();
        for _ in 0..random.within(6..14) {
            let like = random.pick(&syncs);
            let at_ms = random.within(like.at_ms..self.until_ms.max(like.at_ms + 1));
            let cancel_ms = random.chance(100).then(|| random.within(0..30_000));
            // Half of them are syncs, so that what leaves the source is replaced early on.
            let repairs = random.chance(500);
            self.orders.push(Order { at_ms, cancel_ms, repairs, ..like });
        }
        self
    }

    fn draw_orders(&self, random: &mut Random) -> Vec<Order> {
        let targets: &[&str] = if random.chance(700) { &["t"] } else { &["t", "u"] };
        let count = random.within(3..12);
        let orders = (0..count).map(|_| {
            let at_ms = random.within(0..self.until_ms);
            let is_calm = self.kind == Kind::Calm;
            Order {
                at_ms,
                site: random.within(0..self.sites as u64) as usize,
                source: usize::from(self.styles.len() > 1 && random.chance(300)),
                target: random.pick(targets),
                overwrites: random.chance(500),
                reclones: random.chance(300),
                reads_back: random.chance(200),
                cancel_ms: (!is_calm && random.chance(200)).then(|| random.within(0..30_000)),
                repairs: false,
            }
        });
        orders.collect()
    }
}

fn styles(kind: Kind, random: &mut Random) -> Vec<Style> {
    let is = |kinds: &[Kind]| kinds.contains(&kind);
    let count = if is(&[Kind::Evidence, Kind::Chaos]) { 2 } else { 1 };
    let style = Style {
        has_vectors: random.chance(500),
        is_quiet: random.chance(300),
        reuses_names: is(&[Kind::Evidence, Kind::Rivals, Kind::Chaos]) && random.chance(250),
        restores: false,
        replaces_in_place: is(&[Kind::Evidence, Kind::Large, Kind::Chaos]) && random.chance(400),
        names: random.within(3..20),
        large_bytes: (kind == Kind::Large).then(|| (64 << 20) + random.within(1..3 << 20)),
        // Longer than a publication takes, stores being as slow as they are.
        retention_seconds: if kind == Kind::Evidence {
            random.within(90..150)
        } else {
            random.within(200..400)
        },
        checkpoint_interval: random.within(2..8),
    };
    vec![style; count]
}

fn faults(kind: Kind, random: &mut Random) -> Faults {
    let is_evidence = matches!(kind, Kind::Evidence | Kind::Rivals);
    let slow_ms_max = if is_evidence { 6_000 } else { 25_000 };
    let mut faults = Faults { slow_ms_max, ..Faults::default() };
    if matches!(kind, Kind::Stores | Kind::Chaos | Kind::Large) {
        faults.refused = random.within(0..120);
        faults.lost = random.within(0..60);
        faults.slow = random.within(0..60);
        faults.cut = random.within(0..60);
        faults.network_stall = random.within(0..8);
        faults.network_break = random.within(0..60);
    }
    if kind == Kind::Stores {
        // Reports are repeated while other tasks of their job are still copied.
        faults.slow = random.within(50..400);
        faults.network_break = random.within(20..150);
    }
    if matches!(kind, Kind::Deaths | Kind::Chaos) {
        faults.coordinator_death = random.within(0..25);
        faults.worker_death = random.within(0..25);
    }
    if is_evidence {
        faults.slow = random.within(0..200);
        faults.refused = random.within(0..60);
        faults.worker_death = random.within(0..10);
        faults.coordinator_death = random.within(0..5);
    }
    faults
}
