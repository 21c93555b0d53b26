//! Throws away the uploads of shared objects that were given up: of a job that failed or was
//! cancelled, or that opens its upload again. Best effort: `deepclone doctor` finds the rest.

use deepclone_common::connections::{Resolved, Writes};
use deepclone_core::receipt::SharedUpload;

use super::Context;

/// Throws away uploads of these objects of a target.
pub async fn abort(context: &Context, target: &Resolved, uploads: &[(String, SharedUpload)]) {
    let Resolved { connection, fingerprint, root, .. } = target;
    let opened = match context.connections.open_by(connection, fingerprint, root) {
        Ok(opened) => opened,
        Err(error) => return tracing::warn!(%error, "uploads stay open: see deepclone doctor"),
    };
    let Writes::Store(store) = opened.writes else { return };
    // Azure's uploads have no id, and are dropped after a week.
    for (key, upload) in uploads.iter().filter(|(_, upload)| !upload.id.is_empty()) {
        let Ok(path) = opened.table.key(key) else { continue };
        let upload = store.resume(&path, &upload.id, upload.is_checked);
        if let Err(error) = store.abort(&upload).await {
            tracing::warn!(key, %error, "an upload stays open: see deepclone doctor");
        }
    }
}
