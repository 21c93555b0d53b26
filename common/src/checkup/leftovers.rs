//! Uploads that nobody ended, and whether the bucket has a rule that ends them.

use super::check::Check;
use crate::connections::Opened;
use crate::store::error::StoreErrorKind;
use crate::store::lifecycle::abort_rule;
use crate::store::streaming::StreamingStore;
use crate::store::table::StoreKind;
use crate::store::uploads::OpenUpload;

const NAME: &str = "rule for leftovers";
const ADVICE: &str = "add a lifecycle rule with AbortIncompleteMultipartUpload, of 7 days: uploads \
                      of killed workers are paid for until they are ended";

/// Uploads below the root that were not ended; `None` where the store lists none.
pub(super) async fn open_uploads(
    opened: &Opened,
    store: &StreamingStore,
) -> Result<Option<Vec<OpenUpload>>, Check> {
    let prefix = match opened.table.root.as_ref() {
        "" => String::new(),
        root => format!("{root}/"),
    };
    match store.open_uploads(&prefix).await {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.kind == StoreErrorKind::Unsupported => Ok(None),
        Err(error) => {
            let advice = "allow it (S3: s3:ListBucketMultipartUploads)";
            Err(Check::warn("open uploads", format!("they are not listed: {error}"), advice))
        }
    }
}

/// Looks for a rule of the bucket that ends what nobody ends.
pub(super) async fn rule(opened: &Opened) -> Check {
    match opened.table.kind() {
        StoreKind::S3 | StoreKind::Gcs => {}
        StoreKind::Azure => return Check::ok(NAME, "Azure drops such blocks after a week"),
        StoreKind::Local | StoreKind::Other => {
            return Check::skipped(NAME, "stores of this kind have none");
        }
    }
    match abort_rule(&*opened.table.store, opened.table.root.as_ref()).await {
        Ok(Some(days)) => Check::ok(NAME, format!("uploads are ended after {days} days")),
        Ok(None) => Check::warn(NAME, "no rule of the bucket ends such uploads here", ADVICE),
        Err(error) if error.kind.is_denied() => {
            let message = "the bucket's rules may not be seen (S3: s3:GetLifecycleConfiguration)";
            Check::warn(NAME, message, ADVICE)
        }
        Err(error) => Check::skipped(NAME, format!("the bucket's rules cannot be seen: {error}")),
    }
}
