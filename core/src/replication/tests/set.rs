//! Sets of declarations: what two may not share.

use super::*;

/// Names, the target, patterns and former names of replications of one set.
type Line = (&'static str, &'static str, &'static [&'static str], &'static [&'static str]);

fn set(lines: &[Line]) -> Vec<ReplicationSpec> {
    let of_line = |(own, target, include, former): &Line| ReplicationSpec {
        name: name(own),
        target: (*target).into(),
        include: texts(include),
        renamed_from: former.iter().map(|former| name(former)).collect(),
        ..spec()
    };
    lines.iter().map(of_line).collect()
}

#[test]
fn what_two_replications_may_not_share_is_told() {
    let cases: &[(&[Line], &[&str])] = &[
        (&[("a", "dr", &["x"], &["b"]), ("c", "dr", &["y"], &["d"])], &[]),
        (&[("a", "dr", &["x"], &[]), ("b", "bi", &["x"], &[])], &[]),
        (&[], &["replication: there is none: to end them all, retire each by its name"]),
        (
            &[("a", "dr", &["x"], &[]), ("b", "dr", &["y"], &[]), ("a", "dr", &["z"], &[])],
            &["replication[2].name: a is there twice"],
        ),
        (
            &[("a", "dr", &["x"], &["b"]), ("b", "dr", &["y"], &[])],
            &["replication[0].renamed_from[0]: b is the name of a replication here"],
        ),
        (
            &[("a", "dr", &["x"], &["c"]), ("b", "dr", &["y"], &["d", "c"])],
            &["replication[1].renamed_from[1]: a was renamed from c, too"],
        ),
        (
            &[("a", "dr", &["x", "y"], &[]), ("b", "dr", &["z", "y", "x"], &[])],
            &["replication[1].include[1]: a keeps y at dr, too"],
        ),
        (
            &[("a", "dr", &["s/**"], &[]), ("b", "dr", &["s/**"], &[])],
            &["replication[1].include[0]: a keeps s/** at dr, too"],
        ),
        (
            &[("a", "dr", &["s/**"], &[]), ("b", "bi", &["s/t"], &[]), ("c", "dr", &["s/t"], &[])],
            &["replication[2].include: a keeps s/t at dr, too"],
        ),
        (
            &[("a", "dr", &["s/t"], &[]), ("b", "dr", &["r", "s/*"], &[])],
            &["replication[1].include: a keeps s/t at dr, too"],
        ),
        (
            &[("a", "bi", &["x"], &[]), ("b", "dr", &["x"], &[]), ("c", "dr", &["x"], &[])],
            &["replication[2].include[0]: b keeps x at dr, too"],
        ),
        // One of them excludes it.
        (&[("a", "dr", &["s/*"], &[]), ("b", "dr", &["r"], &[])], &[]),
    ];
    for (lines, want) in cases {
        let found = match check_set(&set(lines), now()) {
            Ok(checked) => {
                assert_eq!(checked.len(), lines.len());
                Vec::new()
            }
            Err(errors) => errors.iter().map(ToString::to_string).collect(),
        };
        assert_eq!(found, *want, "{lines:?}");
    }
    let mut excluded = set(&[("a", "dr", &["s/*"], &[]), ("b", "dr", &["s/t"], &[])]);
    excluded[0].exclude = texts(&["s/t"]);
    assert!(check_set(&excluded, now()).is_ok());
}

#[test]
fn mistakes_of_each_come_before_those_of_two() {
    let mut specs = set(&[("a", "dr", &["x"], &[]), ("a", "dr", &["y"], &[])]);
    specs[1].jobs_at_once = 0;
    let errors = check_set(&specs, now()).unwrap_err();
    let found: Vec<String> = errors.iter().map(ToString::to_string).collect();
    let want =
        ["replication[1].jobs_at_once: write 1 to 64", "replication[1].name: a is there twice"];
    assert_eq!(found, want);
    let many = vec![spec(); 1_001];
    let errors = check_set(&many, now()).unwrap_err();
    assert_eq!(errors[0].to_string(), "replication: there are 1001, at most 1000");
    let literal = ReplicationSpec { include: texts(&["x"]), max_lag: None, ..spec() };
    let errors = check_set(&vec![literal; 1_000], now()).unwrap_err();
    assert_eq!(errors[0].to_string(), "replication[1].name: orders-dr is there twice");
}
