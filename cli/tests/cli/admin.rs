//! `deepclone admin`: the database of a coordinator as a file, whole, copied, damaged and purged.

use crate::support::Bench;

/// The state file of a clone that ended.
#[expect(clippy::unwrap_used, reason = "a failing helper fails its test")]
fn cloned(bench: &Bench) -> String {
    bench.table("source");
    assert_eq!(bench.run(&["clone", "source", "target"]).exit, 0);
    let mut files = std::fs::read_dir(bench.path("state/deepclone")).unwrap();
    let is_database = |name: &String| name.ends_with(".db");
    let name =
        files.find_map(|file| file.unwrap().file_name().into_string().ok().filter(is_database));
    format!("sqlite:state/deepclone/{}", name.unwrap())
}

#[test]
fn a_database_is_checked_copied_and_purged() {
    let bench = Bench::new();
    let database = cloned(&bench);
    let database = ["--database", &database];
    let (exit, checked) = bench.json(&[&["admin", "check"], &database[..]].concat());
    assert_eq!((exit, &checked["ok"], &checked["ended_jobs"]), (0, &true.into(), &1.into()));
    assert_eq!((&checked["objects"], &checked["findings"]), (&3.into(), &serde_json::json!([])));

    let (exit, copied) = bench.json(&[&["admin", "backup", "copy.db"], &database[..]].concat());
    assert_eq!(exit, 0, "{copied}");
    let length = std::fs::metadata(bench.path("copy.db")).unwrap().len();
    assert_eq!(copied["bytes"], length);
    let again = bench.run(&[&["admin", "backup", "copy.db"], &database[..]].concat());
    assert_eq!(again.exit, 2, "{again:?}");
    assert!(again.stderr.contains("copy.db exists: a backup replaces nothing"), "{again:?}");

    let purge = ["admin", "purge", "--database", "sqlite:copy.db", "--older-than", "0s"];
    let (exit, counted) = bench.json(&[&purge[..], &["--dry-run"]].concat());
    assert_eq!((exit, &counted["dry_run"], &counted["jobs"]), (0, &true.into(), &1.into()));
    let (exit, dropped) = bench.json(&purge);
    assert_eq!((exit, &dropped["jobs"], &dropped["objects"]), (0, &1.into(), &3.into()));
    assert_eq!(dropped["facts"], counted["facts"]);
    let run = bench.run(&purge);
    assert!(run.stdout.contains("were dropped") && run.stdout.contains("ended jobs"), "{run:?}");
    let run = bench.run(&["admin", "check", "--database", "sqlite:copy.db"]);
    assert!(run.exit == 0 && run.stdout.contains("is sound: 0 live jobs, 0 ended"), "{run:?}");
    let (_, checked) = bench.json(&[&["admin", "check"], &database[..]].concat());
    assert_eq!(checked["ended_jobs"], 1, "the copy alone was purged");
}

#[test]
fn what_is_wrong_is_one_line_each_and_exit_code_6() {
    let bench = Bench::new();
    std::fs::write(bench.path("deepclone.db"), "something else".repeat(999)).unwrap();
    let run = bench.run(&["admin", "check"]);
    assert_eq!((run.exit, run.stderr.as_str()), (6, ""), "{run:?}");
    let lines: Vec<&str> = run.stdout.lines().collect();
    assert!(lines[0].starts_with("file: ") && lines[0].contains("not a database"), "{run:?}");
    assert!(lines.len() == 2 && lines[1].contains("deepclone.db is damaged"), "{run:?}");
    let (exit, object) = bench.json(&["admin", "check"]);
    assert_eq!((exit, &object["ok"]), (6, &false.into()));
    assert_eq!(object["findings"][0]["about"], "file");
    let config = "[database]\nurl = \"sqlite:none.db\"\n";
    std::fs::write(bench.path("deepclone.toml"), config).unwrap();
    for (arguments, wanted) in [
        (&["admin", "check", "--config", "deepclone.toml"][..], "none.db"),
        (&["admin", "purge", "--database", "sqlite:none.db"], "none.db"),
        (&["admin", "backup", "b.db", "--database", "sqlite:none.db"], "none.db"),
        (&["admin", "check", "--database", "sqlite::memory:"], "has no file"),
        (&["admin", "check", "--database", "postgres://u:hunter2@h/d"], "not built yet"),
        (&["admin", "check", "--coordinator", "http://h"], "leave --coordinator"),
        (&["admin", "purge", "--older-than", "soon"], "--older-than"),
    ] {
        let run = bench.run(arguments);
        assert!(run.exit == 2 && run.stdout.is_empty(), "{arguments:?} {run:?}");
        assert!(run.stderr.contains(wanted) && !run.stderr.contains("hunter2"), "{run:?}");
    }
    assert!(!bench.path("none.db").exists() && !bench.path("b.db").exists());
}
