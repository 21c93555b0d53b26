//! `deepclone doctor` of folders: by the name of a connection, by a path, written to or only read.

use crate::support::Bench;

#[test]
fn a_folder_is_checked_by_name_or_path_and_left_as_it_was() {
    let bench = Bench::new();
    let uri =
        format!("file://{}", bench.path("dr").canonicalize().unwrap_or(bench.path("dr")).display());
    let config = format!(
        "[connections.dr]\nurl = \"{uri}\"\nroles = [\"target\"]\n\
         [connections.lake]\nurl = \"{uri}/lake\"\nroles = [\"source\"]\n"
    );
    std::fs::write(bench.path("deepclone.toml"), config).unwrap();
    let named = ["--config", "deepclone.toml"];
    for (target, flags) in [("dr", &named[..]), ("./dr", &[]), ("dr/orders", &[])] {
        let (exit, found) = bench.json(&[&["doctor", target], flags].concat());
        assert_eq!((exit, &found["fit"], &found["read_only"]), (0, &true.into(), &false.into()));
        let checks: Vec<&str> = found["checks"]
            .as_array()
            .unwrap()
            .iter()
            .map(|c| c["name"].as_str().unwrap())
            .collect();
        assert_eq!(checks, ["list", "write", "put-if-absent", "names", "checksums"], "{target}");
        assert!(!bench.path("dr").exists(), "{target}: nothing is left");
    }
    let (exit, found) = bench.json(&[&["doctor", "lake"], &named[..]].concat());
    assert_eq!((exit, &found["read_only"]), (0, &true.into()), "a source is only read: {found}");
    let run = bench.run(&[&["doctor", "dr", "--read-only"], &named[..]].concat());
    assert!(run.exit == 0 && run.stdout.contains("nothing was written"), "{run:?}");
    assert!(!bench.path("dr").exists());
}

#[test]
fn what_a_checkup_cannot_do_is_refused() {
    let bench = Bench::new();
    let config = "[connections.lake]\nurl = \"file:///lake\"\nroles = [\"source\"]\n";
    std::fs::write(bench.path("deepclone.toml"), config).unwrap();
    let named = ["--config", "deepclone.toml"];
    for (arguments, wanted) in [
        (&["doctor", "lake", "--abort-older-than", "1h"][..], "has not the role target"),
        (&["doctor", "lake", "--target-connection", "lake"], "leave --target-connection out"),
        (&["doctor", "x", "--read-only", "--abort-older-than", "1h"], "cannot be used with"),
        (&["doctor", "x", "--target-connection", "none"], "none"),
    ] {
        let run = bench.run(&[arguments, &named[..]].concat());
        assert!(run.exit == 2 && run.stderr.contains(wanted), "{arguments:?} {run:?}");
    }
    std::fs::write(bench.path("file"), "").unwrap();
    let (exit, found) = bench.json(&["doctor", "file/below"]);
    assert_eq!((exit, &found["fit"]), (5, &false.into()), "{found}");
}
