//! What is kept beside a plan or an end, as a message of `deepclone.state.v1`.

use std::time::Duration;

use deepclone_core::copy_plan::CopyRequests;
use deepclone_core::money::Money;
use deepclone_core::price::Traffic;
use deepclone_core::readiness::retention::SourceRetention;
use deepclone_proto::state::v1 as wire;

use super::{JobSent, PlanNote};
use crate::costs::priced::Priced;

pub(super) fn note_to_wire(note: &PlanNote) -> wire::PlanNote {
    let ms = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    wire::PlanNote {
        commits_kept_ms: note.kept.map(|kept| ms(kept.commits)),
        removed_files_kept_ms: note.kept.map(|kept| ms(kept.removed_files)),
        clone_metrics: note.clone_metrics.clone(),
        notices: note.notices.clone(),
        source_requests: note.requests.source,
        target_requests: note.requests.target,
        logs: Some(traffic_to_wire(note.logs)),
        sent: note.sent.as_ref().map(sent_to_wire),
    }
}

/// Notes of versions that did not count have no counts.
pub(super) fn note_from_wire(note: wire::PlanNote) -> PlanNote {
    let kept = note.commits_kept_ms.zip(note.removed_files_kept_ms);
    let kept = kept.map(|(commits, removed_files)| SourceRetention {
        commits: Duration::from_millis(commits),
        removed_files: Duration::from_millis(removed_files),
    });
    PlanNote {
        kept,
        clone_metrics: note.clone_metrics,
        notices: note.notices,
        requests: CopyRequests { source: note.source_requests, target: note.target_requests },
        logs: note.logs.map(traffic_from_wire).unwrap_or_default(),
        sent: note.sent.map(sent_from_wire),
    }
}

fn sent_to_wire(sent: &JobSent) -> wire::JobSent {
    let traffic = Some(traffic_to_wire(sent.traffic));
    match &sent.cost {
        Priced::Known { money, price_table } => wire::JobSent {
            traffic,
            micros: money.micros,
            currency: money.currency.code().to_owned(),
            price_table: price_table.clone(),
            unknown: String::new(),
        },
        Priced::Unknown(why) => {
            wire::JobSent { traffic, unknown: why.clone(), ..wire::JobSent::default() }
        }
    }
}

fn sent_from_wire(sent: wire::JobSent) -> JobSent {
    let wire::JobSent { traffic, micros, currency, price_table, unknown } = sent;
    let cost = match currency.parse() {
        Ok(currency) => Priced::Known { money: Money { micros, currency }, price_table },
        Err(_) => Priced::Unknown(unknown),
    };
    JobSent { traffic: traffic.map(traffic_from_wire).unwrap_or_default(), cost }
}

fn traffic_to_wire(traffic: Traffic) -> wire::Traffic {
    let Traffic { bytes, source_reads, source_lists, target_reads, target_lists, target_writes } =
        traffic;
    wire::Traffic { bytes, source_reads, source_lists, target_reads, target_lists, target_writes }
}

fn traffic_from_wire(traffic: wire::Traffic) -> Traffic {
    let wire::Traffic {
        bytes,
        source_reads,
        source_lists,
        target_reads,
        target_lists,
        target_writes,
    } = traffic;
    Traffic { bytes, source_reads, source_lists, target_reads, target_lists, target_writes }
}
