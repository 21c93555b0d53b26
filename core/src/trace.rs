//! Names of what a trace shows: one trace for each sync, one span for each phase, task and attempt.
//!
//! Every id is a digest of what it names, so whoever tells of a span needs no memory of it: a
//! coordinator that restarted names the spans of a sync as before.

use std::fmt;
use std::str::FromStr;

use sha2::{Digest as _, Sha256};

use crate::ids::{GrantKey, JobId, TaskFingerprint};

/// Identifies the trace of one sync: the bytes of the job's id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TraceId(pub [u8; 16]);

/// Identifies one span of a trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SpanId(pub [u8; 8]);

/// Names a span to another process, as the W3C's
/// [`traceparent`](https://www.w3.org/TR/trace-context/#traceparent-header) does.
///
/// ```
/// use deepclone_core::trace::TraceContext;
/// let text = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
/// let context: TraceContext = text.parse().unwrap();
/// assert_eq!(context.to_string(), text);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TraceContext {
    pub trace: TraceId,
    pub span: SpanId,
}

/// A text that names no span.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it is no traceparent of the W3C's version 00")]
pub struct TraceContextError;

impl TraceId {
    /// Returns the id of a sync's trace: its own id without the hyphens.
    #[must_use]
    pub fn of_job(job: JobId) -> Self {
        Self(*job.0.as_bytes())
    }
}

impl SpanId {
    /// Returns the id of the span of the whole sync.
    #[must_use]
    pub fn of_job(job: JobId) -> Self {
        Self::derive("sync", &[job.0.as_bytes()])
    }

    /// Returns the id of the n-th phase of this name that a sync has.
    #[must_use]
    pub fn of_phase(job: JobId, phase: &str, number: u32) -> Self {
        Self::derive("phase", &[job.0.as_bytes(), phase.as_bytes(), &number.to_be_bytes()])
    }

    /// Returns the id of a task's span. A task is copied once more in a later round, when its
    /// objects were gone before the commit.
    #[must_use]
    pub fn of_task(job: JobId, fingerprint: TaskFingerprint, round: u32) -> Self {
        Self::derive("task", &[job.0.as_bytes(), &fingerprint.0, &round.to_be_bytes()])
    }

    /// Returns the id of what a worker does for one grant of a task, whose span is `task`.
    #[must_use]
    pub fn of_attempt(task: Self, key: &GrantKey) -> Self {
        let (attempt, epoch) = (key.attempt.0.to_be_bytes(), key.epoch.0.to_be_bytes());
        Self::derive("attempt", &[&task.0, &attempt, &epoch])
    }

    fn derive(kind: &str, parts: &[&[u8]]) -> Self {
        let mut hasher = Sha256::new().chain_update(kind);
        for part in parts {
            hasher.update((part.len() as u64).to_be_bytes());
            hasher.update(part);
        }
        let digest: [u8; 32] = hasher.finalize().into();
        let mut bytes = [0; 8];
        bytes.copy_from_slice(&digest[..8]);
        Self(bytes)
    }
}

impl fmt::Display for TraceContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("00-")?;
        self.trace.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))?;
        f.write_str("-")?;
        self.span.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))?;
        f.write_str("-01")
    }
}

impl FromStr for TraceContext {
    type Err = TraceContextError;

    fn from_str(text: &str) -> Result<Self, TraceContextError> {
        let parts: Vec<&str> = text.split('-').collect();
        let &["00", trace, span, flags] = &parts[..] else { return Err(TraceContextError) };
        let (trace, span) = (bytes::<16>(trace)?, bytes::<8>(span)?);
        let _known = bytes::<1>(flags)?;
        if trace == [0; 16] || span == [0; 8] {
            return Err(TraceContextError);
        }
        Ok(Self { trace: TraceId(trace), span: SpanId(span) })
    }
}

/// Reads so many bytes in hexadecimal, in small letters.
fn bytes<const N: usize>(text: &str) -> Result<[u8; N], TraceContextError> {
    let is_hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    if text.len() != 2 * N || !text.bytes().all(is_hex) {
        return Err(TraceContextError);
    }
    let mut found = [0; N];
    for (at, byte) in found.iter_mut().enumerate() {
        let digits = text.get(2 * at..2 * at + 2).ok_or(TraceContextError)?;
        *byte = u8::from_str_radix(digits, 16).map_err(|_| TraceContextError)?;
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use uuid::Uuid;

    use super::*;
    use crate::ids::{Attempt, Epoch};

    #[test]
    fn what_differs_has_another_span() {
        let (one, two) = (JobId(Uuid::from_u128(1)), JobId(Uuid::from_u128(2)));
        let task = SpanId::of_task(one, TaskFingerprint([1; 32]), 0);
        let key = |attempt, epoch| GrantKey {
            job: one,
            fingerprint: TaskFingerprint([1; 32]),
            attempt: Attempt(attempt),
            epoch: Epoch(epoch),
        };
        let all = [
            SpanId::of_job(one),
            SpanId::of_job(two),
            SpanId::of_phase(one, "copy", 1),
            SpanId::of_phase(one, "copy", 2),
            SpanId::of_phase(one, "plan", 1),
            task,
            SpanId::of_task(one, TaskFingerprint([1; 32]), 1),
            SpanId::of_task(one, TaskFingerprint([2; 32]), 0),
            SpanId::of_attempt(task, &key(1, 1)),
            SpanId::of_attempt(task, &key(2, 1)),
            SpanId::of_attempt(task, &key(1, 2)),
        ];
        assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), all.len());
        assert_eq!(TraceId::of_job(one).0[15], 1);
    }

    #[test]
    fn a_context_is_read_as_it_is_written_and_nothing_else_is() {
        let context = TraceContext { trace: TraceId([10; 16]), span: SpanId([255; 8]) };
        assert_eq!(context.to_string().parse(), Ok(context));
        let (trace, span) = ("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7");
        for text in [
            String::new(),
            format!("01-{trace}-{span}-01"),
            format!("00-{trace}-{span}"),
            format!("00-{trace}-{span}-01-x"),
            format!("00-{}-{span}-01", trace.to_uppercase()),
            format!("00-{trace}-{}-01", "0".repeat(16)),
            format!("00-{}-{span}-01", "0".repeat(32)),
            format!("00-{trace}-{span}é-01"),
            format!("00-{trace}-{span}-0"),
        ] {
            assert_eq!(text.parse::<TraceContext>(), Err(TraceContextError), "{text}");
        }
    }
}
