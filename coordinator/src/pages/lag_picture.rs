//! The lag over time as a picture: a pure function from samples to an SVG.
//!
//! What is not known is no line: it is a shaded span, and so is the time in which windows were
//! closed. The picture has no words of its own, so that it can be stretched to any width.

use std::ops::Range;
use std::time::Duration;

use deepclone_core::unix_time::UnixTime;
use maud::{Markup, PreEscaped, html};

use crate::replications::lag_history::{LAG_INTERVAL, LagSample};

/// Points across and down; the picture is stretched from there.
const WIDTH: u64 = 720;
const HEIGHT: u64 = 160;
/// Beyond this, two samples say nothing of the time between them: one is missing.
const APART_MAX: Duration = LAG_INTERVAL.saturating_mul(3);

/// A span of time.
pub(super) type TimeSpan = Range<UnixTime>;

/// Samples over a span of time, with what is drawn beside them.
#[derive(Clone, Debug)]
pub(super) struct LagPicture {
    pub(super) span: TimeSpan,
    /// The oldest first, all of them within the span.
    pub(super) samples: Vec<LagSample>,
    /// From which lag on somebody is told.
    pub(super) limit: Option<Duration>,
    /// When copying was not allowed.
    pub(super) closed: Vec<TimeSpan>,
}

/// What the picture shows, in numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct LagFigures {
    /// The highest sample, and when it was. `None` when no lag was known.
    pub(super) highest: Option<(Duration, UnixTime)>,
    /// How long it was beyond the limit.
    pub(super) beyond: Duration,
    /// How long it was not known.
    pub(super) unknown: Duration,
}

impl LagPicture {
    /// The samples in runs without a gap.
    fn runs(&self) -> Vec<Vec<(UnixTime, Duration)>> {
        let mut runs: Vec<Vec<(UnixTime, Duration)>> = Vec::new();
        let mut before: Option<UnixTime> = None;
        for LagSample { at, lag } in &self.samples {
            let Some(lag) = lag else {
                before = None;
                continue;
            };
            match (before, runs.last_mut()) {
                (Some(last), Some(run)) if at.since(last) <= APART_MAX => run.push((*at, *lag)),
                _ => runs.push(vec![(*at, *lag)]),
            }
            before = Some(*at);
        }
        runs
    }

    /// The spans of which no lag is known. A sample counts until the next one is due.
    pub(super) fn unknown(&self) -> Vec<TimeSpan> {
        let mut unknown = Vec::new();
        let mut upto = self.span.start;
        let runs = self.runs();
        for (place, run) in runs.iter().enumerate() {
            let (Some((first, _)), Some((last, _))) = (run.first(), run.last()) else { continue };
            if upto < *first {
                unknown.push(upto..*first);
            }
            upto = *last;
            let is_newest = place + 1 == runs.len();
            let ends_with_it = self.samples.last().is_some_and(|sample| sample.at == *last);
            if is_newest && ends_with_it && self.span.end.since(*last) <= APART_MAX {
                upto = self.span.end;
            }
        }
        if upto < self.span.end {
            unknown.push(upto..self.span.end);
        }
        unknown
    }

    /// What it shows of a span within its own.
    pub(super) fn figures(&self, span: &TimeSpan) -> LagFigures {
        let mut figures = LagFigures::default();
        for run in self.runs() {
            let ends = run.iter().skip(1).map(|(at, _)| *at).chain([self.span.end]);
            for ((at, lag), next) in run.iter().zip(ends) {
                // The newest one may be of this very moment.
                let is_last = *at == span.end && *at == self.span.end;
                if (span.contains(at) || is_last)
                    && figures.highest.is_none_or(|(most, _)| *lag > most)
                {
                    figures.highest = Some((*lag, *at));
                }
                let next = next.min(at.after(APART_MAX));
                if self.limit.is_some_and(|limit| *lag > limit) {
                    figures.beyond += common(span, &(*at..next));
                }
            }
        }
        for unknown in self.unknown() {
            figures.unknown += common(span, &unknown);
        }
        figures
    }

    /// The lag at the upper edge: the highest one, and the limit with some room above it.
    pub(super) fn top(&self) -> Duration {
        let highest = self.samples.iter().filter_map(|sample| sample.lag).max();
        let limit = self.limit.map(|limit| limit.saturating_add(limit / 4));
        let most = highest.unwrap_or_default().max(limit.unwrap_or_default());
        most.max(Duration::from_secs(60))
    }

    /// Draws it. `words` say the same for those who do not see it.
    pub(super) fn draw(&self, words: &str) -> Markup {
        let rect = |class: &str, span: &TimeSpan| {
            let (from, to) = (self.x(span.start), self.x(span.end));
            let width = to.saturating_sub(from).max(1);
            html! { rect class=(class) x=(from) width=(width) height=(HEIGHT) {} }
        };
        html! {
            svg.lag viewBox={ "0 0 " (WIDTH) " " (HEIGHT) } preserveAspectRatio="none" role="img"
                aria-label=(words) {
                title { (words) }
                @for span in &self.closed { (rect("closed", span)) }
                @for span in &self.unknown() { (rect("unknown", span)) }
                @for quarter in 1..4 {
                    @let x = WIDTH * quarter / 4;
                    path.grid d={ "M" (x) ",0V" (HEIGHT) } {}
                }
                @for run in self.runs() { (self.line(&run)) }
                @if let Some(limit) = self.limit {
                    path.limit d={ "M0," (self.y(limit)) "H" (WIDTH) } {}
                }
            }
        }
    }

    /// A line through samples, with no more points than the picture has.
    fn line(&self, run: &[(UnixTime, Duration)]) -> Markup {
        let mut points: Vec<(u64, u64)> = Vec::new();
        for (at, lag) in run {
            let (x, y) = (self.x(*at), self.y(*lag));
            match points.last_mut() {
                // The highest one of a column: small is high.
                Some(last) if last.0 == x => last.1 = last.1.min(y),
                _ => points.push((x, y)),
            }
        }
        let mut path = String::new();
        for (place, (x, y)) in points.iter().enumerate() {
            path += &format!("{}{x},{y}", if place == 0 { 'M' } else { 'L' });
        }
        if points.len() == 1 {
            // A point alone is a short line.
            path += "h1";
        }
        html! { path.line d=(PreEscaped(path)) {} }
    }

    fn x(&self, at: UnixTime) -> u64 {
        let whole = self.span.end.since(self.span.start).as_millis().max(1);
        let part = at.clamp(self.span.start, self.span.end).since(self.span.start).as_millis();
        scale(part, whole, WIDTH)
    }

    fn y(&self, lag: Duration) -> u64 {
        let (part, whole) = (lag.as_millis(), self.top().as_millis().max(1));
        HEIGHT.saturating_sub(scale(part, whole, HEIGHT))
    }
}

fn scale(part: u128, whole: u128, points: u64) -> u64 {
    u64::try_from(part.saturating_mul(points.into()) / whole).unwrap_or(points)
}

/// How much two spans have in common.
fn common(one: &TimeSpan, other: &TimeSpan) -> Duration {
    one.end.min(other.end).since(one.start.max(other.start))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn at(minute: i64) -> UnixTime {
        UnixTime(minute * 60_000)
    }

    fn minutes(count: u32) -> Duration {
        MINUTE * count
    }

    /// Samples as minute and lag, over 240 minutes; the limit is 10 minutes.
    fn picture(samples: &[(i64, Option<u32>)]) -> LagPicture {
        let sample = |(minute, lag): &(i64, Option<u32>)| LagSample {
            at: at(*minute),
            lag: lag.map(minutes),
        };
        LagPicture {
            span: at(0)..at(240),
            samples: samples.iter().map(sample).collect(),
            limit: Some(minutes(10)),
            closed: vec![at(60)..at(120)],
        }
    }

    /// Each five minutes from one minute to another, the same lag.
    fn every_five(from: i64, to: i64, lag: Option<u32>) -> Vec<(i64, Option<u32>)> {
        (from..=to).step_by(5).map(|minute| (minute, lag)).collect()
    }

    #[test]
    fn what_is_not_known_is_a_gap() {
        let unknown_then = [every_five(0, 60, Some(1)), every_five(65, 90, None)].concat();
        let then_known = [unknown_then.clone(), every_five(95, 240, Some(1))].concat();
        for (samples, gaps) in [
            (vec![], vec![(0, 240)]),
            (every_five(0, 240, Some(0)), vec![]),
            (every_five(0, 230, Some(0)), vec![]),
            (every_five(0, 220, Some(0)), vec![(220, 240)]),
            (every_five(100, 240, Some(0)), vec![(0, 100)]),
            (unknown_then, vec![(60, 240)]),
            (then_known, vec![(60, 95)]),
            // Nothing ran for an hour.
            ([every_five(0, 60, Some(1)), every_five(120, 240, Some(1))].concat(), vec![(60, 120)]),
            // The newest one says that it is not known.
            ([every_five(0, 235, Some(1)), vec![(240, None)]].concat(), vec![(235, 240)]),
        ] {
            let found = picture(&samples).unknown();
            let gaps: Vec<_> = gaps.into_iter().map(|(from, to)| at(from)..at(to)).collect();
            assert_eq!(found, gaps, "{samples:?}");
        }
    }

    #[test]
    fn its_figures_are_of_a_span() {
        let samples = [
            every_five(0, 55, Some(2)),
            every_five(60, 85, Some(20)),
            every_five(90, 120, None),
            every_five(125, 240, Some(0)),
        ]
        .concat();
        let highest = |lag, minute| Some((minutes(lag), at(minute)));
        for (from, to, found, beyond, unknown) in [
            (0, 240, highest(20, 60), 40, 40),
            (0, 60, highest(2, 0), 0, 0),
            (60, 120, highest(20, 60), 40, 35),
            (90, 125, None, 10, 35),
            (125, 240, highest(0, 125), 0, 0),
            (235, 240, highest(0, 235), 0, 0),
        ] {
            let (beyond, unknown) = (minutes(beyond), minutes(unknown));
            let expected = LagFigures { highest: found, beyond, unknown };
            assert_eq!(picture(&samples).figures(&(at(from)..at(to))), expected, "{from} to {to}");
        }
    }

    #[test]
    fn a_sample_of_this_moment_counts() {
        let figures = picture(&[(235, Some(1)), (240, Some(9))]).figures(&(at(0)..at(240)));
        assert_eq!(figures.highest, Some((minutes(9), at(240))));
    }

    #[test]
    fn it_is_drawn_within_its_edges() {
        let drawn = |samples: &[(i64, Option<u32>)]| picture(samples).draw("a < b").into_string();
        let alone = drawn(&[(120, Some(25))]);
        for part in [
            "<svg class=\"lag\" viewBox=\"0 0 720 160\" preserveAspectRatio=\"none\" role=\"img\"",
            "aria-label=\"a &lt; b\"><title>a &lt; b</title>",
            "<rect class=\"closed\" x=\"180\" width=\"180\" height=\"160\"></rect>",
            "<rect class=\"unknown\" x=\"0\" width=\"360\" height=\"160\"></rect>",
            "<path class=\"line\" d=\"M360,0h1\"></path>",
            "<path class=\"limit\" d=\"M0,96H720\"></path>",
        ] {
            assert!(alone.contains(part), "{part} is not in {alone}");
        }
        let sloping = drawn(&[(0, Some(0)), (10, Some(10)), (15, None), (20, Some(5))]);
        assert!(sloping.contains("d=\"M0,160L30,32\""), "{sloping}");
        assert!(sloping.contains("d=\"M60,96h1\""), "{sloping}");
        // A week of samples has no more points than the picture is wide, and keeps the highest.
        let many = (0..20_000).map(|n| LagSample {
            at: UnixTime(n * 720),
            lag: Some(if n == 777 { minutes(30) } else { Duration::ZERO }),
        });
        let many = LagPicture { samples: many.collect(), ..picture(&[]) }.draw("");
        let many = many.into_string();
        assert!(many.len() < 10_000, "{} bytes", many.len());
        assert!(many.contains(",0L"), "the highest one is lost");
    }
}
