//! What a receiver is told over time, as tables of what is seen in each minute.

use std::collections::BTreeSet;
use std::time::Duration;

use super::*;
use crate::calendar::window::{Window, WindowKind};
use crate::calendar::windows::Windows;
use crate::calendar::zone::Zone;
use crate::limits::ALERTS_PER_RECEIVER_MAX;
use crate::unix_time::UnixTime;

const MINUTE_MS: i64 = 60_000;
/// The time at which each play begins: 2026-11-27T12:00Z, a Friday.
const NOON: i64 = 1_795_780_800_000;

fn policy(hold_minutes: u64) -> AlertPolicy {
    AlertPolicy {
        kinds: BTreeSet::from(AlertKind::ALL),
        tells_recovery: true,
        hold: Duration::from_secs(hold_minutes * 60),
        open: Windows::default(),
    }
}

fn cause(subject: &str, reason: &str) -> AlertCause {
    AlertCause {
        kind: AlertKind::SyncFailed,
        subject: subject.to_owned(),
        reason: reason.to_owned(),
    }
}

fn detail() -> AlertDetail {
    AlertDetail { summary: "it fails".to_owned(), ..AlertDetail::default() }
}

/// What a letter says of one minute.
fn seen(letter: char) -> Sightings {
    let mut sightings = Sightings::default();
    let mut add = |reason| {
        sightings.present.insert(cause("orders", reason), detail());
    };
    match letter {
        'x' => add("STORAGE_UNAVAILABLE"),
        'y' => add("PERMISSION_DENIED"),
        'b' => {
            add("STORAGE_UNAVAILABLE");
            add("PERMISSION_DENIED");
        }
        '?' => _ = sightings.unsettled.insert((AlertKind::SyncFailed, "orders".to_owned())),
        _ => {}
    }
    sightings
}

/// Plays what is seen in each minute from noon on; everything that is due is told. Returns what
/// was told, with the minute.
fn play(policy: AlertPolicy, minutes: &str) -> Vec<String> {
    let mut book = AlertBook::new(policy, []);
    let mut told = Vec::new();
    for (minute, letter) in (0_i64..).zip(minutes.chars()) {
        let now = UnixTime(NOON + minute * MINUTE_MS);
        book.observe(now, &seen(letter));
        while let Some(notice) = book.next(now) {
            let reason = notice.record.cause.reason.chars().next().unwrap_or(' ');
            told.push(format!("{minute} {} {reason}", notice.event()));
            book.told(&notice);
        }
    }
    told
}

#[test]
fn a_cause_is_told_once_and_its_end_once() {
    let cases: &[(u64, &str, &[&str])] = &[
        (0, "x", &["0 sync_failed S"]),
        (0, "xxxx..", &["0 sync_failed S", "4 recovered S"]),
        (0, "x.x", &["0 sync_failed S", "1 recovered S", "2 sync_failed S"]),
        // It lasts for the hold first.
        (2, "xx", &[]),
        (2, "xxxxx", &["2 sync_failed S"]),
        // What ends before is never told.
        (2, "x.......", &[]),
        // One that comes and goes is one alert, and over once it stays away.
        (2, "x.x.x.x.x.x.x.x", &["2 sync_failed S"]),
        (2, "x.x.x...", &["2 sync_failed S", "7 recovered S"]),
        // While nothing is known it lasts.
        (1, "xx????", &["1 sync_failed S"]),
        (1, "xx????..", &["1 sync_failed S", "7 recovered S"]),
        (0, "?x?.", &["1 sync_failed S", "3 recovered S"]),
        // Another reason is another cause, and none is over while the same fails for one.
        (0, "xbyyy.", &["0 sync_failed S", "1 sync_failed P", "5 recovered S", "5 recovered P"]),
    ];
    for (hold, minutes, expected) in cases {
        assert_eq!(play(policy(*hold), minutes), *expected, "{hold} {minutes}");
    }
}

#[test]
fn a_clock_that_is_set_back_holds_nothing_up() {
    let mut book = AlertBook::new(policy(2), []);
    let minute = |minute: i64| UnixTime(NOON + minute * MINUTE_MS);
    book.observe(minute(600), &seen('x'));
    assert_eq!(book.next(minute(600)), None);
    // Ten hours back: it lasts for the hold from there on.
    book.observe(minute(0), &seen('x'));
    book.observe(minute(2), &seen('x'));
    let raised = book.next(minute(2)).unwrap();
    book.told(&raised);
    let id = raised.alert_id();
    // Its end, with a clock that is set forth and back.
    book.observe(minute(900), &seen('.'));
    book.observe(minute(3), &seen('.'));
    assert_eq!(book.next(minute(4)), None);
    let end = book.next(minute(5)).unwrap();
    assert_eq!((end.event(), end.alert_id()), ("recovered", id));
}

#[test]
fn quiet_hours_delay_and_what_begins_and_ends_in_them_is_not_told() {
    // From 12:02 to 12:06 in Berlin's winter, which is an hour ahead.
    let zone = Zone::of_name("Europe/Berlin").unwrap();
    let days = "fri".parse().unwrap();
    let quiet = Window::new(WindowKind::Deny, days, "13:02", "13:06", zone).unwrap();
    let policy = AlertPolicy { open: Windows::new(vec![quiet]), ..policy(0) };
    let cases: &[(&str, &[&str])] = &[
        ("...xxxxx", &["6 sync_failed S"]),
        ("...x....", &[]),
        ("xxx.....", &["0 sync_failed S", "6 recovered S"]),
        ("x..x..x.", &["0 sync_failed S", "1 recovered S", "6 sync_failed S", "7 recovered S"]),
    ];
    for (minutes, expected) in cases {
        assert_eq!(play(policy.clone(), minutes), *expected, "{minutes}");
    }
}

#[test]
fn what_is_not_wanted_is_not_told() {
    let kinds = BTreeSet::from([AlertKind::Diverged]);
    assert_eq!(play(AlertPolicy { kinds, ..policy(0) }, "xx."), [""; 0]);
    let silent = AlertPolicy { tells_recovery: false, ..policy(0) };
    assert_eq!(play(silent, "xx.x"), ["0 sync_failed S", "3 sync_failed S"]);
}

#[test]
fn a_book_that_is_read_again_repeats_nothing_and_still_tells_the_end() {
    let now = UnixTime(NOON);
    let mut book = AlertBook::new(policy(0), []);
    book.observe(now, &seen('x'));
    let notice = book.next(now).unwrap();
    let kept = book.told(&notice).unwrap().clone();
    let mut again = AlertBook::new(policy(0), [kept.clone()]);
    let later = now.after(Duration::from_secs(60));
    again.observe(later, &seen('x'));
    assert_eq!(again.next(later), None);
    let changes = again.observe(later, &seen('.'));
    assert_eq!(changes.kept, [AlertRecord { gone_since: Some(later), ..kept.clone() }]);
    assert_eq!(again.observe(later, &seen('.')), BookChanges::default());
    let end = again.next(later).unwrap();
    assert_eq!((end.phase, end.alert_id()), (AlertPhase::Recovered, notice.alert_id()));
    let kinds = BTreeSet::from([AlertKind::Diverged]);
    let mut unwanted = AlertBook::new(AlertPolicy { kinds, ..policy(0) }, [kept]);
    assert_eq!(unwanted.observe(later, &seen('.')), BookChanges::default());
    assert_eq!(unwanted.next(later), None);
}

#[test]
fn an_id_is_of_one_event_of_one_cause() {
    let notice = |subject: &str, reason: &str, ms, phase| {
        let record = AlertRecord {
            cause: cause(subject, reason),
            detail: detail(),
            since: UnixTime(ms),
            is_told: false,
            gone_since: None,
        };
        AlertNotice { phase, record }
    };
    let one = notice("a", "bc", 1, AlertPhase::Raised);
    let later = AlertDetail { summary: "still".to_owned(), ..detail() };
    let mut same = one.clone();
    same.record.detail = later;
    assert_eq!(one.id(), same.id());
    assert_eq!(one.id().len(), 32);
    let others = [
        notice("ab", "c", 1, AlertPhase::Raised),
        notice("a", "bc", 2, AlertPhase::Raised),
        notice("a", "bc", 1, AlertPhase::Recovered),
    ];
    let ids: BTreeSet<String> = others.iter().chain([&one]).map(AlertNotice::id).collect();
    assert_eq!(ids.len(), 4);
    assert_eq!(others[2].alert_id(), one.alert_id());
}

#[test]
fn a_book_has_an_end() {
    let mut sightings = Sightings::default();
    for number in 0..ALERTS_PER_RECEIVER_MAX + 3 {
        sightings.present.insert(cause(&format!("r{number}"), ""), detail());
    }
    let mut book = AlertBook::new(policy(0), []);
    assert_eq!(book.observe(UnixTime(NOON), &sightings).dropped, 3);
}
