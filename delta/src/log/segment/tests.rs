//! Listings and the segments that they give.

use super::*;

fn listing(names: &[&str]) -> Listing {
    let id = "80a083e8-7026-4e79-81be-64bd76c43a11";
    Listing::new(names.iter().map(|name| {
        let (version, rest) = name.split_once('.').unwrap_or((name, "json"));
        let rest = rest.replace("UUID", id).replace("#", "000000000");
        let name = format!("{:020}.{rest}", version.parse::<u64>().unwrap());
        LogEntry { name, size: 1, modified_ms: 0, etag: None }
    }))
}

/// `version <- checkpoint [commits]`, or the gap.
fn outcome(names: &[&str], upto: Option<u64>) -> String {
    match listing(names).segment(upto) {
        Ok(segment) => {
            let first = segment.checkpoints.first();
            let start = first.map(|checkpoint| checkpoint.version);
            let after: Vec<u64> =
                segment.commits_after(start).unwrap().iter().map(|(version, _)| *version).collect();
            let files = first.map_or(0, |checkpoint| checkpoint.files.len());
            format!("{} <- {start:?}x{files} {after:?}", segment.version)
        }
        Err(gap) => format!("{gap:?}"),
    }
}

#[test]
fn segments_have_no_holes() {
    let missing = |version: u64| format!("Missing(\"{version:020}.json\")");
    let held = |versions: &str| format!("NotHeld({versions:?})");
    let cp = "checkpoint.parquet";
    let c10 = format!("10.{cp}");
    let c12 = format!("12.{cp}");
    let cases: Vec<(Vec<&str>, Option<u64>, String)> = vec![
        (vec![], None, "Nothing".into()),
        (vec![], Some(3), "Nothing".into()),
        (vec!["0.crc"], None, "Nothing".into()),
        (vec!["0"], None, "0 <- Nonex0 [0]".into()),
        (vec!["0", "1", "2"], Some(1), "1 <- Nonex0 [0, 1]".into()),
        (vec!["0", "1", "2"], Some(3), held("0 to 2")),
        (vec!["0", "2"], None, missing(1)),
        (vec!["0", "2"], Some(0), "0 <- Nonex0 [0]".into()),
        (vec!["1", "2"], None, missing(0)),
        (vec!["9", "10", &c10, "11"], None, "11 <- Some(10)x1 [11]".into()),
        (vec![&c10], None, "10 <- Some(10)x1 []".into()),
        (vec!["9", "10", &c10, "12"], None, missing(11)),
        (vec!["9", "10", &c10, "11"], Some(9), held("10 to 11")),
        (vec![&c10, &c12, "13"], Some(11), held("10, 12 to 13")),
        (vec!["9", "11"], Some(10), held("none that can be read")),
        (vec![&c10, "11", "12", &c12, "13"], Some(12), "12 <- Some(12)x1 []".into()),
        (vec![&c10, "11", "12", &c12, "13"], Some(11), "11 <- Some(10)x1 [11]".into()),
        (vec!["0", "1", "5", "6", "5.checkpoint.parquet"], None, "6 <- Some(5)x1 [6]".into()),
        (vec!["0", "1", "5", "6", "5.checkpoint.parquet"], Some(3), held("0 to 1, 5 to 6")),
        (
            vec!["0", "1", "1.checkpoint.#1.#2.parquet", "1.checkpoint.#2.#2.parquet"],
            None,
            "1 <- Some(1)x2 []".into(),
        ),
        (vec!["0", "1", "1.checkpoint.#1.#2.parquet"], None, "1 <- Nonex0 [0, 1]".into()),
        (vec!["1", "1.checkpoint.#1.#2.parquet"], None, missing(0)),
        (vec!["4.checkpoint.UUID.json", "5"], None, "5 <- Some(4)x1 [5]".into()),
        (vec!["4.checkpoint.UUID.parquet", "5"], None, "5 <- Some(4)x1 [5]".into()),
        // Parts of two attempts with another count do not mix.
        (
            vec!["0", "1", "1.checkpoint.#1.#2.parquet", "1.checkpoint.#2.#3.parquet"],
            None,
            "1 <- Nonex0 [0, 1]".into(),
        ),
        (vec!["0", "99999999999999999"], None, missing(1)),
    ];
    for (names, upto, wanted) in cases {
        assert_eq!(outcome(&names, upto), wanted, "{names:?} {upto:?}");
    }
}

#[test]
fn the_most_widely_tried_form_of_a_checkpoint_comes_first() {
    let listing = listing(&[
        "4.checkpoint.UUID.json",
        "4.checkpoint.parquet",
        "4.checkpoint.#1.#1.parquet",
        "3.checkpoint.parquet",
        "4.checkpoint.UUID.parquet",
    ]);
    let names: Vec<_> = listing
        .checkpoints
        .iter()
        .map(|found| (found.version, found.files[0].name.split_once('.').unwrap().1.len()))
        .collect();
    assert_eq!(names[0], (4, "checkpoint.parquet".len()));
    assert_eq!(names.last().unwrap(), &(3, "checkpoint.parquet".len()));
    assert_eq!(names.len(), 5);
}

#[test]
fn a_fallback_needs_every_commit_after_it() {
    let segment = listing(&["3.checkpoint.parquet", "9", "10", "10.checkpoint.parquet", "11"])
        .segment(None)
        .unwrap();
    assert_eq!(segment.commits_after(Some(10)).unwrap().len(), 1);
    assert_eq!(segment.commits_after(Some(3)).unwrap_err(), "00000000000000000004.json");
    assert_eq!(segment.commits_after(None).unwrap_err(), "00000000000000000000.json");
    let checkpoints = ["3.checkpoint.parquet", "10.checkpoint.parquet"];
    let commits = ["3", "4", "9", "10", "11"];
    let segment = listing(&[&checkpoints[..], &commits].concat()).segment(None).unwrap();
    assert_eq!(segment.commits_after(Some(3)).unwrap_err(), "00000000000000000004.json");
    // The newest checkpoint is all that there is of its version.
    let segment = listing(&["0", "1", "2.checkpoint.parquet"]).segment(None).unwrap();
    assert!(segment.commits_after(Some(2)).unwrap().is_empty());
    assert_eq!(segment.commits_after(None).unwrap_err(), "00000000000000000002.json");
}
