//! Times on a page: in the zone of the replication, with the zone beside them and UTC as a title.

use deepclone_core::calendar::zone::Zone;
use deepclone_core::unix_time::UnixTime;
use maud::{Markup, html};

use super::words::span;

/// The clock of a zone, as of the moment that a page shows.
#[derive(Clone, Debug)]
pub(super) struct PageClock {
    zone: Zone,
    now: UnixTime,
}

impl PageClock {
    /// Returns the clock of a zone by its name; that of UTC when there is no such zone.
    pub(super) fn new(zone: &str, now: UnixTime) -> Self {
        Self { zone: Zone::of_name(zone).unwrap_or(Zone::UTC), now }
    }

    /// The moment that the page shows.
    pub(super) fn now(&self) -> UnixTime {
        self.now
    }

    /// Writes a time as `14:02 CET`, with the date when that is another one.
    pub(super) fn time(&self, at: UnixTime) -> Markup {
        let utc = at.to_string();
        html! { time datetime=(utc) title=(utc) { (self.text(at)) } }
    }

    /// Writes a time with how long ago it was, or how soon it will be.
    pub(super) fn time_and_age(&self, at: UnixTime) -> Markup {
        html! { (self.time(at)) " (" (self.age(at)) ")" }
    }

    /// Writes how long ago a time was, or how soon it will be.
    pub(super) fn age(&self, at: UnixTime) -> String {
        if at > self.now {
            format!("in {}", span(at.since(self.now)))
        } else {
            format!("{} ago", span(self.now.since(at)))
        }
    }

    /// The name of the zone and how far it is from UTC now, as `Europe/Berlin (CET, UTC+01:00)`.
    pub(super) fn zone(&self) -> String {
        let offset = self.zone.clock(self.now).map(|clock| clock.strftime("%:z").to_string());
        let offset = offset.unwrap_or_default();
        match (self.zone.name(), self.short_zone(self.now)) {
            ("UTC", _) => "UTC".to_owned(),
            (name, short) if short.starts_with("UTC") => format!("{name} (UTC{offset})"),
            (name, short) => format!("{name} ({short}, UTC{offset})"),
        }
    }

    /// The same as a text.
    pub(super) fn text(&self, at: UnixTime) -> String {
        let (Some(clock), Some(now)) = (self.zone.clock(at), self.zone.clock(self.now)) else {
            return at.to_string();
        };
        let format = if clock.date() == now.date() {
            "%H:%M"
        } else if clock.year() == now.year() {
            "%a %-d %b %H:%M"
        } else {
            "%Y-%m-%d %H:%M"
        };
        format!("{} {}", clock.strftime(format), self.short_zone(at))
    }

    /// The letters of the zone at a time, such as `CET`; `UTC-03` where it has none.
    fn short_zone(&self, at: UnixTime) -> String {
        let letters = self.zone.clock(at).map(|clock| clock.strftime("%Z").to_string());
        let letters = letters.unwrap_or_else(|| "UTC".to_owned());
        if letters.starts_with(['+', '-']) { format!("UTC{letters}") } else { letters }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixTime = UnixTime(1_795_699_200_000); // 2026-11-26T13:20Z

    #[test]
    fn a_time_is_of_the_zone_and_says_so() {
        let minutes = |minutes: i64| UnixTime(NOW.0 + minutes * 60_000);
        let berlin = "Europe/Berlin (CET, UTC+01:00)";
        let sao_paulo = "America/Sao_Paulo (UTC-03:00)";
        for (zone, at, text, shown_zone) in [
            ("UTC", NOW, "13:20 UTC", "UTC"),
            ("no such", NOW, "13:20 UTC", "UTC"),
            ("Europe/Berlin", NOW, "14:20 CET", berlin),
            ("Europe/Berlin", minutes(600), "Fri 27 Nov 00:20 CET", berlin),
            ("Europe/Berlin", minutes(-230_000), "Fri 19 Jun 22:00 CEST", berlin),
            ("America/Sao_Paulo", minutes(60_000), "2027-01-07 02:20 UTC-03", sao_paulo),
        ] {
            let clock = PageClock::new(zone, NOW);
            assert_eq!(clock.text(at), text, "{zone} {at}");
            assert_eq!(clock.zone(), shown_zone);
        }
        let shown = PageClock::new("Europe/Berlin", NOW).time_and_age(minutes(-18)).into_string();
        let utc = "2026-11-26T13:02:00Z";
        let time = format!("<time datetime=\"{utc}\" title=\"{utc}\">14:02 CET</time>");
        assert_eq!(shown, format!("{time} (18 min ago)"));
        assert_eq!(PageClock::new("UTC", NOW).age(minutes(5)), "in 5 min");
    }
}
