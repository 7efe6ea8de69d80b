//! The request on one time axis, as a picture in a mail: mail programs show no SVG, so it is a PNG that comes along.
//!
//! As wide as a phone, so that its words can be read there; on a light ground of its own, so that it looks the same on dark
//! ones. Pure, bounded, and the same bytes for the same timeline. Whoever does not see it reads the same in [`words`].

mod layout;
mod paint;
mod words;

use domain::{Axis, Bounds, Timeline};

use crate::text::one_line;

/// As much as can be told apart on a phone.
const BOUNDS: Bounds = Bounds { lanes_max: 8, per_lane_max: 100, limits_max: 4 };

/// Pixels of the picture for each of the page: sharp on screens of twice the density.
const SCALE: u32 = 2;

/// Longest text in place of the picture, in characters.
const ALT_CHARS_MAX: usize = 1_500;

/// A picture and what it shows.
pub(crate) struct Picture {
    /// PNG.
    pub png: Vec<u8>,
    /// Size on the page.
    pub width: u32,
    /// Size on the page.
    pub height: u32,
    /// What it shows, one sentence per line, in order of time.
    pub words: Vec<String>,
    /// When the axis begins, what the shapes mean, and what had no room.
    pub caption: String,
}

impl Picture {
    /// Draws `timeline`; `None` when there is nothing to draw on an axis.
    pub(crate) fn of(timeline: &Timeline) -> Option<Self> {
        let axis = Axis::of(timeline).filter(|_| !timeline.lanes.is_empty())?;
        let (bounded, left_out) = timeline.bounded(BOUNDS);
        let drawing = layout::lay_out(&bounded, axis);
        let left_out = left_out.in_words().map(|rest| format!(" Not drawn: {rest}.")).unwrap_or_default();
        Some(Self {
            png: paint::png(&drawing)?,
            width: drawing.width / SCALE,
            height: drawing.height / SCALE,
            words: words::entries(timeline, axis),
            caption: format!("0 s is {}; {}.{left_out}", axis.start().strftime("%H:%M:%S%.3f UTC"), words::legend(&bounded)),
        })
    }

    /// The same for those who do not see it.
    pub(crate) fn alt(&self) -> String {
        one_line(&format!("Timeline of the request: {}.", self.words.join("; ")), ALT_CHARS_MAX)
    }
}

#[cfg(test)]
mod tests;
