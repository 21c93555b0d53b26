//! The example clients of `examples/`: each submits a job to a real coordinator and watches it to
//! its end, and says why one is refused.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use deepclone_tests::environment::environment;
use deepclone_tests::process;

use crate::place::Place;
use crate::sync::Deployment;

#[tokio::test(flavor = "multi_thread")]
async fn the_client_in_rust_submits_a_job_and_watches_it() {
    let client = |url: &str| {
        let mut command = Command::new(process::binary("submit-and-watch"));
        command.arg(url);
        command
    };
    submits_and_watches(client).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_client_in_python_submits_a_job_and_watches_it() {
    let generated = tempfile::tempdir().expect("a scratch folder");
    let python = &environment().tools.grpc_python;
    let script = |name: &str| {
        let mut command = Command::new(python);
        command.arg(examples().join("python").join(name));
        command
    };
    let mut generate = script("generate.py");
    let (code, _, stderr) = process::run(generate.arg(generated.path()));
    assert_eq!(code, 0, "{stderr}");
    let client = |url: &str| {
        let mut command = script("submit_and_watch.py");
        command.arg(url.strip_prefix("http://").expect("a URL of HTTP"));
        command.env("PYTHONPATH", generated.path()).env("PYTHONDONTWRITEBYTECODE", "1");
        command
    };
    submits_and_watches(client).await;
}

/// `client` gives the command for a coordinator's URL; the two tables are added to it.
async fn submits_and_watches(client: impl Fn(&str) -> Command) {
    let scratch = tempfile::tempdir().expect("a scratch folder");
    let source = Place::Local(examples().join("trips"));
    let target = Place::Local(scratch.path().join("replica"));
    let deployment = Deployment::start(&source, &target);
    let run = |source: &Place| {
        let mut command = client(&deployment.coordinator.url());
        command.args([source.server_uri(), target.server_uri()]);
        command
    };

    // Without a worker the job cannot end before it is watched.
    let mut watching = run(&source).stdout(Stdio::piped()).spawn().expect("the command starts");
    let mut lines = BufReader::new(watching.stdout.take().expect("its output")).lines();
    let first = lines.next().expect("a change is watched").expect("it speaks UTF-8");
    let _worker = deployment.worker("only");
    let rest: Vec<String> = lines.map(|line| line.expect("it speaks UTF-8")).collect();
    assert!(watching.wait().expect("it ends").success());
    let said = "SUCCEEDED: version 6 of the source is version 0 of the replica";
    assert!(!first.ends_with(said), "{first}");
    assert!(rest.last().is_some_and(|line| line.ends_with(said)), "{rest:?}");
    assert!(rest.iter().chain([&first]).all(|line| line.starts_with("jobs/")), "{rest:?}");

    // A job that fails, and one that is refused when it is submitted.
    for (place, reason) in [
        (scratch.path().join("nowhere/at/all"), ": NOT_A_DELTA_TABLE: "),
        (PathBuf::from("/under/no/connection"), "INVALID_ARGUMENT: "),
    ] {
        let (code, _, stderr) = run_to_its_end(run(&Place::Local(place))).await;
        assert_eq!(code, 1, "{stderr}");
        assert!(stderr.contains(reason) && stderr.lines().count() == 1, "{stderr}");
    }
}

/// Exit code, standard output and standard error.
async fn run_to_its_end(mut command: Command) -> (i32, String, String) {
    let run = move || process::run(&mut command);
    tokio::task::spawn_blocking(run).await.expect("the command is run")
}

fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).with_file_name("examples")
}
