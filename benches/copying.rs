//! What carrying bytes costs a worker: their digest, and a read that flows into a write.
//!
//! The store is that of the side-by-side, in the same process, so a flow's time is the store's,
//! too: compare runs of it with each other.

#![expect(clippy::expect_used, reason = "a bench that cannot be prepared has no result")]

use std::hint::black_box;
use std::sync::{Arc, Mutex};

use crc_fast::{CrcAlgorithm, Digest};
use criterion::{BenchmarkId, Criterion, Throughput};
use deepclone_common::store::client::{Completion, TimedConnector};
use deepclone_common::store::signing::Signing;
use deepclone_common::store::streaming::{BodyCut, Flow, Streaming, StreamingStore, UploadId};
use futures::{StreamExt as _, TryStreamExt as _};
use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::path::Path;
use object_store::{ClientOptions, ObjectStoreExt as _, PutPayload};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

const BUCKET: &str = "lake";
const SOURCE: &str = "source";
const OBJECT_BYTES: usize = 32 << 20;
/// What answers come in, near the smallest and near the largest.
const PIECE_BYTES: [usize; 2] = [64 << 10, 256 << 10];

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    bench_digest(&mut criterion);
    bench_flow(&mut criterion);
    criterion.final_summary();
}

fn bench_digest(criterion: &mut Criterion) {
    let object = vec![7; OBJECT_BYTES];
    let mut group = criterion.benchmark_group("digest");
    group.throughput(Throughput::Bytes(OBJECT_BYTES as u64));
    for bytes in PIECE_BYTES {
        let id = BenchmarkId::new("pieces", bytes);
        group.bench_with_input(id, &bytes, |bencher, bytes| {
            bencher.iter(|| {
                let mut digest = Digest::new(CrcAlgorithm::Crc64Nvme);
                for piece in black_box(&object).chunks(*bytes) {
                    digest.update(piece);
                }
                digest.finalize()
            });
        });
    }
    group.finish();
}

fn bench_flow(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime starts");
    let (client, store, upload) = runtime.block_on(prepared());
    let mut group = criterion.benchmark_group("flow");
    group.sample_size(20);
    group.throughput(Throughput::Bytes(OBJECT_BYTES as u64));
    group.bench_function("read_into_write", |bencher| {
        // A part is replaced by the next one: the store does not grow.
        bencher.iter(|| runtime.block_on(copy(&client, &store, &upload)));
    });
    group.finish();
}

/// A client of a store with one object, and an upload into the same bucket.
async fn prepared() -> (Arc<AmazonS3>, StreamingStore, UploadId) {
    let addresses = deepclone_benches::start().await.expect("a free address");
    create_bucket(&addresses.control).await.expect("the store makes a bucket");
    let client = AmazonS3Builder::new()
        .with_endpoint(format!("http://{}", addresses.store))
        .with_bucket_name(BUCKET)
        .with_access_key_id("key")
        .with_secret_access_key("secret")
        .with_unsigned_payload(true)
        .with_client_options(ClientOptions::new().with_allow_http(true))
        .with_http_connector(TimedConnector {
            completion: Completion::S3,
            signing: Signing::Unknown,
        })
        .build()
        .expect("the settings are complete");
    let object = PutPayload::from(vec![7; OBJECT_BYTES]);
    client.put(&Path::from(SOURCE), object).await.expect("the store takes an object");
    let client = Arc::new(client);
    let store = StreamingStore::new(client.clone(), client.clone(), Streaming::Sent);
    let upload = store.create(&Path::from("target")).await.expect("the store opens an upload");
    (client, store, upload)
}

async fn create_bucket(address: &str) -> std::io::Result<()> {
    let mut stream = TcpStream::connect(address).await?;
    let request = format!("PUT /{BUCKET} HTTP/1.1\r\nhost: store\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    stream.read_to_end(&mut Vec::new()).await.map(drop)
}

/// Copies the object as a worker does.
async fn copy(client: &AmazonS3, store: &StreamingStore, upload: &UploadId) -> u64 {
    let answer = client.get(&Path::from(SOURCE)).await.expect("the object is there");
    let digest = Arc::new(Mutex::new(Digest::new(CrcAlgorithm::Crc64Nvme)));
    let digested = Arc::clone(&digest);
    let pieces = answer.into_stream().map_err(|_| BodyCut).inspect_ok(move |piece| {
        digested.lock().expect("nobody fails with it").update(piece);
    });
    let flow = Flow { length: OBJECT_BYTES as u64, pieces: pieces.boxed() };
    store.put_part(upload, 0, flow).await.expect("the store takes a part");
    digest.lock().expect("nobody fails with it").finalize()
}
