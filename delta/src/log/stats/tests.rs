//! Checkpoints whose statistics are structs only, read as the JSON of `add.stats`.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, BinaryArray, BooleanArray, Date32Array, Decimal32Array, Decimal64Array,
    Decimal128Array, Decimal256Array, Float32Array, Float64Array, Int8Array, Int32Array,
    Int64Array, LargeStringArray, RecordBatch, StringArray, StringViewArray, StructArray,
    TimestampMicrosecondArray, TimestampMillisecondArray, TimestampNanosecondArray,
    TimestampSecondArray,
};
use arrow::datatypes::{Field, i256};
use bytes::Bytes;
use parquet::arrow::ArrowWriter;
use parquet::data_type::{
    BoolType, ByteArray, ByteArrayType, Int64Type as ParquetInt64, Int96, Int96Type,
};
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;
use serde_json::value::RawValue;

use super::*;
use crate::actions::LogAction;
use crate::log::checkpoint;

fn structure(columns: Vec<(&str, ArrayRef)>) -> ArrayRef {
    let named = columns.into_iter().map(|(name, column)| {
        (Arc::new(Field::new(name, column.data_type().clone(), true)), column)
    });
    Arc::new(StructArray::from(named.collect::<Vec<_>>()))
}

fn array<A: arrow::array::Array + 'static>(array: A) -> ArrayRef {
    Arc::new(array)
}

/// A checkpoint of one file for each entry of `stats`, which has `stats_parsed` besides.
fn checkpoint(stats: Option<&[Option<&str>]>, parsed: ArrayRef) -> Bytes {
    let files = parsed.len();
    let longs = || array(Int64Array::from(vec![1; files]));
    let paths = (0..files).map(|n| Some(format!("f{n}")));
    let mut fields: Vec<(&str, ArrayRef)> = vec![
        ("path", array(paths.collect::<StringArray>())),
        ("size", longs()),
        ("modificationTime", longs()),
        ("dataChange", array(BooleanArray::from(vec![false; files]))),
        ("stats_parsed", parsed),
    ];
    if let Some(stats) = stats {
        fields.push(("stats", array(StringArray::from(stats.to_vec()))));
    }
    let batch = RecordBatch::try_from_iter([("add", structure(fields))]).unwrap();
    let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.into_inner().unwrap().into()
}

fn stats_of(bytes: &Bytes) -> Vec<Option<String>> {
    let parsed = checkpoint::parse("c.parquet", bytes).unwrap();
    let stats = |action| match action {
        LogAction::Add(add) => {
            assert!(add.unknown.is_empty(), "{:?}", add.unknown);
            add.stats
        }
        other => panic!("{other:?}"),
    };
    parsed.actions.into_iter().map(stats).collect()
}

/// Returns what one column's bounds become: `(minimum, maximum)`.
fn bounds_of(minimum: ArrayRef, maximum: ArrayRef) -> (Option<String>, Option<String>) {
    let parsed = structure(vec![
        ("numRecords", array(Int64Array::from(vec![2]))),
        ("minValues", structure(vec![("c", minimum)])),
        ("maxValues", structure(vec![("c", maximum)])),
    ]);
    let stats = stats_of(&checkpoint(None, parsed)).remove(0).unwrap();
    type Members = BTreeMap<String, Box<RawValue>>;
    let stats: Members = serde_json::from_str(&stats).unwrap();
    assert_eq!(stats["numRecords"].get(), "2");
    let bound = |name: &str| {
        let bounds: Members = serde_json::from_str(stats.get(name)?.get()).unwrap();
        bounds.get("c").map(|raw| raw.get().to_owned())
    };
    (bound("minValues"), bound("maxValues"))
}

#[test]
fn a_whole_row_keeps_every_digit_and_leaves_out_what_json_cannot_say() {
    let nested = |n: i32, bytes: &'static [u8]| {
        structure(vec![
            ("deep", array(Int32Array::from(vec![n]))),
            ("bytes", array(BinaryArray::from(vec![bytes]))),
        ])
    };
    let variant = || {
        let bytes = || array(BinaryArray::from(vec![&b"v"[..]]));
        structure(vec![("metadata", bytes()), ("value", bytes())])
    };
    let decimal = |value: i128| {
        array(Decimal128Array::from(vec![value]).with_precision_and_scale(38, 18).unwrap())
    };
    let values = |long: i64, value: i128, float: f64, n: i32| {
        structure(vec![
            ("long", array(Int64Array::from(vec![long]))),
            ("decimal", decimal(value)),
            ("float", array(Float64Array::from(vec![float]))),
            ("nested", nested(n, b"x")),
            ("variant", variant()),
            ("col-5f1c", array(Date32Array::from(vec![n]))),
            ("none", array(Int64Array::from(vec![None::<i64>]))),
        ])
    };
    let parsed = structure(vec![
        ("numRecords", array(Int64Array::from(vec![3]))),
        ("minValues", values(-9_007_199_254_740_993, -1, f64::NEG_INFINITY, -1)),
        (
            "maxValues",
            values(9_007_199_254_740_993, 12_345_678_901_234_567_890_123_456_789, f64::NAN, 20_000),
        ),
        (
            "nullCount",
            structure(vec![
                ("long", array(Int64Array::from(vec![0]))),
                ("nested", structure(vec![("deep", array(Int64Array::from(vec![1])))])),
            ]),
        ),
        ("tightBounds", array(BooleanArray::from(vec![false]))),
    ]);
    assert_eq!(
        stats_of(&checkpoint(None, parsed)),
        [Some(
            concat!(
                r#"{"numRecords":3,"#,
                r#""minValues":{"long":-9007199254740993,"decimal":-0.000000000000000001,"#,
                r#""nested":{"deep":-1},"col-5f1c":"1969-12-31"},"#,
                r#""maxValues":{"long":9007199254740993,"#,
                r#""decimal":12345678901.234567890123456789,"#,
                r#""nested":{"deep":20000},"col-5f1c":"2024-10-04"},"#,
                r#""nullCount":{"long":0,"nested":{"deep":1}},"tightBounds":false}"#
            )
            .to_owned()
        )]
    );
}

#[test]
fn bounds_are_exact_or_left_out() {
    let text = |value: &str| array(StringArray::from(vec![value]));
    let floats = |value: f64| array(Float64Array::from(vec![value]));
    let singles = |value: f32| array(Float32Array::from(vec![value]));
    let moments = |micros: i64, zone: Option<&str>| {
        let moments = TimestampMicrosecondArray::from(vec![micros]);
        match zone {
            Some(zone) => array(moments.with_timezone(zone)),
            None => array(moments),
        }
    };
    let dates = |days: i32| array(Date32Array::from(vec![days]));
    let (cut, tied) = ("x".repeat(32), format!("{}\u{7f}", "x".repeat(32)));
    let far = format!("{}\u{10ffff}", "ü".repeat(32));
    let quoted = |text: &str| format!("\"{text}\"");
    let at = 1_700_000_000_456_789;
    let cases: Vec<(ArrayRef, Option<String>, Option<String>)> = vec![
        (array(Int8Array::from(vec![-128])), Some("-128".into()), Some("-128".into())),
        (array(BooleanArray::from(vec![true])), Some("true".into()), Some("true".into())),
        (text("a\"\n"), Some(r#""a\"\n""#.into()), Some(r#""a\"\n""#.into())),
        (text(&cut), Some(quoted(&cut)), None),
        (text(&cut[1..]), Some(quoted(&cut[1..])), Some(quoted(&cut[1..]))),
        (text(&"𝄞".repeat(16)), Some(quoted(&"𝄞".repeat(16))), None),
        (text(&tied), Some(quoted(&tied)), Some(quoted(&tied))),
        (text(&far), Some(quoted(&far)), Some(quoted(&far))),
        (floats(0.1), Some("0.1".into()), Some("0.1".into())),
        (floats(1e300), Some("1e300".into()), Some("1e300".into())),
        (floats(0.0), Some("-0.0".into()), Some("0.0".into())),
        (floats(-0.0), Some("-0.0".into()), Some("0.0".into())),
        (floats(f64::NAN), None, None),
        (floats(f64::INFINITY), None, None),
        (singles(16_777_217.0), Some("16777216.0".into()), Some("16777216.0".into())),
        (singles(0.1), Some("0.1".into()), Some("0.1".into())),
        (singles(f32::NAN), None, None),
        (
            moments(at, Some("UTC")),
            Some(quoted("2023-11-14T22:13:20.456789Z")),
            Some(quoted("2023-11-14T22:13:20.456789Z")),
        ),
        (
            moments(at - 789, None),
            Some(quoted("2023-11-14T22:13:20.456")),
            Some(quoted("2023-11-14T22:13:20.456")),
        ),
        (
            moments(-1, Some("UTC")),
            Some(quoted("1969-12-31T23:59:59.999999Z")),
            Some(quoted("1969-12-31T23:59:59.999999Z")),
        ),
        (moments(i64::MAX, Some("UTC")), None, None),
        (dates(2_932_896), Some(quoted("9999-12-31")), Some(quoted("9999-12-31"))),
        (dates(2_932_897), None, None),
        (array(BinaryArray::from(vec![&b"x"[..]])), None, None),
    ];
    for (column, lower, upper) in cases {
        let shown = format!("{column:?}");
        assert_eq!(bounds_of(column.clone(), column), (lower, upper), "{shown}");
    }
}

/// The types that Parquet alone does not give, but a schema of Arrow in the file may.
#[test]
fn every_width_of_a_type_has_exact_bounds() {
    let quoted = |text: &str| Some(format!("\"{text}\""));
    let cut = "x".repeat(32);
    for (column, lower, upper) in [
        (
            array(Decimal32Array::from(vec![-105]).with_precision_and_scale(9, 2).unwrap()),
            Some("-1.05".to_owned()),
            Some("-1.05".to_owned()),
        ),
        (
            array(Decimal64Array::from(vec![105]).with_precision_and_scale(18, 2).unwrap()),
            Some("1.05".to_owned()),
            Some("1.05".to_owned()),
        ),
        (
            array(
                Decimal256Array::from(vec![i256::from_i128(105)])
                    .with_precision_and_scale(76, 2)
                    .unwrap(),
            ),
            Some("1.05".to_owned()),
            Some("1.05".to_owned()),
        ),
        // A negative scale has dropped digits.
        (
            array(Decimal128Array::from(vec![105]).with_precision_and_scale(38, -2).unwrap()),
            None,
            None,
        ),
        (
            array(Decimal128Array::from(vec![105]).with_precision_and_scale(38, 0).unwrap()),
            Some("105".to_owned()),
            Some("105".to_owned()),
        ),
        (array(LargeStringArray::from(vec![cut.as_str()])), quoted(&cut), None),
        (array(StringViewArray::from(vec![cut.as_str()])), quoted(&cut), None),
        (
            array(TimestampMillisecondArray::from(vec![1])),
            quoted("1970-01-01T00:00:00.001"),
            quoted("1970-01-01T00:00:00.001"),
        ),
        (
            array(TimestampNanosecondArray::from(vec![1_000_001_000])),
            quoted("1970-01-01T00:00:01.000001"),
            quoted("1970-01-01T00:00:01.000001"),
        ),
        (array(TimestampNanosecondArray::from(vec![1_000_001_001])), None, None),
        (array(TimestampSecondArray::from(vec![1])), None, None),
    ] {
        assert_eq!(inexact(&*column, 0, Bound::Lower), lower, "{column:?}");
        assert_eq!(inexact(&*column, 0, Bound::Upper), upper, "{column:?}");
    }
}

#[test]
fn a_text_wins_over_the_struct_and_the_struct_over_nothing() {
    let counts =
        |values: Vec<Option<i64>>| structure(vec![("numRecords", array(Int64Array::from(values)))]);
    let text = |value: &str| Some(value.to_owned());
    for (stats, wanted) in [
        (
            vec![Some("{\"numRecords\": 7}"), None],
            [text("{\"numRecords\": 7}"), text("{\"numRecords\":2}")],
        ),
        (vec![Some("a"), Some("b")], [text("a"), text("b")]),
        (vec![None, None], [text("{\"numRecords\":1}"), text("{\"numRecords\":2}")]),
    ] {
        let bytes = checkpoint(Some(&stats), counts(vec![Some(1), Some(2)]));
        assert_eq!(stats_of(&bytes), wanted, "{stats:?}");
    }
    assert_eq!(stats_of(&checkpoint(None, counts(vec![None]))), [None]);
}

/// Spark writes timestamps so by default: nanoseconds of a day, and a day. They reach further than
/// 64 bits of nanoseconds.
#[test]
fn timestamps_of_96_bits_are_moments_in_utc() {
    let schema = "message m { optional group add { optional binary path (UTF8); \
                  optional int64 size; optional int64 modificationTime; \
                  optional boolean dataChange; optional group stats_parsed { \
                  optional group maxValues { optional int96 t; } } } }";
    let schema = Arc::new(parse_message_type(schema).unwrap());
    let properties = Arc::new(WriterProperties::builder().build());
    let mut writer = SerializedFileWriter::new(Vec::new(), schema, properties).unwrap();
    let mut group = writer.next_row_group().unwrap();
    macro_rules! column {
        ($kind:ty, $level:expr, $values:expr) => {
            let mut column = group.next_column().unwrap().unwrap();
            column.typed::<$kind>().write_batch($values, Some(&[$level; 2]), None).unwrap();
            column.close().unwrap();
        };
    }
    let moment = |day: u32, nanos: u64| {
        let mut moment = Int96::new();
        moment.set_data((nanos & 0xffff_ffff) as u32, (nanos >> 32) as u32, day);
        moment
    };
    column!(ByteArrayType, 2, &[ByteArray::from("a"), ByteArray::from("b")]);
    column!(ParquetInt64, 2, &[1, 1]);
    column!(ParquetInt64, 2, &[1, 1]);
    column!(BoolType, 2, &[false, false]);
    // The first day of 1970 has the Julian number 2440588.
    column!(Int96Type, 4, &[moment(2_440_588, 1000), moment(5_373_484, 86_399_999_999_000)]);
    group.close().unwrap();
    let bytes = Bytes::from(writer.into_inner().unwrap());
    assert_eq!(
        stats_of(&bytes),
        ["1970-01-01T00:00:00.000001Z", "9999-12-31T23:59:59.999999Z"]
            .map(|at| Some(format!("{{\"maxValues\":{{\"t\":\"{at}\"}}}}")))
    );
}
