//! From JSON to actions.

use std::collections::BTreeMap;

use serde_json::value::RawValue;

use super::error::ParseError;
use super::fields::{self, Fields};
use super::kinds::{
    Add, DeletionVector, DomainMetadata, LogAction, Metadata, Protocol, Remove, Txn,
};
use super::oddity::Oddity;
use super::texts::Texts;

const KNOWN: &[&str] = &[
    "add",
    "cdc",
    "checkpointMetadata",
    "commitInfo",
    "domainMetadata",
    "metaData",
    "protocol",
    "remove",
    "sidecar",
    "txn",
];

/// Parses one value of a log file to its action, if it holds one, and its oddity, if it has one.
pub(crate) fn value(text: &str) -> Result<(Option<LogAction>, Option<Oddity>), ParseError> {
    let mut fields = Fields::parse("action", text)?;
    let mut names: Vec<String> = fields.names().map(str::to_owned).collect();
    if names.iter().any(|name| KNOWN.contains(&name.as_str())) {
        names.retain(|name| KNOWN.contains(&name.as_str()));
        if names.len() > 1 {
            let names = names.join(", ");
            return Err(ParseError(format!("one object with several actions: {names}")));
        }
    }
    let several = (names.len() > 1).then_some(Oddity::UnknownActions);
    let Some((name, raw)) = names.first().and_then(|name| Some((name, fields.raw(name)?))) else {
        return Ok((None, Some(Oddity::NoAction)));
    };
    let (action, oddity) = named(name, raw)?;
    Ok((Some(action), oddity.or(several)))
}

impl LogAction {
    /// Parses the action in `text`, an object with one field, its name. Unknown fields beside a
    /// known action are ignored, as by all readers.
    ///
    /// # Errors
    /// When the text is no such object, a required field is missing or has another type.
    pub fn from_json(text: &str) -> Result<Self, ParseError> {
        let (action, _) = value(text)?;
        action.ok_or_else(|| ParseError("an object without an action".to_owned()))
    }
}

fn named(name: &str, raw: &RawValue) -> Result<(LogAction, Option<Oddity>), ParseError> {
    let text = raw.get();
    let action = match name {
        "add" => LogAction::Add(add(text)?),
        "remove" => LogAction::Remove(remove(text)?),
        "metaData" => LogAction::Metadata(metadata(text)?),
        "protocol" => LogAction::Protocol(protocol(text)?),
        "txn" => LogAction::Txn(txn(text)?),
        "domainMetadata" => LogAction::DomainMetadata(domain_metadata(text)?),
        "commitInfo" => {
            // It records the origin of the commit, not the table's state.
            let repeated = fields::repeats_a_key("commitInfo", text)?;
            let oddity = repeated.then_some(Oddity::RepeatedKey);
            return Ok((LogAction::CommitInfo(raw.to_owned()), oddity));
        }
        "cdc" => {
            Fields::parse("cdc", text)?;
            LogAction::Cdc(raw.to_owned())
        }
        _ => LogAction::Other(name.to_owned(), raw.to_owned()),
    };
    Ok((action, None))
}

fn add(text: &str) -> Result<Add, ParseError> {
    let mut fields = Fields::parse("add", text)?;
    Ok(Add {
        path: fields.required("path")?,
        partition_values: fields.optional::<Texts>("partitionValues")?.unwrap_or_default(),
        size: fields.required("size")?,
        modification_time: fields.required("modificationTime")?,
        data_change: fields.required("dataChange")?,
        stats: fields.optional("stats")?,
        tags: fields.optional("tags")?,
        deletion_vector: deletion_vector(&mut fields, "add.deletionVector")?,
        base_row_id: fields.optional("baseRowId")?,
        default_row_commit_version: fields.optional("defaultRowCommitVersion")?,
        clustering_provider: fields.optional("clusteringProvider")?,
        unknown: fields.unknown(),
    })
}

fn remove(text: &str) -> Result<Remove, ParseError> {
    let mut fields = Fields::parse("remove", text)?;
    Ok(Remove {
        path: fields.required("path")?,
        deletion_timestamp: fields.optional("deletionTimestamp")?,
        // Old logs leave it out; Spark reads that as true.
        data_change: fields.optional("dataChange")?.unwrap_or(true),
        extended_file_metadata: fields.optional("extendedFileMetadata")?,
        partition_values: fields.optional("partitionValues")?,
        size: fields.optional("size")?,
        stats: fields.optional("stats")?,
        tags: fields.optional("tags")?,
        deletion_vector: deletion_vector(&mut fields, "remove.deletionVector")?,
        base_row_id: fields.optional("baseRowId")?,
        default_row_commit_version: fields.optional("defaultRowCommitVersion")?,
        unknown: fields.unknown(),
    })
}

fn deletion_vector(
    fields: &mut Fields<'_>,
    place: &'static str,
) -> Result<Option<Box<DeletionVector>>, ParseError> {
    let Some(raw) = fields.raw("deletionVector") else { return Ok(None) };
    let mut fields = Fields::parse(place, raw.get())?;
    Ok(Some(Box::new(DeletionVector {
        storage_type: fields.required("storageType")?,
        path_or_inline: fields.required("pathOrInlineDv")?,
        offset: fields.optional("offset")?,
        size_in_bytes: fields.required("sizeInBytes")?,
        cardinality: fields.required("cardinality")?,
        unknown: fields.unknown(),
    })))
}

fn metadata(text: &str) -> Result<Metadata, ParseError> {
    let mut fields = Fields::parse("metaData", text)?;
    let configuration: BTreeMap<String, Option<String>> =
        fields.optional("configuration")?.unwrap_or_default();
    Ok(Metadata {
        id: fields.required("id")?,
        name: fields.optional("name")?,
        description: fields.optional("description")?,
        format: fields.required("format")?,
        // Databricks pipelines create tables without one; a snapshot refuses a table that still has
        // none.
        schema_string: fields.optional("schemaString")?.unwrap_or_default(),
        partition_columns: fields.optional("partitionColumns")?.unwrap_or_default(),
        created_time: fields.optional("createdTime")?,
        // A property that is null is not set.
        configuration: configuration.into_iter().filter_map(|(k, v)| Some((k, v?))).collect(),
        unknown: fields.unknown(),
    })
}

fn protocol(text: &str) -> Result<Protocol, ParseError> {
    let mut fields = Fields::parse("protocol", text)?;
    Ok(Protocol {
        min_reader_version: fields.required("minReaderVersion")?,
        min_writer_version: fields.required("minWriterVersion")?,
        reader_features: fields.optional("readerFeatures")?,
        writer_features: fields.optional("writerFeatures")?,
        unknown: fields.unknown(),
    })
}

fn txn(text: &str) -> Result<Txn, ParseError> {
    let mut fields = Fields::parse("txn", text)?;
    Ok(Txn {
        app_id: fields.required("appId")?,
        version: fields.required("version")?,
        last_updated: fields.optional("lastUpdated")?,
        unknown: fields.unknown(),
    })
}

fn domain_metadata(text: &str) -> Result<DomainMetadata, ParseError> {
    let mut fields = Fields::parse("domainMetadata", text)?;
    Ok(DomainMetadata {
        domain: fields.required("domain")?,
        configuration: fields.optional("configuration")?.unwrap_or_default(),
        removed: fields.optional("removed")?.unwrap_or_default(),
        unknown: fields.unknown(),
    })
}
