//! The real binary without any table: help, completions, refusals, closed pipes.

use std::process::Stdio;

use crate::support::Bench;

#[test]
fn help_and_completions_go_to_stdout() {
    let bench = Bench::new();
    let cases: [(&[&str], &str); 5] = [
        (&["--help"], "deepclone clone ./orders ./orders-replica"),
        (&["clone", "--help"], "SOURCE_AWS_ENDPOINT_URL"),
        (&["--version"], "deepclone 0."),
        (&["completions", "bash"], "complete -F _deepclone"),
        (&["completions", "zsh"], "#compdef deepclone"),
    ];
    for (arguments, wanted) in cases {
        let run = bench.run(arguments);
        assert_eq!((run.exit, run.stderr.as_str()), (0, ""), "{arguments:?}");
        assert!(run.stdout.contains(wanted), "{arguments:?}: {}", run.stdout);
    }
}

#[test]
fn wrong_usage_is_two_in_text_and_in_json() {
    let bench = Bench::new();
    let cases: [(&[&str], &str); 13] = [
        (&["clone", "a"], "required arguments were not provided: <TARGET>"),
        (&["clone", "a", "b", "--nope"], "unexpected argument '--nope'"),
        (&["job", "list"], "needs a coordinator"),
        (&["worker", "drain", "w"], "needs a coordinator"),
        (&["replication", "list"], "needs a coordinator"),
        (&["doctor", "a", "--coordinator", "http://h"], "is not built yet"),
        (&["clone", "a", "b", "--workers", "2", "--coordinator", "http://h"], "--workers is for"),
        (
            &["clone", "a", "b", "--concurrency", "9", "--coordinator", "http://h"],
            "--concurrency is for",
        ),
        (
            &["clone", "a", "b", "--bandwidth", "1GiB/s", "--coordinator", "http://h"],
            "--bandwidth is for",
        ),
        (&["clone", "a", "b", "--bandwidth", "1KiB/s"], "bandwidth: write 128KiB/s or more"),
        (&["verify", "a", "b", "--seed", "7"], "--seed is for --sample and --proof-of-use"),
        (&["deleted", "--replication", "r", "--before", "2026-01-01"], "needs a coordinator"),
        (
            &["deleted", "a", "--before", "2026-01-01", "--coordinator", "http://h"],
            "name a replication: --replication NAME",
        ),
    ];
    for (arguments, wanted) in cases {
        let run = bench.run(arguments);
        assert_eq!((run.exit, run.stdout.as_str()), (2, ""), "{arguments:?} {run:?}");
        let run = bench.run(&[&["--output", "json"], arguments].concat());
        assert_eq!(run.exit, 2, "{arguments:?}");
        let object: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
        let message = object["error"]["message"].as_str().unwrap();
        assert!(message.contains(wanted), "{arguments:?}: {message}");
    }
}

#[test]
fn a_coordinator_that_is_not_there_is_five_and_one_line() {
    let bench = Bench::new();
    // A port that was free a moment ago, and that nobody listens on.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let url = format!("http://127.0.0.1:{port}");
    let run = bench.run(&["job", "list", "--coordinator", &url]);
    assert_eq!((run.exit, run.stdout.as_str()), (5, ""), "{run:?}");
    assert!(
        run.stderr.starts_with(&format!("error: no coordinator answers at {url}\n")),
        "{run:?}"
    );
}

#[test]
fn a_reader_that_went_away_is_no_panic() {
    let bench = Bench::new();
    let mut command = bench.command(&["completions", "bash"]);
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    command.stdout(writer).stderr(Stdio::piped());
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
}

#[test]
fn no_secret_of_a_uri_is_ever_shown() {
    let bench = Bench::new();
    for uri in ["s3://id:SECRET@bucket/t", "az://c/t?sig=SECRET", "abfss://c:SECRET@a.dfs.x/t"] {
        for output in ["text", "json"] {
            let run = bench.run(&["clone", uri, "target", "--output", output]);
            assert_eq!(run.exit, 2, "{run:?}");
            assert!(!run.stdout.contains("SECRET") && !run.stderr.contains("SECRET"), "{run:?}");
        }
    }
}
