//! `--where`: a predicate on the first line, then values of partition columns, one a line.
#![no_main]

use deepclone_delta::actions::Texts;
use deepclone_delta::predicate::{ColumnType, PartitionColumn, Predicate};
use deepclone_fuzz::check_failure;

libfuzzer_sys::fuzz_target!(|text: &str| {
    let columns: Vec<PartitionColumn> = [
        ("s", ColumnType::Text),
        ("n", ColumnType::Exact),
        ("f", ColumnType::Float),
        ("d", ColumnType::Date),
        ("t", ColumnType::Timestamp),
        ("b", ColumnType::Boolean),
        ("o", ColumnType::Opaque("binary".to_owned())),
    ]
    .into_iter()
    .map(|(name, column_type)| PartitionColumn {
        name: name.to_owned(),
        physical_name: name.to_owned(),
        column_type,
    })
    .collect();
    let mut lines = text.split('\n');
    let predicate = match Predicate::parse(lines.next().unwrap_or_default(), &columns) {
        Ok(predicate) => predicate,
        Err(error) => return check_failure(&error.failure()),
    };
    let canonical = predicate.canonical();
    let again = Predicate::parse(&canonical, &columns).expect("the one spelling can be read");
    assert_eq!(again.canonical(), canonical);
    let values: Texts =
        columns.iter().map(|column| (column.physical_name.as_str(), lines.next())).collect();
    let (first, second) = (predicate.matches(&values), again.matches(&values));
    match (first, second) {
        (Ok(first), Ok(second)) => assert_eq!(first, second, "{canonical}"),
        // A value that is none of its column is an error only where the rest does not decide.
        (Err(error), _) | (_, Err(error)) => check_failure(&error.failure()),
    }
});
