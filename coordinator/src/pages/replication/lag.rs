//! How far a replication was behind over time: the picture, and the same in words and as a table.

use std::time::Duration;

use deepclone_core::unix_time::UnixTime;
use maud::{Markup, html};

use crate::pages::clock::PageClock;
use crate::pages::lag_picture::{LagPicture, TimeSpan};
use crate::pages::words::span;
use crate::replications::view::ReplicationView;

const HOUR: Duration = Duration::from_secs(60 * 60);
/// Spans of closed windows that are drawn: a week of windows that close each hour.
const CLOSED_MAX: usize = 400;

/// How much time a page shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::pages) enum LagSpan {
    #[default]
    Day,
    Week,
}

impl LagSpan {
    /// Reads the word of an address.
    pub(in crate::pages) fn read(word: &str) -> Self {
        if word == "week" { Self::Week } else { Self::Day }
    }

    fn hours(self) -> u32 {
        match self {
            Self::Day => 24,
            Self::Week => 7 * 24,
        }
    }

    fn words(self) -> &'static str {
        match self {
            Self::Day => "the last 24 hours",
            Self::Week => "the last 7 days",
        }
    }

    /// The time that a row of the table is of.
    fn row(self) -> Duration {
        match self {
            Self::Day => HOUR,
            Self::Week => 6 * HOUR,
        }
    }
}

pub(super) fn section(view: &ReplicationView, shown: LagSpan, clock: &PageClock) -> Markup {
    let picture = picture(view, shown, clock.now());
    html! {
        section aria-labelledby="lag" {
            div.section-head {
                h2 id="lag" { "Lag" }
                nav.groups aria-label="Time that is shown" {
                    @for (own, address) in
                        [(LagSpan::Day, "?lag=day#lag"), (LagSpan::Week, "?lag=week#lag")] {
                        a href=(address) aria-current=[(own == shown).then_some("true")] {
                            (own.words())
                        }
                    }
                }
            }
            @if picture.samples.is_empty() {
                p { "Nothing is recorded yet: the first sample comes within minutes." }
            } @else {
                (figure(&picture, shown, clock))
                (table(&picture, shown, clock))
            }
        }
    }
}

fn picture(view: &ReplicationView, shown: LagSpan, now: UnixTime) -> LagPicture {
    let time = now.before(HOUR * shown.hours())..now;
    LagPicture {
        samples: view.lag_history.since(time.start).filter(|sample| sample.at <= now).collect(),
        limit: view.spec.max_lag.and_then(|most| most.page.or(most.warn)),
        closed: closed(view, &time),
        span: time,
    }
}

/// The spans in which copying was not allowed.
fn closed(view: &ReplicationView, time: &TimeSpan) -> Vec<TimeSpan> {
    let windows = view.spec.open_hours();
    let mut closed = Vec::new();
    let mut at = time.start;
    while at < time.end && closed.len() < CLOSED_MAX {
        let state = windows.at(at);
        let until =
            state.until.filter(|until| *until > at).map_or(time.end, |until| until.min(time.end));
        if !state.is_open {
            closed.push(at..until);
        }
        at = until;
    }
    closed
}

fn figure(picture: &LagPicture, shown: LagSpan, clock: &PageClock) -> Markup {
    let words = in_words(picture, shown, clock);
    let middle = picture.span.start.after(HOUR * shown.hours() / 2);
    html! {
        figure.lag {
            div.scale aria-hidden="true" { span { (span(picture.top())) } span { "0" } }
            (picture.draw(&words))
            div.times aria-hidden="true" {
                (clock.time(picture.span.start)) (clock.time(middle)) span { "now" }
            }
            figcaption {
                p { (words) }
                p.legend {
                    span.lag { "lag" }
                    @if let Some(limit) = picture.limit {
                        span.limit { "limit of " (span(limit)) }
                    }
                    @if !picture.closed.is_empty() { span.closed { "windows closed" } }
                    @if !picture.unknown().is_empty() { span.unknown { "not known" } }
                }
            }
        }
    }
}

/// What the picture shows, as sentences.
fn in_words(picture: &LagPicture, shown: LagSpan, clock: &PageClock) -> String {
    let figures = picture.figures(&picture.span);
    let mut words = match figures.highest {
        None => format!("In {} the lag was never known.", shown.words()),
        Some((most, _)) if most.is_zero() => {
            format!("In {} nothing was lacking whenever the source was asked.", shown.words())
        }
        Some((most, at)) => {
            let at = clock.text(at);
            format!("In {} the lag was {} at the most, at {at}.", shown.words(), span(most))
        }
    };
    match picture.limit {
        Some(limit) if figures.highest.is_some_and(|(most, _)| most > limit) => {
            words += &format!(" It was beyond the limit for {}.", span(figures.beyond));
        }
        Some(_) if figures.highest.is_some() => words += " It was never beyond the limit.",
        _ => {}
    }
    if !figures.unknown.is_zero() && figures.highest.is_some() {
        words += &format!(" For {} it was not known.", span(figures.unknown));
    }
    words
}

/// The picture as a table, the newest time first.
fn table(picture: &LagPicture, shown: LagSpan, clock: &PageClock) -> Markup {
    let row = shown.row();
    let ends = std::iter::successors(Some(picture.span.end), |end| Some(end.before(row)));
    let rows = ends.take_while(|end| *end > picture.span.start).map(|end| end.before(row)..end);
    html! {
        details {
            summary { "The same as a table" }
            table.stacked {
                caption.hidden { "Lag over time" }
                thead { tr {
                    th scope="col" { "From" }
                    th.number scope="col" { "Highest lag" }
                    th.number scope="col" { "Beyond the limit" }
                    th.number scope="col" { "Not known" }
                } }
                tbody { @for time in rows {
                    @let figures = picture.figures(&time);
                    tr {
                        th scope="row" { (clock.time(time.start)) }
                        td.number data-label="Highest lag" { @match figures.highest {
                            Some((most, _)) if most.is_zero() => "0",
                            Some((most, _)) => (span(most)),
                            None => "not known",
                        } }
                        td.number data-label="Beyond" { (or_none(figures.beyond)) }
                        td.number data-label="Not known" { (or_none(figures.unknown)) }
                    }
                } }
            }
        }
    }
}

fn or_none(time: Duration) -> String {
    if time.is_zero() { "0".to_owned() } else { span(time) }
}
