//! Workers that end in the middle of a copy: what a killed one read is paid for, and one that is
//! stopped leaves no upload, also without a coordinator.

use std::time::{Duration, Instant};

use deepclone_tests::stub_store::{Kind, Lie, Rule};

use crate::bench::{LARGE, MIB};
use crate::standing::Standing;

/// One task, of one object that is read in one request.
const OBJECT: usize = 24 * MIB;

#[test]
fn the_account_has_what_the_store_sent_to_a_worker_that_is_killed() {
    let standing = Standing::start(OBJECT);
    let slow = Lie::Drip(64 << 10, Duration::from_millis(20));
    standing.source.add(Rule::once(Kind::Get, slow).on("a.parquet"));
    let mut doomed = standing.worker("doomed");
    let before = standing.source.bytes_sent();
    standing.replication(&["run", "dr"]);
    let begun = Instant::now();
    while standing.source.bytes_sent() < before + 4 * MIB as u64 {
        assert!(begun.elapsed() < Duration::from_secs(60), "nothing is read");
        std::thread::sleep(Duration::from_millis(50));
    }
    doomed.kill();
    let _heir = standing.worker("heir");
    let found = standing.ended(1);
    assert_eq!(found["ready"], "YES", "{found}");

    let sent = standing.source.bytes_sent();
    let costs = standing.deepclone(&["cost", "--by", "table"]);
    let rows = costs["rows"].as_array().expect("a list");
    let booked: u64 = rows.iter().filter_map(|row| row["bytes_read"].as_u64()).sum();
    assert!(sent > (OBJECT + 4 * MIB) as u64, "{sent}");
    assert!(booked >= sent, "{booked} of {sent} bytes: {costs}");
    assert!(booked <= sent + OBJECT as u64, "{booked} of {sent} bytes: {costs}");
}

#[test]
fn a_worker_that_is_stopped_while_no_coordinator_is_there_leaves_no_upload() {
    let mut standing = Standing::start(LARGE);
    let slow = Lie::Delay(Duration::from_secs(3_600));
    standing.target.add(Rule::always(Kind::PutPart, slow).on("a.parquet"));
    let mut worker = standing.worker("w");
    standing.replication(&["run", "dr"]);
    let begun = Instant::now();
    while standing.target.seen_of(Kind::PutPart, "a.parquet").is_empty() {
        assert!(begun.elapsed() < Duration::from_secs(60), "nothing is written");
        std::thread::sleep(Duration::from_millis(50));
    }
    assert_eq!(standing.target.uploads().len(), 1);
    standing.coordinator.kill();
    let begun = Instant::now();
    while !worker.log().contains("WARN") {
        assert!(begun.elapsed() < Duration::from_secs(60), "{}", worker.log());
        std::thread::sleep(Duration::from_millis(50));
    }
    std::thread::sleep(Duration::from_secs(1));
    assert!(worker.terminate().success(), "{}", worker.log());
    assert_eq!(standing.target.uploads(), [""; 0], "{}", worker.log());
}
