//! The answer of `doctor`: what was found at a target.

use deepclone_common::store::uploads::OpenUpload;
use deepclone_core::failure::Failure;
use serde::Serialize;

use super::{CommandOutput, table, units};

/// What to do about uploads that nobody ends.
const ADVICE: &str = "let the store end them by itself: S3 by a lifecycle rule with \
                      AbortIncompleteMultipartUpload, Google Cloud Storage by one with \
                      AbortIncompleteMultipartUpload, too; Azure does so after a week";

#[derive(Debug, Serialize)]
struct Object<'a> {
    target: &'a str,
    fit: bool,
    notices: Vec<&'a str>,
    open_uploads: Option<Vec<Upload<'a>>>,
    aborted: usize,
}

#[derive(Debug, Serialize)]
struct Upload<'a> {
    key: &'a str,
    id: &'a str,
    begun_time: Option<String>,
    aborted: bool,
}

/// Returns the answer for a target that is fit. `uploads` is `None` where its store lists none.
///
/// # Errors
/// As [`CommandOutput::new`].
pub fn answer(
    target_uri: &str,
    notice: Option<&str>,
    uploads: Option<&[OpenUpload]>,
    aborted: &[String],
) -> Result<CommandOutput, Failure> {
    let mut lines = vec![format!("{target_uri} can hold a replica")];
    lines.extend(notice.map(|notice| format!("note: {notice}")));
    let uploads = uploads.map(|uploads| uploads.iter().map(|one| upload(one, aborted)));
    let uploads: Option<Vec<Upload>> = uploads.map(Iterator::collect);
    match &uploads {
        None => lines.push(format!("its store lists no uploads that were not ended: {ADVICE}")),
        Some(uploads) if uploads.is_empty() => lines.push("no upload was left open".to_owned()),
        Some(uploads) => {
            let rows: Vec<[String; 4]> = uploads.iter().map(row).collect();
            lines.push(table::grid(["KEY", "BEGUN", "ID", "ABORTED"], &rows));
            lines.push(format!("{} uploads were left open: {ADVICE}", uploads.len()));
        }
    }
    let object = Object {
        target: target_uri,
        fit: true,
        notices: notice.into_iter().collect(),
        open_uploads: uploads,
        aborted: aborted.len(),
    };
    CommandOutput::new(lines.join("\n"), &object)
}

fn upload<'a>(upload: &'a OpenUpload, aborted: &[String]) -> Upload<'a> {
    Upload {
        key: upload.path.as_ref(),
        id: &upload.id,
        begun_time: upload.begun_ms.and_then(units::time),
        aborted: aborted.contains(&upload.id),
    }
}

fn row(upload: &Upload<'_>) -> [String; 4] {
    let begun = upload.begun_time.clone().unwrap_or_default();
    let aborted = if upload.aborted { "yes" } else { "no" };
    [upload.key.to_owned(), begun, upload.id.to_owned(), aborted.to_owned()]
}
