//! How often something goes wrong, in a thousand.

/// What a process does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Coordinator,
    Worker,
    /// A vacuum of ours.
    Vacuum,
}

/// The chances of one run; none in the calm at its end.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Faults {
    /// A request is refused: throttled, failed, no connection.
    pub(crate) refused: u64,
    /// A request is done and its answer lost.
    pub(crate) lost: u64,
    /// A request is slow.
    pub(crate) slow: u64,
    /// How slow at the most: less than a publication may take before its evidence is old.
    pub(crate) slow_ms_max: u64,
    /// A body ends too early.
    pub(crate) cut: u64,
    /// The coordinator dies at a request, to a store or to its state.
    pub(crate) coordinator_death: u64,
    /// A worker dies at a request.
    pub(crate) worker_death: u64,
    /// A vacuum of ours dies at a request.
    pub(crate) vacuum_death: u64,
    /// A request of a vacuum of ours is very slow.
    pub(crate) vacuum_slow: u64,
    /// A message between two processes waits for up to a minute.
    pub(crate) network_stall: u64,
    /// A connection between two processes breaks.
    pub(crate) network_break: u64,
}

impl Faults {
    pub(crate) fn deaths(&self, role: Role) -> u64 {
        match role {
            Role::Coordinator => self.coordinator_death,
            Role::Worker => self.worker_death,
            Role::Vacuum => self.vacuum_death,
        }
    }
}
