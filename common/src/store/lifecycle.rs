//! The rule of a bucket that ends multipart uploads which nobody ended.

use object_store::ObjectStore;

use super::bucket_request::of_bucket;
use super::error::{StoreError, StoreErrorKind};
use super::xml::{elements, unescaped};

/// Returns after how many days the bucket ends such uploads below `root`; `None`: it does not.
///
/// # Errors
/// `Unsupported` where the store has no such request; else the store's.
pub async fn abort_rule(store: &dyn ObjectStore, root: &str) -> Result<Option<u64>, StoreError> {
    match of_bucket(store, "lifecycle=".to_owned()).await {
        Ok(answer) => Ok(shortest(&String::from_utf8_lossy(&answer), root)),
        Err(error) if error.kind == StoreErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// The least days of the rules that hold for all keys below `root`.
fn shortest(rules: &str, root: &str) -> Option<u64> {
    elements(rules, "Rule").filter_map(|(_, rule)| days(rule, root)).min()
}

fn days(rule: &str, root: &str) -> Option<u64> {
    let text = |of: &str, name: &str| {
        elements(of, name).next().map(|(_, value)| unescaped(value).into_owned())
    };
    let is_enabled = text(rule, "Status").as_deref() == Some("Enabled");
    let prefix = text(rule, "Prefix").unwrap_or_default();
    let is_for_some = elements(rule, "Tag").next().is_some();
    if !is_enabled || is_for_some || !format!("{root}/").starts_with(&prefix) {
        return None;
    }
    let (_, abort) = elements(rule, "AbortIncompleteMultipartUpload").next()?;
    text(abort, "DaysAfterInitiation")?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_counts_if_it_is_on_and_holds_for_the_whole_folder() {
        let rule = |status: &str, filter: &str, days: u32| {
            format!(
                "<Rule><ID>x</ID>{filter}<Status>{status}</Status><AbortIncompleteMultipartUpload>\
                 <DaysAfterInitiation>{days}</DaysAfterInitiation>\
                 </AbortIncompleteMultipartUpload></Rule>"
            )
        };
        let other = "<Rule><Status>Enabled</Status><Expiration><Days>1</Days></Expiration></Rule>";
        let cases = [
            (String::new(), None),
            (other.to_owned(), None),
            (rule("Enabled", "", 7), Some(7)),
            (rule("Enabled", "<Filter></Filter>", 7), Some(7)),
            (rule("Disabled", "", 7), None),
            (rule("Enabled", "<Filter><Prefix>dr/</Prefix></Filter>", 7), Some(7)),
            (rule("Enabled", "<Prefix>dr/orders/</Prefix>", 7), Some(7)),
            (rule("Enabled", "<Prefix>dr/orders/a</Prefix>", 7), None),
            (rule("Enabled", "<Prefix>lake/</Prefix>", 7), None),
            (rule("Enabled", "<Filter><Tag><Key>k</Key></Tag></Filter>", 7), None),
            (rule("Enabled", "", 7) + &rule("Enabled", "", 3) + other, Some(3)),
        ];
        for (rules, wanted) in cases {
            let text = format!("<LifecycleConfiguration>{rules}</LifecycleConfiguration>");
            assert_eq!(shortest(&text, "dr/orders"), wanted, "{text}");
        }
    }
}
