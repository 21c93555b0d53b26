//! Audits and vacuums that the scheduler asks for: each is spawned, ends as a message, and what it
//! found is kept.

use std::collections::BTreeSet;

use deepclone_common::clock::Clock;
use deepclone_common::connections::{Resolved, Side};
use deepclone_common::random;
use deepclone_common::store::table::TableStore;
use deepclone_core::failure::Failure;
use deepclone_core::ids::{ReplicationId, TableNumber};
use deepclone_core::limits::UPKEEP_TIME_MAX;
use deepclone_core::reason::Reason;
use deepclone_core::replication::{AuditSpec, ReplicationSpec, VacuumSpec};
use deepclone_core::standing::{StandingEvent, UpkeepKind, UpkeepOutcome};
use deepclone_core::unix_time::UnixTime;
use deepclone_delta::vacuum::VacuumOptions;
use deepclone_delta::verify::{AuditOrder, KeptVerdict, PROOF_MILLIONTHS, Sample, audit};

use super::engine::Engine;
use super::message::{EngineMessage, UpkeepEnd, UpkeepFound};
use super::rows;
use super::upkeep_kept::{KeptAudit, KeptVacuum, UpkeepFailure, VacuumFigures};
use super::view::ReplicationCounts;
use crate::effects::vacuum::vacuum_replica;
use crate::effects::{Context, in_time};

/// What is done for one replica.
#[derive(Clone, Debug)]
enum Chore {
    Audit(AuditSpec),
    Vacuum(VacuumSpec, Vec<String>),
}

impl Engine {
    /// Begins an audit or a vacuum.
    pub(super) fn keep_up(&mut self, id: ReplicationId, number: TableNumber, kind: UpkeepKind) {
        let begun = self.begin_upkeep(id, number, kind);
        let (context, sender) = (self.context.clone(), self.sender.clone());
        self.tasks.spawn(async move {
            let found = match begun {
                Ok((target, chore)) => run(&context, &target, &chore).await,
                Err(failure) => Err(failure),
            };
            let end = UpkeepEnd { replication: id, table: number, kind, found };
            let _stopped = sender.send(EngineMessage::KeptUp(Box::new(end))).await;
        });
    }

    fn begin_upkeep(
        &self,
        id: ReplicationId,
        number: TableNumber,
        kind: UpkeepKind,
    ) -> Result<(Resolved, Chore), Failure> {
        let gone = || Failure::new(Reason::Internal, "the table is not kept any more");
        let entry = self.entries.get(&id).ok_or_else(gone)?;
        let table = entry.tables.get(&number).ok_or_else(gone)?;
        let chore = chore(&entry.spec, kind).ok_or_else(gone)?;
        let connections = &self.context.connections;
        let target = connections
            .below(&entry.spec.target, &table.kept.path)
            .and_then(|target| connections.resolve(&target, Side::Target))
            .map_err(|error| error.failure_of(Side::Target))?;
        Ok((target, chore))
    }

    /// Takes what an audit or a vacuum found, and tells the scheduler.
    pub(super) async fn kept_up(&mut self, end: UpkeepEnd) -> Result<(), Failure> {
        let UpkeepEnd { replication, table, kind, found } = end;
        let now = self.now();
        let outcome = if found.is_ok() { UpkeepOutcome::Done } else { UpkeepOutcome::Failed };
        let mut changes = Vec::new();
        if let Some(entry) = self.entries.get_mut(&replication)
            && let Some(known) = entry.tables.get_mut(&table)
        {
            let (name, path) = (&entry.spec.name, &known.kept.path);
            tell(name.as_str(), path, kind, &found);
            count(&mut entry.counts, kind, &found);
            take(&mut known.kept.audit, &mut known.kept.vacuum, kind, found, now);
            changes.push(rows::table(replication, table, &known.kept));
        }
        self.write(&changes).await?;
        self.step([StandingEvent::UpkeepEnded { replication, table, kind, outcome }]).await
    }

    /// Tells the scheduler which tables of a replication have a replica.
    pub(super) fn replicas(&self, id: ReplicationId) -> Option<StandingEvent> {
        let entry = self.entries.get(&id)?;
        let synced = entry.tables.iter().filter(|(_, table)| table.kept.synced.is_some());
        let tables: BTreeSet<TableNumber> = synced.map(|(number, _)| *number).collect();
        Some(StandingEvent::Replicas { replication: id, tables })
    }
}

/// Counts a try by what came of it.
fn count(counts: &mut ReplicationCounts, kind: UpkeepKind, found: &Result<UpkeepFound, Failure>) {
    let count = match (kind, found) {
        (_, Ok(UpkeepFound::Verdict(verdict))) if verdict.differences > 0 => {
            &mut counts.audits_differing
        }
        (_, Ok(UpkeepFound::Verdict(_))) => &mut counts.audits_clean,
        (_, Ok(UpkeepFound::Deleted { .. })) => &mut counts.vacuums_done,
        (UpkeepKind::Audit, Err(_)) => &mut counts.audits_failed,
        (UpkeepKind::Vacuum, Err(_)) => &mut counts.vacuums_failed,
    };
    *count += 1;
}

fn chore(spec: &ReplicationSpec, kind: UpkeepKind) -> Option<Chore> {
    Some(match kind {
        UpkeepKind::Audit => Chore::Audit(spec.audit.clone()?),
        UpkeepKind::Vacuum => {
            Chore::Vacuum(spec.vacuum.clone()?, spec.clone.allowed_features.clone())
        }
    })
}

/// Notes what was found. A failure leaves what was known before.
fn take(
    audit: &mut Option<KeptAudit>,
    vacuum: &mut Option<KeptVacuum>,
    kind: UpkeepKind,
    found: Result<UpkeepFound, Failure>,
    now: UnixTime,
) {
    let failed = |failure: &Failure| Some(UpkeepFailure::new(failure, now));
    match (kind, found) {
        (_, Ok(UpkeepFound::Verdict(verdict))) => {
            *audit = Some(KeptAudit { verdict: Some(*verdict), failure: None });
        }
        (_, Ok(UpkeepFound::Deleted { objects, bytes })) => {
            let done = VacuumFigures { at: now, objects, bytes };
            *vacuum = Some(KeptVacuum { done: Some(done), failure: None });
        }
        (UpkeepKind::Audit, Err(failure)) => {
            audit.get_or_insert_default().failure = failed(&failure);
        }
        (UpkeepKind::Vacuum, Err(failure)) => {
            vacuum.get_or_insert_default().failure = failed(&failure);
        }
    }
}

fn tell(name: &str, path: &str, kind: UpkeepKind, found: &Result<UpkeepFound, Failure>) {
    match found {
        Ok(UpkeepFound::Verdict(verdict)) if verdict.differences > 0 => {
            let (differences, first) = (verdict.differences, verdict.found.first());
            tracing::warn!(name, path, differences, ?first, "an audit found differences");
        }
        Ok(UpkeepFound::Verdict(_)) => tracing::info!(name, path, "an audit found nothing"),
        Ok(UpkeepFound::Deleted { objects, bytes }) => {
            tracing::info!(name, path, objects, bytes, "a vacuum has ended");
        }
        Err(failure) => {
            tracing::warn!(name, path, ?kind, %failure, "it could not be done and is tried again");
        }
    }
}

async fn run(context: &Context, target: &Resolved, chore: &Chore) -> Result<UpkeepFound, Failure> {
    match chore {
        Chore::Audit(spec) => {
            let target = context.open(Side::Target, target)?;
            let audited = audited(&target, spec, &context.clock);
            let verdict = in_time(UPKEEP_TIME_MAX, "the audit", audited).await?;
            Ok(UpkeepFound::Verdict(Box::new(verdict)))
        }
        Chore::Vacuum(spec, features) => {
            let options = VacuumOptions {
                retain: spec.retention,
                allowed_features: features.clone(),
                with_log: spec.with_log,
                ..VacuumOptions::default()
            };
            let report = vacuum_replica(context, target, &options).await?.report;
            let bytes = report.objects.iter().map(|object| object.size).sum();
            Ok(UpkeepFound::Deleted { objects: report.objects.len() as u64, bytes })
        }
    }
}

/// Audits a replica, and keeps the verdict beside it.
async fn audited(
    target: &TableStore,
    spec: &AuditSpec,
    clock: &Clock,
) -> Result<KeptVerdict, Failure> {
    // A number that people can type again.
    let seed = random::uuid().as_u64_pair().0 >> 44;
    let drawn = |millionths| Sample { millionths, seed };
    let order = AuditOrder {
        sample: (spec.sample_millionths > 0).then(|| drawn(spec.sample_millionths)),
        proof: spec.proof_of_use.then(|| drawn(PROOF_MILLIONTHS)),
    };
    let report = audit(target, order, clock.now_ms()).await;
    let report = report.map_err(|error| error.of(Side::Target).failure())?;
    let verdict = KeptVerdict::of(&report, clock.now_ms());
    if let Err(error) = verdict.write(target).await {
        tracing::warn!(uri = target.uri, %error, "the verdict is not kept beside the replica");
    }
    Ok(verdict)
}
