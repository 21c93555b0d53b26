//! A row of a Parquet checkpoint as JSON text, and from there as an action.

use std::fmt::Write as _;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{
    DataType, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, UInt8Type,
    UInt16Type, UInt32Type, UInt64Type,
};
use arrow::util::display::{ArrayFormatter, FormatOptions};

use super::stats;
use crate::actions::{self, Parsed, json_text};

/// The field of an `add` that holds its statistics as a struct.
pub(super) const STATS: &str = "stats_parsed";

/// Appends the actions of `batch`: each row has one column that is not null, or says nothing.
pub(super) fn append_actions(parsed: &mut Parsed, batch: &RecordBatch) -> Result<(), String> {
    let schema = batch.schema();
    let mut text = String::new();
    for row in 0..batch.num_rows() {
        text.clear();
        let columns = schema.fields().iter().zip(batch.columns());
        let columns = columns.map(|(field, column)| (field.name().as_str(), column.as_ref()));
        write_object(&mut text, columns, row)?;
        parsed.push(actions::parse_value(&text).map_err(|error| error.to_string())?);
    }
    Ok(())
}

/// The columns that are not null in `row`.
fn write_object<'a>(
    out: &mut String,
    columns: impl Iterator<Item = (&'a str, &'a dyn Array)>,
    row: usize,
) -> Result<(), String> {
    out.push('{');
    let mut first = true;
    for (name, column) in columns.filter(|(_, column)| column.is_valid(row)) {
        separate(out, &mut first);
        json_text(out, name);
        out.push(':');
        match column.as_struct_opt() {
            Some(stats) if name == STATS => stats::write(out, stats, row)?,
            _ => write_value(out, column, row)?,
        }
    }
    out.push('}');
    Ok(())
}

pub(super) fn write_value(out: &mut String, array: &dyn Array, row: usize) -> Result<(), String> {
    macro_rules! number {
        ($kind:ty) => {
            // Writing to a String cannot fail.
            _ = write!(out, "{}", array.as_primitive::<$kind>().value(row))
        };
    }
    match array.data_type() {
        _ if array.is_null(row) => out.push_str("null"),
        DataType::Utf8 => json_text(out, array.as_string::<i32>().value(row)),
        DataType::LargeUtf8 => json_text(out, array.as_string::<i64>().value(row)),
        DataType::Utf8View => json_text(out, array.as_string_view().value(row)),
        DataType::Boolean => _ = write!(out, "{}", array.as_boolean().value(row)),
        DataType::Int8 => number!(Int8Type),
        DataType::Int16 => number!(Int16Type),
        DataType::Int32 => number!(Int32Type),
        DataType::Int64 => number!(Int64Type),
        DataType::UInt8 => number!(UInt8Type),
        DataType::UInt16 => number!(UInt16Type),
        DataType::UInt32 => number!(UInt32Type),
        DataType::UInt64 => number!(UInt64Type),
        DataType::Float32 if array.as_primitive::<Float32Type>().value(row).is_finite() => {
            number!(Float32Type);
        }
        DataType::Float64 if array.as_primitive::<Float64Type>().value(row).is_finite() => {
            number!(Float64Type);
        }
        DataType::Struct(fields) => {
            let columns = fields.iter().zip(array.as_struct().columns());
            let columns = columns.map(|(field, column)| (field.name().as_str(), column.as_ref()));
            write_object(out, columns, row)?;
        }
        DataType::List(_) => {
            let items = array.as_list::<i32>().value(row);
            out.push('[');
            let mut first = true;
            for item in 0..items.len() {
                separate(out, &mut first);
                write_value(out, items.as_ref(), item)?;
            }
            out.push(']');
        }
        DataType::Map(..) => {
            let entries = array.as_map().value(row);
            let (keys, values) = (entries.column(0), entries.column(1));
            out.push('{');
            let mut first = true;
            for entry in 0..entries.len() {
                separate(out, &mut first);
                write_value(out, keys.as_ref(), entry)?;
                out.push(':');
                write_value(out, values.as_ref(), entry)?;
            }
            out.push('}');
        }
        _ => {
            let options = FormatOptions::default();
            let formatter =
                ArrayFormatter::try_new(array, &options).map_err(|error| error.to_string())?;
            let text = formatter.value(row).try_to_string().map_err(|error| error.to_string())?;
            json_text(out, &text);
        }
    }
    Ok(())
}

fn separate(out: &mut String, first: &mut bool) {
    if !std::mem::take(first) {
        out.push(',');
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{
        ArrayRef, Int32Array, Int64Array, MapBuilder, StringArray, StringBuilder, StructArray,
    };
    use arrow::datatypes::Field;

    use super::*;
    use crate::actions::Action;

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
                ("future", longs([Some(7), None])),
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
        let lines: Vec<_> = parsed.actions.iter().map(Action::to_json).collect();
        assert_eq!(
            lines,
            [
                "{\"add\":{\"path\":\"a\\\"b\",\"partitionValues\":{\"p\":null},\"size\":90071\
                    99254740993,\"modificationTime\":0,\"dataChange\":false,\"deletionVector\"\
                    :{\"storageType\":\"i\",\"pathOrInlineDv\":\"x\",\"sizeInBytes\":1,\"cardi\
                    nality\":2},\"future\":7}}",
                r#"{"txn":{"appId":"t","version":1}}"#
            ]
        );
    }
}
