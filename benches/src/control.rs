//! Answers the requests of the bench, which reach the objects without link, counts and faults.
//!
//! | request | what it does |
//! | --- | --- |
//! | `POST /-/link` with a [`Setting`] | sets the link for new connections, and counts from zero |
//! | `GET /-/counts` | requests and bytes by kind, and how many faults there were |
//! | `POST /-/fill` with a [`Filling`] | writes objects of random bytes |
//! | `GET /-/sizes?bucket=B`, `GET /-/digests?bucket=B` | length or SHA-256 of each object |
//! | any other | as a client's |

use std::collections::BTreeMap;
use std::time::Duration;

use http::{Method, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::content::Content;
use crate::faults::{FaultRates, LinkFaults};
use crate::objects::{Condition, StoredObject};
use crate::refused::Refused;
use crate::request::Call;
use crate::s3::{self, StoreReply};
use crate::shared::{BenchStore, lock};

/// The bucket of which no client knows.
const BUCKET: &str = "-";

/// How clients reach the objects.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Setting {
    round_trip_ms: u64,
    faults: FaultRates,
    /// Say the CRC-64/NVME of an object to who asks for it.
    checksums: bool,
}

/// Objects to be made.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Filling {
    bucket: String,
    /// The length of each object by its key.
    sizes: BTreeMap<String, u64>,
}

/// Answers a request, whose body is `content`. It may take seconds.
pub(crate) fn answer(store: &BenchStore, call: &Call, content: Content) -> StoreReply {
    if call.bucket != BUCKET {
        return s3::answer(&store.objects, call, content);
    }
    let bucket = call.query("bucket").unwrap_or_default();
    let done = match (&call.method, call.key.as_str()) {
        (&Method::POST, "link") => parse(content).map(|setting| set(store, &setting)),
        (&Method::GET, "counts") => Ok(counts(store)),
        (&Method::POST, "fill") => parse(content).and_then(|filling| fill(store, filling)),
        (&Method::GET, "sizes") => each(store, bucket, |object| object.content.length().into()),
        (&Method::GET, "digests") => each(store, bucket, |object| object.content.sha256().into()),
        _ => Err(StoreReply::from(Refused::NotImplemented)),
    };
    done.map_or_else(|reply| reply, |value| StoreReply::text(value.to_string()))
}

fn parse<T: for<'de> Deserialize<'de>>(content: Content) -> Result<T, StoreReply> {
    let bytes: Vec<u8> = content.into_pieces().flatten().collect();
    serde_json::from_slice(&bytes).map_err(|error| StoreReply {
        status: StatusCode::BAD_REQUEST,
        ..StoreReply::text(error.to_string())
    })
}

fn set(store: &BenchStore, setting: &Setting) -> Value {
    *lock(&store.round_trip) = Duration::from_millis(setting.round_trip_ms);
    *lock(&store.faults) = LinkFaults::new(setting.faults);
    lock(&store.objects).says_crc64nvme = setting.checksums;
    store.tallies.reset();
    Value::Null
}

fn counts(store: &BenchStore) -> Value {
    let kinds = store.tallies.all();
    let kinds: BTreeMap<_, _> = kinds.iter().map(|(kind, tally)| (kind, &**tally)).collect();
    json!({ "kinds": kinds, "faults": &*lock(&store.faults) })
}

fn fill(store: &BenchStore, filling: Filling) -> Result<Value, StoreReply> {
    for (seed, (key, length)) in (0..).zip(filling.sizes) {
        let content = Content::random(length, seed);
        lock(&store.objects).put(&filling.bucket, &key, content, &Condition::Any)?;
    }
    Ok(Value::Null)
}

/// Something of each object of a bucket, by its key.
fn each(
    store: &BenchStore,
    bucket: &str,
    of: impl Fn(&StoredObject) -> Value,
) -> Result<Value, StoreReply> {
    let keys = lock(&store.objects).keys(bucket)?.clone();
    Ok(keys.into_iter().map(|(key, object)| (key, of(&object))).collect())
}
