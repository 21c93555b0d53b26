//! One run: everything starts, goes wrong for a while, and then must come to a good end.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use deepclone_common::random;
use deepclone_proto::v1;
use deepclone_proto::v1::job::State;
use tokio::runtime::Builder;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::client::Client;
use crate::faults::Faults;
use crate::network::Network;
use crate::random::Random;
use crate::scenario::{Kind, Order, Scenario};
use crate::source::{Place, Source};
use crate::world::{Parts, World};
use crate::{check, damage, liar, others, site, vacuum};

/// How long jobs may take once nothing goes wrong any more.
const CALM_MAX: Duration = Duration::from_secs(4 * 3_600);

/// How a run ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) kind: Kind,
    /// The same for every run of one seed.
    pub(crate) trace: u64,
    pub(crate) requests: u64,
    pub(crate) commits: u64,
    /// Objects that vacuums of ours deleted.
    pub(crate) vacuumed: u64,
    /// Objects that were damaged.
    pub(crate) damaged: u64,
    /// How many repairs brought their replica back, or found nothing damaged.
    pub(crate) repairs: u64,
    pub(crate) violations: Vec<String>,
    /// How the jobs ended, by reason.
    pub(crate) ends: BTreeMap<String, u64>,
}

/// What runs beside the syncs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Beside {
    /// Vacuums of others, if the scenario has any.
    OthersVacuums,
    OwnVacuums,
    /// Vacuums of ours and repairs, while replicas are damaged.
    Repairs,
}

/// Runs a seed in a runtime of its own, whose time is the simulation's.
pub(crate) fn run(seed: u64, beside: Beside, is_told: bool) -> Ended {
    random::seed(seed);
    let mut builder = Builder::new_current_thread();
    let runtime = builder.enable_time().start_paused(true).build().unwrap();
    let ended = runtime.block_on(Simulation::of(seed, beside, is_told));
    drop(runtime);
    random::unseed();
    ended
}

struct Simulation {
    world: Arc<World>,
    scenario: Arc<Scenario>,
    networks: Vec<Network>,
    ends: BTreeMap<String, u64>,
    repairs: u64,
}

impl Simulation {
    async fn of(seed: u64, beside: Beside, is_told: bool) -> Ended {
        let mut random = Random::new(seed);
        let scenario = Scenario::new(seed, &mut random);
        let scenario = Arc::new(match beside {
            Beside::OthersVacuums => scenario,
            Beside::OwnVacuums => scenario.with_own_vacuums(seed),
            Beside::Repairs => scenario.with_repairs(seed),
        });
        let world = Arc::new(World::new(random, &scenario, is_told));
        let networks = (0..scenario.sites).map(|_| Network::new(Arc::clone(&world))).collect();
        let mut simulation = Self { world, scenario, networks, ends: BTreeMap::new(), repairs: 0 };
        simulation.world.note(&format_args!("{:?}", simulation.scenario));
        simulation.create_sources();
        simulation.go_wrong().await;
        simulation.end_well().await;
        let Self { world, scenario, ends, repairs, .. } = simulation;
        let mut parts = world.lock();
        // A job that is refused may be so while an upload is being opened for it.
        let succeeds = scenario.kind == Kind::Calm && scenario.damage_every_ms.is_none();
        if succeeds && parts.uploads.values().any(Option::is_some) {
            parts.clouds.violate("an upload is left open".to_owned());
        }
        Ended {
            kind: scenario.kind,
            trace: parts.clouds.trace(),
            requests: parts.requests,
            commits: parts.replicas.checked,
            vacuumed: parts.vacuumed,
            damaged: parts.replicas.damage.count,
            repairs,
            violations: std::mem::take(&mut parts.clouds.violations),
            ends,
        }
    }

    fn create_sources(&self) {
        let mut parts = self.world.lock();
        let Parts { clouds, sources, random, .. } = &mut *parts;
        let mut place = Place { clouds, ledger: &mut sources.ledger, random };
        for (name, style) in ["a", "b"].into_iter().zip(&self.scenario.styles) {
            let mut table = Source::new(name, *style);
            table.create(&mut place);
            sources.tables.push(table);
        }
    }

    fn start_sites(&self) {
        let (world, scenario) = (&self.world, &self.scenario);
        for (site, network) in self.networks.iter().enumerate() {
            tokio::spawn(site::coordinators(
                Arc::clone(world),
                network.clone(),
                Arc::clone(scenario),
            ));
            for number in 0..scenario.workers {
                let name = format!("worker-{site}-{number}");
                let (world, scenario) = (Arc::clone(world), Arc::clone(scenario));
                tokio::spawn(site::worker(world, network.clone(), scenario, name));
            }
        }
    }

    fn client(&self, order: Order, request_id: String) -> Client {
        let (world, network) = (Arc::clone(&self.world), self.networks[order.site].clone());
        let source = self.world.lock().sources.tables[order.source].uri();
        Client { world, network, order, source, request_id }
    }

    /// Every order, while tables change and things go wrong; then calm until all jobs have ended.
    async fn go_wrong(&mut self) {
        self.start_sites();
        let trouble = CancellationToken::new();
        others::start(&self.world, &self.scenario, &trouble);
        if let Some(every_ms) = self.scenario.own_vacuum_every_ms {
            let kept = vacuum::Keeping {
                retention_seconds: self.scenario.styles[0].retention_seconds,
                breaks_time_travel: every_ms.is_multiple_of(2_000),
            };
            self.world.lock().replicas.keeps_time_travel = !kept.breaks_time_travel;
            for target in ["t", "u"] {
                let (world, until) = (Arc::clone(&self.world), trouble.clone());
                tokio::spawn(vacuum::repeat(world, target, (every_ms, kept), until));
            }
        }
        if self.scenario.has_liar {
            let (world, network) = (Arc::clone(&self.world), self.networks[0].clone());
            tokio::spawn(liar::lie(world, network, trouble.clone()));
        }
        let mut clients = JoinSet::new();
        for (number, order) in self.scenario.orders.iter().enumerate() {
            let client = self.client(order.clone(), format!("order-{number}"));
            clients.spawn(async move { (client.order.clone(), client.run().await) });
        }
        tokio::time::sleep(Duration::from_millis(self.scenario.until_ms)).await;
        trouble.cancel();
        {
            let mut parts = self.world.lock();
            parts.faults = Faults::default();
            parts.outages.clear();
            parts.clouds.note(&format_args!("calm"));
        }
        let all = async {
            while let Some(ended) = clients.join_next().await {
                let (order, (asked_ms, job)) = ended.unwrap();
                self.judge(&order, asked_ms, &job);
            }
        };
        if tokio::time::timeout(CALM_MAX, all).await.is_err() {
            self.world.violate("a job does not end".to_owned());
        }
    }

    fn judge(&mut self, order: &Order, asked_ms: i64, job: &v1::Job) {
        let reason = job.failure.as_ref().map(|failure| failure.reason.clone());
        let end = reason.clone().unwrap_or_else(|| format!("{:?}", job.state()));
        *self.ends.entry(end).or_default() += 1;
        let mut parts = self.world.lock();
        let name = &job.name;
        let sync = name.trim_start_matches("jobs/");
        let published = parts.replicas.published.get(sync).cloned();
        let reason = reason.unwrap_or_default();
        match (job.state(), &job.result) {
            (State::Succeeded, Some(result)) if !result.up_to_date => {
                let told = result.target_version.map(i64::cast_unsigned);
                if told.is_none() || published.as_ref().map(|(_, version)| *version) != told {
                    parts
                        .clouds
                        .violate(format!("{name} tells of version {told:?}: {published:?}"));
                }
            }
            (State::Succeeded, Some(_)) => {}
            // A commit whose answer was lost for good.
            (State::Failed, _) if reason == "STORAGE_UNAVAILABLE" => {}
            (State::Failed | State::Cancelled, _) if published.is_none() => {}
            _ => parts
                .clouds
                .violate(format!("{name} ended so, and has a commit {published:?}: {job:?}")),
        }
        let message = job.failure.as_ref().map_or("", |failure| &failure.message);
        // A repair of a version that the source does not hold any more: a sync comes first.
        let is_late = order.repairs && message.contains("is not held by the log");
        let is_bug = ["INTERNAL", "DAMAGED_LOG", "CORRUPT_COPY", "INVALID_ARGUMENT"]
            .contains(&reason.as_str());
        let is_calm = self.scenario.kind == Kind::Calm;
        let must_succeed = is_calm && self.scenario.damage_every_ms.is_none();
        if (is_bug && !is_late) || (must_succeed && job.state() != State::Succeeded) {
            parts.clouds.violate(format!("{name} failed: {:?}", job.failure));
        }
        if let (State::Succeeded, true, Some(result)) = (job.state(), order.repairs, &job.result) {
            self.repairs += 1;
            let version = result.target_version.map(i64::cast_unsigned);
            let notices = job.progress.as_ref().map_or(&[][..], |progress| &progress.notices);
            for why in damage::left_by(
                &parts.clouds,
                &parts.replicas.damage,
                order.target,
                (version, asked_ms),
                notices,
            ) {
                parts.clouds.violate(format!("{name} {why}"));
            }
        }
        if let (State::Succeeded, Some(result), Some(progress)) =
            (job.state(), &job.result, &job.progress)
        {
            let seen = result.objects_copied + result.objects_skipped;
            // Elsewhere jobs are planned again, or copy again what was damaged before their commit;
            // what they copied before counts, too.
            let is_planned_once = self.scenario.damage_every_ms.is_none()
                && matches!(self.scenario.kind, Kind::Calm | Kind::Stores | Kind::Liar);
            let is_right = if is_planned_once {
                seen == progress.objects_total
            } else {
                seen >= progress.objects_total
            };
            if !is_right || progress.tasks_done != progress.tasks_total {
                parts.clouds.violate(format!("{name} counts wrong: {result:?} {progress:?}"));
            }
        }
    }

    /// A last sync of every target brings it to its source's newest version, and a last repair
    /// leaves nothing damaged.
    async fn end_well(&mut self) {
        let targets: BTreeMap<&str, Order> =
            self.scenario.orders.iter().map(|order| (order.target, order.clone())).collect();
        for (target, order) in targets {
            let order = Order {
                at_ms: 0,
                site: 0,
                overwrites: true,
                reclones: true,
                cancel_ms: None,
                repairs: false,
                ..order
            };
            let is_newest = self.end_with_sync(target, order.clone()).await;
            if is_newest && self.scenario.damage_every_ms.is_some() {
                self.end_with_repair(target, Order { repairs: true, ..order }).await;
            }
        }
    }

    async fn end_with(&mut self, order: &Order, request_id: String) -> Option<v1::Job> {
        let client = self.client(order.clone(), request_id);
        let Ok((asked_ms, job)) = tokio::time::timeout(CALM_MAX, client.run()).await else {
            self.world.violate(format!("the last job of {} does not end", order.target));
            return None;
        };
        self.judge(order, asked_ms, &job);
        Some(job)
    }

    /// Returns whether the replica shows the source's newest version.
    async fn end_with_sync(&mut self, target: &str, order: Order) -> bool {
        let Some(job) = self.end_with(&order, format!("last-{target}")).await else { return false };
        let mut parts = self.world.lock();
        let source = parts.sources.tables[order.source].clone();
        let newest = source.newest(&parts.sources.ledger);
        let reason = job.failure.as_ref().map(|failure| failure.reason.as_str());
        match reason {
            None => {
                for why in check::at_the_end(&parts.clouds, target, &newest) {
                    parts.clouds.violate(why);
                }
                return true;
            }
            Some("TARGET_CONFLICT")
                if check::has_conflict(&parts.clouds, source.name, target, &newest) => {}
            Some("TARGET_CONFLICT")
                if job.failure.as_ref().is_some_and(|failure| {
                    failure.message.contains("to which the replica of another table")
                }) && check::lacks_of_head(&parts.clouds, target, &newest) => {}
            Some(_) => {
                let why = format!("the last sync of {target} failed: {:?}", job.failure);
                parts.clouds.violate(why);
            }
        }
        false
    }

    async fn end_with_repair(&mut self, target: &str, order: Order) {
        let Some(job) = self.end_with(&order, format!("repair-{target}")).await else { return };
        let mut parts = self.world.lock();
        if job.state() != State::Succeeded {
            let why = format!("the last repair of {target} failed: {:?}", job.failure);
            parts.clouds.violate(why);
            return;
        }
        for why in damage::at_the_end(&parts.clouds, &parts.replicas.damage, target) {
            parts.clouds.violate(why);
        }
    }
}
