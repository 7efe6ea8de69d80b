//! Charts of counts: timeouts over time stacked by layer, and the sparkline of one problem.
//!
//! Drawn here and not by a chart library because bars of counts are all there is, every bar must link to the list it counts,
//! and colours must follow the reader's light or dark page. The bars stretch to any width; labels are HTML beside them, so
//! that they never shrink with the drawing.

mod sparkline;
mod stacked;

pub use self::sparkline::Sparkline;
pub use self::stacked::{Stacked, Window};
