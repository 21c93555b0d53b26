//! Real tables of many writers: equal rows by every reader that reads the source, or a refusal.
//!
//! `DEEPCLONE_GOLDEN` names a folder; every folder below it that holds a `_delta_log` is a table.
//! Below a folder whose name ends in `-broken` each table must be refused.

use std::path::{Path, PathBuf};

use crate::place::Place;
use crate::replica;
use crate::sync;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn golden_tables_are_cloned_or_refused_by_name() {
    let Some(root) = std::env::var_os("DEEPCLONE_GOLDEN").map(PathBuf::from) else {
        eprintln!("DEEPCLONE_GOLDEN is not set: there are no golden tables to clone");
        return;
    };
    let tables = tables(&root);
    assert!(!tables.is_empty(), "no table below {}", root.display());
    let mut problems = Vec::new();
    for table in &tables {
        let name = table.strip_prefix(&root).expect("below the root").display().to_string();
        match judge(table, name.contains("-broken/")).await {
            Ok(verdict) => eprintln!("{name}: {verdict}"),
            Err(problem) => problems.push(format!("{name}: {problem}")),
        }
    }
    assert!(
        problems.is_empty(),
        "{} of {}:\n{}",
        problems.len(),
        tables.len(),
        problems.join("\n")
    );
}

/// What became of one table, or what is wrong with that.
async fn judge(table: &Path, broken: bool) -> Result<String, String> {
    let folder = tempfile::tempdir().expect("a scratch folder");
    let (source, target) =
        (Place::Local(table.to_owned()), Place::Local(folder.path().join("replica")));
    let ended = sync::embedded(&source, &target, &[]).await;
    match ended.code {
        0 if broken => Err("cloned, though it is broken".to_owned()),
        0 => {
            let compared =
                tokio::spawn(async move { replica::assert_equal(&source, &target).await }).await;
            match compared {
                Ok(judges) => Ok(format!("equal by {}", judges.join(", "))),
                Err(_) => Err("another table than its source (see above)".to_owned()),
            }
        }
        3 => {
            let message = ended.json["error"]["message"].as_str().unwrap_or_default().to_owned();
            let mut written = target.listing().await;
            if ended.json["error"]["reason"] == "OBJECT_VANISHED" {
                // Known only while copying: objects may lie there, but there is no table.
                written.retain(|key, _| key.starts_with("_delta_log/"));
            }
            match (message.is_empty(), written.is_empty()) {
                (false, true) => Ok(format!("refused: {message}")),
                (true, _) => Err(format!("refused without a cause: {ended:?}")),
                (false, false) => Err(format!("refused ({message}), but wrote {written:?}")),
            }
        }
        _ => Err(format!("{ended:?}")),
    }
}

fn tables(root: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut next = vec![root.to_owned()];
    while let Some(folder) = next.pop() {
        if folder.join("_delta_log").is_dir() {
            found.push(folder);
            continue;
        }
        let entries = std::fs::read_dir(&folder).expect("a readable folder");
        next.extend(entries.map(|entry| entry.expect("an entry").path()).filter(|p| p.is_dir()));
    }
    found.sort();
    found
}
