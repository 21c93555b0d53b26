//! `UpdateJob`: the limits that a client changes, and the refusal of everything else.

use deepclone_core::ids::JobId;
use deepclone_core::job_limits::{JobLimits, LimitsChange};
use deepclone_proto::convert::WireError;
use deepclone_proto::convert::spec::limits_from_wire;
use deepclone_proto::v1;

use super::names;

/// Reads which limits of which job are changed, and to what.
pub(super) fn limits(request: v1::UpdateJobRequest) -> Result<(JobId, LimitsChange), WireError> {
    let job = request.job.ok_or(WireError::Missing { field: "job" })?;
    let id = names::job(&job.name)?;
    let paths = request.update_mask.unwrap_or_default().paths;
    let wire = job.spec.as_ref().and_then(|spec| spec.limits);
    let named = match paths.is_empty() {
        true => {
            refuse_outputs(&job)?;
            refuse_other_options(job.spec)?;
            set_in(wire.unwrap_or_default())
        }
        false => named(&paths)?,
    };
    if !(named.rate || named.copies || named.held) {
        return Err(WireError::Missing { field: "update_mask" });
    }
    // What the mask does not name is not looked at.
    let JobLimits { bytes_per_second, concurrency, held } =
        limits_from_wire(wire.map(|wire| v1::JobLimits {
            bytes_per_second: wire.bytes_per_second.filter(|_| named.rate),
            concurrency: wire.concurrency.filter(|_| named.copies),
            held: wire.held,
        }))?;
    let change = LimitsChange {
        bytes_per_second: named.rate.then_some(bytes_per_second),
        concurrency: named.copies.then_some(concurrency),
        held: named.held.then_some(held),
    };
    Ok((id, change))
}

/// Refuses a job of a client with a field that only the coordinator sets, but for its name.
pub(super) fn refuse_outputs(job: &v1::Job) -> Result<(), WireError> {
    let set = [
        ("job.state", job.state != 0),
        ("job.failure", job.failure.is_some()),
        ("job.progress", job.progress.is_some()),
        ("job.result", job.result.is_some()),
        ("job.create_time", job.create_time.is_some()),
        ("job.end_time", job.end_time.is_some()),
    ];
    match set.into_iter().find(|(_, is_set)| *is_set) {
        Some((field, _)) => Err(WireError::invalid(field, "only the coordinator sets it")),
        None => Ok(()),
    }
}

fn refuse_other_options(spec: Option<v1::CloneSpec>) -> Result<(), WireError> {
    let others = spec.map(|spec| v1::CloneSpec { limits: None, ..spec }).unwrap_or_default();
    match others == v1::CloneSpec::default() {
        true => Ok(()),
        false => Err(WireError::invalid("job.spec", "only its limits can be changed")),
    }
}

/// The limits that a mask names.
struct Named {
    rate: bool,
    copies: bool,
    held: bool,
}

fn named(paths: &[String]) -> Result<Named, WireError> {
    let mut named = Named { rate: false, copies: false, held: false };
    for path in paths {
        match path.as_str() {
            "spec.limits" => named = Named { rate: true, copies: true, held: true },
            "spec.limits.bytes_per_second" => named.rate = true,
            "spec.limits.concurrency" => named.copies = true,
            "spec.limits.held" => named.held = true,
            other => {
                let why = format!(
                    "{other:?} cannot be changed: write spec.limits, spec.limits.held, \
                     spec.limits.bytes_per_second or spec.limits.concurrency"
                );
                return Err(WireError::invalid("update_mask", why));
            }
        }
    }
    Ok(named)
}

fn set_in(limits: v1::JobLimits) -> Named {
    let v1::JobLimits { bytes_per_second, concurrency, held } = limits;
    Named { rate: bytes_per_second.is_some(), copies: concurrency.is_some(), held: held.is_some() }
}

#[cfg(test)]
mod tests {
    use deepclone_core::failure::Failure;
    use uuid::Uuid;

    use super::*;

    fn request(limits: Option<(Option<i64>, Option<i32>)>, paths: &[&str]) -> v1::UpdateJobRequest {
        let limits = limits.map(|(bytes_per_second, concurrency)| v1::JobLimits {
            bytes_per_second,
            concurrency,
            held: None,
        });
        let spec = limits.map(|limits| v1::CloneSpec { limits: Some(limits), ..<_>::default() });
        let name = format!("jobs/{}", Uuid::from_u128(7));
        let paths = paths.iter().map(|path| (*path).to_owned()).collect();
        v1::UpdateJobRequest {
            job: Some(v1::Job { name, spec, ..Default::default() }),
            update_mask: Some(prost_types::FieldMask { paths }),
        }
    }

    #[test]
    fn a_mask_says_what_changes_and_without_one_what_is_set() {
        const RATE: i64 = 1 << 20;
        let rate = Some(Some(1 << 20));
        for (limits, paths, bytes_per_second, concurrency) in [
            (Some((Some(RATE), Some(4))), &["spec.limits"][..], rate, Some(Some(4))),
            (Some((Some(RATE), None)), &["spec.limits"], rate, Some(None)),
            (None, &["spec.limits"], Some(None), Some(None)),
            (Some((Some(RATE), Some(4))), &["spec.limits.bytes_per_second"], rate, None),
            (Some((Some(RATE), Some(4))), &["spec.limits.concurrency"], None, Some(Some(4))),
            (None, &["spec.limits.concurrency"], None, Some(None)),
            // What the mask does not name may be anything.
            (Some((Some(-1), Some(4))), &["spec.limits.concurrency"], None, Some(Some(4))),
            (Some((Some(RATE), None)), &[], rate, None),
            (Some((None, Some(4))), &[], None, Some(Some(4))),
        ] {
            // The whole of the limits is named: one that is not set is none.
            let held = (paths == ["spec.limits"]).then_some(false);
            let change = LimitsChange { bytes_per_second, concurrency, held };
            let found = super::limits(request(limits, paths));
            assert_eq!(found, Ok((JobId(Uuid::from_u128(7)), change)), "{limits:?} {paths:?}");
        }
    }

    #[test]
    fn a_job_is_held_and_released_with_and_without_a_mask() {
        for (held, paths, change) in [
            (Some(true), &[][..], Some(true)),
            (Some(false), &[], Some(false)),
            (Some(true), &["spec.limits.held"], Some(true)),
            (None, &["spec.limits.held"], Some(false)),
            (Some(true), &["spec.limits.concurrency"], None),
        ] {
            let mut request = request(Some((None, None)), paths);
            let spec = request.job.as_mut().and_then(|job| job.spec.as_mut()).unwrap();
            spec.limits.as_mut().unwrap().held = held;
            let (_, found) = super::limits(request).unwrap();
            assert_eq!(found.held, change, "{held:?} {paths:?}");
        }
    }

    #[test]
    fn everything_else_is_refused_with_its_field() {
        let set = |change: fn(&mut v1::Job)| {
            let mut request = request(Some((None, Some(4))), &[]);
            change(request.job.as_mut().unwrap());
            request
        };
        let limits = |rate, copies| request(Some((rate, copies)), &["spec.limits"]);
        for (request, field) in [
            (v1::UpdateJobRequest::default(), "job"),
            (set(|job| job.name.clear()), "name"),
            (set(|job| job.name = "jobs/mine".to_owned()), "name"),
            (set(|job| job.state = 3), "job.state"),
            (set(|job| job.end_time = Some(<_>::default())), "job.end_time"),
            (set(|job| job.spec.as_mut().unwrap().verification = 1), "job.spec"),
            (set(|job| job.spec = None), "update_mask"),
            (request(None, &["*"]), "update_mask"),
            (request(None, &["state"]), "update_mask"),
            (request(None, &["spec.limits", "spec.mode"]), "update_mask"),
            (request(None, &["spec"]), "update_mask"),
            (limits(Some(1), None), "spec.limits.bytes_per_second"),
            (limits(None, Some(0)), "spec.limits.concurrency"),
        ] {
            let failure = Failure::from(super::limits(request).unwrap_err());
            assert_eq!(failure.details["field"], field, "{failure}");
        }
    }
}
