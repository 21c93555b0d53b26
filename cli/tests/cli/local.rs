//! The real binary on small local tables: first sync, later syncs, and every kind of bad input.

use crate::support::{Bench, commits, data, files};
use serde_json::{Value, json};

#[test]
fn a_table_is_cloned_then_only_what_changed_and_then_nothing() {
    let bench = Bench::new();
    let source = bench.table("source");
    let target = bench.path("target");

    let (exit, first) = bench.json(&["clone", "source", "target"]);
    assert_eq!(exit, 0, "{first}");
    assert_eq!(first["source_version"], 1);
    assert_eq!(first["target_version"], 0);
    assert_eq!(first["objects_copied"], 3);
    assert_eq!(first["num_copied_files"], 3);
    assert_eq!(data(&source.root), data(&target));
    assert_eq!(commits(&target), 1);

    let before = files(&target);
    let (exit, again) = bench.json(&["clone", "source", "target"]);
    assert_eq!(exit, 0, "{again}");
    assert_eq!(again["up_to_date"], true);
    assert_eq!(again["objects_copied"], 0);
    assert_eq!(again["source_num_of_files"], 3);
    assert_eq!(files(&target), before, "a sync with nothing to do writes nothing");

    let removed = source.remove("day=1/a.parquet", "1");
    source.commit(2, &[removed, source.add("day=3/d.parquet", "3")]);
    let (exit, third) = bench.json(&["clone", "source", "target"]);
    assert_eq!(exit, 0, "{third}");
    let figures = ["objects_copied", "num_copied_files", "num_removed_files", "target_version"];
    assert_eq!(figures.map(|name| third[name].clone()), [1, 1, 1, 1].map(Value::from));
    assert_eq!(commits(&target), 2);
    let object = "day=3/d.parquet";
    assert_eq!(data(&target)[object], data(&source.root)[object]);

    let (exit, history) = bench.json(&["history", "target"]);
    assert_eq!(exit, 0, "{history}");
    let versions = |sync: &Value| json!([sync["target_version"], sync["source_version"]]);
    let syncs: Vec<_> = history["syncs"].as_array().unwrap().iter().map(versions).collect();
    assert_eq!(syncs, [json!([1, 2]), json!([0, 1])]);
    assert_eq!(history["syncs"][1]["job_id"], first["job_id"]);

    let (exit, described) = bench.json(&["describe", "target"]);
    assert_eq!(exit, 0, "{described}");
    assert_eq!((&described["version"], &described["source_version"]), (&json!(1), &json!(2)));
    assert_eq!((&described["files"], &described["last_verdict"]), (&json!(3), &Value::Null));
    assert_eq!(described["last_sync"]["job_id"], third["job_id"]);
    assert!(described["last_sync"]["source"].as_str().unwrap().ends_with("/source"));
    let (exit, refused) = bench.json(&["describe", "source"]);
    assert_eq!((exit, &refused["error"]["reason"]), (4, &json!("TARGET_NOT_OURS")), "{refused}");

    // A verdict is kept on request, and told from then on.
    assert_eq!(bench.json(&["verify", "source", "target", "--deep", "--record"]).0, 0);
    std::fs::remove_file(target.join(object)).unwrap();
    let verdict = |bench: &Bench| bench.json(&["describe", "target"]).1["last_verdict"].clone();
    assert_eq!(verdict(&bench)["equal"], true);
    assert_eq!(bench.json(&["verify", "source", "target", "--record"]).0, 6);
    let found = verdict(&bench);
    assert_eq!((&found["equal"], &found["differences"]), (&json!(false), &json!(1)), "{found}");
    let run = bench.run(&["describe", "target"]);
    assert!(run.stdout.contains("1 difference; sizes compared at version 1"), "{}", run.stdout);
    assert!(run.stdout.contains("OBJECT_MISSING"), "{}", run.stdout);
    assert_eq!(found["found"][0]["subject"], json!(object), "{found}");
    assert_eq!(found["proof_of_use"], Value::Null, "{found}");
    // Objects of this bench are no Parquet, which delta-rs does not open.
    let words = ["verify", "source", "target", "--proof-of-use", "--seed", "7", "--record"];
    let (exit, proven) = bench.json(&words);
    assert_eq!((exit, &proven["proof_of_use"]["answer"]), (6, &json!("REFUTED")), "{proven}");
    assert_eq!(verdict(&bench)["proof_of_use"], proven["proof_of_use"]);
}

#[test]
fn a_syncs_object_has_exactly_the_keys_that_others_build_on() {
    let bench = Bench::new();
    bench.table("source");
    let (_, object) = bench.json(&["clone", "source", "target"]);
    let mut keys: Vec<_> = object.as_object().unwrap().keys().map(String::as_str).collect();
    keys.sort_unstable();
    let wanted = [
        "bytes_read",
        "bytes_written",
        "copied_files_size",
        "duration_ms",
        "job_id",
        "mode",
        "num_copied_files",
        "num_removed_files",
        "objects_copied",
        "objects_copied_by_store",
        "objects_skipped",
        "proofs",
        "removed_files_size",
        "sent",
        "source_num_of_files",
        "source_table_size",
        "source_version",
        "target_version",
        "tasks",
        "up_to_date",
        "workers",
    ];
    assert_eq!(keys, wanted);
}

#[test]
fn a_sync_says_what_proves_its_objects() {
    let bench = Bench::new();
    bench.table("source");
    for (level, proofs) in [
        ("size", json!({"length": 3, "earlier": 0, "stored_checksum": 0, "read_back": 0})),
        ("digest", json!({"length": 3, "earlier": 0, "stored_checksum": 0, "read_back": 0})),
        ("read-back", json!({"length": 0, "earlier": 0, "stored_checksum": 0, "read_back": 3})),
    ] {
        let (exit, object) = bench.json(&["clone", "source", level, "--verify", level]);
        assert_eq!((exit, &object["proofs"]), (0, &proofs), "{level}");
    }
}

#[test]
fn the_text_is_a_plain_table_on_stdout_and_stderr_stays_quiet() {
    let bench = Bench::new();
    bench.table("source");
    let run = bench.run(&["clone", "source", "target"]);
    assert_eq!((run.exit, run.stderr.as_str()), (0, ""), "{run:?}");
    assert!(run.stdout.starts_with("synced\n  source    file://"), "{}", run.stdout);
    let run = bench.run(&["clone", "source", "target"]);
    assert!(run.stdout.starts_with("already up to date"), "{}", run.stdout);
}

#[test]
fn a_plan_tells_what_would_move_and_writes_nothing() {
    let bench = Bench::new();
    bench.table("source");
    for arguments in
        [&["plan", "source", "target"][..], &["clone", "source", "target", "--dry-run"]]
    {
        let (exit, plan) = bench.json(arguments);
        assert_eq!(exit, 0, "{plan}");
        assert_eq!(plan["objects"], 3);
        assert_eq!(plan["num_copied_files"], 3);
        assert_eq!(plan["target_version"], Value::Null);
        assert_eq!(plan["up_to_date"], false);
        assert!(files(&bench.path("target")).is_empty());
    }
}

#[test]
fn one_version_one_time_and_some_partitions() {
    let bench = Bench::new();
    bench.table("source");
    let cases: [(&[&str], u64, usize); 4] = [
        (&["--version", "0"], 0, 2),
        (&["--timestamp", "2024-05-01T00:30:00Z"], 0, 2),
        (&["--timestamp", "2099-01-01T00:00:00Z"], 1, 3),
        (&["--where", "day = 2"], 1, 2),
    ];
    for (index, (flags, version, objects)) in cases.into_iter().enumerate() {
        let target = format!("target{index}");
        let (exit, object) = bench.json(&[&["clone", "source", &target], flags].concat());
        assert_eq!(exit, 0, "{flags:?}: {object}");
        assert_eq!(object["source_version"], version, "{flags:?}");
        assert_eq!(data(&bench.path(&target)).len(), objects, "{flags:?}");
    }
}

#[test]
fn paths_with_special_characters_are_cloned() {
    let bench = Bench::new();
    let source = bench.table("so urce%20#?é");
    let (exit, object) = bench.json(&["clone", "so urce%20#?é", "./ta rget%"]);
    assert_eq!(exit, 0, "{object}");
    assert_eq!(data(&bench.path("ta rget%")), data(&source.root));
}

#[test]
fn bad_input_is_one_clear_line_the_right_exit_code_and_nothing_written() {
    let bench = Bench::new();
    bench.table("source");
    std::fs::create_dir(bench.path("empty")).unwrap();
    let cases: [(&[&str], i32, &str); 13] = [
        (&["missing", "target"], 3, "NOT_A_DELTA_TABLE"),
        (&["empty", "target"], 3, "NOT_A_DELTA_TABLE"),
        (&["source", "source"], 2, "INVALID_ARGUMENT"),
        (&["source", "source/replica"], 2, "INVALID_ARGUMENT"),
        (&["source", "."], 2, "INVALID_ARGUMENT"),
        (&["source", "target", "--version", "2"], 2, "INVALID_ARGUMENT"),
        (&["source", "target", "--where", "day ="], 2, "INVALID_ARGUMENT"),
        (&["source", "target", "--where", "id = 1"], 2, "INVALID_ARGUMENT"),
        (&["source", "target", "--timestamp", "2024-04-30T00:00:00Z"], 2, "INVALID_ARGUMENT"),
        (&["source", "target", "--timestamp", "yesterday"], 2, "INVALID_ARGUMENT"),
        (&["source", "target", "--mode", "mirror"], 2, "UNIMPLEMENTED"),
        (&["source", "target", "--source-connection", "nope"], 2, "INVALID_ARGUMENT"),
        (&["source", "target", "--config", "nope.toml"], 2, "INVALID_ARGUMENT"),
    ];
    let mut before = files(&bench.path(""));
    before.retain(|name, _| !name.starts_with("state/"));
    for (arguments, exit, reason) in cases {
        let arguments = [&["clone"], arguments].concat();
        let (code, object) = bench.json(&arguments);
        let error = &object["error"];
        assert_eq!(
            (code, error["reason"].as_str()),
            (exit, Some(reason)),
            "{arguments:?} {object}"
        );
        assert_eq!(error["code"], exit, "{arguments:?}");
        let message = error["message"].as_str().unwrap();
        assert!(!message.is_empty() && !message.contains('\n'), "{message}");

        let run = bench.run(&arguments);
        assert_eq!((run.exit, run.stdout.as_str()), (exit, ""), "{arguments:?} {run:?}");
        assert!(run.stderr.starts_with(&format!("error: {message}")), "{arguments:?} {run:?}");
        let mut after = files(&bench.path(""));
        after.retain(|name, _| !name.starts_with("state/"));
        assert_eq!(after, before, "{arguments:?} wrote something");
    }
}

#[test]
fn a_table_of_somebody_else_is_refused_and_left_alone() {
    let bench = Bench::new();
    bench.table("source");
    bench.table("target");
    let before = files(&bench.path("target"));
    let (exit, object) = bench.json(&["clone", "source", "target"]);
    assert_eq!((exit, &object["error"]["reason"]), (4, &json!("TARGET_NOT_OURS")), "{object}");
    assert_eq!(files(&bench.path("target")), before);
}

#[test]
fn verify_agrees_and_finds_a_missing_object() {
    let bench = Bench::new();
    bench.table("source");
    bench.json(&["clone", "source", "target"]);
    let (exit, object) = bench.json(&["verify", "source", "target"]);
    assert_eq!((exit, &object["equal"]), (0, &json!(true)), "{object}");

    std::fs::remove_file(bench.path("target/day=2/b.parquet")).unwrap();
    let (exit, object) = bench.json(&["verify", "source", "target"]);
    assert_eq!((exit, &object["equal"]), (6, &json!(false)), "{object}");
    assert_eq!(object["differences"][0]["kind"], "OBJECT_MISSING", "{object}");
    let run = bench.run(&["verify", "source", "target"]);
    assert_eq!(run.exit, 6);
    assert!(run.stdout.contains("day=2/b.parquet"), "{}", run.stdout);
}

#[test]
fn two_clones_to_one_target_at_once_publish_each_version_once() {
    let bench = Bench::new();
    let source = bench.table("source");
    let children: Vec<_> = (0..2)
        .map(|_| {
            let mut command = bench.command(&["clone", "source", "target", "--output", "json"]);
            command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
            command.spawn().unwrap()
        })
        .collect();
    for child in children {
        let run = crate::support::Run::of(&child.wait_with_output().unwrap());
        assert_eq!(run.exit, 0, "{run:?}");
    }
    assert_eq!(commits(&bench.path("target")), 1);
    assert_eq!(data(&bench.path("target")), data(&source.root));
}
