//! The schema's JSON (`metaData.schemaString`), parsed level by level.
//!
//! A nested type stays text until it is needed, so that depth costs no stack: each struct of a
//! schema is three levels of JSON, and a parser of whole trees stops at 128.
//!
//! <https://github.com/delta-io/delta/blob/master/PROTOCOL.md#schema-serialization-format>

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::value::RawValue;

/// How errors name the schema's place.
pub(crate) const PLACE: &str = "metaData.schemaString";

/// Levels of JSON in a schema. Spark's JSON parser has the same limit; a walk scans the text at
/// most this many times.
const DEPTH_MAX: usize = 1000;

/// The parts of a type that hold types.
const NESTED: [&str; 5] = ["type", "fields", "elementType", "keyType", "valueType"];

/// A column of the table.
#[derive(Debug, Deserialize)]
pub(crate) struct Field<'a> {
    #[serde(borrow)]
    pub(crate) name: Cow<'a, str>,
    /// Its type, as the JSON text of a name or of an object.
    #[serde(borrow, rename = "type")]
    kind: &'a RawValue,
    /// Its metadata: name → JSON text.
    #[serde(borrow, default)]
    metadata: BTreeMap<Cow<'a, str>, &'a RawValue>,
}

/// A name that a walk through the schema finds.
#[derive(Clone, Copy)]
pub(crate) enum SchemaName<'a> {
    /// The name of a type.
    Type(&'a str),
    /// The name of an entry in a field's metadata.
    Annotation(&'a str),
}

impl<'a> Field<'a> {
    /// Returns the type's name; `None` for a struct, list or map.
    pub(crate) fn type_name(&self) -> Option<Cow<'a, str>> {
        text(self.kind)
    }

    /// Returns the JSON text of an entry in the metadata.
    pub(crate) fn annotation(&self, name: &str) -> Option<&'a RawValue> {
        self.metadata.get(name).copied()
    }

    /// Returns the text in an entry of the metadata.
    pub(crate) fn annotated_text(&self, name: &str) -> Option<Cow<'a, str>> {
        text(self.annotation(name)?)
    }
}

/// Parses the table's columns, in order.
///
/// # Errors
/// When the schema is not the JSON of a struct.
pub(crate) fn columns(schema: &str) -> Result<Vec<Field<'_>>, serde_json::Error> {
    #[derive(Deserialize)]
    struct Schema<'a> {
        #[serde(borrow)]
        fields: Vec<Field<'a>>,
    }
    serde_json::from_str::<Schema<'_>>(schema).map(|schema| schema.fields)
}

/// Passes every type and annotation of the schema to `show`, at any depth; a text that is not the
/// JSON of a schema, or is too deep, has none.
pub(crate) fn walk(schema: &str, mut show: impl FnMut(SchemaName<'_>)) {
    if check_depth(schema).is_err() {
        return;
    }
    let mut waiting: Vec<&RawValue> = serde_json::from_str(schema).into_iter().collect();
    while let Some(node) = waiting.pop() {
        if let Some(name) = text(node) {
            show(SchemaName::Type(&name));
        } else if let Ok(items) = serde_json::from_str::<Vec<&RawValue>>(node.get()) {
            waiting.extend(items);
        } else if let Some(parts) = object(node) {
            waiting.extend(NESTED.iter().filter_map(|name| parts.get(*name)));
            let metadata = parts.get("metadata").and_then(|metadata| object(metadata));
            metadata.iter().flatten().for_each(|(name, _)| show(SchemaName::Annotation(name)));
        }
    }
}

/// Checks that the schema's JSON is not nested deeper than readers allow.
///
/// # Errors
/// The limit that it exceeds.
pub(crate) fn check_depth(schema: &str) -> Result<(), String> {
    let (mut depth, mut in_text, mut escaped) = (0_usize, false, false);
    for byte in schema.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_text => escaped = true,
            b'"' => in_text = !in_text,
            b'{' | b'[' if !in_text => depth += 1,
            b'}' | b']' if !in_text => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > DEPTH_MAX {
            return Err(format!("the schema is nested deeper than {DEPTH_MAX} levels of JSON"));
        }
    }
    Ok(())
}

fn text(raw: &RawValue) -> Option<Cow<'_, str>> {
    #[derive(Deserialize)]
    struct Text<'a>(#[serde(borrow)] Cow<'a, str>);
    serde_json::from_str::<Text<'_>>(raw.get()).ok().map(|text| text.0)
}

fn object(raw: &RawValue) -> Option<BTreeMap<Cow<'_, str>, &RawValue>> {
    serde_json::from_str(raw.get()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A schema of a column in `depth` structs, of the type `leaf`.
    fn nested(depth: usize, leaf: &str) -> String {
        let open =
            r#"{"type":"struct","fields":[{"name":"s","nullable":true,"metadata":{},"type":"#;
        format!("{}\"{leaf}\"{}", open.repeat(depth), "}]}".repeat(depth))
    }

    fn types(schema: &str) -> Vec<String> {
        let mut types = Vec::new();
        walk(schema, |found| match found {
            SchemaName::Type(name) if name != "struct" => types.push(name.to_owned()),
            _ => {}
        });
        types
    }

    #[test]
    fn a_type_is_found_at_any_depth_that_readers_go() {
        for depth in [1, 45, 300] {
            let schema = nested(depth, "timestamp_ntz");
            assert_eq!(check_depth(&schema), Ok(()), "{depth}");
            assert_eq!(types(&schema), ["timestamp_ntz"], "{depth}");
            assert_eq!(columns(&schema).unwrap().len(), 1, "{depth}");
        }
    }

    #[test]
    fn hostile_depth_is_refused_and_costs_no_stack() {
        for schema in [
            nested(100_000, "long"),
            "[".repeat(1_000_000),
            format!("{{\"type\":{}", "{\"type\":".repeat(100_000)),
        ] {
            assert!(check_depth(&schema).unwrap_err().contains("1000 levels"));
            assert_eq!(types(&schema), [] as [&str; 0]);
            // Shallow reading never enters the depth.
            let _ = columns(&schema);
        }
    }

    #[test]
    fn depth_is_counted_outside_of_texts_alone() {
        let brackets = "[".repeat(2000);
        for text in
            [format!("{brackets}\\\"["), format!("\\\"{brackets}"), format!("\\\\\\\"{brackets}")]
        {
            let schema = format!("{{\"type\":\"struct\",\"fields\":[],\"x\":\"{text}\"}}");
            assert_eq!(check_depth(&schema), Ok(()), "{schema:.80}");
        }
        assert!(check_depth(&format!("[\"\\\\\",{brackets}")).is_err(), "behind a text's end");
        let closed = "]".repeat(2000);
        assert!(check_depth(&format!("[[\"{closed}\",{}", "[".repeat(DEPTH_MAX - 1))).is_err());
        assert_eq!(check_depth(&"[".repeat(DEPTH_MAX)), Ok(()));
        assert!(check_depth(&"[".repeat(DEPTH_MAX + 1)).is_err());
    }

    #[test]
    fn a_column_has_its_type_and_annotations() {
        let schema = concat!(
            r#"{"type":"struct","fields":[{"name":"a\u0062","type":"long","nullable":true,"#,
            r#""metadata":{"delta.identity.highWaterMark":9007199254740993,"x":"y"}},"#,
            r#"{"name":"s","type":{"type":"struct","fields":[]},"nullable":true}]}"#
        );
        let columns = columns(schema).unwrap();
        assert_eq!((columns[0].name.as_ref(), columns[1].name.as_ref()), ("ab", "s"));
        assert_eq!(columns[0].type_name().as_deref(), Some("long"));
        assert_eq!(columns[1].type_name(), None);
        let mark = columns[0].annotation("delta.identity.highWaterMark").unwrap();
        assert_eq!(mark.get(), "9007199254740993");
        assert_eq!(columns[0].annotated_text("x").as_deref(), Some("y"));
    }
}
