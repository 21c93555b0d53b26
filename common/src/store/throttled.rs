//! When a store asks for fewer requests: one line of the log at the beginning of each such phase,
//! and one at its end.

use std::sync::LazyLock;
use std::time::Duration;

use dashmap::DashMap;
use dashmap::mapref::entry::Entry;
use tokio::time::Instant;

use crate::metrics::catalog::{Catalog, MetricRow};
use crate::metrics::labelled::Gauges;

/// A phase is over once the store has not asked for this long.
const QUIET: Duration = Duration::from_secs(10);

/// A store that throttles.
#[derive(Clone, Copy, Debug)]
struct Phase {
    begun: Instant,
    last: Instant,
    refusals: u64,
}

/// The stores that throttle now, by host.
static PHASES: LazyLock<DashMap<String, Phase>> = LazyLock::new(DashMap::new);

const THROTTLED: MetricRow = MetricRow::gauge(
    "deepclone_store_throttled",
    &["store"],
    "1 while a store asks for fewer requests, until it has not for 10 seconds",
);
static SHOWN: LazyLock<Gauges> = LazyLock::new(|| Gauges::new(THROTTLED.labels));

/// Adds the metric of such phases to those of a process.
pub(super) fn register(catalog: &mut Catalog) {
    catalog.show_gauges(THROTTLED, &SHOWN);
}

/// Notes that the store at `host` refused a request because it had too many.
pub(super) fn note(host: &str) {
    let now = Instant::now();
    match PHASES.entry(host.to_owned()) {
        Entry::Occupied(mut known) => {
            let phase = known.get_mut();
            phase.last = now;
            phase.refusals += 1;
        }
        Entry::Vacant(place) => {
            // Without a runtime nothing would see the end.
            let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
            place.insert(Phase { begun: now, last: now, refusals: 1 });
            tracing::warn!(store = host, "a store throttles");
            SHOWN.set(&[host], 1);
            runtime.spawn(end(host.to_owned()));
        }
    }
}

/// Waits for the end of the phase of a store.
async fn end(host: String) {
    while let Some(quiet_at) = PHASES.get(&host).map(|phase| phase.last + QUIET) {
        tokio::time::sleep_until(quiet_at).await;
        let over = PHASES.remove_if(&host, |_, phase| phase.last + QUIET <= Instant::now());
        if let Some((_, phase)) = over {
            let seconds = (phase.last - phase.begun).as_secs_f64();
            let refusals = phase.refusals;
            tracing::info!(store = host, seconds, refusals, "a store throttles no more");
            SHOWN.set(&[&host], 0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::exposition::classic;

    fn is_shown(host: &str) -> Option<bool> {
        let mut catalog = Catalog::default();
        register(&mut catalog);
        let text = classic(catalog.registry()).unwrap();
        let series = format!("deepclone_store_throttled{{store=\"{host}\"}} ");
        text.lines().find_map(|line| Some(line.strip_prefix(&series)? == "1"))
    }

    #[tokio::test(start_paused = true)]
    async fn a_phase_lasts_until_the_store_is_quiet() {
        let host = "throttled.test";
        assert_eq!(is_shown(host), None);
        // Each within the time of the one before.
        for _ in 0..3 {
            note(host);
            tokio::time::sleep(QUIET - Duration::from_secs(1)).await;
            assert_eq!(is_shown(host), Some(true));
        }
        assert_eq!(PHASES.get(host).map(|phase| phase.refusals), Some(3));
        tokio::time::sleep(Duration::from_millis(1_001)).await;
        assert_eq!(is_shown(host), Some(false));
        assert!(PHASES.get(host).is_none());
        note(host);
        assert_eq!(is_shown(host), Some(true), "another phase begins");
        tokio::time::sleep(QUIET + Duration::from_millis(1)).await;
        assert_eq!(is_shown(host), Some(false));
    }
}
