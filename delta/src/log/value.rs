//! Values of Arrow columns as JSON text.

use std::fmt::Write as _;

use arrow::array::{Array, AsArray};
use arrow::datatypes::{
    DataType, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, UInt8Type,
    UInt16Type, UInt32Type, UInt64Type,
};
use arrow::util::display::{ArrayFormatter, FormatOptions};

use crate::actions::json_text;

/// A JSON object that is being written member by member.
pub(super) struct Members<'a> {
    out: &'a mut String,
    first: bool,
}

impl<'a> Members<'a> {
    /// Writes the opening brace.
    pub(super) fn open(out: &'a mut String) -> Self {
        out.push('{');
        Self { out, first: true }
    }

    /// Writes a member's name. The caller appends its value.
    pub(super) fn key(&mut self, name: &str) -> &mut String {
        self.separate();
        json_text(self.out, name);
        self.out.push(':');
        self.out
    }

    /// Writes the closing brace.
    pub(super) fn close(self) {
        self.out.push('}');
    }

    fn separate(&mut self) {
        if !std::mem::take(&mut self.first) {
            self.out.push(',');
        }
    }
}

/// Appends a whole number or a boolean; returns false for every other type.
pub(super) fn write_exact(out: &mut String, array: &dyn Array, row: usize) -> bool {
    macro_rules! number {
        ($kind:ty) => {
            // Writing to a String cannot fail.
            _ = write!(out, "{}", array.as_primitive::<$kind>().value(row))
        };
    }
    match array.data_type() {
        DataType::Boolean => _ = write!(out, "{}", array.as_boolean().value(row)),
        DataType::Int8 => number!(Int8Type),
        DataType::Int16 => number!(Int16Type),
        DataType::Int32 => number!(Int32Type),
        DataType::Int64 => number!(Int64Type),
        DataType::UInt8 => number!(UInt8Type),
        DataType::UInt16 => number!(UInt16Type),
        DataType::UInt32 => number!(UInt32Type),
        DataType::UInt64 => number!(UInt64Type),
        _ => return false,
    }
    true
}

/// Appends the value in `row`; a type that JSON does not have becomes text.
pub(super) fn write_value(out: &mut String, array: &dyn Array, row: usize) -> Result<(), String> {
    if array.is_null(row) {
        out.push_str("null");
        return Ok(());
    }
    if write_exact(out, array, row) {
        return Ok(());
    }
    match array.data_type() {
        DataType::Utf8 => json_text(out, array.as_string::<i32>().value(row)),
        DataType::LargeUtf8 => json_text(out, array.as_string::<i64>().value(row)),
        DataType::Utf8View => json_text(out, array.as_string_view().value(row)),
        DataType::Float32 if array.as_primitive::<Float32Type>().value(row).is_finite() => {
            _ = write!(out, "{}", array.as_primitive::<Float32Type>().value(row));
        }
        DataType::Float64 if array.as_primitive::<Float64Type>().value(row).is_finite() => {
            _ = write!(out, "{}", array.as_primitive::<Float64Type>().value(row));
        }
        DataType::Struct(fields) => {
            let mut members = Members::open(out);
            for (field, column) in fields.iter().zip(array.as_struct().columns()) {
                if column.is_valid(row) {
                    write_value(members.key(field.name()), column.as_ref(), row)?;
                }
            }
            members.close();
        }
        DataType::List(_) => {
            let items = array.as_list::<i32>().value(row);
            out.push('[');
            for item in 0..items.len() {
                if item > 0 {
                    out.push(',');
                }
                write_value(out, items.as_ref(), item)?;
            }
            out.push(']');
        }
        DataType::Map(..) => write_map(out, array, row)?,
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

fn write_map(out: &mut String, array: &dyn Array, row: usize) -> Result<(), String> {
    let entries = array.as_map().value(row);
    let (keys, values) = (entries.column(0), entries.column(1));
    out.push('{');
    for entry in 0..entries.len() {
        if entry > 0 {
            out.push(',');
        }
        write_value(out, keys.as_ref(), entry)?;
        out.push(':');
        write_value(out, values.as_ref(), entry)?;
    }
    out.push('}');
    Ok(())
}
