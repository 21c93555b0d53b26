//! Whose round begins next.

use super::*;

fn rig(rounds_max: usize, rounds_per_pair_max: usize, orders: &[(&str, u64, i32)]) -> Rig {
    let mut rig = Rig::with_limits(StandingLimits {
        rounds_max,
        rounds_per_pair_max,
        ..StandingLimits::default()
    });
    for (name, pair, priority) in orders {
        let (name, pair, priority) = ((*name).to_owned(), *pair, *priority);
        rig.apply(Order { name, pair, priority, ..quarterly() });
    }
    rig
}

/// Those that have a round under way.
fn under_way(rig: &Rig) -> Vec<&str> {
    let is_active = |name: &&str| {
        let view = rig.standing.view(id(name));
        view.is_some_and(|view| view.round.is_some())
    };
    ["a", "b", "c", "d"].into_iter().filter(is_active).collect()
}

#[test]
fn rounds_in_all_and_of_a_pair_are_limited() {
    let orders = &[("a", 1, 0), ("b", 1, 0), ("c", 2, 0), ("d", 3, 0)];
    let mut rig = rig(2, 1, orders);
    rig.until("12:15");
    let first = under_way(&rig);
    assert_eq!(first.len(), 2);
    assert!(!(first.contains(&"a") && first.contains(&"b")));
    let mut served = Vec::new();
    while let Some(name) = under_way(&rig).first().map(|name| (*name).to_owned()) {
        rig.behind(&name, &[]);
        served.push(name);
        let now = under_way(&rig);
        assert!(now.len() <= 2 && !(now.contains(&"a") && now.contains(&"b")));
    }
    served.sort();
    assert_eq!(served, ["a", "b", "c", "d"]);
}

#[test]
fn the_places_of_a_pair_are_not_more_than_its_rounds() {
    for (of_pair, under_way_at_once) in [(1, 1), (2, 2), (4, 3)] {
        let mut rig = rig(9, of_pair, &[("a", 1, 0), ("b", 1, 0), ("c", 1, 0)]);
        rig.until("12:15");
        assert_eq!(under_way(&rig).len(), under_way_at_once, "{of_pair}");
    }
}

#[test]
fn the_highest_priority_is_first_then_the_longest_wait() {
    let mut rig = rig(1, 1, &[("a", 1, 0), ("b", 1, 0), ("c", 1, 5), ("d", 1, 0)]);
    rig.event(StandingEvent::RunRequested { replication: id("d") });
    assert_eq!(under_way(&rig), ["d"]);
    rig.until("12:06");
    rig.event(StandingEvent::RunRequested { replication: id("b") });
    rig.until("12:07");
    rig.event(StandingEvent::RunRequested { replication: id("a") });
    rig.event(StandingEvent::RunRequested { replication: id("c") });
    let since = time("12:06");
    let waiting = rig.standing.view(id("b")).unwrap().state;
    assert_eq!(waiting, StandingState::WaitingForTurn { since });
    rig.restart("12:08");
    for (done, next) in [("d", "c"), ("c", "b"), ("b", "a")] {
        rig.behind(done, &[]);
        assert_eq!(under_way(&rig), [next]);
    }
}

#[test]
fn a_round_that_is_held_or_waits_to_be_tried_again_leaves_its_place() {
    let mut rig = rig(1, 1, &[("a", 1, 0), ("b", 1, 0)]);
    rig.run_requested();
    rig.event(StandingEvent::RunRequested { replication: id("b") });
    rig.behind("a", &[0]);
    assert_eq!(under_way(&rig), ["a"]);
    rig.ended(0, JobOutcome::Failed { is_retryable: true });
    assert_eq!(under_way(&rig), ["a", "b"]);
}
