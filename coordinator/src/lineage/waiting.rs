//! What waits for its receivers: bounded by number in the queues, and by the bytes of schemas here.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use deepclone_core::limits::LINEAGE_SCHEMA_BYTES_WAITING_MAX;

use super::moment::{LineageMoment, LineageSubject, SyncMoment};

/// A moment that waits for its receivers; its schema counts until it is dropped.
#[derive(Debug)]
pub(super) struct WaitingMoment {
    pub(super) moment: LineageMoment,
    schema_bytes: usize,
    waiting_bytes: Arc<AtomicUsize>,
}

impl WaitingMoment {
    /// Takes a moment, without its schema if those that wait have too many bytes.
    pub(super) fn new(mut moment: LineageMoment, waiting_bytes: &Arc<AtomicUsize>) -> Self {
        let mut schema_bytes = 0;
        if let LineageSubject::Sync(SyncMoment { schema, .. }) = &mut moment.of {
            let bytes = schema.as_ref().map_or(0, String::len);
            let before = waiting_bytes.fetch_add(bytes, Ordering::Relaxed);
            schema_bytes = bytes;
            if before.saturating_add(bytes) > LINEAGE_SCHEMA_BYTES_WAITING_MAX {
                *schema = None;
                waiting_bytes.fetch_sub(bytes, Ordering::Relaxed);
                schema_bytes = 0;
            }
        }
        Self { moment, schema_bytes, waiting_bytes: Arc::clone(waiting_bytes) }
    }
}

impl Drop for WaitingMoment {
    fn drop(&mut self) {
        self.waiting_bytes.fetch_sub(self.schema_bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::completed_with;
    use super::*;

    #[test]
    fn schemas_that_wait_are_bounded_and_the_events_are_not_lost() {
        let waiting = Arc::new(AtomicUsize::new(0));
        let whole = "a".repeat(LINEAGE_SCHEMA_BYTES_WAITING_MAX / 2);
        let take = |schema: &str| WaitingMoment::new(completed_with(schema.to_owned()), &waiting);
        let has_schema = |taken: &WaitingMoment| match &taken.moment.of {
            LineageSubject::Sync(sync) => sync.schema.is_some(),
            LineageSubject::Round(_) => false,
        };
        let (one, two, three) = (take(&whole), take(&whole), take("b"));
        assert_eq!([&one, &two, &three].map(has_schema), [true, true, false]);
        drop(one);
        assert!(has_schema(&take("b")));
        drop((two, three));
        assert_eq!(waiting.load(Ordering::Relaxed), 0);
    }
}
