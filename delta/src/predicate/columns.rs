//! Partition columns with their types and physical names, from the table's schema.

use std::fmt;

use crate::actions::Metadata;
use crate::error::DeltaError;
use crate::schema;

/// A partition column of the table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartitionColumn {
    /// The name in `partitionColumns`, which users know.
    pub name: String,
    /// The name in `partitionValues`, which differs with column mapping.
    pub physical_name: String,
    /// How its values are compared.
    pub column_type: ColumnType,
}

/// How the values of a column are compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ColumnType {
    /// As text, by code points.
    Text,
    /// Exactly, as numbers: integers and decimals.
    Exact,
    /// As floating-point numbers; NaN is above all others, and equal to itself.
    Float,
    /// As dates, by days.
    Date,
    /// By microseconds; a text without a zone is in UTC.
    Timestamp,
    /// As booleans, false before true.
    Boolean,
    /// Not at all: a value is only known to be null or not.
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

/// Returns the partition columns of a table, in order. `is_mapped` is true when its protocol and
/// properties make readers use physical names.
///
/// # Errors
/// When the schema is not JSON, or has no such column.
pub fn partition_columns(
    metadata: &Metadata,
    is_mapped: bool,
) -> Result<Vec<PartitionColumn>, DeltaError> {
    let fields = schema::columns(&metadata.schema_string)
        .map_err(|error| DeltaError::damaged(schema::PLACE, error.to_string()))?;
    let column = |name: &String| {
        let field = fields
            .iter()
            .find(|field| field.name == *name)
            .or_else(|| fields.iter().find(|field| field.name.eq_ignore_ascii_case(name)))
            .ok_or_else(|| {
                let problem = format!("the partition column {name} is missing");
                DeltaError::damaged(schema::PLACE, problem)
            })?;
        let physical = field.annotated_text("delta.columnMapping.physicalName");
        let physical = physical.filter(|_| is_mapped);
        Ok(PartitionColumn {
            name: field.name.clone().into_owned(),
            physical_name: physical.unwrap_or_else(|| field.name.clone()).into_owned(),
            column_type: column_type(field.type_name().as_deref().unwrap_or_default()),
        })
    };
    metadata.partition_columns.iter().map(column).collect()
}

fn column_type(name: &str) -> ColumnType {
    match name {
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
