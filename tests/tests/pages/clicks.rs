//! What people do with the pages in a browser: they click, type and read, with and without scripts.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use deepclone_coordinator::pages::data::PageAction;
use deepclone_tests::environment::environment;
use tokio::process::Command;
use tokio::sync::watch;

use crate::fake::FakeData;
use crate::samples::{fleet, many};
use crate::site::Site;
use crate::work::{self, COPYING, job_id};

/// Does these steps in Chromium, as `clicks.py` describes them.
async fn clicks(site: &Site, steps: &[&str]) {
    let tools = &environment().tools;
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("env/clicks.py");
    let mut command = Command::new(&tools.python);
    command.arg(script).arg(&tools.chromium);
    for step in steps {
        command.arg(step.replace("SITE", &format!("http://{}", site.address)));
    }
    let output = command.output().await.unwrap();
    let told = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{}{}", told(&output.stdout), told(&output.stderr));
}

#[tokio::test]
async fn people_find_act_and_confirm_without_a_script() {
    let data = FakeData { jobs: work::jobs(), workers: work::workers(), ..FakeData::good(fleet()) };
    let done = Arc::clone(&data.done);
    let site = Site::showing(data).await;
    clicks(
        &site,
        &[
            "scripts=off",
            "open=SITE/",
            "type=#q|orders",
            "click=Search",
            "see=Replications (1 of 9)",
            "click=orders-dr",
            "see=further behind than the limit",
            "click=the last 7 days",
            "see=In the last 7 days",
            "click=Run now",
            "see=further behind than the limit",
            "type=#until|2026-11-26T18:00",
            "click=Pause",
            "see=further behind than the limit",
            "click=Jobs",
            "see=waiting for workers",
            "click=copying",
            "miss=ml/features",
            "click=sales/fact_020",
            "see=172.0 GiB of 420.0 GiB",
            "click=Cancel…",
            "see=Cancel this job?",
            "click=No, go back",
            "click=Cancel…",
            "click=Yes, cancel it",
            "see=172.0 GiB of 420.0 GiB",
            "click=Workers",
            "click=Drain… copy-7f4b-1",
            "click=Yes, drain it",
            "see=Workers (3)",
        ],
    )
    .await;
    let done = done.lock().unwrap().clone();
    let is_all = matches!(
        done[..],
        [
            PageAction::Run(_),
            PageAction::Pause(_, Some(_)),
            PageAction::Cancel(_),
            PageAction::Drain(_)
        ]
    );
    assert!(is_all, "{done:?}");
}

#[tokio::test]
async fn the_figures_of_a_job_follow_it_to_its_end() {
    let sender = watch::Sender::new(Arc::new(work::copying()));
    let jobs = vec![sender.subscribe()];
    let site = Site::showing(FakeData { jobs, ..FakeData::good(fleet()) }).await;
    let moving = async {
        // The page opens its stream.
        while sender.receiver_count() < 2 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let mut job = work::copying();
        job.progress.bytes_done = 182 << 30;
        sender.send_replace(Arc::new(job));
        tokio::time::sleep(Duration::from_secs(4)).await;
        let mut over = work::succeeded();
        over.job = job_id(COPYING);
        sender.send_replace(Arc::new(over));
    };
    let open = format!("open=SITE/jobs/{}", job_id(COPYING));
    let steps = [
        &open,
        "see=Live.",
        "see=184.0 GiB of 420.0 GiB",
        "see=Succeeded: the replica is at the source's version.",
        "see=replica version",
        "miss=Live.",
    ];
    let watched = clicks(&site, &steps);
    futures::future::join(moving, watched).await;
}

#[tokio::test]
async fn the_keyboard_leads_to_the_content_and_its_focus_is_seen() {
    let site = Site::of(many(3)).await;
    let steps = [
        "open=SITE/",
        "key=Tab",
        "focus=Skip to the content",
        "key=Tab",
        "focus=Deepclone",
        "key=Tab",
        "focus=Replications",
        "key=Tab",
        "focus=Jobs",
        "key=Enter",
        "see=None has been asked for",
    ];
    clicks(&site, &steps).await;
}
