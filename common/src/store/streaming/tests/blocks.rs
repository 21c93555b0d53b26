//! Azure's blocks belong to a blob and to no upload: a small stub of block blobs, and two writers.

use axum::body::to_bytes;

use super::*;

/// A blob: what is committed, and the blocks that are not.
#[derive(Debug, Default)]
struct Blob {
    committed: Option<Bytes>,
    blocks: BTreeMap<String, Bytes>,
}

type Blobs = Arc<Mutex<BTreeMap<String, Blob>>>;

fn refused(status: u16, code: &str) -> Response {
    let body = format!("<Error><Code>{code}</Code><Message>why</Message></Error>");
    Response::builder().status(status).body(Body::from(body)).unwrap()
}

fn put_block(blob: &mut Blob, id: &str, body: Bytes) -> Response {
    if blob.blocks.keys().any(|other| other.len() != id.len()) {
        return refused(400, "InvalidBlobOrBlock");
    }
    blob.blocks.insert(id.to_owned(), body);
    Response::builder().status(201).body(Body::empty()).unwrap()
}

fn put_block_list(blob: &mut Blob, list: &str, is_conditional: bool) -> Response {
    if is_conditional && blob.committed.is_some() {
        return refused(409, "BlobAlreadyExists");
    }
    let ids = list.split('<').filter_map(|element| {
        let (name, id) = element.split_once('>')?;
        ["Uncommitted", "Latest"].contains(&name).then_some(id)
    });
    let blocks: Option<Vec<Bytes>> = ids.map(|id| blob.blocks.get(id).cloned()).collect();
    let Some(blocks) = blocks else { return refused(400, "InvalidBlockList") };
    blob.committed = Some(blocks.concat().into());
    // What is not in the list is thrown away.
    blob.blocks.clear();
    Response::builder().status(201).header("etag", "\"e\"").body(Body::empty()).unwrap()
}

async fn blob_store() -> (StreamingStore, Blobs) {
    let blobs = Blobs::default();
    let kept = Arc::clone(&blobs);
    let answer = move |request: Request| {
        let blobs = Arc::clone(&kept);
        async move {
            let (parts, body) = request.into_parts();
            let query = parts.uri.query().unwrap_or_default().to_owned();
            let asked = |name: &str| {
                let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
                pairs.find(|(key, _)| *key == name).map_or("", |(_, value)| value)
            };
            let body = to_bytes(body, usize::MAX).await.unwrap();
            let mut blobs = blobs.lock().unwrap();
            let blob = blobs.entry(parts.uri.path().to_owned()).or_default();
            match asked("comp") {
                "block" => {
                    let id = percent_encoding::percent_decode_str(asked("blockid"));
                    put_block(blob, &id.decode_utf8().unwrap(), body)
                }
                "blocklist" => {
                    let is_conditional = parts.headers.contains_key(IF_NONE_MATCH);
                    put_block_list(blob, std::str::from_utf8(&body).unwrap(), is_conditional)
                }
                _ => refused(501, "NotImplemented"),
            }
        }
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let router = Router::new().fallback(any(answer));
    tokio::spawn(async move { axum::serve(listener, router).await });
    (stores(&endpoint).remove("azure").unwrap(), blobs)
}

/// A part whose bytes tell its writer.
fn part(writer: u8) -> Flow {
    let bytes = Bytes::from(vec![writer; 1_000]);
    Flow { length: 1_000, pieces: futures::stream::iter([Ok(bytes)]).boxed() }
}

fn committed(blobs: &Blobs) -> Option<Bytes> {
    blobs.lock().unwrap().values().find_map(|blob| blob.committed.clone())
}

#[tokio::test]
async fn two_writers_of_a_blob_never_mix_and_the_second_one_is_told() {
    let (store, blobs) = blob_store().await;
    let path = Path::from("t/a.parquet");
    let mut uploads = Vec::new();
    for writer in [1, 2] {
        let upload = store.create(&path).await.unwrap();
        uploads.push((writer, upload, Vec::new()));
    }
    for number in 0..2 {
        for (writer, upload, parts) in &mut uploads {
            parts.push(store.put_part(upload, number, part(*writer)).await.unwrap().0);
        }
    }
    let (_, first, first_parts) = uploads.remove(0);
    let (_, second, second_parts) = uploads.remove(0);
    store.complete(&first, first_parts).await.unwrap();
    assert_eq!(committed(&blobs), Some(vec![1; 2_000].into()), "blocks of both are mixed");
    let error = store.complete(&second, second_parts.clone()).await.unwrap_err();
    assert_eq!(error.kind, StoreErrorKind::AlreadyExists, "{error}");
    // Where the blob is gone meanwhile, so are the blocks: the object is copied again.
    blobs.lock().unwrap().values_mut().for_each(|blob| blob.committed = None);
    let error = store.complete(&second, second_parts).await.unwrap_err();
    assert_eq!(error.kind, StoreErrorKind::UploadLost, "{error}");
    assert!(error.message.contains("the upload is gone"), "{error}");
    assert_eq!(committed(&blobs), None);
}

#[tokio::test]
async fn blocks_that_another_tool_left_are_named_and_left_alone() {
    let (store, blobs) = blob_store().await;
    let path = Path::from("t/a.parquet");
    let upload = store.create(&path).await.unwrap();
    store.put_part(&upload, 0, part(1)).await.unwrap();
    for blob in blobs.lock().unwrap().values_mut() {
        blob.blocks = BTreeMap::from([("short".to_owned(), Bytes::new())]);
    }
    let error = store.put_part(&upload, 0, part(1)).await.unwrap_err();
    assert_eq!(error.kind, StoreErrorKind::Denied, "{error}");
    for part in ["blocks", "within a week", "InvalidBlobOrBlock"] {
        assert!(error.message.contains(part), "no {part:?} in {error}");
    }
    assert_eq!(blobs.lock().unwrap().values().next().unwrap().blocks.len(), 1);
}
