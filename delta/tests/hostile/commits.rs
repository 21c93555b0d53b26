//! Commits of JSON that is deep, long, doubled, or of other types than it should be.

use std::time::{Duration, Instant};

use crate::support::{Broken, FIRST, add, commit, read};

const DEPTH: usize = 100_000;

fn nested(open: &str, close: &str) -> String {
    format!("{}1{}", open.repeat(DEPTH), close.repeat(DEPTH))
}

#[tokio::test]
async fn json_of_every_harmful_kind_is_read_or_refused() {
    let mut broken = Broken::default();
    let (arrays, objects) = (nested("[", "]"), nested("{\"a\":", "}"));
    let many: String = (0..1_000_000).map(|key| format!(",\"k{key}\":1")).collect();
    let numbers = |number: &str| {
        format!(
            r#"{{"add":{{"path":"x","size":{number},"modificationTime":1,"dataChange":true}}}}"#
        )
    };
    let time = |number: &str| {
        format!(
            r#"{{"add":{{"path":"x","size":1,"modificationTime":{number},"dataChange":true}}}}"#
        )
    };
    for (what, line, wanted) in [
        // What is not known is kept as it stands, whatever its depth.
        ("deep arrays in an unknown field", add("\"x\"", &format!(",\"f\":{arrays}")), Ok(1)),
        ("deep objects in an unknown field", add("\"x\"", &format!(",\"f\":{objects}")), Ok(1)),
        ("deep arrays in an unknown action", format!("{{\"future\":{arrays}}}"), Ok(0)),
        ("deep arrays in commitInfo", format!("{{\"commitInfo\":{{\"a\":{arrays}}}}}"), Ok(0)),
        ("deep arrays for a path", add(&arrays, ""), Err("add.path: invalid type")),
        (
            "deep arrays in tags",
            add("\"x\"", &format!(",\"tags\":{{\"a\":{arrays}}}")),
            Err("add.tags"),
        ),
        ("deep arrays for an action", arrays.clone(), Err("action")),
        ("arrays that do not end", "[".repeat(DEPTH), Err("EOF")),
        ("objects that do not end", "{\"a\":".repeat(DEPTH), Err("EOF")),
        ("a million keys", add("\"x\"", &many), Ok(1)),
        (
            "a million keys, and one twice",
            add("\"x\"", &format!("{many},\"k7\":2")),
            Err("k7 is there twice"),
        ),
        ("a path twice", add("\"x\",\"path\":\"y\"", ""), Err("add.path is there twice")),
        ("a known action twice", format!("{{{0},{0}}}", &add("\"x\"", "")[1..][..50]), Err("line")),
        ("a size beyond every number", numbers("1e999999"), Err("add.size: number out of range")),
        ("a negative size", numbers("-1"), Err("add.size: invalid value")),
        ("a size with a fraction", numbers("1.5"), Err("add.size: invalid type")),
        ("a size of 2^64", numbers("18446744073709551616"), Err("add.size: invalid type")),
        ("a size of 2^63", numbers("9223372036854775808"), Err("files have more than")),
        ("a size of 2^63-1", numbers("9223372036854775807"), Ok(1)),
        ("a size as a text", numbers("\"1\""), Err("add.size: invalid type")),
        ("the first moment", time("-9223372036854775808"), Ok(1)),
        ("the last moment", time("9223372036854775807"), Ok(1)),
        ("a moment beyond", time("9223372036854775808"), Err("add.modificationTime")),
        ("a lone surrogate", add(r#""\ud800""#, ""), Err("hex escape")),
        ("half a surrogate", add(r#""\ud800x""#, ""), Err("hex escape")),
        ("an escape of NUL", add(r#""a\u0000b""#, ""), Err("control character")),
        ("NUL itself", "\0".to_owned(), Err("expected value")),
        ("a control character in a text", add("\"a\u{1}b\"", ""), Err("control character")),
        ("no text at all", "\u{feff}".to_owned(), Err("expected value")),
    ] {
        let text = commit(&[&line]);
        let began = Instant::now();
        broken.expect(what, &read(&[(FIRST, text.as_bytes())]).await, wanted);
        // Quadratic work would take hours.
        assert!(began.elapsed() < Duration::from_secs(300), "{what}");
    }
    broken.expect(
        "no UTF-8",
        &read(&[(FIRST, b"{\"add\":\"\xff\"}")]).await,
        Err("invalid unicode"),
    );
    broken.none();
}

#[tokio::test]
async fn a_long_text_is_carried_or_refused_and_long_messages_are_cut() {
    let mut broken = Broken::default();
    for (length, wanted) in [(8 << 20, Ok(1)), (100 << 20, Err("a line of it has more than"))] {
        let line = add("\"x\"", &format!(",\"stats\":\"{}\"", "x".repeat(length)));
        let found = read(&[(FIRST, commit(&[&line]).as_bytes())]).await;
        broken.expect(&format!("a text of {length} bytes"), &found, wanted);
    }
    let path = format!("\"{}\\n\"", "p".repeat(100_000));
    let found = read(&[(FIRST, commit(&[&add(&path, "")]).as_bytes())]).await;
    broken.expect("a path of 10^5 characters", &found, Err("…"));
    broken.none();
}

#[tokio::test]
async fn sizes_have_a_sum_or_are_refused() {
    let mut broken = Broken::default();
    let size = |path: &str, size: u64| {
        format!(
            r#"{{"add":{{"path":"{path}","size":{size},"modificationTime":1,"dataChange":true}}}}"#
        )
    };
    let most = u64::try_from(i64::MAX).unwrap();
    for (sizes, wanted) in [
        ([most, 0, 0], Ok(3)),
        ([most - 2, 1, 1], Ok(3)),
        ([most, 1, 0], Err("files have more than")),
        ([u64::MAX, u64::MAX, u64::MAX], Err("files have more than")),
    ] {
        let lines = ["a", "b", "c"].iter().zip(sizes).map(|(path, bytes)| size(path, bytes));
        let lines: Vec<String> = lines.collect();
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        let found = read(&[(FIRST, commit(&lines).as_bytes())]).await;
        broken.expect(&format!("{sizes:?}"), &found, wanted);
    }
    broken.none();
}
