//! Messages of the API and of the stored state: bytes to wire types to the types of `core`, and
//! back. The first byte chooses the message.
#![no_main]

use std::fmt::Debug;

use deepclone_coordinator::state;
use deepclone_core::failure::Failure;
use deepclone_core::ids::GrantKey;
use deepclone_core::machine::HeldTask;
use deepclone_core::replication::{ReplicationSpec, SharedBudgetSpec};
use deepclone_core::spec::CloneSpec;
use deepclone_core::task::{Grant, TaskSpec};
use deepclone_fuzz::check_failure;
use deepclone_proto::convert::WireError;
use deepclone_proto::convert::outcome::{outcome_from_wire, outcome_to_wire};
use deepclone_proto::convert::spec::{limits_from_wire, limits_to_wire};
use deepclone_proto::convert::task::told_from_wire;
use deepclone_proto::status::{from_status, to_status};
use deepclone_proto::v1;
use prost::Message;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Some((kind, bytes)) = bytes.split_first() else { return };
    match kind % 12 {
        0 => both_ways::<v1::CloneSpec, CloneSpec>(bytes),
        1 => both_ways::<v1::ReplicationSpec, ReplicationSpec>(bytes),
        2 => both_ways::<v1::SharedBudget, SharedBudgetSpec>(bytes),
        3 => both_ways::<v1::Grant, Grant>(bytes),
        4 => both_ways::<v1::TaskSpec, TaskSpec>(bytes),
        5 => both_ways::<v1::HeldTask, HeldTask>(bytes),
        6 => both_ways::<v1::GrantKey, GrantKey>(bytes),
        7 => both_ways::<v1::Failure, Failure>(bytes),
        8 => {
            let Ok(wire) = v1::TaskOutcome::decode(bytes) else { return };
            let Some((key, outcome)) = converted(outcome_from_wire(wire)) else { return };
            let again = outcome_from_wire(outcome_to_wire(&key, &outcome));
            assert_eq!(again, Ok((key, outcome)));
        }
        9 => {
            let Ok(wire) = v1::JobLimits::decode(bytes) else { return };
            let Some(limits) = converted(limits_from_wire(Some(wire))) else { return };
            assert_eq!(limits_from_wire(limits_to_wire(limits)), Ok(limits));
        }
        10 => {
            let Ok(wire) = v1::ToldShare::decode(bytes) else { return };
            let _shown = converted(told_from_wire(wire));
        }
        _ => stored(bytes),
    }
});

/// What converts is the same after the way back.
fn both_ways<W, T>(bytes: &[u8])
where
    W: Message + Default + for<'a> From<&'a T>,
    T: TryFrom<W, Error = WireError> + PartialEq + Debug,
{
    let Ok(wire) = W::decode(bytes) else { return };
    let Some(value) = converted(T::try_from(wire)) else { return };
    let again = T::try_from(W::from(&value)).expect("what converts, converts again");
    assert_eq!(again, value);
}

/// Returns the value; a refusal is a line that clients can be told.
fn converted<T>(result: Result<T, WireError>) -> Option<T> {
    result
        .map_err(|error| {
            let failure = Failure::from(error);
            check_failure(&failure);
            assert_eq!(from_status(&to_status(&failure)), failure);
        })
        .ok()
}

/// What a database holds that somebody wrote into.
fn stored(bytes: &[u8]) {
    if let Err(error) = state::decode_spec(bytes) {
        assert!(!error.to_string().is_empty());
    }
    if let Ok(spec) = state::decode_replication(bytes) {
        let again = state::decode_replication(&state::encode_replication(&spec));
        assert_eq!(again.expect("what was encoded"), spec);
    }
    if let Ok(spec) = state::decode_shared_budget(bytes) {
        let again = state::decode_shared_budget(&state::encode_shared_budget(&spec));
        assert_eq!(again.expect("what was encoded"), spec);
    }
}
