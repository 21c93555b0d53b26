//! The columns of a Delta schema as OpenLineage's schema facet has them.

use serde_json::{Value, json};

/// Levels of types that are told; a deeper one is told as its name alone.
const DEPTH_MAX: usize = 32;

/// Returns the columns of a schema in Delta's JSON, with those within them. `None` for a text that
/// is none, or too deep to be read.
pub(super) fn fields(schema: &str) -> Option<Vec<Value>> {
    let schema: Value = serde_json::from_str(schema).ok()?;
    let columns = schema.get("fields")?.as_array()?;
    let column = |(at, column): (usize, &Value)| {
        let mut field = struct_field(column, DEPTH_MAX)?;
        field["ordinal_position"] = json!(at + 1);
        Some(field)
    };
    columns.iter().enumerate().map(column).collect()
}

fn struct_field(column: &Value, depth: usize) -> Option<Value> {
    let name = column.get("name")?.as_str()?;
    let mut field = typed(name, column.get("type")?, depth);
    if let Some(comment) = column.pointer("/metadata/comment").and_then(Value::as_str) {
        field["description"] = json!(comment);
    }
    Some(field)
}

/// Names within arrays and maps are those that OpenLineage's own integrations use.
fn typed(name: &str, kind: &Value, depth: usize) -> Value {
    let Some(kind_name) = kind.get("type").and_then(Value::as_str) else {
        return json!({"name": name, "type": kind.as_str().unwrap_or("unknown")});
    };
    let mut field = json!({"name": name, "type": kind_name});
    let Some(below) = depth.checked_sub(1) else { return field };
    let part = |name: &str, key: &str| typed(name, kind.get(key).unwrap_or(&Value::Null), below);
    let within = match kind_name {
        "struct" => {
            let columns = kind.get("fields").and_then(Value::as_array).into_iter().flatten();
            columns.filter_map(|column| struct_field(column, below)).collect()
        }
        "array" => vec![part("_element", "elementType")],
        "map" => vec![part("key", "keyType"), part("value", "valueType")],
        _ => return field,
    };
    field["fields"] = Value::Array(within);
    field
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_told_with_what_is_within_them() {
        let schema = r#"{"type":"struct","fields":[
            {"name":"id","type":"long","nullable":false,"metadata":{"comment":"the key"}},
            {"name":"price","type":"decimal(10,2)","nullable":true,"metadata":{}},
            {"name":"lines","type":{"type":"array","elementType":{"type":"struct","fields":[
                {"name":"sku","type":"string","metadata":{}}]},"containsNull":true},"metadata":{}},
            {"name":"tags","type":{"type":"map","keyType":"string","valueType":"date"},
                "metadata":{}}]}"#;
        let expected = json!([
            {"name": "id", "type": "long", "ordinal_position": 1, "description": "the key"},
            {"name": "price", "type": "decimal(10,2)", "ordinal_position": 2},
            {"name": "lines", "type": "array", "ordinal_position": 3, "fields": [
                {"name": "_element", "type": "struct", "fields": [
                    {"name": "sku", "type": "string"}]}]},
            {"name": "tags", "type": "map", "ordinal_position": 4, "fields": [
                {"name": "key", "type": "string"}, {"name": "value", "type": "date"}]},
        ]);
        assert_eq!(Value::Array(fields(schema).unwrap()), expected);
    }

    #[test]
    fn what_is_no_schema_or_too_deep_is_not_told() {
        for schema in ["", "{}", "[]", r#"{"fields":[{"type":"long"}]}"#] {
            assert_eq!(fields(schema), None, "{schema}");
        }
        let nested = |levels: usize| {
            let open = r#"{"type":"array","elementType":"#.repeat(levels);
            let close = "}".repeat(levels);
            format!(r#"{{"fields":[{{"name":"a","type":{open}"long"{close}}}]}}"#)
        };
        let told = fields(&nested(DEPTH_MAX + 5)).unwrap();
        let depth = told[0].to_string().matches("_element").count();
        assert_eq!(depth, DEPTH_MAX);
        assert_eq!(fields(&nested(1_000)), None);
    }
}
