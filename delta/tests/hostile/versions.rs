//! Names of log files and hints with versions that nobody can count on.

use crate::support::{Broken, FIRST, add, commit, read};

#[tokio::test]
async fn names_beyond_the_last_version_are_no_files_of_the_log() {
    let mut broken = Broken::default();
    let text = commit(&[&add("\"x\"", "")]);
    for (name, wanted) in [
        // Of the last version there is nothing but a checkpoint that cannot be read.
        ("00000000000000000001.checkpoint.parquet", Err("0001.checkpoint.parquet")),
        ("09223372036854775806.checkpoint.parquet", Err("5806.checkpoint.parquet")),
        ("09223372036854775807.checkpoint.parquet", Ok(1)),
        ("18446744073709551615.checkpoint.parquet", Ok(1)),
        ("09223372036854775806.json", Err("it is missing")),
        ("09223372036854775807.json", Ok(1)),
        ("18446744073709551615.json", Ok(1)),
        ("99999999999999999999.json", Ok(1)),
        ("18446744073709551615.crc", Ok(1)),
        ("00000000000000000001.checkpoint.0000000001.4294967295.parquet", Ok(1)),
        ("00000000000000000001.checkpoint.9999999999.9999999999.parquet", Ok(1)),
    ] {
        let key = format!("_delta_log/{name}");
        let found = read(&[(FIRST, text.as_bytes()), (&key, text.as_bytes())]).await;
        broken.expect(name, &found, wanted);
        broken.expect(name, &read(&[(&key, text.as_bytes())]).await, wanted.and(Err("")));
    }
    broken.none();
}

#[tokio::test]
async fn a_hint_that_lies_changes_nothing() {
    let mut broken = Broken::default();
    let text = commit(&[&add("\"x\"", "")]);
    let deep = "[".repeat(100_000);
    let long = format!("{{\"version\":0,\"x\":\"{}\"}}", "x".repeat(65 << 20));
    for hint in [
        "",
        "{",
        "null",
        "[]",
        "\0",
        "{\"version\":-1}",
        "{\"version\":1e999999}",
        "{\"version\":0}",
        "{\"version\":1}",
        "{\"version\":9223372036854775807}",
        "{\"version\":18446744073709551615}",
        "{\"version\":18446744073709551616}",
        "{\"version\":\"0\"}",
        "{\"version\":0,\"version\":7}",
        "{\"version\":0.5}",
        &deep,
        &long,
    ] {
        let objects = [(FIRST, text.as_bytes()), ("_delta_log/_last_checkpoint", hint.as_bytes())];
        let shown: String = hint.chars().take(40).collect();
        broken.expect(&shown, &read(&objects).await, Ok(1));
    }
    broken.none();
}
