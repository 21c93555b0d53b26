//! How much a coordinator takes: a real one as a process of its own, with SQLite in a file, and
//! thin workers in this process that report each task as done without copying anything.
//!
//! `load [--workers N] [--connections N] [--tasks N] [--rate N]`: so many workers over so many
//! connections end so many tasks, together `rate` a second; 0: as fast as they are answered.
//!
//! * `tables`: the tables to copy, of which only the logs are there
//! * `coordinator`: the process, and what it takes
//! * `thin_worker`: a worker
//! * `figures`: how long calls took

#![expect(clippy::print_stdout, reason = "it is a program for people")]

mod coordinator;
mod figures;
mod tables;
mod thin_worker;

use std::error::Error;
use std::sync::Arc;
use std::time::{Duration, Instant};

use deepclone_common::config::Config;
use deepclone_common::connections::Connections;
use deepclone_proto::v1::job::State;
use deepclone_proto::v1::job_service_client::JobServiceClient;
use deepclone_proto::v1::{CloneSpec, CreateJobRequest, GetJobRequest, Job, TableRef};
use tonic::transport::{Channel, Endpoint};

use crate::coordinator::Process;
use crate::figures::Figures;
use crate::thin_worker::{Fleet, ThinWorker};

/// Tables, each of which is one job.
const TABLES: u32 = 10;
/// How long all jobs may take to be planned, or to end when all is reported.
const JOBS_WAIT: Duration = Duration::from_secs(120);

/// What is asked for.
struct Asked {
    workers: u32,
    connections: u32,
    tasks: u32,
    rate: u32,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let asked = asked()?;
    let folder = tempfile::tempdir()?;
    let config = tables::write(folder.path(), TABLES, asked.tasks / TABLES)?;
    let connections = Connections::from_config(&Config::load(Some(&config))?)?;
    let process = Process::start(&config, &folder.path().join("state.db"))?;
    let channels = connect(&process.url, asked.connections).await?;
    let first = channels.first().ok_or("no connection")?.clone();
    let mut jobs = JobServiceClient::new(first);

    let fleet = Arc::new(Fleet::new(connections.offers(), asked.workers, asked.rate));
    let mut workers = Vec::new();
    for (number, channel) in (0..asked.workers).zip(channels.iter().cycle()) {
        workers.push(ThinWorker::register(Arc::clone(&fleet), number, channel.clone()).await?);
    }
    let names = submit(&mut jobs, folder.path()).await?;
    until(&mut jobs, &names, |state| state == State::Copying).await?;

    let (begun, cpu) = (Instant::now(), process.cpu_seconds()?);
    let running: Vec<_> = workers.into_iter().map(ThinWorker::start).collect();
    fleet.until_reported(asked.tasks / TABLES * TABLES).await;
    let (seconds, cpu) = (begun.elapsed().as_secs_f64(), process.cpu_seconds()? - cpu);
    until(&mut jobs, &names, |state| state == State::Succeeded).await?;
    running.iter().for_each(|worker| worker.abort());

    let figures = fleet.figures();
    show(&asked, &figures, seconds);
    println!("coordinator: {:.2} of a processor, {} MiB", cpu / seconds, process.peak_mib()?);
    Ok(())
}

fn show(asked: &Asked, figures: &Figures, seconds: f64) {
    let Asked { workers, connections, .. } = asked;
    println!("{workers} workers over {connections} connections, {seconds:.1} s");
    println!("| calls | a second | p50 ms | p99 ms | longest ms |");
    println!("| --- | --- | --- | --- | --- |");
    for (name, calls) in figures.all() {
        let [p50, p99, longest] = [0.5, 0.99, 1.0].map(|part| calls.quantile_ms(part));
        let rate = f64::from(calls.count()) / seconds;
        println!("| {name} | {rate:.0} | {p50:.1} | {p99:.1} | {longest:.1} |");
    }
    println!("{:.0} tasks granted a second", f64::from(figures.tasks_granted) / seconds);
}

fn asked() -> Result<Asked, Box<dyn Error>> {
    let mut asked = Asked { workers: 1_000, connections: 0, tasks: 60_000, rate: 1_000 };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let place = match word.as_str() {
            "--workers" => &mut asked.workers,
            "--connections" => &mut asked.connections,
            "--tasks" => &mut asked.tasks,
            "--rate" => &mut asked.rate,
            _ => return Err(format!("{word}: --workers, --connections, --tasks or --rate").into()),
        };
        *place = words.next().ok_or("a number is missing")?.parse()?;
    }
    if asked.connections == 0 {
        asked.connections = asked.workers;
    }
    Ok(asked)
}

async fn connect(url: &str, count: u32) -> Result<Vec<Channel>, Box<dyn Error>> {
    let mut channels = Vec::new();
    for _ in 0..count {
        channels.push(Endpoint::from_shared(url.to_owned())?.connect().await?);
    }
    Ok(channels)
}

/// Submits a job for each table. Returns their names.
async fn submit(
    jobs: &mut JobServiceClient<Channel>,
    folder: &std::path::Path,
) -> Result<Vec<String>, Box<dyn Error>> {
    let mut names = Vec::new();
    for number in 0..TABLES {
        let side = |side: &str| {
            let uri = format!("file://{}/{side}/{}", folder.display(), tables::name(number));
            Some(TableRef { uri, connection: side.to_owned() })
        };
        let spec =
            CloneSpec { source: side("source"), target: side("target"), ..CloneSpec::default() };
        let job = Some(Job { spec: Some(spec), ..Job::default() });
        let request = CreateJobRequest { job, ..CreateJobRequest::default() };
        names.push(jobs.create_job(request).await?.into_inner().name);
    }
    Ok(names)
}

/// Waits until every job is in a state.
async fn until(
    jobs: &mut JobServiceClient<Channel>,
    names: &[String],
    is_right: impl Fn(State) -> bool,
) -> Result<(), Box<dyn Error>> {
    let begun = Instant::now();
    for name in names {
        loop {
            let job = jobs.get_job(GetJobRequest { name: name.clone() }).await?.into_inner();
            if is_right(job.state()) {
                break;
            }
            if begun.elapsed() > JOBS_WAIT || matches!(job.state(), State::Failed) {
                return Err(format!("{name} is {:?}: {:?}", job.state(), job.failure).into());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    Ok(())
}
