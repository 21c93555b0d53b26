//! The sizes of what clients and workers send (I8); a refusal names the field and its bound.
//!
//! The size of a message bounds a whole request; this file bounds what is kept of it.

use deepclone_core::limits::{
    ALLOWED_FEATURES_MAX, CONNECTION_NAME_BYTES_MAX, CONNECTIONS_PER_WORKER_MAX,
    ENTITY_TAG_BYTES_MAX, FAILURE_MESSAGE_BYTES_MAX, FEATURE_NAME_BYTES_MAX, HELD_TASKS_MAX,
    OUTCOMES_PER_REPORT_MAX, PART_ID_BYTES_MAX, PARTITION_FILTER_BYTES_MAX, PARTS_PER_TASK_MAX,
    PROPERTIES_MAX, PROPERTY_NAME_BYTES_MAX, PROPERTY_VALUE_BYTES_MAX, SPEC_BYTES_MAX,
    TASK_OBJECTS_MAX, UPLOAD_ID_BYTES_MAX, URI_BYTES_MAX, WORKER_NAME_BYTES_MAX,
    WORKER_VERSION_BYTES_MAX,
};
use deepclone_core::visible::{cut, one_line};
use deepclone_proto::convert::WireError;
use deepclone_proto::v1;
use prost::Message as _;

/// Checks the spec of a client.
pub(super) fn spec(spec: &v1::CloneSpec) -> Result<(), WireError> {
    for (table, uri, connection) in [
        (&spec.source, "spec.source.uri", "spec.source.connection"),
        (&spec.target, "spec.target.uri", "spec.target.connection"),
    ] {
        let Some(table) = table else { continue };
        bytes(uri, &table.uri, URI_BYTES_MAX)?;
        bytes(connection, &table.connection, CONNECTION_NAME_BYTES_MAX)?;
    }
    bytes("spec.partition_filter", &spec.partition_filter, PARTITION_FILTER_BYTES_MAX)?;
    entries("spec.properties", spec.properties.len(), PROPERTIES_MAX)?;
    for (name, value) in &spec.properties {
        bytes("spec.properties", name, PROPERTY_NAME_BYTES_MAX)?;
        bytes("spec.properties", value, PROPERTY_VALUE_BYTES_MAX)?;
    }
    features("spec.allowed_features", &spec.allowed_features)?;
    size("spec", spec.encoded_len(), SPEC_BYTES_MAX)
}

/// Checks the features that a client allows.
pub(super) fn features(field: &'static str, names: &[String]) -> Result<(), WireError> {
    entries(field, names.len(), ALLOWED_FEATURES_MAX)?;
    names.iter().try_for_each(|name| bytes(field, name, FEATURE_NAME_BYTES_MAX))
}

/// Checks a table that a client names.
pub(super) fn table(field: &'static str, table: &v1::TableRef) -> Result<(), WireError> {
    bytes(field, &table.uri, URI_BYTES_MAX)?;
    bytes(field, &table.connection, CONNECTION_NAME_BYTES_MAX)
}

/// Checks the registration of a worker.
pub(super) fn registration(request: &v1::RegisterWorkerRequest) -> Result<(), WireError> {
    if request.name.is_empty() {
        return Err(WireError::Missing { field: "name" });
    }
    bytes("name", &request.name, WORKER_NAME_BYTES_MAX)?;
    bytes("version", &request.version, WORKER_VERSION_BYTES_MAX)?;
    entries("connections", request.connections.len(), CONNECTIONS_PER_WORKER_MAX)?;
    for offer in &request.connections {
        bytes("connections.name", &offer.name, CONNECTION_NAME_BYTES_MAX)?;
    }
    entries("held", request.held.len(), HELD_TASKS_MAX)
}

/// Checks a report, and cuts the messages in it.
pub(super) fn report(request: &mut v1::ReportTasksRequest) -> Result<(), WireError> {
    entries("outcomes", request.outcomes.len(), OUTCOMES_PER_REPORT_MAX)?;
    for outcome in &mut request.outcomes {
        match &mut outcome.outcome {
            Some(v1::task_outcome::Outcome::Receipt(receipt)) => {
                entries("outcomes.receipt.objects", receipt.objects.len(), TASK_OBJECTS_MAX)?;
                for object in &receipt.objects {
                    let field = "outcomes.receipt.objects.source_etag";
                    bytes(field, &object.source_etag, ENTITY_TAG_BYTES_MAX)?;
                    let field = "outcomes.receipt.objects.target_etag";
                    bytes(field, &object.target_etag, ENTITY_TAG_BYTES_MAX)?;
                }
                step(receipt)?;
            }
            Some(v1::task_outcome::Outcome::Failure(failure)) => {
                one_short_line(&mut failure.message)
            }
            None => {}
        }
    }
    Ok(())
}

/// Checks what a receipt tells of a step of a shared object.
fn step(receipt: &v1::Receipt) -> Result<(), WireError> {
    if let Some(upload) = &receipt.upload {
        bytes("outcomes.receipt.upload.id", &upload.id, UPLOAD_ID_BYTES_MAX)?;
        let field = "outcomes.receipt.upload.source_etag";
        bytes(field, &upload.source_etag, ENTITY_TAG_BYTES_MAX)?;
    }
    entries("outcomes.receipt.parts", receipt.parts.len(), PARTS_PER_TASK_MAX)?;
    for part in &receipt.parts {
        bytes("outcomes.receipt.parts.id", &part.id, PART_ID_BYTES_MAX)?;
    }
    Ok(())
}

/// Checks a list of grants.
pub(super) fn held(field: &'static str, count: usize) -> Result<(), WireError> {
    entries(field, count, HELD_TASKS_MAX)
}

/// Cuts a worker's message, which is shown to clients and kept with the job, to one short line.
fn one_short_line(message: &mut String) {
    *message = cut(one_line(message), FAILURE_MESSAGE_BYTES_MAX).into_owned();
}

fn bytes(field: &'static str, text: &str, most: usize) -> Result<(), WireError> {
    size(field, text.len(), most)
}

fn size(field: &'static str, length: usize, most: usize) -> Result<(), WireError> {
    refuse_above(field, length, most, "bytes")
}

fn entries(field: &'static str, count: usize, most: usize) -> Result<(), WireError> {
    refuse_above(field, count, most, "entries")
}

fn refuse_above(
    field: &'static str,
    count: usize,
    most: usize,
    unit: &str,
) -> Result<(), WireError> {
    if count <= most {
        return Ok(());
    }
    Err(WireError::invalid(field, format!("it has {count} {unit}, and at most {most} are taken")))
}

#[cfg(test)]
mod tests;
