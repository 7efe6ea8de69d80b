//! The one drawing that is our own: a request on one time axis, every layer a lane, every limit a line where it stood.
//!
//! Pure: a [`domain::Timeline`] in, numbers and words for the templates out. Nothing is drawn that no source gave: without
//! any time there is no axis, a limit whose value or start is not known is named below the drawing and has no line.
//!
//! The limit that fired is solid and coloured, one that was not reached is dashed, a contradicted one is crossed out. What
//! never answered is hatched, the moment of a stack sample is a ring.

mod narrow;
mod place;
mod say;
mod wide;

use std::fmt;

use askama::Template;
use askama::filters::HtmlSafe;
use domain::{Axis, Bounds, LimitLine, MarkKind, Timeline};

pub use self::narrow::Narrow;
pub use self::say::{Entry, LegendItem};
pub use self::wide::Wide;
use crate::moment::clock;

/// What is drawn; the JSON has all.
const BOUNDS: Bounds = Bounds { lanes_max: 14, per_lane_max: 150, limits_max: 16 };
/// Pairs of clocks that are told of.
const CLOCKS_MAX: usize = 6;

/// A length in the drawing's own unit, printed with one decimal.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Px(pub f64);

impl fmt::Display for Px {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = format!("{:.1}", self.0);
        f.write_str(text.strip_suffix(".0").unwrap_or(&text))
    }
}

/// A timeline as the page shows it.
#[derive(Debug, Template)]
#[template(path = "parts/timeline.html")]
pub struct TimelineView {
    /// The drawings; `None` when no source gave a time.
    pub drawn: Option<Drawn>,
    /// Limits that have no place on the axis, in words.
    pub unplaced: Vec<String>,
    /// What happened, in order, in words.
    pub entries: Vec<Entry>,
    /// What was left out because there was too much of it.
    pub left_out: Option<String>,
    /// Clocks that are apart, a sentence each.
    pub clocks: Vec<String>,
}

/// Both drawings of one axis.
#[derive(Debug)]
pub struct Drawn {
    /// For wide screens.
    pub wide: Wide,
    /// For narrow screens.
    pub narrow: Narrow,
    /// When the axis begins, in UTC.
    pub starts_at: String,
    /// What its shapes mean, only those that occur.
    pub legend: Vec<LegendItem>,
    /// The drawing in one sentence.
    pub label: String,
}

// Its template escapes what it prints.
impl HtmlSafe for TimelineView {}

impl TimelineView {
    /// Lays out `timeline`.
    #[must_use]
    pub fn new(timeline: &Timeline) -> Self {
        let (timeline, left_out) = timeline.bounded(BOUNDS);
        let axis = Axis::of(&timeline);
        let on_axis = |limit: &LimitLine| axis.zip(limit.at).is_some_and(|(axis, at)| axis.share(at).is_some());
        let unplaced = timeline.limits.iter().filter(|limit| !on_axis(limit)).map(|limit| say::unplaced(limit, axis)).collect();
        let drawn = axis.filter(|_| !timeline.lanes.is_empty()).map(|axis| Drawn {
            wide: Wide::draw(&timeline, axis),
            narrow: Narrow::draw(&timeline, axis),
            starts_at: clock(axis.start()),
            legend: say::legend(&timeline, axis),
            label: say::drawing(&timeline),
        });
        let entries = axis.map(|axis| say::entries(&timeline, axis)).unwrap_or_default();
        let clocks = timeline.clocks.into_iter().take(CLOCKS_MAX).map(|offset| offset.text).collect();
        Self { drawn, unplaced, entries, left_out: left_out.in_words(), clocks }
    }
}

#[cfg(test)]
mod tests;
