//! Publishes the log of a replica whose objects are not copied, for benches of planning:
//! `replica-log SOURCE TARGET`, both folders.
#![expect(clippy::print_stdout, reason = "it is a program for scripts")]

use std::error::Error;
use std::path::Path as Folder;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use deepclone_common::store::table::TableStore;
use deepclone_core::ids::JobId;
use deepclone_core::job_limits::JobLimits;
use deepclone_core::spec::{
    CloneSpec, DivergencePolicy, Mode, SourcePoint, SourceReplacedPolicy, TableRef,
};
use deepclone_delta::sync::{self, Planned, PublishResult, Within};
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use sha2::{Digest as _, Sha256};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut folders = std::env::args().skip(1);
    let (Some(source), Some(target)) = (folders.next(), folders.next()) else {
        return Err("replica-log SOURCE TARGET".into());
    };
    std::fs::create_dir_all(&target)?;
    let (source, target) = (table(&source)?, table(&target)?);
    let named = |table: &TableStore| TableRef { uri: table.uri.clone(), connection: None };
    let spec = CloneSpec {
        source: named(&source),
        target: named(&target),
        mode: Mode::Clone,
        source_point: SourcePoint::Newest,
        partition_filter: None,
        properties: Default::default(),
        verification: Default::default(),
        divergence_policy: DivergencePolicy::Fail,
        allowed_features: Vec::new(),
        source_replaced_policy: SourceReplacedPolicy::Fail,
        repair: Default::default(),
        limits: JobLimits::default(),
    };
    let now_ms = i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis())?;
    let job = job(&target.uri, now_ms);
    let Planned::Work(work) = sync::plan(&source, &target, &Within::default(), &spec, job).await?
    else {
        println!("nothing to do");
        return Ok(());
    };
    let PublishResult::Published(committed) = sync::publish(&target, &work, now_ms).await? else {
        return Err("somebody else writes to the target".into());
    };
    sync::finish(&target, &committed, Some(&work)).await?;
    println!("version {} with {} objects", committed.record.version, work.objects().len());
    Ok(())
}

fn table(folder: &str) -> Result<TableStore, Box<dyn Error>> {
    let folder = Folder::new(folder).canonicalize()?;
    let uri = format!("file://{}", folder.display());
    let root = Path::from_absolute_path(&folder)?;
    Ok(TableStore { store: Arc::new(LocalFileSystem::new()), root, uri, large: None })
}

/// An id that no other sync of this target has.
fn job(target: &str, now_ms: i64) -> JobId {
    let digest = Sha256::new().chain_update(target).chain_update(now_ms.to_be_bytes()).finalize();
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest[..16]);
    JobId(uuid::Uuid::from_bytes(bytes))
}
