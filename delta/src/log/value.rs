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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{
        ArrayRef, BinaryArray, BooleanArray, Date32Array, Float32Array, Float64Array, Int8Array,
        Int16Array, Int32Array, Int32Builder, Int64Array, LargeStringArray, ListBuilder,
        MapBuilder, StringArray, StringBuilder, StringViewArray, StructArray, UInt8Array,
        UInt16Array, UInt32Array, UInt64Array,
    };
    use arrow::datatypes::Field;

    use super::*;

    #[test]
    fn every_type_has_its_json() {
        let mut list = ListBuilder::new(Int32Builder::new());
        list.append_value([Some(1), None, Some(3)]);
        let mut map = MapBuilder::new(None, StringBuilder::new(), Int32Builder::new());
        for (key, value) in [("a", 1), ("b", 2)] {
            map.keys().append_value(key);
            map.values().append_value(value);
        }
        map.append(true).unwrap();
        let member = |name: &str, array: ArrayRef| {
            (Arc::new(Field::new(name, array.data_type().clone(), true)), array)
        };
        let structure = StructArray::from(vec![
            member("a", Arc::new(Int32Array::from(vec![None]))),
            member("b\"", Arc::new(Int32Array::from(vec![1]))),
            member("c", Arc::new(Int32Array::from(vec![2]))),
        ]);
        let cases: [(ArrayRef, &str); 22] = [
            (Arc::new(BooleanArray::from(vec![true])), "true"),
            (Arc::new(Int8Array::from(vec![i8::MIN])), "-128"),
            (Arc::new(Int16Array::from(vec![i16::MIN])), "-32768"),
            (Arc::new(Int32Array::from(vec![i32::MIN])), "-2147483648"),
            (Arc::new(Int64Array::from(vec![i64::MIN])), "-9223372036854775808"),
            (Arc::new(UInt8Array::from(vec![u8::MAX])), "255"),
            (Arc::new(UInt16Array::from(vec![u16::MAX])), "65535"),
            (Arc::new(UInt32Array::from(vec![u32::MAX])), "4294967295"),
            (Arc::new(UInt64Array::from(vec![u64::MAX])), "18446744073709551615"),
            (Arc::new(Int64Array::from(vec![None])), "null"),
            (Arc::new(StringArray::from(vec!["a\"b"])), r#""a\"b""#),
            (Arc::new(LargeStringArray::from(vec!["a\"b"])), r#""a\"b""#),
            (Arc::new(StringViewArray::from(vec!["a\"b"])), r#""a\"b""#),
            (Arc::new(Float32Array::from(vec![0.5])), "0.5"),
            (Arc::new(Float32Array::from(vec![f32::NAN])), r#""NaN""#),
            (Arc::new(Float64Array::from(vec![-0.5])), "-0.5"),
            (Arc::new(Float64Array::from(vec![f64::INFINITY])), r#""inf""#),
            (Arc::new(Date32Array::from(vec![0])), r#""1970-01-01""#),
            (Arc::new(BinaryArray::from(vec![&b"x"[..]])), r#""78""#),
            (Arc::new(list.finish()), "[1,null,3]"),
            (Arc::new(map.finish()), r#"{"a":1,"b":2}"#),
            (Arc::new(structure), r#"{"b\"":1,"c":2}"#),
        ];
        for (array, expect) in cases {
            let mut text = String::new();
            write_value(&mut text, &*array, 0).unwrap();
            assert_eq!(text, expect, "{array:?}");
        }
    }
}
