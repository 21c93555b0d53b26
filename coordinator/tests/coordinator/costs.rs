//! What copies cost: estimates, what was sent, budgets of money and of several replications.

use std::time::Duration;

use deepclone_coordinator::state::Place;
use deepclone_core::failure::Failure;
use deepclone_core::price::{
    PriceRoute, PriceRule, PriceTable, PriceTier, RequestPrices, list_prices,
};
use deepclone_proto::status::from_status;
use deepclone_proto::v1::cost_service_client::CostServiceClient;
use deepclone_proto::v1::get_cost_request::GroupBy;
use deepclone_proto::v1::replication::State;
use deepclone_proto::v1::shared_budget::Scope;
use deepclone_proto::v1::{self, replication_spec as wire};

use crate::support::{Lake, Running, Worker};

/// A millionth of a euro for each byte, and nothing for requests.
fn prices() -> PriceTable {
    let tier = PriceTier { up_to_bytes: None, micros_per_gb: 1_000_000_000 };
    let route = PriceRoute::SameRegion { cloud: "local".to_owned() };
    let requests = RequestPrices {
        cloud: "local".to_owned(),
        read_micros_per_1000: 0,
        list_micros_per_1000: 0,
        write_micros_per_1000: 0,
    };
    PriceTable {
        name: "ours".to_owned(),
        currency: "EUR".parse().unwrap(),
        areas: Vec::new(),
        rules: vec![PriceRule { name: "line".to_owned(), route, tiers: vec![tier] }],
        requests: vec![requests],
        ..list_prices()
    }
}

/// A lake with a table of so many bytes at each of these paths.
fn lake(tables: &[(&str, usize)]) -> Lake {
    let lake = Lake::new();
    for (table, bytes) in tables {
        lake.commit(&format!("in/{table}"), 0, &[("a.parquet", &vec![0; *bytes])]);
    }
    std::fs::create_dir_all(lake.path("out")).unwrap();
    lake
}

/// A replication of everything below its name, due once a year.
fn replication(name: &str, owner: &str) -> v1::ReplicationSpec {
    let every = prost_types::Duration { seconds: 366 * 86_400, nanos: 0 };
    let due = Some(wire::schedule::Due::Every(every));
    v1::ReplicationSpec {
        name: name.to_owned(),
        owner: owner.to_owned(),
        source: "in".to_owned(),
        target: "out".to_owned(),
        include: vec![format!("{name}/**")],
        schedule: Some(wire::Schedule { due, spread: None }),
        ..Default::default()
    }
}

fn budget(scope: Scope, micros: i64, currency: &str) -> v1::SharedBudget {
    let money = v1::Money { micros, currency: currency.to_owned() };
    let limit = Some(wire::budget::Limit::Money(money));
    let budget = Some(wire::Budget { limit, ..Default::default() });
    v1::SharedBudget { scope: Some(scope), budget, time_zone: String::new() }
}

fn owner(micros: i64) -> v1::SharedBudget {
    budget(Scope::Owner("finance".to_owned()), micros, "EUR")
}

async fn apply(
    running: &mut Running,
    replications: &[v1::ReplicationSpec],
    budgets: &[v1::SharedBudget],
) -> Result<Vec<(String, String)>, Failure> {
    let (replications, budgets) = (replications.to_vec(), budgets.to_vec());
    let request = v1::ApplyReplicationsRequest { replications, budgets, validate_only: false };
    let answer = running.replications.apply_replications(request).await;
    let budgets = answer.map_err(|status| from_status(&status))?.into_inner().budgets;
    let named = |one: v1::BudgetChange| (one.budget.clone(), one.kind().as_str_name().to_owned());
    Ok(budgets.into_iter().map(named).collect())
}

async fn get(running: &mut Running, name: &str) -> v1::Replication {
    let request = v1::GetReplicationRequest { name: format!("replications/{name}") };
    running.replications.get_replication(request).await.unwrap().into_inner()
}

/// Asks for a round, and waits until the replication is in this state.
async fn run(running: &mut Running, name: &str, state: State) -> v1::Replication {
    let request = v1::RunReplicationRequest { name: format!("replications/{name}") };
    running.replications.run_replication(request).await.unwrap();
    wait(running, name, state).await
}

async fn wait(running: &mut Running, name: &str, state: State) -> v1::Replication {
    let patient = async {
        loop {
            let found = get(running, name).await;
            let is_begun = !found.last_rounds.is_empty();
            if is_begun && found.state() == state {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), patient).await.expect("the state does not come")
}

/// Millionths of a known cost.
fn micros(cost: Option<&v1::Cost>) -> i64 {
    let cost = cost.unwrap();
    assert_eq!((cost.price_table.as_str(), cost.unknown.as_str()), ("ours", ""), "{cost:?}");
    cost.money.as_ref().unwrap().micros
}

async fn costs(running: &Running, by: GroupBy) -> Vec<v1::CostRow> {
    let mut client = CostServiceClient::new(running.embedded.channel());
    let request = v1::GetCostRequest { month: String::new(), by: by.into() };
    client.get_cost(request).await.unwrap().into_inner().rows
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_a_job_a_round_and_a_month_say_what_they_cost() {
    let lake = lake(&[("sales/a", 1_000), ("sales/b", 500)]);
    let place = Place::File(lake.path("state.db"));
    let mut running = Running::priced(&lake, &place, prices()).await;
    let working = Worker::register(&running, &lake, "w").await.work();
    let spec = lake.spec("in/sales/a", "out/alone");
    let request = v1::PlanCloneRequest { spec: Some(spec.clone()) };
    let plan = running.jobs.plan_clone(request).await.unwrap().into_inner();
    assert_eq!(micros(plan.cost.as_ref()), 1_000);

    let job = running.create(spec).await.unwrap();
    let job = running.finish(&job.name).await;
    let sent = job.sent.unwrap();
    // The log of the source is read, too.
    assert!(sent.bytes_read > 1_000, "{sent:?}");
    assert!(sent.source_requests > 1 && sent.target_requests > 1, "{sent:?}");
    assert_eq!(micros(sent.cost.as_ref()), sent.bytes_read);

    apply(&mut running, &[replication("sales", "finance")], &[]).await.unwrap();
    let found = run(&mut running, "sales", State::WaitingForSlot).await;
    let round = micros(found.last_rounds[0].cost.as_ref());
    assert!(round > 1_500, "{found:?}");
    let month = found.month_usage.unwrap();
    assert_eq!((micros(month.cost.as_ref()), month.bytes_read), (round, round));

    let rows = costs(&running, GroupBy::Owner).await;
    let shown: Vec<_> =
        rows.iter().map(|row| (row.owner.as_str(), micros(row.cost.as_ref()))).collect();
    assert_eq!(shown, [("", sent.bytes_read), ("finance", round)]);
    let all = sent.bytes_read + round;
    let pairs = costs(&running, GroupBy::Pair).await;
    assert_eq!(pairs.iter().map(|row| micros(row.cost.as_ref())).sum::<i64>(), all);
    let tables = costs(&running, GroupBy::Table).await;
    let names: Vec<_> = tables.iter().map(|row| (&*row.source, &*row.table)).collect();
    assert_eq!(names, [("in", "sales/a"), ("in", "sales/b")]);
    let replications = costs(&running, GroupBy::Replication).await;
    assert_eq!(replications[1].replication, "sales");

    // All of it is durable, and nothing is counted twice.
    drop(working);
    running.embedded.stop().await.unwrap();
    let mut running = Running::priced(&lake, &place, prices()).await;
    let after = costs(&running, GroupBy::Owner).await;
    assert_eq!(after[0], rows[0]);
    // With what asking the sources took, which is durable from the shutdown on: the folder of the
    // tables and each of them is listed, then their logs.
    let (before, after) = (&rows[1], &after[1]);
    assert_eq!(after.target_requests, before.target_requests);
    assert!(after.source_lists >= before.source_lists + 4, "{after:?}");
    assert!(after.source_requests > after.source_lists, "{after:?}");
    assert!(after.target_reads > 0 && after.target_lists > 0, "{after:?}");
    assert!(after.target_requests > after.target_reads + after.target_lists, "{after:?}");
    let again = get(&mut running, "sales").await;
    assert_eq!(micros(again.last_rounds[0].cost.as_ref()), round);
    let again = running.finish(&job.name).await;
    assert_eq!(micros(again.sent.unwrap().cost.as_ref()), sent.bytes_read);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_owners_budget_is_shared_by_its_replications_and_a_raise_goes_on() {
    let lake = lake(&[("one/t", 20_000), ("two/t", 30_000), ("three/t", 10)]);
    let place = Place::File(lake.path("state.db"));
    let mut running = Running::priced(&lake, &place, prices()).await;
    let working = Worker::register(&running, &lake, "w").await.work();
    let set =
        [replication("one", "finance"), replication("two", "finance"), replication("three", "x")];
    let change = |kind: &str| vec![("owner finance".to_owned(), kind.to_owned())];
    let applied = apply(&mut running, &set, &[owner(40_000)]).await.unwrap();
    assert_eq!(applied, change("CREATE"));
    assert!(apply(&mut running, &set, &[owner(40_000)]).await.unwrap().is_empty());

    run(&mut running, "one", State::WaitingForSlot).await;
    let held = run(&mut running, "two", State::WaitingForBudget).await;
    assert_eq!(held.reason, "the budget of the month is used up (owner finance)");
    assert_eq!(held.budgets[0].budget, "owner finance");
    // Another owner's replication copies.
    run(&mut running, "three", State::WaitingForSlot).await;
    assert!(lake.versions("out/two/t").is_empty());

    // A restart keeps the budget and what was spent.
    drop(working);
    running.embedded.stop().await.unwrap();
    let mut running = Running::priced(&lake, &place, prices()).await;
    let _working = Worker::register(&running, &lake, "w").await.work();
    wait(&mut running, "two", State::WaitingForBudget).await;
    assert!(lake.versions("out/two/t").is_empty());

    // A raise is live.
    let applied = apply(&mut running, &set, &[owner(80_000)]).await.unwrap();
    assert_eq!(applied, change("CHANGE"));
    wait(&mut running, "two", State::WaitingForSlot).await;
    assert_eq!(lake.versions("out/two/t").len(), 1);
    let applied = apply(&mut running, &set, &[]).await.unwrap();
    assert_eq!(applied, change("RETIRE"));
    assert!(get(&mut running, "two").await.budgets.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_budget_of_a_pair_that_ends_frees_what_it_held() {
    let lake = lake(&[("one/t", 20_000)]);
    let mut running = Running::priced(&lake, &Place::Private, prices()).await;
    let _working = Worker::register(&running, &lake, "w").await.work();
    let pair = v1::ConnectionPair { source: "in".to_owned(), target: "out".to_owned() };
    let set = [replication("one", "")];
    let budgets = [budget(Scope::Pair(pair), 10_000, "EUR")];
    apply(&mut running, &set, &budgets).await.unwrap();
    let held = run(&mut running, "one", State::WaitingForBudget).await;
    assert_eq!(held.reason, "a copy needs more than the budget of a month");
    apply(&mut running, &set, &[]).await.unwrap();
    wait(&mut running, "one", State::WaitingForSlot).await;
    assert_eq!(lake.versions("out/one/t").len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn budgets_that_cannot_be_kept_are_refused_with_their_field() {
    let lake = lake(&[("one/t", 1)]);
    let own = |micros, currency: &str| {
        let Some(scope) = owner(micros).scope else { panic!("it has a scope") };
        let budget = budget(scope, micros, currency).budget;
        v1::ReplicationSpec { budget, ..replication("one", "finance") }
    };
    let mut elsewhere = prices();
    elsewhere.rules.clear();
    let plain = [replication("one", "finance")];
    let no_price = "what a copy costs is not known: the prices have none for what goes from \
                    local/here to local/here";
    for (table, set, budgets, field, why) in [
        (
            prices(),
            vec![own(1, "USD")],
            vec![],
            "budget.money",
            "are in EUR, and none is converted",
        ),
        (elsewhere.clone(), vec![own(1, "EUR")], vec![], "budget.money", no_price),
        (elsewhere, plain.to_vec(), vec![owner(1)], "budget[0].money", no_price),
        (
            prices(),
            plain.to_vec(),
            vec![owner(1), budget(Scope::Owner("b".to_owned()), 1, "USD")],
            "budget[1].money",
            "are in EUR",
        ),
        (prices(), plain.to_vec(), vec![owner(1), owner(2)], "budget[1].owner", "another one"),
    ] {
        let mut running = Running::priced(&lake, &Place::Private, table).await;
        let failure = apply(&mut running, &set, &budgets).await.unwrap_err();
        assert_eq!(failure.details.get("field").map(String::as_str), Some(field), "{failure}");
        assert!(failure.message.contains(why), "{failure}");
        running.embedded.stop().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_month_that_is_none_is_refused_and_one_without_jobs_is_empty() {
    let lake = lake(&[]);
    let running = Running::start(&lake, &Place::Private).await;
    let mut client = CostServiceClient::new(running.embedded.channel());
    let mut ask = async |month: &str| {
        let request = v1::GetCostRequest { month: month.to_owned(), by: 0 };
        client.get_cost(request).await.map(tonic::Response::into_inner)
    };
    let refused = ask("2026-13").await.unwrap_err();
    assert!(refused.message().contains("is not a month"), "{refused}");
    let empty = ask("2025-01").await.unwrap();
    assert_eq!((empty.month.as_str(), empty.rows.len()), ("2025-01", 0));
}

/// 10 millionths for each of the first 2 000 bytes of a month, then one; 1 for a read, 2 for a page
/// of a listing, 5 for a write.
fn prices_in_tiers() -> PriceTable {
    let tier =
        |up_to_bytes, each: i64| PriceTier { up_to_bytes, micros_per_gb: each * 1_000_000_000 };
    let mut table = prices();
    table.rules[0].tiers = vec![tier(Some(2_000), 10), tier(None, 1)];
    table.requests[0] = RequestPrices {
        cloud: "local".to_owned(),
        read_micros_per_1000: 1_000,
        list_micros_per_1000: 2_000,
        write_micros_per_1000: 5_000,
    };
    table
}

/// Millionths that the plan of a copy of `in/one/t` costs, and those of the first round of a
/// replication that would copy it.
async fn estimates(lake: &Lake, running: &mut Running) -> (i64, i64) {
    let request = v1::PlanCloneRequest { spec: Some(lake.spec("in/one/t", "out/plan")) };
    let plan = running.jobs.plan_clone(request).await.unwrap().into_inner();
    let request = v1::ApplyReplicationsRequest {
        replications: vec![replication("one", "")],
        budgets: Vec::new(),
        validate_only: true,
    };
    let answer = running.replications.apply_replications(request).await.unwrap().into_inner();
    let change = &answer.changes[0];
    assert_eq!((change.bytes, change.price_table.as_str()), (Some(1_000), "ours"), "{change:?}");
    (micros(plan.cost.as_ref()), change.cost.as_ref().unwrap().micros)
}

#[tokio::test(flavor = "multi_thread")]
async fn estimates_count_requests_and_what_the_month_has_seen_also_after_a_restart() {
    let lake = lake(&[("one/t", 1_000), ("other/t", 50_000)]);
    let place = Place::File(lake.path("state.db"));
    let mut running = Running::priced(&lake, &place, prices_in_tiers()).await;
    let (plan, diff) = estimates(&lake, &mut running).await;
    // Each byte is one of the first ones: those of the object, and with a diff those of the log.
    let requests = plan - 10_000;
    assert!((6..100).contains(&requests), "a read and some writes: {plan}");
    let log = std::fs::metadata(lake.path("in/one/t/_delta_log/00000000000000000000.json"));
    let log = i64::try_from(log.unwrap().len()).unwrap();
    assert!(diff >= plan + 10 * log + 3, "the log, lists and reads of it: {diff} {plan} {log}");

    let working = Worker::register(&running, &lake, "w").await.work();
    let jobs = [running.create(lake.spec("in/other/t", "out/a")).await.unwrap()];
    let more = running.create(lake.spec("in/other/t", "out/b")).await.unwrap();
    for job in jobs.iter().chain([&more]) {
        running.finish(&job.name).await;
    }
    // Two jobs at once have left the first tier behind: a byte is one millionth now.
    let later = estimates(&lake, &mut running).await;
    assert_eq!(later.0, plan - 9_000);
    assert!((later.0 + log + 3..later.0 + 10 * log).contains(&later.1), "{later:?} {log}");

    drop(working);
    running.embedded.stop().await.unwrap();
    let mut running = Running::priced(&lake, &place, prices_in_tiers()).await;
    assert_eq!(estimates(&lake, &mut running).await, later, "a restart forgets nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_replication_sent_is_shown_under_the_name_that_it_has_now() {
    let lake = lake(&[("one/t", 1_000)]);
    let place = Place::File(lake.path("state.db"));
    let mut running = Running::priced(&lake, &place, prices()).await;
    let working = Worker::register(&running, &lake, "w").await.work();
    apply(&mut running, &[replication("one", "finance")], &[]).await.unwrap();
    let before = run(&mut running, "one", State::WaitingForSlot).await.month_usage.unwrap();
    let named = |name: &str, renamed_from: &[&str]| v1::ReplicationSpec {
        name: name.to_owned(),
        renamed_from: renamed_from.iter().copied().map(str::to_owned).collect(),
        ..replication("one", "finance")
    };
    let rename = named("two", &["one"]);
    apply(&mut running, std::slice::from_ref(&rename), &[]).await.unwrap();
    let usage = get(&mut running, "two").await.month_usage.unwrap();
    assert_eq!(usage, before, "what it sent under the former name is its own");
    // It sends more, and another one takes the former name, at another table.
    lake.commit("in/one/t", 1, &[("b.parquet", &[0; 500])]);
    run(&mut running, "two", State::WaitingForSlot).await;
    lake.commit("in/other/t", 0, &[("a.parquet", &[0; 10])]);
    let include = vec!["other/**".to_owned()];
    let other = v1::ReplicationSpec { include, ..named("one", &[]) };
    let rename = v1::ReplicationSpec { renamed_from: Vec::new(), ..rename };
    apply(&mut running, &[rename, other.clone()], &[]).await.unwrap();
    run(&mut running, "one", State::WaitingForSlot).await;
    drop(working);
    running.embedded.stop().await.unwrap();

    let mut running = Running::priced(&lake, &place, prices()).await;
    // One that is retired keeps its last name.
    apply(&mut running, &[other], &[]).await.unwrap();
    let rows = costs(&running, GroupBy::Replication).await;
    let names: Vec<_> = rows.iter().map(|row| row.replication.as_str()).collect();
    assert_eq!(names, ["one", "two"], "{rows:?}");
    assert!(rows[0].bytes_read < 1_500 && rows[1].bytes_read > 1_500, "{rows:?}");
}
