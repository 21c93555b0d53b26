//! How far a job is, in numbers.

use crate::receipt::{AttemptCounts, ProofCounts, Receipt};

/// How far a job is, and what it took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Tasks of the plan.
    pub tasks_total: u64,
    /// Tasks that are done, also those that an earlier plan of the job had.
    pub tasks_done: u64,
    /// Objects of the plan.
    pub objects_total: u64,
    /// Objects of the tasks that are done.
    pub objects_done: u64,
    /// Bytes of the plan.
    pub bytes_total: u64,
    /// Bytes of the tasks that are done.
    pub bytes_done: u64,
    /// Bytes that workers report as moved of tasks that are not done.
    pub bytes_moving: u64,
    /// Workers that hold a task of it now.
    pub workers: u32,
    /// Workers that finished a task of it, since the coordinator started.
    pub workers_used: u32,
    /// Grants of its tasks, since the coordinator started.
    pub attempts: u64,
    /// Objects that this job wrote, in any attempt, by the receipts.
    pub objects_copied: u64,
    /// Objects that the target had before this job, by the receipts.
    pub objects_skipped: u64,
    /// Bytes read from the source, as workers reported.
    pub bytes_read: u64,
    /// Bytes that workers may have read besides, of grants that ended without a report.
    pub bytes_unreported: u64,
    /// Bytes written to the target, as workers reported.
    pub bytes_written: u64,
    /// Requests to both stores, as workers reported.
    pub requests: u64,
    /// Those of the requests that went to the source.
    pub source_requests: u64,
    /// Those of the requests that read or described objects at the target.
    pub target_reads: u64,
    /// Objects that the store copied by itself, by the receipts.
    pub objects_copied_by_store: u64,
    /// Objects by what proves them, by the receipts.
    pub proofs: ProofCounts,
}

impl Progress {
    /// Adds the figures of a receipt.
    pub fn count(&mut self, receipt: &Receipt) {
        let existed = receipt.objects.iter().filter(|object| object.existed).count() as u64;
        let skipped = existed.saturating_sub(u64::from(receipt.objects_written_before));
        receipt.objects.iter().for_each(|object| self.proofs.count(object.proof));
        self.objects_skipped += skipped;
        self.objects_copied += (receipt.objects.len() as u64).saturating_sub(skipped);
        self.objects_copied_by_store += u64::from(receipt.objects_copied_by_store);
        self.count_attempt(&receipt.spent());
    }

    /// Adds what an attempt took, also one that made nothing.
    pub fn count_attempt(&mut self, spent: &AttemptCounts) {
        self.bytes_read = self.bytes_read.saturating_add(spent.bytes_read);
        self.bytes_written = self.bytes_written.saturating_add(spent.bytes_written);
        self.requests = self.requests.saturating_add(u64::from(spent.requests));
        let source_requests = u64::from(spent.source_requests);
        self.source_requests = self.source_requests.saturating_add(source_requests);
        self.target_reads = self.target_reads.saturating_add(u64::from(spent.target_reads));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::receipt::{ObjectReceipt, Proof};

    fn object(existed: bool, proof: Proof) -> ObjectReceipt {
        let (source_etag, target_etag) = Default::default();
        ObjectReceipt { size: 1, crc64nvme: 0, source_etag, target_etag, existed, proof }
    }

    #[test]
    fn objects_are_counted_by_what_proves_them() {
        use Proof::{Earlier, Length, ReadBack, StoredChecksum};
        let proofs =
            [Length, Earlier, StoredChecksum, ReadBack, ReadBack, StoredChecksum, ReadBack];
        let objects = proofs.map(|proof| object(false, proof)).to_vec();
        let mut progress = Progress::default();
        progress.count(&Receipt { objects, ..Receipt::default() });
        let expected = ProofCounts { length: 1, earlier: 1, stored_checksum: 2, read_back: 3 };
        assert_eq!(progress.proofs, expected);
    }

    #[test]
    fn objects_that_the_store_copied_by_itself_are_added_up() {
        let mut progress = Progress::default();
        for objects_copied_by_store in [2, 3] {
            progress.count(&Receipt { objects_copied_by_store, ..Receipt::default() });
        }
        assert_eq!(progress.objects_copied_by_store, 5);
    }

    #[test]
    fn what_an_earlier_attempt_wrote_counts_as_copied() {
        let object = |existed| object(existed, Proof::Length);
        for (objects_written_before, expected) in
            [(0, (2, 3)), (1, (3, 2)), (3, (5, 0)), (9, (5, 0))]
        {
            let objects = [false, true, true, false, true].map(object).to_vec();
            let mut progress = Progress::default();
            progress.count(&Receipt { objects, objects_written_before, ..Receipt::default() });
            let found = (progress.objects_copied, progress.objects_skipped);
            assert_eq!(found, expected, "{objects_written_before}");
        }
    }
}
