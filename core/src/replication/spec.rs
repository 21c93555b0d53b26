//! A replication as its user writes it. Nothing here is checked.

use std::collections::BTreeMap;
use std::time::Duration;

use super::name::ReplicationName;
use crate::budget::AtLimit;
use crate::calendar::window::WindowKind;
use crate::money::Money;
use crate::spec::{DivergencePolicy, SourceReplacedPolicy, Verification};

/// The zone of a replication that names none.
pub const TIME_ZONE_DEFAULT: &str = "UTC";
/// The days of hours that name none.
pub const DAYS_DEFAULT: &str = "daily";
/// Hours that are left out: the whole day.
pub const FROM_DEFAULT: &str = "00:00";
pub const TO_DEFAULT: &str = "24:00";
/// Most copies of one object end within it.
pub const CLOSE_GRACE_DEFAULT: Duration = Duration::from_secs(300);
/// Enough to fill a line, if tables are not tiny.
pub const JOBS_AT_ONCE_DEFAULT: u32 = 4;
/// How often a source is asked for commits, if nothing else is said.
pub const POLL_MIN_DEFAULT: Duration = Duration::from_secs(10);
pub const POLL_MAX_DEFAULT: Duration = Duration::from_secs(300);

/// A standing order: which tables are kept where, when, and at what cost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplicationSpec {
    pub name: ReplicationName,
    /// Names that it had before: what is known under one of them goes on under the new one.
    pub renamed_from: Vec<ReplicationName>,
    /// Replications from which it takes replicas that they keep, or kept, at its target: those of
    /// another coordinator, or of this one before its state was lost.
    pub takes_over: Vec<ReplicationName>,
    /// Who answers for it, and whose budget it falls under.
    pub owner: Option<String>,
    /// Replications of one group are judged together: whether all can be failed over to.
    pub group: Option<String>,
    pub labels: BTreeMap<String, String>,
    /// The name of the connection that is copied from.
    pub source: String,
    /// The name of the connection that is copied to.
    pub target: String,
    /// Patterns of tables below the source's root, see
    /// [`TablePattern`](super::pattern::TablePattern); one without a wildcard names one table. A
    /// table lies at the same path below the target's root.
    pub include: Vec<String>,
    /// Patterns of tables that are left out, whatever includes them.
    pub exclude: Vec<String>,
    pub clone: CloneOptions,
    /// The IANA name of the zone of all times of day and months below.
    pub time_zone: String,
    pub schedule: ScheduleSpec,
    pub on_missed: MissedPolicy,
    pub on_overlap: OverlapPolicy,
    pub on_resume: ResumePolicy,
    pub windows: Vec<WindowSpec>,
    /// How long what is under way goes on after a window closed.
    pub close_grace: Duration,
    /// `None`: a replica may be of any age.
    pub max_lag: Option<MaxLag>,
    pub budget: Option<BudgetSpec>,
    pub bandwidth: Vec<BandwidthSpec>,
    /// A table that a pattern newly finds waits for approval if it has more bytes; `None`: none
    /// waits.
    pub ask_above_bytes: Option<u64>,
    /// Of two replications that wait, the one with the higher number goes first.
    pub priority: i32,
    /// Tables that are copied at once.
    pub jobs_at_once: u32,
    /// `None`: the replicas are not audited.
    pub audit: Option<AuditSpec>,
    /// `None`: nothing is deleted from the replicas.
    pub vacuum: Option<VacuumSpec>,
}

/// When the replicas are compared with what their syncs recorded, and how deep.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditSpec {
    pub schedule: ScheduleSpec,
    /// The share of the bytes whose digests are compared, in millionths; 0 for none.
    pub sample_millionths: u32,
    /// Whether an independent reader opens the replicas, too.
    pub proof_of_use: bool,
}

/// When what no reader needs is deleted from the replicas.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VacuumSpec {
    pub schedule: ScheduleSpec,
    /// How long versions are kept, where that is longer than the table's own retention.
    pub retention: Option<Duration>,
    /// Whether old files of the log are deleted, too.
    pub with_log: bool,
}

/// How each table is copied: fields of a [`CloneSpec`](crate::spec::CloneSpec).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CloneOptions {
    pub verification: Verification,
    pub divergence_policy: DivergencePolicy,
    pub source_replaced_policy: SourceReplacedPolicy,
    pub allowed_features: Vec<String>,
    pub properties: BTreeMap<String, String>,
}

/// When a replication is due.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScheduleSpec {
    pub due: DueSpec,
    /// The start of each slot is delayed by a fixed part of this; `None`: not at all.
    pub spread: Option<Duration>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DueSpec {
    /// At every multiple of this since 1970-01-01T00:00Z.
    Every(Duration),
    /// Times such as `02:00`, on days such as `mon-fri`.
    At { times: Vec<String>, days: String },
    /// A pattern of five fields.
    Cron(String),
    /// When the source has a new commit: it is asked after `poll_min`, then ever later up to
    /// `poll_max` while nothing changes.
    OnCommit { poll_min: Duration, poll_max: Duration },
}

/// What becomes of slots that were missed because nothing ran.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MissedPolicy {
    /// All of them are one round.
    #[default]
    Once,
    /// The next slot is waited for.
    Skip,
}

/// What becomes of a slot that comes while a round is under way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OverlapPolicy {
    /// It is counted as skipped.
    #[default]
    Skip,
    /// The newest such slot is a round as soon as this one ends.
    QueueOne,
}

/// What comes first after a pause.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ResumePolicy {
    #[default]
    NextSlot,
    AtOnce,
}

/// Hours that allow or deny copying, on the days on which they start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WindowSpec {
    pub kind: WindowKind,
    pub days: String,
    pub from: String,
    /// May be `24:00`; not later than `from`: on the next day.
    pub to: String,
}

/// How old the oldest commit that a replica lacks may become: beyond `page`, or `warn` where it is
/// alone, it is not ready. At least one of both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MaxLag {
    pub warn: Option<Duration>,
    pub page: Option<Duration>,
}

/// What may be spent in each month of the calendar: bytes or money, one of both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BudgetSpec {
    pub bytes: Option<u64>,
    pub money: Option<Money>,
    pub at_limit: AtLimit,
}

/// The most bytes per second at some hours, shared by the tables that are copied. At other hours
/// there is no limit; where two entries meet, the lower one counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BandwidthSpec {
    pub days: String,
    pub from: String,
    pub to: String,
    pub bytes_per_second: u64,
}
