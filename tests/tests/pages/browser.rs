//! The pages in a browser: nothing sticks out, everything is labelled, and the colours differ
//! enough. `DEEPCLONE_PICTURES` names a folder that keeps the pictures.

use std::path::{Path, PathBuf};

use deepclone_tests::environment::environment;
use tokio::process::Command;

use crate::fake::FakeData;
use crate::money;
use crate::samples::{fleet, fleet_of, many};
use crate::site::Site;
use crate::work::{self, job_id};

#[tokio::test]
async fn each_page_is_readable_by_day_by_night_and_on_a_phone() {
    let own = tempfile::tempdir().unwrap();
    let folder = std::env::var_os("DEEPCLONE_PICTURES").map(PathBuf::from);
    let folder = folder.unwrap_or_else(|| own.path().to_owned());
    let (jobs, workers, costs) = (work::jobs(), work::workers(), money::costs());
    let data = FakeData { jobs, workers, costs, ..FakeData::good(fleet()) };
    let (site, large) = (Site::showing(data).await, Site::of(many(1_000)).await);
    let job = |number| format!("jobs/{}", job_id(number));
    let empty = Site::of(fleet_of(Vec::new())).await;
    let pages = [
        (&site, String::new(), "first"),
        (&site, "?group=shop".into(), "group"),
        (&site, "replications/orders-dr".into(), "replication"),
        (&site, "replications/experiments".into(), "names"),
        (&site, "replications/archive".into(), "archive"),
        (&site, "replications/none".into(), "absent"),
        (&site, "jobs".into(), "jobs"),
        (&site, job(work::COPYING), "job"),
        (&site, job(work::FAILED), "failed"),
        (&site, job(work::SUCCEEDED), "succeeded"),
        (&site, "money".into(), "money"),
        (&site, "workers".into(), "workers"),
        (&large, "?page=2".into(), "many"),
        (&empty, String::new(), "empty"),
        (&empty, "jobs".into(), "no-jobs"),
        (&empty, "money".into(), "no-money"),
        (&empty, "workers".into(), "no-workers"),
    ];
    let tools = &environment().tools;
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("env/pages.py");
    let mut command = Command::new(&tools.python);
    command.arg(script).arg(&tools.chromium).arg(&folder);
    for (site, path, name) in pages {
        command.arg(format!("http://{}/{path}={name}", site.address));
    }
    let output = command.output().await.unwrap();
    let told = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{}{}", told(&output.stdout), told(&output.stderr));
    assert!(folder.join("first-dark.png").exists());
}
