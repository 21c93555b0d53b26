//! Makes a declared set of replications the one that is kept.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use deepclone_common::connections::Side;
use deepclone_core::failure::Failure;
use deepclone_core::ids::ReplicationId;
use deepclone_core::reason::Reason;
use deepclone_core::replication::{
    CheckedReplication, ReplicationName, ReplicationSpec, SetError, SharedBudgetSpec, check_set,
};
use deepclone_core::standing::StandingEvent;
use deepclone_core::unix_time::UnixTime;

use super::diff::{ReplicationChange, ReplicationDiff, SetDiff, diff};
use super::engine::Engine;
use super::entry::ReplicationEntry;
use super::kept::Times;
use super::look::SurveyOrder;
use super::message::{EngineMessage, EngineReply, SurveyedSet, unknown_replication};
use super::money::{own_money, shared_money};
use super::order::order;
use super::owner::{claim, new_owner};
use super::planned::{PlannedSet, planned};
use super::rows;
use super::shared_budgets::SharedBudgets;
use super::survey::{refusal, survey};
use super::view::ReplicationView;
use crate::effects::Context;
use crate::state::RowChange;

/// True for a field that decides which tables a replication has.
fn selects(field: &str) -> bool {
    ["source", "target", "include", "exclude"].contains(&field)
}

/// True for a field that decides which replicas it meets.
fn meets(field: &str) -> bool {
    selects(field) || field == "takes_over"
}

impl Engine {
    /// Looks at what a set would meet, and then compares it with what is kept and, unless
    /// `validate_only`, makes it so. A mistake in the set changes nothing.
    pub(super) async fn look_and_apply(
        &mut self,
        specs: Vec<ReplicationSpec>,
        budgets: Vec<SharedBudgetSpec>,
        validate_only: bool,
        answer: EngineReply<PlannedSet>,
    ) {
        let orders = match check_all(&self.context, &specs, budgets.clone(), self.now()) {
            Ok((checked, _)) => self.survey_orders(&specs, checked),
            Err(failure) => {
                let _gone = answer.send(Err(failure));
                return;
            }
        };
        let (context, sender) = (self.context.clone(), self.sender.clone());
        self.tasks.spawn(async move {
            let surveys = survey(&context, orders, validate_only).await;
            let surveyed = SurveyedSet { specs, budgets, validate_only, surveys, answer };
            let _stopped = sender.send(EngineMessage::Surveyed(Box::new(surveyed))).await;
        });
    }

    /// The replications of a set whose tables may be others than those that are kept.
    fn survey_orders(
        &self,
        specs: &[ReplicationSpec],
        checked: Vec<CheckedReplication>,
    ) -> Vec<SurveyOrder> {
        let kept = self.kept_specs();
        let diffs = diff(&kept, specs);
        let order = |checked: CheckedReplication| {
            let diff = diffs.iter().find(|diff| diff.name == checked.spec.name)?;
            let known = self.entry_of(diff);
            let is_met = match diff.change {
                ReplicationChange::Create => true,
                _ => diff.fields.iter().any(|field| meets(field)),
            };
            let owner = known.map_or_else(new_owner, |entry| entry.owner);
            let claim = claim(&checked.spec, owner);
            let synced = known.filter(|entry| !entry.is_moved_by(&checked.spec));
            let synced = synced.map(ReplicationEntry::synced_paths).unwrap_or_default();
            let (spec, tables) = (Arc::new(checked.spec), checked.tables);
            is_met.then_some(SurveyOrder { spec, tables, claim, synced })
        };
        checked.into_iter().filter_map(order).collect()
    }

    /// Answers a set that was looked at.
    pub(super) async fn apply_surveyed(&mut self, surveyed: SurveyedSet) {
        let SurveyedSet { specs, budgets, validate_only, surveys, answer } = surveyed;
        let applied = match refusal(&surveys) {
            Some(failure) => Err(failure),
            None => {
                let pairs: BTreeMap<ReplicationName, (String, String)> = specs
                    .iter()
                    .map(|spec| (spec.name.clone(), (spec.source.clone(), spec.target.clone())))
                    .collect();
                let pricing = self.context.pricing.clone();
                let now = self.now();
                let price = |name: &ReplicationName, traffic| {
                    let (source, target) = pairs.get(name)?;
                    pricing.price_next(source, target, now, traffic).money()
                };
                let diffs = self.apply(specs, budgets, validate_only).await;
                diffs.map(|SetDiff { replications, budgets }| PlannedSet {
                    replications: planned(replications, surveys, price),
                    budgets,
                    price_table: pricing.table.name.clone(),
                })
            }
        };
        let _gone = answer.send(applied);
    }

    /// The declarations of all that are not retired.
    fn kept_specs(&self) -> Vec<&ReplicationSpec> {
        let kept = self.entries.values().filter(|entry| !entry.is_retired);
        kept.map(|entry| &*entry.spec).collect()
    }

    /// The replication that a diff is about, as it is kept; one that was retired goes on under its
    /// name.
    fn entry_of(&self, diff: &ReplicationDiff) -> Option<&ReplicationEntry> {
        let former = match &diff.change {
            ReplicationChange::Rename { from } => from,
            _ => &diff.name,
        };
        self.find(former).or_else(|| self.retired(former))
    }

    /// Compares the set with what is kept, and unless `validate_only` makes it so.
    ///
    /// # Errors
    /// A mistake in the set, by the replication and its field; then nothing is changed.
    async fn apply(
        &mut self,
        specs: Vec<ReplicationSpec>,
        budgets: Vec<SharedBudgetSpec>,
        validate_only: bool,
    ) -> Result<SetDiff, Failure> {
        let now = self.now();
        let (checked, budgets) = check_all(&self.context, &specs, budgets, now)?;
        let diffs = SetDiff {
            replications: diff(&self.kept_specs(), &specs),
            budgets: self.budgets.diff(&budgets),
        };
        if validate_only {
            return Ok(diffs);
        }
        let mut events = Vec::new();
        let budget_rows =
            diffs.budgets.iter().map(|diff| rows::shared_budget(&diff.key, diff.next.as_ref()));
        let mut changes: Vec<RowChange> = budget_rows.collect();
        self.budgets = budgets;
        for diff in &diffs.replications {
            let former = match &diff.change {
                ReplicationChange::Unchanged if diffs.budgets.is_empty() => continue,
                ReplicationChange::Rename { from } => from,
                _ => &diff.name,
            };
            let known = self.find(former).map(|entry| entry.id);
            if diff.change == ReplicationChange::Retire {
                events.extend(known.map(|replication| StandingEvent::Retired { replication }));
                continue;
            }
            let Some(checked) = checked.iter().find(|checked| checked.spec.name == diff.name)
            else {
                continue;
            };
            let replication = known.unwrap_or_else(|| self.id_for(&diff.name));
            if diff.change != ReplicationChange::Unchanged {
                changes.extend(self.declare(replication, checked, now));
            }
            let order = Box::new(order(checked, &self.budgets));
            events.push(StandingEvent::Applied { replication, order });
        }
        self.write(&changes).await?;
        self.step(events).await?;
        let ids: Vec<ReplicationId> = self.entries.keys().copied().collect();
        let replicas: Vec<_> = ids.into_iter().filter_map(|id| self.replicas(id)).collect();
        self.step(replicas).await?;
        self.follow_timetables().await;
        Ok(diffs)
    }

    /// An id for a new replication: a retired one of that name goes on.
    fn id_for(&self, name: &ReplicationName) -> ReplicationId {
        let retired = self.retired(name).map(|entry| entry.id);
        retired.unwrap_or_else(|| ReplicationId(new_owner()))
    }

    /// The replication of that name that was retired last.
    fn retired(&self, name: &ReplicationName) -> Option<&ReplicationEntry> {
        let retired = self.entries.values().filter(|entry| entry.is_retired);
        retired.filter(|entry| entry.spec.name == *name).max_by_key(|entry| entry.updated)
    }

    /// Takes a declaration, and returns the rows that keep it.
    fn declare(
        &mut self,
        id: ReplicationId,
        checked: &CheckedReplication,
        now: UnixTime,
    ) -> Vec<RowChange> {
        let entry = self
            .entries
            .entry(id)
            .or_insert_with(|| ReplicationEntry::new(id, checked.clone(), id.0, now));
        // Tables of other stores are other tables.
        let is_moved = entry.is_moved_by(&checked.spec);
        if is_moved {
            for table in entry.tables.values_mut() {
                table.forget();
            }
        }
        // What the next look finds was meant by whoever declared it.
        let fields = diff(&[&*entry.spec], std::slice::from_ref(&checked.spec));
        let is_other = fields.iter().flat_map(|diff| &diff.fields).any(|field| selects(field));
        entry.has_looked = entry.has_looked && !is_other && !entry.is_retired;
        let looked = rows::looked(id, entry.has_looked);
        entry.spec = Arc::new(checked.spec.clone());
        entry.checked = checked.clone();
        entry.updated = now;
        entry.is_retired = false;
        let times = Times { created: entry.created, updated: now };
        let mut changes = rows::spec(id, &checked.spec, times).to_vec();
        changes.extend([rows::owner(id, entry.owner), looked]);
        if is_moved {
            let tables = entry.tables.iter();
            changes.extend(tables.map(|(number, table)| rows::table(id, *number, &table.kept)));
        }
        changes
    }

    /// Approves tables of a replication, and shows it.
    ///
    /// # Errors
    /// There is none of this name, or it has no such table.
    pub(super) async fn approve(
        &mut self,
        name: &ReplicationName,
        paths: &[String],
    ) -> Result<Arc<ReplicationView>, Failure> {
        let unknown = || unknown_replication(name);
        let id = self.find(name).ok_or_else(unknown)?.id;
        let entry = self.entries.get_mut(&id).ok_or_else(unknown)?;
        let approved = entry.approve(paths)?;
        let rows = approved
            .iter()
            .filter_map(|number| Some(rows::table(id, *number, &entry.tables.get(number)?.kept)));
        let changes: Vec<RowChange> = rows.collect();
        self.write(&changes).await?;
        self.view = None;
        self.show(id).map(Arc::new).ok_or_else(unknown)
    }

    /// Changes one replication by an event, and shows it.
    ///
    /// # Errors
    /// There is none of this name.
    pub(super) async fn change(
        &mut self,
        name: &ReplicationName,
        event: impl FnOnce(ReplicationId) -> StandingEvent,
    ) -> Result<Arc<ReplicationView>, Failure> {
        let unknown = || unknown_replication(name);
        let id = self.find(name).ok_or_else(unknown)?.id;
        self.step([event(id)]).await?;
        self.show(id).map(Arc::new).ok_or_else(unknown)
    }
}

/// Checks every replication of a set, all of them together, and each against the connections.
fn check_all(
    context: &Context,
    specs: &[ReplicationSpec],
    budgets: Vec<SharedBudgetSpec>,
    now: UnixTime,
) -> Result<(Vec<CheckedReplication>, SharedBudgets), Failure> {
    let mistake = |SetError { index, error }: SetError| Mistake {
        replication: index.map(|index| specs[index].name.to_string()),
        field: error.field,
        why: error.message,
    };
    let (checked, mut mistakes) = match check_set(specs, now) {
        Ok(checked) => {
            let mistakes = checked.iter().flat_map(|found| unfit(context, found)).collect();
            (checked, mistakes)
        }
        Err(errors) => (Vec::new(), errors.into_iter().map(mistake).collect::<Vec<_>>()),
    };
    let budgets = SharedBudgets::new(budgets).unwrap_or_else(|errors| {
        mistakes.extend(errors.into_iter().map(mistake));
        SharedBudgets::default()
    });
    let of_money = shared_money(&context.pricing, budgets.all(), specs);
    mistakes.extend(of_money.into_iter().map(|error| mistake(SetError { index: None, error })));
    match mistakes.first() {
        None => Ok((checked, budgets)),
        Some(first) => Err(first.failure(mistakes.len())),
    }
}

struct Mistake {
    /// `None`: the set itself.
    replication: Option<String>,
    field: String,
    why: String,
}

impl Mistake {
    fn failure(&self, count: usize) -> Failure {
        let Self { replication, field, why } = self;
        let more = match count {
            1 => String::new(),
            count => format!(" (and {} more)", count - 1),
        };
        let of = replication.as_ref().map(|name| format!("the replication {name}: "));
        let message = format!("{}{field}: {why}{more}", of.unwrap_or_default());
        let failure = Failure::new(Reason::InvalidArgument, message).with("field", field.clone());
        match replication {
            Some(name) => failure.with("replication", name.clone()),
            None => failure,
        }
    }
}

/// What of a declaration does not fit the connections of this coordinator, or is not built yet.
fn unfit(context: &Context, checked: &CheckedReplication) -> Vec<Mistake> {
    let spec = &checked.spec;
    let mistake = |field: &str, why: String| Mistake {
        replication: Some(spec.name.to_string()),
        field: field.to_owned(),
        why,
    };
    let mut mistakes = Vec::new();
    let connections = &context.connections;
    let mut roots = Vec::new();
    for (field, name, side) in
        [("source", &spec.source, Side::Source), ("target", &spec.target, Side::Target)]
    {
        let root = connections.below(name, "").and_then(|root| connections.resolve(&root, side));
        match root {
            Ok(root) => roots.push(root),
            Err(error) => mistakes.push(mistake(field, error.failure_of(side).message)),
        }
    }
    if let [source, target] = &roots[..] {
        let money = own_money(&context.pricing, spec);
        mistakes.extend(money.map(|error| mistake(&error.field, error.message)));
        let literals: BTreeSet<&str> = checked.tables.literals().collect();
        let is_open = checked.tables.include.iter().any(|pattern| !pattern.is_literal());
        let overlap = match is_open {
            true => connections.refuse_pair(source, target).err(),
            false => literals.iter().find_map(|path| overlap(context, spec, path)),
        };
        mistakes.extend(overlap.map(|failure| mistake("target", failure.message)));
    }
    mistakes
}

/// Why a table cannot be kept at that place, if one of both lies inside the other.
fn overlap(context: &Context, spec: &ReplicationSpec, path: &str) -> Option<Failure> {
    let connections = &context.connections;
    let resolve = |name: &str, side| {
        let table = connections.below(name, path).ok()?;
        connections.resolve(&table, side).ok()
    };
    let (source, target) =
        (resolve(&spec.source, Side::Source)?, resolve(&spec.target, Side::Target)?);
    connections.refuse_pair(&source, &target).err()
}
