//! The one axis: which stretch of time is shown, and where its ticks stand.

use jiff::Timestamp;

use super::{LimitMark, Timeline};
use crate::Millis;

/// A limit that was not reached is drawn only if it lies within this many times what is known to have happened; one that
/// lies further out would press everything else into a corner, and is named in words instead.
const REACH: f64 = 2.2;
/// Free room behind the last thing on the axis, as a share of it.
const ROOM: f64 = 0.03;
/// The shortest axis, so that a request of which one moment is known can be drawn too.
const SPAN_MIN_US: i64 = 1000;

/// A stretch of time from left to right, or from top to bottom.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Axis {
    start: Timestamp,
    span_us: i64,
}

/// A labelled place on the axis.
#[derive(Clone, Debug, PartialEq)]
pub struct Tick {
    /// Where, as a share of the axis.
    pub share: f64,
    /// `10 s`.
    pub label: String,
}

impl Axis {
    /// The axis that shows everything in `timeline`, or `None` when no source gave a time.
    #[must_use]
    pub fn of(timeline: &Timeline) -> Option<Self> {
        let lanes = timeline.lanes.iter();
        let segments = lanes.clone().flat_map(|lane| &lane.segments).flat_map(|segment| [segment.from, segment.to]);
        let marks = lanes.flat_map(|lane| &lane.marks).map(|mark| mark.at);
        let said = timeline.limits.iter().filter(|limit| limit.mark != LimitMark::NotReached).filter_map(|limit| limit.at);
        let happened: Vec<_> = timeline.starts_at.into_iter().chain(timeline.ends_at).chain(segments).chain(marks).chain(said).collect();
        let start = happened.iter().copied().min()?;
        let mut end = happened.iter().copied().max()?;
        let reach = microseconds(Millis::between(start, end)) * REACH;
        for at in timeline.limits.iter().filter_map(|limit| limit.at) {
            if at > end && microseconds(Millis::between(start, at)) <= reach {
                end = at;
            }
        }
        let span = (microseconds(Millis::between(start, end)) * (1.0 + ROOM)).round();
        #[expect(clippy::cast_possible_truncation, reason = "a share more than a span that was an integer")]
        let span_us = (span as i64).max(SPAN_MIN_US);
        Some(Self { start, span_us })
    }

    /// The moment that the axis begins at.
    #[must_use]
    pub fn start(self) -> Timestamp {
        self.start
    }

    /// Where `at` lies: 0 at the beginning, 1 at the end; `None` outside.
    #[must_use]
    pub fn share(self, at: Timestamp) -> Option<f64> {
        let share = microseconds(self.offset(at)) / microseconds(Millis::from_us(self.span_us));
        (0.0..=1.0).contains(&share).then_some(share)
    }

    /// The time from the beginning of the axis to `at`.
    #[must_use]
    pub fn offset(self, at: Timestamp) -> Millis {
        Millis::between(self.start, at)
    }

    /// Ticks at round times, at most `count_max` of them.
    #[must_use]
    pub fn ticks(self, count_max: i64) -> Vec<Tick> {
        let step = step_us(self.span_us, count_max);
        (0..=self.span_us / step)
            .map(|place| {
                let offset = Millis::from_us(place * step);
                let label = if place == 0 { "0 s".to_owned() } else { offset.to_string() };
                Tick { share: microseconds(offset) / microseconds(Millis::from_us(self.span_us)), label }
            })
            .collect()
    }
}

fn microseconds(duration: Millis) -> f64 {
    duration.as_ms_f64() * 1000.0
}

/// The smallest round step that makes at most `count_max` ticks over `span_us`.
fn step_us(span_us: i64, count_max: i64) -> i64 {
    const SECOND: i64 = 1_000_000;
    let decimal = (0..6).flat_map(|power| [1, 2, 5].map(|digit| digit * 10_i64.pow(power)));
    let clock = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 21_600, 43_200, 86_400].map(|s| s * SECOND);
    let fits = |step: &i64| span_us / step < count_max;
    decimal.chain(clock).find(fits).unwrap_or_else(|| (span_us / count_max.max(1)).max(1))
}

#[cfg(test)]
mod tests {
    use super::super::LimitLine;
    use super::*;
    use crate::Layer;

    fn at(text: &str) -> Timestamp {
        format!("2026-11-22T12:{text}Z").parse().expect("a time")
    }

    fn limit(time: &str, mark: LimitMark) -> LimitLine {
        LimitLine { at: Some(at(time)), layer: Layer::Router, label: String::new(), value_ms: None, mark }
    }

    fn timeline(limits: Vec<LimitLine>) -> Timeline {
        Timeline { starts_at: Some(at("00:00")), ends_at: Some(at("00:30")), lanes: Vec::new(), limits, clocks: Vec::new() }
    }

    #[test]
    fn no_time_no_axis() {
        assert_eq!(Axis::of(&Timeline::default()), None);
    }

    #[test]
    fn a_limit_in_reach_is_on_the_axis_and_a_far_one_is_not() {
        let axis = Axis::of(&timeline(vec![limit("01:00", LimitMark::NotReached), limit("15:00", LimitMark::NotReached)])).expect("times");
        assert!(axis.share(at("01:00")).is_some_and(|share| share > 0.95));
        assert_eq!(axis.share(at("15:00")), None);
    }

    #[test]
    fn a_limit_that_fired_is_always_on_the_axis() {
        let axis = Axis::of(&timeline(vec![limit("15:00", LimitMark::Fired)])).expect("times");
        assert!(axis.share(at("15:00")).is_some());
    }

    #[test]
    fn one_moment_is_enough() {
        let timeline = Timeline { starts_at: Some(at("00:00")), ..Timeline::default() };
        let axis = Axis::of(&timeline).expect("a time");
        assert_eq!(axis.share(at("00:00")), Some(0.0));
    }

    #[test]
    fn ticks_are_round() {
        let labels = |seconds: i64| {
            let axis = Axis { start: at("00:00"), span_us: seconds * 1_000_000 };
            axis.ticks(8).into_iter().map(|tick| tick.label).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(labels(3), "0 s 500 ms 1 s 1.5 s 2 s 2.5 s 3 s");
        assert_eq!(labels(62), "0 s 10 s 20 s 30 s 40 s 50 s 60 s");
        assert_eq!(labels(930), "0 s 2 min 4 min 6 min 8 min 10 min 12 min 14 min");
    }
}
