//! Plans that do not end: their deadline, and the plan that comes next. Plans that are lost.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use deepclone_core::limits::{Limits, PLAN_CALLS_MAX};
use deepclone_core::reason::Reason;
use deepclone_proto::status::from_status;
use deepclone_proto::v1;
use deepclone_proto::v1::job::State;
use futures::StreamExt as _;
use futures::stream::FuturesUnordered;

use crate::support::{LIMITS, Lake, Running, Worker};

/// Plans that a coordinator makes at the same time.
const PLANS_AT_ONCE: usize = 16;

/// A table whose log cannot be opened, until this is dropped: a file of it is a pipe without a
/// writer.
struct Endless {
    pipe: PathBuf,
}

impl Endless {
    fn new(lake: &Lake, table: &str) -> Self {
        lake.commit(table, 0, &[("a.parquet", b"aaaa")]);
        let pipe = lake.path(table).join("_delta_log/_last_checkpoint");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        Self { pipe }
    }
}

impl Drop for Endless {
    fn drop(&mut self) {
        // Lets go of the threads that wait to open it; later ones find nothing.
        let _writer = fs::OpenOptions::new().read(true).write(true).open(&self.pipe);
        let _gone = fs::remove_file(&self.pipe);
    }
}

async fn fill_every_place(lake: &Lake, running: &mut Running) -> (Vec<String>, Vec<Endless>) {
    let (mut names, mut endless) = (Vec::new(), Vec::new());
    for number in 0..PLANS_AT_ONCE {
        let table = format!("endless{number}");
        endless.push(Endless::new(lake, &table));
        let job = running.create(lake.spec(&table, &format!("target{number}"))).await.unwrap();
        names.push(job.name);
    }
    (names, endless)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_plan_gives_its_place_to_the_next_one() {
    let lake = Lake::new();
    lake.commit("source", 0, &[("a.parquet", b"aaaa")]);
    let mut running = Running::limited(&lake, LIMITS()).await;
    let (names, _endless) = fill_every_place(&lake, &mut running).await;
    let next = running.create(lake.spec("source", "target")).await.unwrap();
    let cancel = v1::CancelJobRequest { name: names[2].clone() };
    running.jobs.cancel_job(cancel).await.unwrap();
    running.reach(&next.name, State::WaitingForWorkers).await;
    let get = v1::GetJobRequest { name: names[0].clone() };
    let other = running.jobs.get_job(get).await.unwrap().into_inner();
    assert_eq!(other.state(), State::Planning);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_that_does_not_end_fails_its_job_and_gives_its_place_on() {
    let lake = Lake::new();
    lake.commit("source", 0, &[("a.parquet", b"aaaa")]);
    let limits = Limits { plan_time_max: Duration::from_millis(500), ..LIMITS() };
    let mut running = Running::limited(&lake, limits).await;
    let (names, _endless) = fill_every_place(&lake, &mut running).await;
    let next = running.create(lake.spec("source", "target")).await.unwrap();
    for name in names {
        let failure = running.finish(&name).await.failure.unwrap();
        assert_eq!(failure.reason, "STORAGE_UNAVAILABLE");
        assert!(failure.message.starts_with("reading both logs did not end"), "{failure:?}");
    }
    running.reach(&next.name, State::WaitingForWorkers).await;
}

/// Empties the file of this process that the text stands in, and that has no name.
fn lose_the_file_with(text: &str) -> usize {
    let mut lost = 0;
    for entry in fs::read_dir("/proc/self/fd").unwrap() {
        let path = entry.unwrap().path();
        let has_no_name = |to: &PathBuf| to.to_string_lossy().ends_with("(deleted)");
        if !fs::read_link(&path).is_ok_and(|to| has_no_name(&to)) {
            continue;
        }
        let Ok(bytes) = fs::read(&path) else { continue };
        if bytes.windows(text.len()).any(|window| window == text.as_bytes()) {
            fs::OpenOptions::new().write(true).truncate(true).open(&path).unwrap();
            lost += 1;
        }
    }
    lost
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_whose_plan_cannot_be_read_again_ends_with_that() {
    let lake = Lake::new();
    // More than stays in memory.
    let long = "lost-plan".repeat(20);
    let names: Vec<String> = (0..6_000).map(|n| format!("{long}-{n}.parquet")).collect();
    let files: Vec<(&str, &[u8])> = names.iter().map(|name| (name.as_str(), &b"a"[..])).collect();
    lake.commit("source", 0, &files);
    let mut running = Running::limited(&lake, LIMITS()).await;
    let job = running.create(lake.spec("source", "target")).await.unwrap();
    running.reach(&job.name, State::WaitingForWorkers).await;
    assert_eq!(lose_the_file_with(&long), 1);
    let mut worker = Worker::register(&running, &lake, "w").await;
    let asks = async {
        loop {
            worker.heartbeat(vec![]).await.unwrap();
            assert_eq!(worker.acquire_once(u32::MAX).await.unwrap(), []);
        }
    };
    let failure = tokio::select! {
        () = asks => unreachable!(),
        job = running.finish(&job.name) => job.failure.unwrap(),
    };
    let text = "the temporary file of the objects of a plan cannot be read";
    assert!(failure.message.contains(text), "{failure:?}");
    assert!(!lake.path("target").join("_delta_log").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn plans_for_clients_are_bounded() {
    let lake = Lake::new();
    let _endless = Endless::new(&lake, "endless");
    let running = Running::limited(&lake, LIMITS()).await;
    let mut calls: FuturesUnordered<_> = (0..=PLAN_CALLS_MAX)
        .map(|_| {
            let spec = Some(lake.spec("endless", "target"));
            let mut jobs = running.jobs.clone();
            async move { jobs.plan_clone(v1::PlanCloneRequest { spec }).await }
        })
        .collect();
    // The others are endless: the one that ends is the one too many.
    let refused = tokio::time::timeout(Duration::from_secs(60), calls.next()).await;
    let refused = refused.expect("none is refused").unwrap().unwrap_err();
    let failure = from_status(&refused);
    assert_eq!(failure.reason, Reason::Overloaded, "{failure}");
    assert!(failure.message.contains(&PLAN_CALLS_MAX.to_string()), "{failure}");
}
