//! A row of a Parquet checkpoint as an action: a file by its columns, everything else, and a file
//! with a column that no `add` has a field for, as JSON text that is parsed.

use arrow::array::{Array, AsArray, RecordBatch};

use super::add_columns::AddColumns;
use super::stats;
use super::value::{Members, write_value};
use crate::actions::{self, Add, LogAction, Parsed};

/// The field of an `add` with its statistics as a struct.
const STATS: &str = "stats_parsed";

/// Appends the actions of `batch`. A row has at most one column that is not null.
pub(super) fn append_actions(parsed: &mut Parsed, batch: &RecordBatch) -> Result<(), String> {
    let schema = batch.schema();
    let columns = schema.fields().iter().zip(batch.columns());
    let used: Vec<_> = columns.filter(|(_, c)| c.null_count() < batch.num_rows()).collect();
    let others: Vec<_> = used.iter().filter(|(field, _)| field.name() != "add").collect();
    let adds = batch.column_by_name("add").and_then(|adds| adds.as_struct_opt());
    let adds = adds.and_then(AddColumns::of);
    let mut text = String::new();
    for row in 0..batch.num_rows() {
        if let Some(adds) = &adds
            && others.iter().all(|(_, column)| column.is_null(row))
            && let Some(add) = adds.get(row)
        {
            parsed.actions.push(LogAction::Add(add));
            continue;
        }
        text.clear();
        let mut members = Members::open(&mut text);
        for (field, column) in used.iter().filter(|(_, column)| column.is_valid(row)) {
            let out = members.key(field.name());
            write_action(out, column.as_ref(), row)?;
        }
        members.close();
        parsed.push(actions::parse_value(&text).map_err(|error| error.to_string())?);
    }
    Ok(())
}

/// Drops the fields that repeat others as structs, but keeps statistics that have no other form.
pub(super) fn drop_parsed(add: &mut Add) {
    add.unknown.remove("partitionValues_parsed");
    let parsed = add.unknown.remove(STATS).filter(|raw| raw.get() != "{}");
    if let (None, Some(raw)) = (&add.stats, parsed) {
        add.stats = Some(raw.get().to_owned());
    }
}

/// Appends an action as JSON; only its statistics are written in a form of their own.
fn write_action(out: &mut String, action: &dyn Array, row: usize) -> Result<(), String> {
    let Some(fields) = action.as_struct_opt() else { return write_value(out, action, row) };
    let mut members = Members::open(out);
    for (field, column) in fields.fields().iter().zip(fields.columns()) {
        if column.is_null(row) {
            continue;
        }
        let out = members.key(field.name());
        match column.as_struct_opt() {
            Some(stats) if field.name() == STATS => stats::write(out, stats, row)?,
            _ => write_value(out, column.as_ref(), row)?,
        }
    }
    members.close();
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{
        ArrayRef, Int32Array, Int64Array, MapBuilder, StringArray, StringBuilder, StructArray,
    };
    use arrow::datatypes::Field;

    use super::*;

    fn structure(columns: Vec<(&str, ArrayRef)>, valid: Vec<bool>) -> ArrayRef {
        let (fields, arrays): (Vec<_>, Vec<_>) = columns
            .into_iter()
            .map(|(name, array)| (Field::new(name, array.data_type().clone(), true), array))
            .unzip();
        Arc::new(StructArray::new(fields.into(), arrays, Some(valid.into())))
    }

    #[test]
    fn rows_become_actions_with_all_their_columns() {
        let mut partitions = MapBuilder::new(None, StringBuilder::new(), StringBuilder::new());
        partitions.keys().append_value("p");
        partitions.values().append_null();
        partitions.append(true).unwrap();
        partitions.append(true).unwrap();
        let texts = |values: [Option<&str>; 2]| -> ArrayRef {
            Arc::new(StringArray::from(values.to_vec()))
        };
        let longs =
            |values: [Option<i64>; 2]| -> ArrayRef { Arc::new(Int64Array::from(values.to_vec())) };
        let ints =
            |values: [Option<i32>; 2]| -> ArrayRef { Arc::new(Int32Array::from(values.to_vec())) };
        let flags: ArrayRef = Arc::new(arrow::array::BooleanArray::from(vec![false, false]));
        let vector = structure(
            vec![
                ("storageType", texts([Some("i"), None])),
                ("pathOrInlineDv", texts([Some("x"), None])),
                ("offset", ints([None, None])),
                ("sizeInBytes", ints([Some(1), None])),
                ("cardinality", longs([Some(2), None])),
            ],
            vec![true, false],
        );
        let add = structure(
            vec![
                ("path", texts([Some("a\"b"), None])),
                ("partitionValues", Arc::new(partitions.finish())),
                ("size", longs([Some(9_007_199_254_740_993), None])),
                ("modificationTime", longs([Some(0), None])),
                ("dataChange", flags),
                ("deletionVector", vector),
                ("future", structure(vec![("minValues", longs([Some(7), None]))], vec![true; 2])),
            ],
            vec![true, false],
        );
        let txn = structure(
            vec![("appId", texts([None, Some("t")])), ("version", longs([None, Some(1)]))],
            vec![false, true],
        );
        let batch = RecordBatch::try_from_iter([("add", add), ("txn", txn)]).unwrap();
        let mut parsed = Parsed::default();
        append_actions(&mut parsed, &batch).unwrap();
        let lines: Vec<_> = parsed.actions.iter().map(LogAction::to_json).collect();
        assert_eq!(
            lines,
            [
                "{\"add\":{\"path\":\"a\\\"b\",\"partitionValues\":{\"p\":null},\"size\":90071\
                    99254740993,\"modificationTime\":0,\"dataChange\":false,\"deletionVector\"\
                    :{\"storageType\":\"i\",\"pathOrInlineDv\":\"x\",\"sizeInBytes\":1,\"cardi\
                    nality\":2},\"future\":{\"minValues\":7}}}",
                r#"{"txn":{"appId":"t","version":1}}"#
            ]
        );
    }

    /// The columns of an `add` with every field, and one with none that may be missing.
    fn every_field() -> Vec<(&'static str, ArrayRef)> {
        let texts = |values: [Option<&str>; 2]| -> ArrayRef {
            Arc::new(StringArray::from(values.to_vec()))
        };
        let longs =
            |values: [Option<i64>; 2]| -> ArrayRef { Arc::new(Int64Array::from(values.to_vec())) };
        let ints =
            |values: [Option<i32>; 2]| -> ArrayRef { Arc::new(Int32Array::from(values.to_vec())) };
        let maps = || -> ArrayRef {
            let mut maps = MapBuilder::new(None, StringBuilder::new(), StringBuilder::new());
            for (key, value) in [("q", Some("")), ("p", None), ("r", Some("ü\"")), ("q", Some("2"))]
            {
                maps.keys().append_value(key);
                maps.values().append_option(value);
            }
            maps.append(true).unwrap();
            maps.append(false).unwrap();
            Arc::new(maps.finish())
        };
        let vector = structure(
            vec![
                ("storageType", texts([Some("u"), None])),
                ("pathOrInlineDv", texts([Some("x"), None])),
                ("offset", ints([Some(0), None])),
                ("sizeInBytes", ints([Some(1), None])),
                ("cardinality", longs([Some(2), None])),
            ],
            vec![true, false],
        );
        vec![
            ("path", texts([Some("a"), Some("b%20")])),
            ("partitionValues", maps()),
            ("size", longs([Some(9_007_199_254_740_993), Some(0)])),
            ("modificationTime", longs([Some(-1), Some(7)])),
            ("dataChange", Arc::new(arrow::array::BooleanArray::from(vec![false, true]))),
            ("stats", texts([Some("{\"numRecords\":1.0}"), None])),
            ("tags", maps()),
            ("deletionVector", vector),
            ("baseRowId", longs([Some(3), None])),
            ("defaultRowCommitVersion", longs([Some(4), None])),
            ("clusteringProvider", texts([Some("liquid"), None])),
        ]
    }

    #[test]
    fn a_file_is_the_same_by_its_columns_and_by_json() {
        let read = |columns: Vec<(&str, ArrayRef)>| {
            let is_direct = {
                let adds = structure(columns.clone(), vec![true; 2]);
                let columns = AddColumns::of(adds.as_struct());
                columns.is_some_and(|adds| (0..2).all(|row| adds.get(row).is_some()))
            };
            let adds = structure(columns, vec![true; 2]);
            let batch = RecordBatch::try_from_iter([("add", adds)]).unwrap();
            let mut parsed = Parsed::default();
            let result = append_actions(&mut parsed, &batch);
            let lines: Vec<_> = parsed.actions.iter().map(LogAction::to_json).collect();
            (is_direct, result, lines)
        };
        let (is_direct, result, by_columns) = read(every_field());
        assert!(is_direct && result.is_ok() && by_columns.len() == 2);
        let mut more = every_field();
        more.push(("future", Arc::new(Int32Array::from(vec![None, None]))));
        let (is_direct, _, by_json) = read(more);
        assert!(!is_direct);
        assert_eq!(by_columns, by_json);
        // Every field may be missing as a column but these.
        for (at, (name, _)) in every_field().iter().enumerate() {
            let mut fewer = every_field();
            fewer.remove(at);
            let required = ["path", "size", "modificationTime", "dataChange"].contains(name);
            let (is_direct, result, lines) = read(fewer);
            assert_eq!((is_direct, result.is_err()), (!required, required), "{name} {lines:?}");
        }
        // What is no file of these types is an error that names the field.
        for (name, column) in [
            ("path", Arc::new(StringArray::from(vec![Some("a"), None])) as ArrayRef),
            ("size", Arc::new(Int64Array::from(vec![Some(1), Some(-1)]))),
            ("modificationTime", Arc::new(Int64Array::from(vec![Some(1), None]))),
        ] {
            let mut wrong = every_field();
            if let Some(place) = wrong.iter_mut().find(|(known, _)| *known == name) {
                place.1 = column;
            }
            let (_, result, _) = read(wrong);
            assert!(result.unwrap_err().contains(name), "{name}");
        }
    }
}
