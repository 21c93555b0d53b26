//! Refuses what no worker may do, whoever asks: to read or write through a connection without the
//! role for it, to leave the table's folder, to write into a log (I2, I10).
//!
//! The coordinator asks for none of these. The worker holds the credentials, so it checks for
//! itself.

use deepclone_common::connections::Offer;
use deepclone_core::receipt::{AttemptCounts, TaskFailure, TaskFailureKind};
use deepclone_core::task::{TaskSide, TaskSpec};

/// Folders of a table to which only coordinators write objects.
const COORDINATORS_OWN: [&str; 2] = ["_delta_log", "_deepclone"];

/// Checks what a task asks for.
///
/// # Errors
/// The first thing that a worker must not do, as the failure to report.
pub(crate) fn check(spec: &TaskSpec, offers: &[Offer]) -> Result<(), TaskFailure> {
    let refused = |kind| {
        move |message| {
            let spent = AttemptCounts::default();
            TaskFailure { index: None, kind, message, spent }
        }
    };
    check_source(spec, offers).map_err(refused(TaskFailureKind::SourceDenied))?;
    check_target(spec, offers).map_err(refused(TaskFailureKind::TargetDenied))
}

fn check_source(spec: &TaskSpec, offers: &[Offer]) -> Result<(), String> {
    let side = &spec.source;
    if !has_role(side, offers, |offer| offer.can_read) {
        return Err(no_role(side, "source"));
    }
    match spec.work.objects().iter().find(|object| leaves_the_table(&object.source_path)) {
        Some(object) => Err(format!("the source key {:?} leaves the table", object.source_path)),
        None => Ok(()),
    }
}

fn check_target(spec: &TaskSpec, offers: &[Offer]) -> Result<(), String> {
    let side = &spec.target;
    if !has_role(side, offers, |offer| offer.can_write) {
        return Err(no_role(side, "target"));
    }
    if side.root.split('/').any(is_coordinators_own) {
        return Err(format!("the target folder {:?} is a log's: a worker writes none", side.root));
    }
    for object in spec.work.objects() {
        let key = &object.target_path;
        if leaves_the_table(key) {
            return Err(format!("the target key {key:?} leaves the table"));
        }
        if key.split('/').next().is_some_and(is_coordinators_own) {
            return Err(format!("the target key {key:?} is the coordinator's to write"));
        }
    }
    Ok(())
}

/// True for an unknown connection, too: opening it gives the better error.
fn has_role(side: &TaskSide, offers: &[Offer], role: impl Fn(&Offer) -> bool) -> bool {
    offers.iter().find(|offer| offer.name == side.connection).is_none_or(role)
}

fn no_role(side: &TaskSide, role: &str) -> String {
    let name = &side.connection;
    format!("the connection {name} has no role {role} on this worker: add it to its roles")
}

fn leaves_the_table(key: &str) -> bool {
    key.is_empty() || key.starts_with('/') || key.split('/').any(|part| part == "..")
}

/// Ignores case: on a file system that folds it, `_Delta_Log` is the log.
fn is_coordinators_own(segment: &str) -> bool {
    COORDINATORS_OWN.iter().any(|own| own.eq_ignore_ascii_case(segment))
}

#[cfg(test)]
mod tests {
    use deepclone_core::evidence::Prior;
    use deepclone_core::spec::Verification;
    use deepclone_core::task::{ObjectCopy, TaskWork};

    use super::*;

    fn spec(source_path: &str, target_root: &str, target_path: &str) -> TaskSpec {
        let side = |connection: &str, root: &str| TaskSide {
            connection: connection.to_owned(),
            fingerprint: [0; 32],
            root: root.to_owned(),
        };
        let object = |source_path: &str, target_path: &str| ObjectCopy {
            source_path: source_path.to_owned(),
            target_path: target_path.to_owned(),
            size: 1,
            size_is_minimum: false,
            prior: Prior::Absent,
        };
        TaskSpec {
            source: side("from", "a"),
            target: side("to", target_root),
            verification: Verification::Digest,
            work: TaskWork::Objects(vec![
                object("first", "first"),
                object(source_path, target_path),
            ]),
        }
    }

    fn offers(can_read: bool, can_write: bool) -> Vec<Offer> {
        let offer = |name: &str, can_read, can_write| Offer {
            name: name.to_owned(),
            fingerprint: [0; 32],
            can_read,
            can_write,
        };
        vec![offer("from", can_read, !can_read), offer("to", !can_write, can_write)]
    }

    #[test]
    fn roles_are_held_on_both_sides() {
        use TaskFailureKind::{SourceDenied, TargetDenied};
        for (can_read, can_write, expected) in [
            (true, true, None),
            (false, true, Some((SourceDenied, "from has no role source"))),
            (true, false, Some((TargetDenied, "to has no role target"))),
        ] {
            let found = check(&spec("k", "b", "k"), &offers(can_read, can_write)).err();
            assert_eq!(found.as_ref().map(|failure| failure.kind), expected.map(|(kind, _)| kind));
            if let (Some(failure), Some((_, part))) = (found, expected) {
                assert!(failure.message.contains(part), "{failure:?}");
            }
        }
    }

    #[test]
    fn no_key_leaves_the_table_and_none_is_written_into_a_log() {
        use TaskFailureKind::{SourceDenied, TargetDenied};
        for (source, root, target, expected) in [
            ("part=1/a", "b", "part=1/a", None),
            ("_delta_log/0.json", "b", "deletion_vector.bin", None),
            ("a..b/..c", "", "a..b/..c", None),
            ("a", "b", "x/_delta_log/a", None),
            ("a", "b", "_delta_logs/a", None),
            ("../a", "b", "a", Some(SourceDenied)),
            ("/a", "b", "a", Some(SourceDenied)),
            ("", "b", "a", Some(SourceDenied)),
            ("a", "b", "../a", Some(TargetDenied)),
            ("a", "b", "x/../../a", Some(TargetDenied)),
            ("a", "b", "x/..", Some(TargetDenied)),
            ("a", "b", "/etc/passwd", Some(TargetDenied)),
            ("a", "b", "", Some(TargetDenied)),
            ("a", "b", "_delta_log/00000000000000000001.json", Some(TargetDenied)),
            ("a", "b", "_Delta_Log/x", Some(TargetDenied)),
            ("a", "b", "_deepclone/replica.json", Some(TargetDenied)),
            ("a", "b", "_deepclone", Some(TargetDenied)),
            ("a", "b/_delta_log", "x.json", Some(TargetDenied)),
            ("a", "_deepclone/ledger", "x", Some(TargetDenied)),
        ] {
            let found = check(&spec(source, root, target), &offers(true, true));
            let kind = found.err().map(|failure| failure.kind);
            assert_eq!(kind, expected, "{source:?} to {target:?} in {root:?}");
        }
    }
}
