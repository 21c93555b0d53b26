//! The one table call → what it needs. A call that is not in it is refused to everybody.

use std::sync::LazyLock;

use deepclone_core::access::Permission::{self, Operate, Submit, View, Work};

/// What a call needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallNeed {
    /// Nothing: anybody may ask whether the coordinator serves.
    Nothing,
    /// Somebody who is known, whatever the role.
    Known,
    /// A role that may do this.
    Permission(Permission),
}

/// Service, call, what it needs.
const CALLS: &[(&str, &str, Permission)] = &[
    ("JobService", "CreateJob", Submit),
    ("JobService", "GetJob", View),
    ("JobService", "ListJobs", View),
    ("JobService", "WatchJob", View),
    ("JobService", "UpdateJob", Submit),
    ("JobService", "CancelJob", Submit),
    ("JobService", "PlanClone", Submit),
    ("ReplicationService", "ApplyReplications", Operate),
    ("ReplicationService", "GetReplication", View),
    ("ReplicationService", "ListReplications", View),
    ("ReplicationService", "PauseReplication", Operate),
    ("ReplicationService", "ResumeReplication", Operate),
    ("ReplicationService", "RunReplication", Submit),
    ("ReplicationService", "ApproveTables", Operate),
    ("ReplicationService", "RetireReplication", Operate),
    ("ReplicaService", "VerifyReplica", Submit),
    ("ReplicaService", "DescribeReplica", Submit),
    ("ReplicaService", "ProveDeletion", Submit),
    ("ReplicaService", "ReadHistory", Submit),
    ("ReplicaService", "VacuumReplica", Operate),
    ("CostService", "GetCost", View),
    ("AuditService", "ListAuditEvents", Operate),
    ("WorkerService", "GetWorker", View),
    ("WorkerService", "ListWorkers", View),
    ("WorkerService", "DrainWorker", Operate),
    ("DispatchService", "RegisterWorker", Work),
    ("DispatchService", "AcquireTasks", Work),
    ("DispatchService", "ReportTasks", Work),
    ("DispatchService", "SendHeartbeat", Work),
    ("DispatchService", "DeregisterWorker", Work),
];

const OURS: &str = "deepclone.v1.";
const HEALTH: &str = "grpc.health.v1.Health";
const REFLECTION: [&str; 2] =
    ["grpc.reflection.v1.ServerReflection", "grpc.reflection.v1alpha.ServerReflection"];

/// Calls that a role for changes is needed for, and that change nothing; and calls of workers that
/// do change something that operators see.
const ONLY_ASK: [&str; 5] =
    ["PlanClone", "DescribeReplica", "ProveDeletion", "ReadHistory", "ListAuditEvents"];
const COME_AND_GO: [&str; 2] = ["RegisterWorker", "DeregisterWorker"];

/// Returns whether the call with this HTTP path changes something that is put on record.
#[must_use]
pub fn is_change(path: &str) -> bool {
    let call = path.rsplit('/').next().unwrap_or_default();
    match needed(path) {
        Some(CallNeed::Permission(Submit | Operate)) => !ONLY_ASK.contains(&call),
        Some(CallNeed::Permission(Work)) => COME_AND_GO.contains(&call),
        _ => false,
    }
}

/// Returns the name of the call with this HTTP path, as `JobService/CreateJob`.
#[must_use]
pub fn short_name(path: &str) -> &str {
    let path = path.strip_prefix('/').unwrap_or(path);
    path.strip_prefix(OURS).unwrap_or(path)
}

/// Returns the name of a call as [`short_name`] does, if there is such a call; else
/// [`OTHER_CALLS`]. Anybody may send any path, and metrics have a series for each name.
#[must_use]
pub fn known_name(path: &str) -> &'static str {
    let name = short_name(path);
    known_names().find(|known| *known == name).unwrap_or(OTHER_CALLS)
}

/// Returns the name of every call of our API, and one for all others.
pub fn known_names() -> impl Iterator<Item = &'static str> {
    NAMES.iter().map(String::as_str).chain([OTHER_CALLS])
}

/// The name of all calls that are none of our API: health, reflection, and those that there are
/// not.
pub const OTHER_CALLS: &str = "other";

static NAMES: LazyLock<Vec<String>> =
    LazyLock::new(|| CALLS.iter().map(|(service, call, _)| format!("{service}/{call}")).collect());

/// Returns what the call with this HTTP path needs; `None` for one that there is not.
#[must_use]
pub fn needed(path: &str) -> Option<CallNeed> {
    let (service, call) = path.strip_prefix('/')?.split_once('/')?;
    if let Some(service) = service.strip_prefix(OURS) {
        let found = CALLS.iter().find(|(of, name, _)| *of == service && *name == call);
        return found.map(|(_, _, permission)| CallNeed::Permission(*permission));
    }
    match service {
        HEALTH => Some(CallNeed::Nothing),
        service if REFLECTION.contains(&service) => Some(CallNeed::Known),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use deepclone_proto::FILE_DESCRIPTOR_SET;
    use prost::Message as _;
    use prost_types::FileDescriptorSet;

    use super::*;

    #[test]
    fn each_call_of_the_api_stands_in_the_table_and_no_other() {
        let files = FileDescriptorSet::decode(FILE_DESCRIPTOR_SET).unwrap().file;
        let files = files.iter().filter(|file| file.package() == "deepclone.v1");
        let services = files.flat_map(|file| &file.service);
        let declared: BTreeSet<_> = services
            .flat_map(|service| service.method.iter().map(|call| (service.name(), call.name())))
            .collect();
        let listed: BTreeSet<_> =
            CALLS.iter().map(|(service, call, _)| (*service, *call)).collect();
        assert_eq!(listed, declared);
        assert_eq!(CALLS.len(), listed.len(), "one stands there twice");
        for (service, call, permission) in CALLS {
            let path = format!("/deepclone.v1.{service}/{call}");
            assert_eq!(needed(&path), Some(CallNeed::Permission(*permission)));
            assert_eq!(known_name(&path), format!("{service}/{call}"));
        }
        assert_eq!(known_names().count(), CALLS.len() + 1);
        for path in ["/deepclone.v1.JobService/DropJob", "/grpc.health.v1.Health/Check", "/x", ""] {
            assert_eq!(known_name(path), OTHER_CALLS, "{path}");
        }
    }

    #[test]
    fn changes_are_put_on_record_and_questions_are_not() {
        for (call, expected) in [
            ("JobService/CreateJob", true),
            ("JobService/CancelJob", true),
            ("JobService/GetJob", false),
            ("JobService/PlanClone", false),
            ("ReplicationService/ApplyReplications", true),
            ("ReplicaService/VerifyReplica", true),
            ("ReplicaService/DescribeReplica", false),
            ("ReplicaService/ReadHistory", false),
            ("ReplicaService/VacuumReplica", true),
            ("WorkerService/DrainWorker", true),
            ("AuditService/ListAuditEvents", false),
            ("DispatchService/RegisterWorker", true),
            ("DispatchService/DeregisterWorker", true),
            ("DispatchService/SendHeartbeat", false),
            ("DispatchService/ReportTasks", false),
            ("JobService/Nothing", false),
        ] {
            let path = format!("/deepclone.v1.{call}");
            assert_eq!((is_change(&path), short_name(&path)), (expected, call));
        }
        assert_eq!(short_name("/grpc.health.v1.Health/Check"), "grpc.health.v1.Health/Check");
    }

    #[test]
    fn health_is_for_all_and_what_is_unknown_for_nobody() {
        for (path, need) in [
            ("/grpc.health.v1.Health/Check", Some(CallNeed::Nothing)),
            ("/grpc.health.v1.Health/Watch", Some(CallNeed::Nothing)),
            ("/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", Some(CallNeed::Known)),
            ("/grpc.reflection.v1alpha.ServerReflection/X", Some(CallNeed::Known)),
            ("/deepclone.v1.JobService/DeleteJob", None),
            ("/deepclone.v1.JobService/", None),
            ("/deepclone.v1.JobService", None),
            ("deepclone.v1.JobService/GetJob", None),
            ("/deepclone.v1.jobservice/GetJob", None),
            ("/deepclone.v1.JobService/GetJob/", None),
            ("/other.JobService/GetJob", None),
            ("/", None),
            ("", None),
        ] {
            assert_eq!(needed(path), need, "{path}");
        }
    }
}
