//! What passes: throttling, clocks, tokens, and connections that end while they are idle.

use std::time::Duration;

use deepclone_tests::stub_store::{Kind, Rule, error};

use crate::bench::{Bench, FLOWING, SMALL};

const KEY: &str = "a.parquet";

#[test]
fn a_request_that_is_too_old_is_made_anew() {
    for (status, code) in
        [(400, "RequestTimeout"), (403, "RequestTimeTooSkewed"), (400, "ExpiredToken")]
    {
        for size in [SMALL, FLOWING] {
            let bench = Bench::of(size)
                .source_lies([Rule::once(Kind::Get, error(status, code)).on(KEY)])
                .target_lies([Rule::once(Kind::Put, error(status, code)).on(KEY)]);
            bench.is_copied(&bench.clone_table(), &format!("{code}, {size} bytes"));
        }
    }
}

#[test]
fn a_request_that_stays_too_old_is_named() {
    for (status, code, part) in
        [(403, "RequestTimeTooSkewed", "clocks"), (400, "ExpiredToken", "have expired")]
    {
        let bench = Bench::of(SMALL);
        let bench = bench.target_lies([Rule::always(Kind::Put, error(status, code)).on(KEY)]);
        let ended = bench.clone_table();
        bench.is_refused(&ended, &[KEY, part, code], code);
        assert!(bench.target.seen_of(Kind::Put, KEY).len() <= 8, "{code}");
        assert!(ended.took < Duration::from_secs(30), "{code}: {:?}", ended.took);
    }
}

#[test]
fn a_store_that_asks_for_a_pause_gets_it() {
    for size in [SMALL, FLOWING] {
        let busy = error(503, "SlowDown").with("Retry-After", "2");
        let bench = Bench::of(size).target_lies([Rule::once(Kind::Put, busy).on(KEY)]);
        bench.is_copied(&bench.clone_table(), &format!("{size} bytes"));
        let puts = bench.target.seen_of(Kind::Put, KEY);
        let [first, second] = &puts[..] else { panic!("{puts:?}") };
        assert!(second.at - first.at >= Duration::from_secs(2), "{size} bytes");
    }
}

#[test]
fn a_store_that_closes_idle_connections_costs_no_failure() {
    for idle in [Duration::ZERO, Duration::from_millis(1), Duration::from_millis(20)] {
        let names: Vec<String> = (0..40).map(|number| format!("{number}.parquet")).collect();
        let objects: Vec<_> = names.iter().map(|name| (name.as_str(), SMALL)).collect();
        let bench = Bench::new(&objects);
        bench.source.close_idle_after(idle);
        bench.target.close_idle_after(idle);
        bench.is_copied(&bench.clone_table(), &format!("{idle:?}"));
    }
}
