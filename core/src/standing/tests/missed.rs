//! What becomes of slots while nothing runs.

use super::*;

#[test]
fn missed_slots_are_one_round_or_none() {
    // When it runs again after 12:05, what it does with missed slots, and what is done.
    let cases: &[(&str, MissedPolicy, &[&str])] = &[
        ("12:14", MissedPolicy::Once, &[]),
        ("12:15", MissedPolicy::Once, &["began 1: slot 12:15", "probe 1"]),
        ("12:15", MissedPolicy::Skip, &["began 1: slot 12:15", "probe 1"]),
        // It is late by some minutes.
        ("12:25", MissedPolicy::Skip, &["began 1: slot 12:15", "probe 1"]),
        ("12:26", MissedPolicy::Skip, &["skipped 12:15 (1): Missed"]),
        ("12:26", MissedPolicy::Once, &["began 1: missed 12:15 (1)", "probe 1"]),
        ("12:44", MissedPolicy::Once, &["began 1: missed 12:30 (2)", "probe 1"]),
        ("12:44", MissedPolicy::Skip, &["skipped 12:30 (2): Missed"]),
        // The newest one is in time.
        ("27T12:15", MissedPolicy::Once, &["began 1: missed 27T12:15 (97)", "probe 1"]),
        (
            "27T12:15",
            MissedPolicy::Skip,
            &["skipped 27T12:00 (96): Missed", "began 1: slot 27T12:15", "probe 1"],
        ),
    ];
    for (at, on_missed, want) in cases {
        let want: Vec<String> = want.iter().map(|words| format!("{at} {words}")).collect();
        let order = Order { on_missed: *on_missed, ..quarterly() };
        for is_restart in [false, true] {
            let mut rig = Rig::of(order.clone());
            if is_restart {
                rig.restart(at);
            } else {
                rig.jump(at);
            }
            assert_eq!(rig.said(), want, "{at} {on_missed:?}, restart: {is_restart}");
            // They are decided once.
            rig.jump(at);
            rig.restart(at);
            let again: Vec<String> =
                want.iter().filter(|words| words.contains("probe")).cloned().collect();
            assert_eq!(rig.said(), again, "{at} {on_missed:?}");
        }
    }
}

#[test]
fn what_was_skipped_is_counted() {
    let mut rig = Rig::of(Order { on_missed: MissedPolicy::Skip, ..quarterly() });
    rig.jump("12:44");
    rig.jump("13:14");
    let view = rig.standing.view(id("a")).unwrap();
    assert_eq!(view.slots_skipped, 4);
    let (newest, why) = (time("13:00"), SkipReason::Missed);
    assert_eq!(view.last_skipped, Some(SkippedSlots { newest, count: 2, why }));
}
