//! The keys that tell when replicas are audited, and when they are vacuumed.

use deepclone_core::replication::{AuditSpec, VacuumSpec};

use super::keys::TableKeys;
use super::report::FileReport;
use super::{timing, units};
use crate::args::Share;

pub(super) fn audit(keys: &mut TableKeys<'_>, report: &mut FileReport<'_>) -> Option<AuditSpec> {
    let mut table = keys.table("audit", report)?;
    let sample = table.parsed("sample", str::parse::<Share>, report);
    let audit = AuditSpec {
        schedule: timing::schedule(&mut table, report),
        sample_millionths: sample.map_or(0, |share| share.millionths),
        proof_of_use: table.boolean("proof_of_use", report).unwrap_or(false),
    };
    table.finish(report);
    Some(audit)
}

pub(super) fn vacuum(keys: &mut TableKeys<'_>, report: &mut FileReport<'_>) -> Option<VacuumSpec> {
    let mut table = keys.table("vacuum", report)?;
    let vacuum = VacuumSpec {
        schedule: timing::schedule(&mut table, report),
        retention: table.parsed("retention", units::duration, report),
        with_log: table.boolean("log", report).unwrap_or(false),
    };
    table.finish(report);
    Some(vacuum)
}
