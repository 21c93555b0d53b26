//! What Google Cloud Storage does otherwise: its conditions are on generations, its answers say
//! generation and CRC-32C, and it copies by its JSON API.

use std::collections::BTreeMap;

use bytes::Bytes;
use crc_fast::CrcAlgorithm;

use super::held::{Held, base64};
use super::request::Request;
use super::wire::{Answer, RequestHead};

const CONDITION: &str = "x-goog-if-generation-match";

/// The refusal of a write whose condition does not hold.
pub(super) fn refusal_of_condition(held: Option<&Held>, head: &RequestHead) -> Option<Answer> {
    let wanted = head.header(CONDITION)?;
    let holds = wanted == generation_of(held);
    (!holds).then(|| Answer::error(412, "PreconditionFailed", "a condition failed"))
}

/// Returns whether a write has a condition.
pub(super) fn has_condition(head: &RequestHead) -> bool {
    head.header(CONDITION).is_some()
}

/// An answer that says what the store keeps of an object.
pub(super) fn with_state(answer: Answer, held: &Held) -> Answer {
    answer
        .with("x-goog-generation", held.generation.to_string())
        .with("x-goog-hash", format!("crc32c={}", crc32c(&held.bytes)))
}

/// Judges a request for a copy within the store, whose conditions are in its query. Returns the
/// bytes of the copy.
pub(super) fn copied(
    request: &Request,
    objects: &BTreeMap<String, Held>,
    bucket: &str,
) -> Result<Bytes, Answer> {
    let refused = |status, reason: &str| {
        let body = format!("{{\"error\":{{\"code\":{status},\"message\":\"{reason}\"}}}}");
        Err(Answer::new(status, body))
    };
    let source = objects.get(request.asked("from"));
    let Some(source) = source.filter(|_| request.asked("fromBucket") == bucket) else {
        return refused(404, "notFound");
    };
    let is_source = request.asked("ifSourceGenerationMatch") == source.generation.to_string();
    let is_target = request.asked("ifGenerationMatch") == generation_of(objects.get(&request.key));
    if !is_source || !is_target {
        return refused(412, "conditionNotMet");
    }
    Ok(source.bytes.clone())
}

/// The answer to a copy that was made.
pub(super) fn rewritten(held: &Held) -> Answer {
    let (size, crc32c) = (held.bytes.len(), crc32c(&held.bytes));
    let body = format!(
        "{{\"kind\":\"storage#rewriteResponse\",\"totalBytesRewritten\":\"{size}\",\
         \"objectSize\":\"{size}\",\"done\":true,\
         \"resource\":{{\"size\":\"{size}\",\"crc32c\":\"{crc32c}\"}}}}"
    );
    Answer::new(200, body)
}

fn generation_of(held: Option<&Held>) -> String {
    held.map_or(0, |held| held.generation).to_string()
}

fn crc32c(bytes: &Bytes) -> String {
    let crc32c = crc_fast::checksum(CrcAlgorithm::Crc32Iscsi, bytes);
    base64(&u32::try_from(crc32c).unwrap_or_default().to_be_bytes())
}
