//! A row of a Parquet checkpoint as JSON text, and from there as an action.

use arrow::array::{Array, AsArray, RecordBatch};

use super::stats;
use super::value::{Members, write_value};
use crate::actions::{self, Parsed};

/// The field of an `add` with its statistics as a struct.
pub(super) const STATS: &str = "stats_parsed";

/// Appends the actions of `batch`. A row has at most one column that is not null.
pub(super) fn append_actions(parsed: &mut Parsed, batch: &RecordBatch) -> Result<(), String> {
    let schema = batch.schema();
    let mut text = String::new();
    for row in 0..batch.num_rows() {
        text.clear();
        let columns = schema.fields().iter().zip(batch.columns());
        let mut members = Members::open(&mut text);
        for (field, column) in columns.filter(|(_, column)| column.is_valid(row)) {
            let out = members.key(field.name());
            write_action(out, column.as_ref(), row)?;
        }
        members.close();
        parsed.push(actions::parse_value(&text).map_err(|error| error.to_string())?);
    }
    Ok(())
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
    use crate::actions::LogAction;

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
}
