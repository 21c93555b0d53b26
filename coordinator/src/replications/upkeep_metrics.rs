//! The metrics of audits and vacuums.

use super::audit_summary::AuditSummary;
use super::metric_definition::{Definition, float, seconds, some};
use super::view::ReplicationCounts;

pub(super) const OF_UPKEEP: [Definition; 7] = [
    Definition {
        name: "deepclone_replication_audited_timestamp_seconds",
        help: "When the replica that was audited longest ago was; absent while none ever was",
        labels: &["replication", "owner"],
        samples: |of| some(of.audits.oldest.map(seconds)),
    },
    Definition {
        name: "deepclone_replication_audit_tables",
        help: "Its replicas by their newest audit; the sum is all of them, where audits are \
               declared",
        labels: &["replication", "owner", "answer"],
        samples: |of| {
            let AuditSummary { clean, differing, never, .. } = of.audits;
            let counts = [("clean", clean), ("differs", differing), ("never", never)];
            let wanted = of.view.spec.audit.iter().flat_map(|_| counts);
            wanted.map(|(name, tables)| (name, float(tables))).collect()
        },
    },
    Definition {
        name: "deepclone_replication_audit_differences",
        help: "What the newest audits of its replicas found; absent where none are declared",
        labels: &["replication", "owner"],
        samples: |of| some(of.view.spec.audit.as_ref().map(|_| float(of.audits.differences))),
    },
    Definition {
        name: "deepclone_replication_audits_total",
        help: "Its audits since the coordinator started: failed if one could not be made",
        labels: &["replication", "owner", "outcome"],
        samples: |of| {
            let ReplicationCounts { audits_clean, audits_differing, audits_failed, .. } =
                of.view.counts;
            let counts =
                [("clean", audits_clean), ("differs", audits_differing), ("failed", audits_failed)];
            let wanted = of.view.spec.audit.iter().flat_map(|_| counts);
            wanted.map(|(name, count)| (name, float(count))).collect()
        },
    },
    Definition {
        name: "deepclone_replication_use_proven_timestamp_seconds",
        help: "When an independent reader last read what the log says, of the replica where that \
               is longest ago; absent while it never did",
        labels: &["replication", "owner"],
        samples: |of| some(of.audits.oldest_proof.map(seconds)),
    },
    Definition {
        name: "deepclone_replication_use_proof_tables",
        help: "Its replicas by what the independent reader answered last",
        labels: &["replication", "owner", "answer"],
        samples: |of| {
            let AuditSummary { proven, refuted, not_provable, .. } = of.audits;
            let counts = [("proven", proven), ("refuted", refuted), ("not_provable", not_provable)];
            let wanted = of.view.spec.audit.iter().filter(|audit| audit.proof_of_use);
            wanted.flat_map(|_| counts).map(|(name, tables)| (name, float(tables))).collect()
        },
    },
    Definition {
        name: "deepclone_replication_vacuums_total",
        help: "Vacuums of its replicas since the coordinator started: failed if one could not be \
               made",
        labels: &["replication", "owner", "outcome"],
        samples: |of| {
            let ReplicationCounts { vacuums_done, vacuums_failed, .. } = of.view.counts;
            let counts = [("done", vacuums_done), ("failed", vacuums_failed)];
            let wanted = of.view.spec.vacuum.iter().flat_map(|_| counts);
            wanted.map(|(name, count)| (name, float(count))).collect()
        },
    },
];
