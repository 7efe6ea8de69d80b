//! Timeouts over time, stacked by layer.

use std::collections::BTreeMap;

use askama::Template;
use askama::filters::HtmlSafe;
use domain::{Layer, Millis};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use store::LayerCount;

use crate::moment::{count, counted};
use crate::timeline::Px;
use crate::words::{self, LayerWord};

/// Height of the stacked chart in its own unit.
const HEIGHT: f64 = 100.0;
/// Width of one bucket in the same unit; the drawing is stretched.
const BUCKET: f64 = 10.0;
/// Free room between two buckets.
const GAP: f64 = 1.6;

/// The address of the incidents between two moments, of one layer or of all.
pub type List<'a> = &'a dyn Fn(Timestamp, Timestamp, Option<Layer>) -> String;

/// Timeouts over time, stacked by layer.
#[derive(Debug, Template)]
#[template(path = "parts/stacked.html")]
pub struct Stacked {
    /// Width in the drawing's own unit.
    pub width: Px,
    /// Bars that hold something.
    pub bars: Vec<StackedBar>,
    /// What each colour means and how many there are, outermost layer first.
    pub legend: Vec<LegendRow>,
    /// The highest value of the axis.
    pub top: String,
    /// Half of it.
    pub half: String,
    /// Times under the chart.
    pub times: Vec<TimeLabel>,
    /// `One bar is 30 min, times in UTC.`
    pub note: String,
    /// How many in all.
    pub total: u64,
    /// The chart in one sentence.
    pub label: String,
}

/// One bucket.
#[derive(Debug)]
pub struct StackedBar {
    /// Left edge.
    pub x: Px,
    /// Width.
    pub width: Px,
    /// One piece per layer, the outermost at the bottom.
    pub pieces: Vec<BarPiece>,
    /// The incidents that it counts.
    pub href: String,
    /// `12:00–12:30: 4 platform, 1 app server`.
    pub title: String,
}

/// One layer of one bucket.
#[derive(Debug)]
pub struct BarPiece {
    /// Upper edge.
    pub y: Px,
    /// Height.
    pub height: Px,
    /// `layer-platform`, …
    pub class: &'static str,
}

/// One colour.
#[derive(Debug)]
pub struct LegendRow {
    /// The layer.
    pub layer: LayerWord,
    /// How many.
    pub count: String,
    /// The incidents that it counts; `None` where no filter says "layer not known".
    pub href: Option<String>,
}

/// A time under the chart.
#[derive(Debug)]
pub struct TimeLabel {
    /// RFC 3339.
    pub iso: String,
    /// `12:00` or `22 Nov`.
    pub text: String,
}

/// The window that a chart shows.
#[derive(Clone, Copy, Debug)]
pub struct Window {
    /// Its beginning.
    pub from: Timestamp,
    /// Its end.
    pub to: Timestamp,
    /// Into how many equal parts it is cut.
    pub buckets: u32,
}

impl Window {
    fn bucket_of(self, at: Timestamp) -> Option<usize> {
        let span = self.to.as_millisecond() - self.from.as_millisecond();
        let offset = at.as_millisecond() - self.from.as_millisecond();
        if span <= 0 || offset < 0 || offset >= span {
            return None;
        }
        usize::try_from(i128::from(offset) * i128::from(self.buckets) / i128::from(span)).ok()
    }

    fn starts_at(self, bucket: usize) -> Timestamp {
        let span = i128::from(self.to.as_millisecond() - self.from.as_millisecond());
        let offset = span * i128::try_from(bucket).unwrap_or(i128::MAX) / i128::from(self.buckets.max(1));
        let millisecond = i128::from(self.from.as_millisecond()) + offset;
        i64::try_from(millisecond).ok().and_then(|ms| Timestamp::from_millisecond(ms).ok()).unwrap_or(self.to)
    }
}

// Its template escapes what it prints.
impl HtmlSafe for Stacked {}

impl Stacked {
    /// Draws `counts` over `window`; `list` is the address of the incidents between two moments, of one layer or of all.
    #[must_use]
    pub fn draw(counts: &[LayerCount], window: Window, list: List<'_>) -> Self {
        let mut buckets: BTreeMap<usize, BTreeMap<LayerOrder, u64>> = BTreeMap::new();
        let mut layers: BTreeMap<LayerOrder, u64> = BTreeMap::new();
        for item in counts.iter().filter(|item| item.count > 0) {
            if let Some(bucket) = window.bucket_of(item.at) {
                *buckets.entry(bucket).or_default().entry(LayerOrder::of(item.layer)).or_default() += item.count;
                *layers.entry(LayerOrder::of(item.layer)).or_default() += item.count;
            }
        }
        let highest = buckets.values().map(|layers| layers.values().sum::<u64>()).max().unwrap_or(0);
        let top = round_up(highest);
        let total = layers.values().sum();
        let parts: Vec<_> = layers.iter().map(|(layer, n)| format!("{} {}", count(*n), layer.word().name)).collect();
        let legend = layers.iter().map(|(layer, n)| LegendRow {
            layer: layer.word(),
            count: count(*n),
            href: layer.1.map(|layer| list(window.from, window.to, Some(layer))),
        });
        Self {
            width: Px(f64::from(window.buckets) * BUCKET),
            legend: legend.collect(),
            bars: buckets.iter().map(|(bucket, layers)| draw_bucket(*bucket, layers, top, window, list)).collect(),
            top: count(top),
            half: if top.is_multiple_of(2) { count(top / 2) } else { String::new() },
            times: time_labels(window),
            note: format!("One bar is {}; times are UTC.", Millis::between(window.starts_at(0), window.starts_at(1))),
            total,
            label: format!("{} by layer: {}", counted(total, "incident", "incidents"), parts.join(", ")),
        }
    }
}

/// Layers outermost first, the unknown one last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct LayerOrder(bool, Option<Layer>);

impl LayerOrder {
    fn of(layer: Option<Layer>) -> Self {
        Self(layer.is_none(), layer)
    }

    fn word(self) -> LayerWord {
        words::layer(self.1)
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts far below 2^52, drawn a few pixels high")]
fn draw_bucket(bucket: usize, layers: &BTreeMap<LayerOrder, u64>, top: u64, window: Window, list: List<'_>) -> StackedBar {
    let (from, to) = (window.starts_at(bucket), window.starts_at(bucket + 1));
    let mut below = HEIGHT;
    let pieces = layers.iter().map(|(layer, n)| {
        let height = *n as f64 * HEIGHT / top.max(1) as f64;
        below -= height;
        BarPiece { y: Px(below), height: Px(height), class: layer.word().class }
    });
    let pieces = pieces.collect();
    let parts: Vec<_> = layers.iter().map(|(layer, n)| format!("{} {}", count(*n), layer.word().name)).collect();
    StackedBar {
        x: Px(bucket as f64 * BUCKET + GAP / 2.0),
        width: Px(BUCKET - GAP),
        pieces,
        href: list(from, to, None),
        title: format!("{} to {} UTC: {}", time_text(from, "%-d %b %H:%M"), time_text(to, "%H:%M"), parts.join(", ")),
    }
}

/// Five times, evenly spread, from the first to the last moment.
fn time_labels(window: Window) -> Vec<TimeLabel> {
    const LABELS: usize = 5;
    let long = window.to.as_second() - window.from.as_second() > 2 * 86_400;
    let format = if long { "%-d %b" } else { "%H:%M" };
    (0..LABELS)
        .map(|place| {
            let at = window.starts_at(place * window.buckets as usize / (LABELS - 1));
            TimeLabel { iso: at.to_string(), text: time_text(at, format) }
        })
        .collect()
}

fn time_text(at: Timestamp, format: &str) -> String {
    at.to_zoned(TimeZone::UTC).strftime(format).to_string()
}

/// The next number of the row 1, 2, 4, 6, 8, 10, 20, 40, … so that its half is whole too.
fn round_up(highest: u64) -> u64 {
    let mut power = 1;
    loop {
        for digit in [1, 2, 4, 6, 8] {
            if digit * power >= highest {
                return digit * power;
            }
        }
        power *= 10;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::links::Links;

    fn at(text: &str) -> Timestamp {
        format!("2026-11-22T{text}Z").parse().expect("a time")
    }

    fn day() -> Window {
        Window { from: at("00:00:00"), to: at("12:00:00"), buckets: 24 }
    }

    fn list(from: Timestamp, to: Timestamp, layer: Option<Layer>) -> String {
        Links::new("").incidents_between(from, to, layer)
    }

    fn counted_at(time: &str, layer: Option<Layer>, count: u64) -> LayerCount {
        LayerCount { at: at(time), layer, count }
    }

    #[test]
    fn layers_lie_on_one_another_and_link_to_what_they_count() {
        let counts = [
            counted_at("01:10:00", Some(Layer::AppServer), 3),
            counted_at("01:00:00", Some(Layer::Router), 1),
            counted_at("01:00:00", None, 4),
            counted_at("23:00:00", Some(Layer::Client), 9),
        ];
        let chart = Stacked::draw(&counts, day(), &list);
        assert_eq!((chart.total, chart.top.as_str(), chart.half.as_str()), (8, "8", "4"));
        let bar = &chart.bars[0];
        let pieces: Vec<_> = bar.pieces.iter().map(|piece| (piece.class, piece.y.0, piece.height.0)).collect();
        assert_eq!(pieces, [("layer-router", 87.5, 12.5), ("layer-app_server", 50.0, 37.5), ("layer-unknown", 0.0, 50.0)]);
        assert_eq!(bar.href, "/incidents?from=2026-11-22T01%3A00%3A00Z&to=2026-11-22T01%3A30%3A00Z");
        assert_eq!(bar.title, "22 Nov 01:00 to 01:30 UTC: 1 router, 3 app server, 4 layer not known");
    }

    #[test]
    fn nothing_counted_draws_nothing() {
        let chart = Stacked::draw(&[], day(), &list);
        assert_eq!((chart.total, chart.bars.len(), chart.legend.len()), (0, 0, 0));
    }

    #[test]
    fn the_axis_ends_at_a_number_with_a_whole_half() {
        assert_eq!([0, 1, 3, 9, 11, 41, 200, 8001].map(round_up), [1, 1, 4, 10, 20, 60, 200, 10_000]);
    }
}
