//! The gRPC services of a whole coordinator in memory, called with raw bytes: the first byte
//! chooses the method. The coordinator keeps what it takes, so a crash may need the calls before
//! it, too.
#![no_main]

use std::cell::RefCell;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf, BufMut, Bytes};
use deepclone_common::config::Config;
use deepclone_common::connections::Connections;
use deepclone_coordinator::embedded::Embedded;
use deepclone_coordinator::state::MemoryStore;
use deepclone_core::limits::Limits;
use deepclone_fuzz::{check_failure, run};
use deepclone_proto::status::from_status;
use http::uri::PathAndQuery;
use tonic::client::Grpc;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::{Request, Status};

const METHODS: [&str; 25] = [
    "DispatchService/RegisterWorker",
    "DispatchService/AcquireTasks",
    "DispatchService/ReportTasks",
    "DispatchService/SendHeartbeat",
    "DispatchService/DeregisterWorker",
    "AuditService/ListAuditEvents",
    "CostService/GetCost",
    "ReplicaService/VerifyReplica",
    "ReplicaService/DescribeReplica",
    "ReplicaService/ProveDeletion",
    "WorkerService/GetWorker",
    "WorkerService/ListWorkers",
    "WorkerService/DrainWorker",
    "ReplicationService/ApplyReplications",
    "ReplicationService/GetReplication",
    "ReplicationService/ListReplications",
    "ReplicationService/PauseReplication",
    "ReplicationService/ResumeReplication",
    "ReplicationService/RunReplication",
    "ReplicationService/ApproveTables",
    "ReplicationService/RetireReplication",
    "JobService/CreateJob",
    "JobService/GetJob",
    "JobService/ListJobs",
    "JobService/UpdateJob",
];
/// After so many calls another coordinator begins, so that no run gets slower and slower.
const CALLS_MAX: u32 = 2_000;
/// A call that waits for work is given up.
const WAIT_MAX: Duration = Duration::from_millis(20);

const CONNECTIONS: &str = r#"
[connections.lake]
url = "file:///nonexistent/lake"
roles = ["source", "target"]
"#;

thread_local! {
    static RUNNING: RefCell<Option<(Embedded, u32)>> = const { RefCell::new(None) };
}

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Some((method, bytes)) = bytes.split_first() else { return };
    let method = METHODS[usize::from(*method) % METHODS.len()];
    let bytes = Bytes::copy_from_slice(bytes);
    run(async {
        let running = RUNNING.take().filter(|(_, calls)| *calls < CALLS_MAX);
        let (embedded, calls) = match running {
            Some(running) => running,
            None => (start().await, 0),
        };
        call(&embedded, method, bytes).await;
        RUNNING.set(Some((embedded, calls + 1)));
    });
});

async fn start() -> Embedded {
    let config = Config::parse(CONNECTIONS).expect("the connections");
    let connections = Arc::new(Connections::from_config(&config).expect("the connections"));
    let store = Arc::new(MemoryStore::default());
    Embedded::start_with(connections, store, Limits::default()).await.expect("a coordinator")
}

async fn call(embedded: &Embedded, method: &str, bytes: Bytes) {
    let mut client = Grpc::new(embedded.channel());
    client.ready().await.expect("the coordinator runs");
    let path = format!("/deepclone.v1.{method}");
    let path = PathAndQuery::try_from(path).expect("a path");
    let answer = client.unary(Request::new(bytes), path, RawBytes);
    let Ok(answer) = tokio::time::timeout(WAIT_MAX, answer).await else { return };
    if let Err(status) = answer {
        assert!(!status.message().contains("panic"), "{method}: {status:?}");
        check_failure(&from_status(&status));
    }
}

/// Bytes as they are.
#[derive(Clone, Copy, Default)]
struct RawBytes;

impl Codec for RawBytes {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for RawBytes {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, item: Bytes, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buffer.put(item);
        Ok(())
    }
}

impl Decoder for RawBytes {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(buffer.copy_to_bytes(buffer.remaining())))
    }
}
