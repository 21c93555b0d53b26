//! Predicates against tables of values, mistakes with their places, and all small trees against
//! three-valued logic by brute force.

use serde_json::json;

use super::*;
use crate::actions::LogAction;

fn columns() -> Vec<PartitionColumn> {
    [
        ("name", ColumnType::Text),
        ("n", ColumnType::Exact),
        ("f", ColumnType::Float),
        ("day", ColumnType::Date),
        ("at", ColumnType::Timestamp),
        ("flag", ColumnType::Boolean),
        ("odd name", ColumnType::Text),
        ("blob", ColumnType::Opaque("binary".into())),
    ]
    .into_iter()
    .map(|(name, column_type)| PartitionColumn {
        name: name.into(),
        physical_name: format!("col-{name}"),
        column_type,
    })
    .collect()
}

fn values(name: &str, value: Option<&str>) -> Texts {
    [(format!("col-{name}"), value)].into_iter().collect()
}

#[test]
fn values_compare_by_their_types() {
    let cases = [
        ("name = 'x'", "name", Some("x"), true),
        ("'x' = name", "name", Some("x"), true),
        ("name == 'it''s'", "name", Some("it's"), true),
        ("NAME <> 'x'", "name", Some("y"), true),
        ("name != 'x'", "name", None, false),
        ("name = ''", "name", Some(""), false),
        ("name IS NULL", "name", Some(""), true),
        ("name is not null", "name", Some("x"), true),
        ("`odd name` = 'x'", "odd name", Some("x"), true),
        ("\"odd name\" = 'x'", "odd name", Some("x"), true),
        ("name < '9'", "name", Some("10"), true),
        ("n < 9", "n", Some("10"), false),
        ("n = 10.0", "n", Some("10"), true),
        ("n = '10'", "n", Some("10"), true),
        ("9 < n", "n", Some("10"), true),
        ("9 >= n", "n", Some("10"), false),
        ("n = 9007199254740993", "n", Some("9007199254740992"), false),
        ("n > -1", "n", Some("-2"), false),
        ("n >= -2", "n", Some("-2"), true),
        ("n > -.5", "n", Some("-0.4"), true),
        ("n > -.5", "n", Some("-0.6"), false),
        ("n = 1e3", "n", Some("1000"), true),
        ("n < 1e400", "n", Some("1000"), true),
        ("n = 0", "n", Some("0E-18"), true),
        ("n = 0.1", "n", Some("0.100000000000000000"), true),
        ("n < 0.2", "n", Some("0.19999999999999999999999"), true),
        ("n = -0", "n", Some("0"), true),
        ("f = 0.1", "f", Some("0.1"), true),
        ("f = 0", "f", Some("-0.0"), true),
        ("f > 1e300", "f", Some("NaN"), true),
        ("f = 'NaN'", "f", Some("NaN"), true),
        ("f < 'Infinity'", "f", Some("-Infinity"), true),
        ("day >= '2024-01-31'", "day", Some("2024-02-01"), true),
        ("day = DATE '2024-02-01'", "day", Some("2024-02-01"), true),
        ("at = '2024-02-01 10:00:00'", "at", Some("2024-02-01T10:00:00.000000Z"), true),
        ("at < TIMESTAMP '2024-02-01T10:00:00+02:00'", "at", Some("2024-02-01 07:59:59"), true),
        ("at >= DATE '2024-02-01'", "at", Some("2024-02-01 00:00:00.0"), true),
        ("at > '2024-02-01'", "at", Some("2024-02-01 00:00:00.000001"), true),
        ("flag", "flag", Some("true"), true),
        ("NOT flag", "flag", Some("false"), true),
        ("flag = TRUE", "flag", Some("false"), false),
        ("NOT flag", "flag", None, false),
        ("n IN (1, 2, 3.0)", "n", Some("3"), true),
        ("n NOT IN (1, 2)", "n", Some("3"), true),
        ("n NOT IN (1, 2)", "n", None, false),
        ("NOT n IN (1)", "n", Some("1"), false),
        ("n = 1 OR n = 2 AND n = 3", "n", Some("1"), true),
        ("(n = 1 OR n = 2) AND n = 3", "n", Some("1"), false),
        ("n = 1 OR name IS NULL", "n", Some("2"), true),
        ("blob IS NULL", "blob", None, true),
    ];
    for (text, name, value, wanted) in cases {
        let predicate = Predicate::parse(text, &columns()).unwrap();
        assert_eq!(predicate.matches(&values(name, value)).unwrap(), wanted, "{text} {value:?}");
        let canonical = predicate.canonical();
        let again = Predicate::parse(&canonical, &columns()).unwrap();
        assert_eq!(again.canonical(), canonical, "{text}");
        assert_eq!(again.matches(&values(name, value)).unwrap(), wanted, "{text} {value:?}");
    }
}

#[test]
fn mistakes_are_named_with_their_place() {
    let cases = [
        ("", 1, "should stand here"),
        ("n", 2, "a comparison, IN or IS NULL"),
        ("n =", 4, "a partition column or a literal"),
        ("n = 1 n = 2", 7, "should end here"),
        ("n = 1 AND", 10, "should stand here"),
        ("other = 1", 1, "other is not a partition column: those are name, n"),
        ("n = name", 1, "one partition column and one literal"),
        ("1 = 1", 1, "one partition column and one literal"),
        ("1", 2, "must be compared"),
        ("n = NULL", 5, "IS NULL"),
        ("n IN ()", 7, "should stand here"),
        ("n IN (1", 8, "closing parenthesis"),
        ("n IN (1, NULL)", 10, "IS NULL"),
        ("n IN (name)", 7, "only literals"),
        ("(n = 1", 7, "closing parenthesis"),
        ("n = 1)", 6, "should end here"),
        ("n = 'x'", 5, "is no number"),
        ("n = 1x", 5, "is no number"),
        ("n = 1e401", 5, "is no number"),
        ("n = 1-2", 6, "should end here"),
        ("n = -x", 5, "no meaning"),
        ("name = 5", 8, "put it in single quotes"),
        ("day = '2024-13-01'", 7, "is no date"),
        ("day = 5", 7, "is no date"),
        ("flag = 1", 8, "is no boolean"),
        ("flag = 'x'", 8, "is no boolean"),
        ("blob = 'x'", 8, "is no binary"),
        ("name = 'x", 8, "does not end"),
        ("n <=> 1", 3, "operator"),
        ("n ! 1", 3, "operator"),
        ("n = 1; DROP", 6, "no meaning"),
        ("ü = 1", 1, "ü is not a partition column"),
        ("n IS 5", 6, "NULL should"),
        ("n NOT 5", 7, "IN or IS NULL"),
        ("n BETWEEN 1 AND 2", 3, "IN or IS NULL"),
    ];
    for (text, at, wanted) in cases {
        let error = Predicate::parse(text, &columns()).unwrap_err();
        let text_of = error.to_string();
        assert!(text_of.contains(wanted), "{text}: {text_of}");
        assert!(text_of.contains(&format!("at character {at}:")), "{text}: {text_of}");
        assert!(matches!(error, DeltaError::Invalid(_)));
    }
    assert!(Predicate::parse(&"(".repeat(100_000), &columns()).is_err());
    assert!(Predicate::parse(&"NOT ".repeat(100_000), &columns()).is_err());
}

#[test]
fn a_predicate_has_a_bound_in_depth_alone() {
    let nested = |levels: usize| format!("{}n = 1{}", "(".repeat(levels), ")".repeat(levels));
    // The comparison is a level, too.
    Predicate::parse(&nested(parse::DEPTH_MAX - 1), &columns()).unwrap();
    let error = Predicate::parse(&nested(parse::DEPTH_MAX), &columns()).unwrap_err().to_string();
    assert!(error.contains("nested too deeply"), "{error}");
    let wide = vec!["NOT (n = 1)"; 2 * parse::DEPTH_MAX].join(" AND ");
    Predicate::parse(&wide, &columns()).unwrap();
}

#[test]
fn a_value_of_another_type_is_damage() {
    let predicate = Predicate::parse("n = 1", &columns()).unwrap();
    let error = predicate.matches(&values("n", Some("one"))).unwrap_err().to_string();
    assert!(error.contains("\"one\"") && error.contains("number"), "{error}");
}

#[test]
fn spellings_of_one_predicate_have_one_text() {
    let canonical = |text: &str| Predicate::parse(text, &columns()).unwrap().canonical();
    for (left, right) in [
        ("n = 1 and name='x'", "( NAME = 'x' ) AND 1.0 == `n`"),
        ("n IN (2, 1, 1)", "n in (1,2.00)"),
        ("n <> 1", "1 != n"),
        ("n < 1", "1 > n"),
        ("flag", "flag = true"),
        ("f = 0", "f = -0.0"),
        ("n = 1 AND n = 1.0", "n = 1"),
        ("n = 1 OR 1 = n", "n = 1"),
        ("at = '2024-02-01'", "at = '2024-02-01T00:00:00Z'"),
    ] {
        assert_eq!(canonical(left), canonical(right));
    }
    for (left, right) in [("n < 1", "n > 1"), ("n = 1", "n = 11"), ("name = '1'", "n = 1")] {
        assert_ne!(canonical(left), canonical(right));
    }
}

/// Every tree of the connectives over three atoms, one true, one false and one unknown.
#[test]
fn connectives_are_three_valued() {
    let atoms = [("n = 1", Some(true)), ("n = 2", Some(false)), ("name = 'x'", None)];
    let mut trees: Vec<(String, Option<bool>)> =
        atoms.iter().map(|(text, truth)| ((*text).to_owned(), *truth)).collect();
    for _ in 0..2 {
        let mut next = trees.clone();
        for (a, x) in &trees {
            next.push((format!("NOT ({a})"), x.map(|x| !x)));
            for (b, y) in &trees {
                let and = match (x, y) {
                    (Some(false), _) | (_, Some(false)) => Some(false),
                    (Some(true), Some(true)) => Some(true),
                    _ => None,
                };
                let or = match (x, y) {
                    (Some(true), _) | (_, Some(true)) => Some(true),
                    (Some(false), Some(false)) => Some(false),
                    _ => None,
                };
                next.push((format!("({a}) AND ({b})"), and));
                next.push((format!("({a}) OR ({b})"), or));
            }
        }
        trees = next;
    }
    assert!(trees.len() > 1000);
    for (text, truth) in trees {
        let predicate = Predicate::parse(&text, &columns()).unwrap();
        let found = predicate.root.truth(&values("n", Some("1"))).unwrap();
        assert_eq!(found, truth, "{text}");
    }
}

#[test]
fn columns_come_from_the_schema() {
    let metadata = {
        let schema = "{\\\"type\\\":\\\"struct\\\",\\\"fields\\\":[{\\\"name\\\":\\\"P\\\",\\\
            \"type\\\":\\\"decimal(10,2)\\\",\\\"nullable\\\":true,\\\"metadata\\\":{\\\"delta\
            .columnMapping.physicalName\\\":\\\"col-1\\\"}},{\\\"name\\\":\\\"x\\\",\\\"type\\\
            \":{\\\"type\\\":\\\"struct\\\",\\\"fields\\\":[]},\\\"nullable\\\":true,\\\"metad\
            ata\\\":{}}]}";
        let json = format!(
            "{{\"metaData\":{{\"id\":\"i\",\"format\":{{}},\"schemaString\":\"{schema}\",\"par\
                titionColumns\":[\"P\"],\"configuration\":{{}}}}}}"
        );
        match LogAction::from_json(&json).unwrap() {
            LogAction::Metadata(metadata) => metadata,
            other => panic!("{other:?}"),
        }
    };
    let column = |physical: &str| PartitionColumn {
        name: "P".into(),
        physical_name: physical.into(),
        column_type: ColumnType::Exact,
    };
    assert_eq!(partition_columns(&metadata, true).unwrap(), [column("col-1")]);
    assert_eq!(partition_columns(&metadata, false).unwrap(), [column("P")]);
}

#[test]
fn each_type_of_the_schema_is_compared_in_its_way() {
    for (name, wanted) in [
        ("string", ColumnType::Text),
        ("byte", ColumnType::Exact),
        ("long", ColumnType::Exact),
        ("decimal(10,2)", ColumnType::Exact),
        ("float", ColumnType::Float),
        ("date", ColumnType::Date),
        ("timestamp_ntz", ColumnType::Timestamp),
        ("boolean", ColumnType::Boolean),
        ("binary", ColumnType::Opaque("binary".into())),
    ] {
        let field = json!({"name": "P", "type": name, "nullable": true, "metadata": {}});
        let schema = json!({"type": "struct", "fields": [field]}).to_string();
        let action = json!({"metaData": {"id": "i", "format": {}, "schemaString": schema,
            "partitionColumns": ["P"], "configuration": {}}});
        let LogAction::Metadata(metadata) = LogAction::from_json(&action.to_string()).unwrap()
        else {
            panic!("{action}");
        };
        assert_eq!(partition_columns(&metadata, false).unwrap()[0].column_type, wanted, "{name}");
    }
}
