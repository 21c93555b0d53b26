//! Standing orders between two stores of which one refuses what it gave before.

use deepclone_tests::stub_store::{Kind, Rule, error};

use crate::bench::SMALL;
use crate::standing::Standing;

#[test]
fn a_target_that_refuses_leaves_a_replica_unknown_and_says_why() {
    let standing = Standing::start(SMALL);
    let _worker = standing.worker("w");
    for count in [1, 2, 3] {
        assert_eq!(standing.run(count)["ready"], "YES");
    }
    standing.target.add(Rule::always(Kind::List, error(403, "AccessDenied")).times(1));
    let found = standing.run(4);
    assert_eq!(found["ready"], "UNKNOWN", "{found}");
    let failure = &found["tables"][0]["failure"];
    assert_eq!(failure["reason"], "PERMISSION_DENIED", "{found}");
    let message = failure["message"].as_str().expect("a text");
    assert!(message.starts_with("target: ") && message.contains("AccessDenied"), "{message}");
    assert_eq!(standing.run(5)["ready"], "YES");
    // No sync was made for it.
    assert_eq!(standing.target.seen_of(Kind::Put, "_delta_log/000").len(), 1);
    assert_eq!(standing.source.seen_of(Kind::Get, "a.parquet").len(), 1);
}

#[test]
fn a_replica_that_was_deleted_is_copied_again_by_the_next_round() {
    let standing = Standing::start(SMALL);
    let _worker = standing.worker("w");
    standing.run(1);
    for key in standing.target.keys() {
        standing.target.remove(&key);
    }
    let found = standing.run(2);
    assert_eq!(found["ready"], "YES", "{found}");
    assert!(standing.target.get("t/a.parquet").is_some(), "{:?}", standing.target.keys());
}

#[test]
fn looks_at_both_sides_of_a_table_without_news_take_two_requests_each() {
    let standing = Standing::start(SMALL);
    let _worker = standing.worker("w");
    // The first look after a sync reads what that recorded of its source.
    for count in [1, 2] {
        standing.run(count);
    }
    let counts = || [standing.source.seen().len(), standing.target.seen().len()];
    let before = counts();
    standing.run(3);
    let after = counts();
    assert_eq!([after[0] - before[0], after[1] - before[1]], [2, 2]);
}
