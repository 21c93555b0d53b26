//! Partition columns with their types and physical names, from the table's schema.

use std::fmt;

use serde::Deserialize;
use serde_json::Value as Json;

use crate::actions::Metadata;
use crate::error::DeltaError;

/// A column that partitions the table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartitionColumn {
    /// As people and `partitionColumns` call it.
    pub name: String,
    /// As `partitionValues` call it; another one with column mapping.
    pub physical_name: String,
    /// How its values compare.
    pub column_type: ColumnType,
}

/// How values compare.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ColumnType {
    /// By characters.
    Text,
    /// Exactly, as numbers: integers and decimals.
    Exact,
    /// As floating-point numbers; NaN is above all others, and equal to itself.
    Float,
    /// By days.
    Date,
    /// By microseconds; without a zone in its text, in UTC.
    Timestamp,
    /// False before true.
    Boolean,
    /// Not at all: its values can only be null or not.
    Opaque(String),
}

impl PartitionColumn {
    pub(super) fn quoted(&self) -> String {
        format!("`{}`", self.name.replace('`', "``"))
    }
}

impl fmt::Display for ColumnType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Text => "text",
            Self::Exact => "number",
            Self::Float => "floating-point number",
            Self::Date => "date",
            Self::Timestamp => "timestamp",
            Self::Boolean => "boolean",
            Self::Opaque(name) => name,
        })
    }
}

/// The partition columns of a table, in order; `is_mapped` when its protocol and properties make
/// readers go by physical names.
///
/// # Errors
/// When the schema is not JSON, or has no such column.
pub fn partition_columns(
    metadata: &Metadata,
    is_mapped: bool,
) -> Result<Vec<PartitionColumn>, DeltaError> {
    #[derive(Deserialize)]
    struct Schema {
        fields: Vec<Field>,
    }
    #[derive(Deserialize)]
    struct Field {
        name: String,
        #[serde(rename = "type")]
        kind: Json,
        #[serde(default)]
        metadata: Json,
    }
    let place = "metaData.schemaString";
    let schema: Schema = serde_json::from_str(&metadata.schema_string)
        .map_err(|error| DeltaError::damaged(place, error.to_string()))?;
    let column = |name: &String| {
        let field = schema
            .fields
            .iter()
            .find(|field| field.name == *name)
            .or_else(|| schema.fields.iter().find(|f| f.name.eq_ignore_ascii_case(name)))
            .ok_or_else(|| {
                DeltaError::damaged(place, format!("the partition column {name} is missing"))
            })?;
        let physical = &field.metadata["delta.columnMapping.physicalName"];
        let physical = physical.as_str().filter(|_| is_mapped).unwrap_or(&field.name);
        Ok(PartitionColumn {
            name: field.name.clone(),
            physical_name: physical.to_owned(),
            column_type: column_type(&field.kind),
        })
    };
    metadata.partition_columns.iter().map(column).collect()
}

fn column_type(kind: &Json) -> ColumnType {
    match kind.as_str().unwrap_or_default() {
        "string" => ColumnType::Text,
        "byte" | "short" | "integer" | "long" => ColumnType::Exact,
        decimal if decimal.starts_with("decimal") => ColumnType::Exact,
        "float" | "double" => ColumnType::Float,
        "date" => ColumnType::Date,
        "timestamp" | "timestamp_ntz" => ColumnType::Timestamp,
        "boolean" => ColumnType::Boolean,
        other => ColumnType::Opaque(other.to_owned()),
    }
}
