//! Resource names and pages.

use deepclone_core::ids::{JobId, WorkerId};
use deepclone_core::limits::PAGE_SIZE_MAX;
use deepclone_core::replication::ReplicationName;
use deepclone_proto::convert::WireError;
use uuid::Uuid;

/// The size of a page when the request has none.
const PAGE_SIZE_DEFAULT: usize = 50;

/// Reads the job of `jobs/{uuid}`.
pub(super) fn job(name: &str) -> Result<JobId, WireError> {
    id(name, "jobs/", "a job's name is jobs/{uuid}").map(JobId)
}

/// Reads the worker of `workers/{uuid}`.
pub(super) fn worker(name: &str) -> Result<WorkerId, WireError> {
    id(name, "workers/", "a worker's name is workers/{uuid}").map(WorkerId)
}

/// Reads the replication of `replications/{name}`.
pub(super) fn replication(name: &str) -> Result<ReplicationName, WireError> {
    let form = "a replication's name is replications/{name}";
    let own = name.strip_prefix("replications/").and_then(|own| own.parse().ok());
    own.ok_or_else(|| WireError::invalid("name", form))
}

fn id(name: &str, collection: &str, form: &str) -> Result<Uuid, WireError> {
    let invalid = || WireError::invalid("name", form);
    let id = name.strip_prefix(collection).ok_or_else(invalid)?;
    Uuid::parse_str(id).map_err(|_| invalid())
}

/// Returns the page of `items` after `token`, and the token of the next page; `name` gives the id
/// of an item.
pub(super) fn page<T>(
    items: Vec<T>,
    size: i32,
    token: &str,
    name: impl Fn(&T) -> Uuid,
) -> Result<(Vec<T>, String), WireError> {
    let size = page_size(size)?;
    let start = match page_token(token)? {
        None => 0,
        Some(last) => {
            let at = items.iter().position(|item| name(item) == last);
            at.ok_or_else(|| WireError::invalid("page_token", "it is too old: list again"))? + 1
        }
    };
    let is_more = items.len() > start + size;
    let items: Vec<T> = items.into_iter().skip(start).take(size).collect();
    let next = items.last().filter(|_| is_more).map(|item| name(item).to_string());
    Ok((items, next.unwrap_or_default()))
}

/// Returns how many items a page has.
pub(super) fn page_size(size: i32) -> Result<usize, WireError> {
    match usize::try_from(size) {
        Ok(0) => Ok(PAGE_SIZE_DEFAULT),
        Ok(size) => Ok(size.min(PAGE_SIZE_MAX)),
        Err(_) => Err(WireError::invalid("page_size", "it is negative")),
    }
}

/// Reads the item after which a page begins. `None` for the first page.
pub(super) fn page_token(token: &str) -> Result<Option<Uuid>, WireError> {
    if token.is_empty() {
        return Ok(None);
    }
    let last = Uuid::parse_str(token);
    last.map(Some).map_err(|_| WireError::invalid("page_token", "it is none of ours"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_one_form() {
        let id = Uuid::from_u128(7);
        assert_eq!(job(&format!("jobs/{id}")), Ok(JobId(id)));
        assert_eq!(worker(&format!("workers/{id}")), Ok(WorkerId(id)));
        for name in ["", "jobs/", "jobs/x", "workers/", &id.to_string()] {
            assert!(job(name).is_err(), "{name}");
        }
    }

    #[test]
    fn pages_follow_each_other_and_end() {
        let all: Vec<Uuid> = (0..5).map(Uuid::from_u128).collect();
        let mut seen = Vec::new();
        let mut token = String::new();
        loop {
            let (items, next) = page(all.clone(), 2, &token, |id| *id).unwrap();
            seen.extend(items);
            token = next;
            if token.is_empty() {
                break;
            }
        }
        assert_eq!(seen, all);
        assert!(page(all.clone(), -1, "", |id| *id).is_err());
        assert!(page(all.clone(), 1, "no", |id| *id).is_err());
        assert!(page(all, 1, &Uuid::max().to_string(), |id| *id).is_err());
    }
}
