//! How often one problem was seen: a few small bars beside its sentence.

use askama::Template;
use askama::filters::HtmlSafe;

use crate::moment::count;
use crate::timeline::Px;

/// How often one problem was seen over the window, as small bars.
#[derive(Debug, Template)]
#[template(path = "parts/sparkline.html")]
pub struct Sparkline {
    /// Width in the drawing's own unit.
    pub width: Px,
    /// Bars that hold something.
    pub bars: Vec<SparkBar>,
    /// The drawing in words.
    pub label: String,
}

/// One bar of a sparkline.
#[derive(Debug)]
pub struct SparkBar {
    /// Left edge.
    pub x: Px,
    /// Upper edge.
    pub y: Px,
    /// Height.
    pub height: Px,
}

// Its template escapes what it prints.
impl HtmlSafe for Sparkline {}

impl Sparkline {
    /// Height of the drawing in its own unit.
    pub const HEIGHT: f64 = 20.0;
    /// Distance from bar to bar.
    const STEP: f64 = 4.0;
    /// A bucket that holds anything is seen.
    const BAR_MIN: f64 = 2.0;

    /// Draws `trend`.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "counts far below 2^52, drawn a few pixels high")]
    pub fn draw(trend: &[u64]) -> Self {
        let highest = trend.iter().copied().max().unwrap_or(0);
        let bars = trend.iter().enumerate().filter(|(_, n)| **n > 0).map(|(place, n)| {
            let height = (*n as f64 * Self::HEIGHT / highest as f64).max(Self::BAR_MIN);
            SparkBar { x: Px(place as f64 * Self::STEP), y: Px(Self::HEIGHT - height), height: Px(height) }
        });
        let bars: Vec<_> = bars.collect();
        let label = format!("in {} of {} parts of the window, at most {} in one", bars.len(), trend.len(), count(highest));
        Self { width: Px(trend.len() as f64 * Self::STEP), bars, label }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_that_holds_something_is_seen() {
        let spark = Sparkline::draw(&[0, 1000, 0, 1]);
        let bars: Vec<_> = spark.bars.iter().map(|bar| (bar.x.0, bar.height.0)).collect();
        assert_eq!(bars, [(4.0, 20.0), (12.0, 2.0)]);
        assert_eq!(spark.label, "in 2 of 4 parts of the window, at most 1,000 in one");
    }

    #[test]
    fn nothing_draws_nothing() {
        assert!(Sparkline::draw(&[0; 24]).bars.is_empty());
    }
}
