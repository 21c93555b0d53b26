//! Statistics by which readers skip files: a bound that is not exact loses rows.

use std::fs;
use std::path::Path;

use deepclone_core::spec::SourcePoint;
use deepclone_delta::snapshot;
use deepclone_tests::readers;
use deepclone_tests::writers::spark;

use crate::place::Place;
use crate::replica;
use crate::sync;
use crate::table;

/// One file for each row, with values that a careless conversion of the bounds loses.
const ROWS: &[&str] = &[
    "9007199254740993L, 0.000000000000000001BD, 0.1D, 'a', \
     TIMESTAMP '2024-02-29 01:02:03.456789', TIMESTAMP_NTZ '2024-02-29 01:02:03.456789', \
     DATE '1582-10-04', true, X'00ff', named_struct('n', 9007199254740995L)",
    "-9007199254740993L, 12345678901234567890.123456789012345678BD, -1e300D, \
     'an upper bound that is far longer than thirty-two characters', \
     TIMESTAMP '2261-12-31 23:59:59.999999', TIMESTAMP_NTZ '0001-01-01 00:00:00.000001', \
     DATE '9999-12-31', false, X'', named_struct('n', -1L)",
    "9223372036854775807L, -0.5BD, double('NaN'), repeat('\u{10ffff}', 40), \
     TIMESTAMP '1969-12-31 23:59:59.999', TIMESTAMP_NTZ '1969-12-31 23:59:59', \
     DATE '1969-12-31', null, null, null",
    "0L, 0BD, -0.0D, 'quote \" and \\\\ and \\n and é', null, null, null, null, null, null",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_value_is_found_through_bounds_that_were_structs_only() {
    let folder = tempfile::tempdir().expect("a scratch folder");
    let (source, target) =
        (Place::Local(folder.path().join("source")), Place::Local(folder.path().join("target")));
    let table = format!("delta.`{}`", source.uri());
    spark(&[&format!(
        "CREATE TABLE {table} (l BIGINT, d DECIMAL(38, 18), f DOUBLE, s STRING, t TIMESTAMP, \
         n TIMESTAMP_NTZ, day DATE, b BOOLEAN, x BINARY, nested STRUCT<n: BIGINT>) USING delta \
         TBLPROPERTIES ('delta.checkpoint.writeStatsAsJson' = 'false', \
         'delta.checkpoint.writeStatsAsStruct' = 'true', 'delta.checkpointInterval' = '4', \
         'delta.columnMapping.mode' = 'name')"
    )]);
    for row in ROWS {
        spark(&[&format!("INSERT INTO {table} SELECT /*+ COALESCE(1) */ {row}")]);
    }
    only_the_checkpoint(Path::new(&source.uri()));

    sync::embedded(&source, &target, &[]).await.succeeded();
    let replica = snapshot::read(&table::store(Path::new(&target.uri())), &SourcePoint::Newest)
        .await
        .expect("a readable replica");
    assert_eq!(replica.files.len(), ROWS.len());
    for add in replica.files.values() {
        let stats = add.stats.as_deref().expect("statistics");
        assert!(stats.contains("minValues") && stats.contains("nullCount"), "{stats}");
    }
    let judges = replica::assert_equal(&source, &target).await;
    assert!(judges.len() >= 2, "{judges:?}");
    for (reader, lost) in readers::lost(&target.uri()) {
        assert_eq!(lost, [] as [&str; 0], "{reader}");
    }
}

/// Leaves the newest checkpoint, whose rows hold structs alone, to tell of the files.
fn only_the_checkpoint(table: &Path) {
    let log = table.join("_delta_log");
    let names: Vec<String> = fs::read_dir(&log)
        .expect("a log")
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .collect();
    let version = ROWS.len();
    assert!(names.contains(&format!("{version:020}.checkpoint.parquet")), "{names:?}");
    for older in 0..version {
        fs::remove_file(log.join(format!("{older:020}.json"))).expect("a commit");
    }
}
