//! Targets that cannot hold a replica, and links that lead out of a root: refused before the first
//! object is copied.

use std::os::unix::fs::symlink;

use crate::support::{Bench, commits, data, files};

#[test]
fn a_target_inside_another_table_is_refused_and_the_table_named() {
    let bench = Bench::new();
    bench.table("source");
    let outer = bench.table("outer").root;
    symlink(&outer, bench.path("link")).unwrap();
    let before = files(&outer);
    for command in ["clone", "plan"] {
        for target in ["outer/replica", "outer/deep/down/replica", "link/replica"] {
            let (exit, object) = bench.json(&[command, "source", target]);
            assert_eq!(exit, 4, "{command} {target}: {object}");
            let error = &object["error"];
            assert_eq!(error["reason"], "TARGET_UNSUITABLE", "{command} {target}: {object}");
            let message = error["message"].as_str().unwrap();
            let named = outer.canonicalize().unwrap().display().to_string();
            assert!(message.contains(&named), "{command} {target}: {message}");
            assert_eq!(files(&outer), before, "{command} {target}");
        }
    }
    // An empty log is no table, and a table beside the target does not matter.
    std::fs::create_dir_all(bench.path("empty/_delta_log/_staged_commits")).unwrap();
    assert_eq!(bench.json(&["clone", "source", "empty/replica"]).0, 0);
    assert_eq!(bench.json(&["clone", "source", "outer2"]).0, 0);
}

#[test]
fn one_table_inside_the_other_is_refused() {
    let bench = Bench::new();
    let source = bench.table("lake/source").root;
    symlink(&source, bench.path("link")).unwrap();
    let before = files(&bench.path("lake"));
    for command in ["clone", "plan"] {
        for (target, problem) in [
            ("lake/source", "are the same table"),
            ("./lake/../lake/source/", "are the same table"),
            ("link", "are the same table"),
            ("lake/source/replica", "lies inside the source"),
            ("link/not/there/yet", "lies inside the source"),
            ("lake", "lies inside the target"),
        ] {
            let (exit, object) = bench.json(&[command, "lake/source", target]);
            let message = object["error"]["message"].as_str().unwrap_or_default();
            assert_eq!(exit, 2, "{command} {target}: {object}");
            assert!(message.contains(problem), "{command} {target}: {message}");
            assert_eq!(files(&bench.path("lake")), before, "{command} {target}");
        }
    }
    assert_eq!(bench.json(&["clone", "lake/source", "lake/source2"]).0, 0, "beside it");
}

#[test]
fn a_replica_is_looked_at_once() {
    let bench = Bench::new();
    let source = bench.table("source");
    assert_eq!(bench.json(&["clone", "source", "outer/replica"]).0, 0);
    bench.table("outer");
    source.commit(2, &[source.add("day=3/d.parquet", "3")]);
    assert_eq!(bench.json(&["clone", "source", "outer/replica"]).0, 0);
}

#[test]
fn links_that_lead_out_of_a_table_are_not_followed() {
    // The side, and the name that becomes a link.
    for (side, name) in [
        ("source", "day=1"),
        ("source", "day=1/a.parquet"),
        ("source", "_delta_log"),
        ("source", "_delta_log/00000000000000000001.json"),
        ("target", "day=1"),
        ("target", "_delta_log"),
        ("target", "_deepclone"),
    ] {
        let bench = Bench::new();
        bench.table("source");
        let (inner, outside) = (bench.path(side).join(name), bench.path("outside"));
        std::fs::create_dir_all(bench.path("target")).unwrap();
        if side == "source" {
            std::fs::rename(&inner, &outside).unwrap();
        } else {
            std::fs::create_dir(&outside).unwrap();
        }
        symlink(&outside, &inner).unwrap();
        let before = files(&outside);
        let (exit, object) = bench.json(&["clone", "source", "target"]);
        assert_eq!(exit, 5, "{side} {name}: {object}");
        assert_eq!(object["error"]["reason"], "PERMISSION_DENIED", "{side} {name}: {object}");
        let message = object["error"]["message"].as_str().unwrap();
        assert!(message.contains("a link leads out"), "{side} {name}: {message}");
        assert!(message.contains(side), "{side} {name}: {message}");
        assert_eq!(files(&outside), before, "{side} {name}");
        assert_eq!(commits(&bench.path("target")), 0, "{side} {name}");
    }
}

#[test]
fn links_that_stay_inside_and_links_to_a_whole_table_are_followed() {
    let bench = Bench::new();
    let source = bench.table("real").root;
    std::fs::rename(source.join("day=1"), source.join("elsewhere")).unwrap();
    symlink("elsewhere", source.join("day=1")).unwrap();
    symlink(&source, bench.path("source")).unwrap();
    std::fs::create_dir(bench.path("disk")).unwrap();
    symlink(bench.path("disk"), bench.path("target")).unwrap();
    let (exit, object) = bench.json(&["clone", "source", "target"]);
    assert_eq!(exit, 0, "{object}");
    assert_eq!(data(&bench.path("disk")).len(), 3);
}

#[test]
fn a_path_with_dots_or_empty_segments_is_written_as_the_file_that_it_means() {
    let bench = Bench::new();
    let source = bench.table("source");
    let paths = ["day=3//e.parquet", "./day=3/f.parquet", "day=1/../day=3/g.parquet"];
    source.commit(2, &paths.map(|path| source.add(path, "3")));
    let (exit, object) = bench.json(&["clone", "source", "target"]);
    assert_eq!(exit, 0, "{object}");
    assert_eq!(data(&bench.path("target")), data(&source.root));
    source.commit(3, &[source.remove(paths[0], "3")]);
    let (exit, object) = bench.json(&["clone", "source", "target"]);
    assert_eq!((exit, object["num_removed_files"].as_u64()), (0, Some(1)), "{object}");
    let (exit, object) = bench.json(&["verify", "source", "target"]);
    assert_eq!(exit, 0, "{object}");

    source.commit(4, &[source.add("day=3/h%231", "3")]);
    let file = source.root.join("day=3/h%231");
    std::fs::rename(file, source.root.join("day=3/h#1")).unwrap();
    let (exit, object) = bench.json(&["clone", "source", "target"]);
    assert_eq!(exit, 3, "{object}");
    assert!(object["error"]["message"].as_str().unwrap().contains("day=3/h#1"), "{object}");
}
