//! The drawing for narrow screens: time runs downwards, the lanes stand side by side.
//!
//! There is no room for words beside the bars: limits carry their time in the margin, and the list below the drawing says
//! in full what happened in which lane.

use domain::{Axis, Lane, LimitMark, MarkKind, SegmentKind, Timeline};

use super::place::fitted;
use super::wide::{limit_class, segment_class};
use super::{Px, say};
use crate::text::Text;
use crate::words;

const WIDTH: f64 = 360.0;
/// Room for the times.
const PLOT_LEFT: f64 = 58.0;
const PLOT_RIGHT: f64 = 356.0;
/// Room for the names of the lanes.
const PLOT_TOP: f64 = 44.0;
const PLOT_HEIGHT: f64 = 380.0;
const BAR: f64 = 18.0;
const BAR_MIN: f64 = 2.5;
const TICKS: i64 = 9;
/// Two times in the margin do not come closer.
const LINE: f64 = 15.0;

/// Everything the template draws.
#[derive(Debug)]
pub struct Narrow {
    /// Size of the drawing.
    pub width: Px,
    /// Size of the drawing.
    pub height: Px,
    /// Right end of all lines.
    pub right: Px,
    /// Left end of all lines.
    pub left: Px,
    /// Round times, as far as no limit takes their place in the margin.
    pub ticks: Vec<TickRow>,
    /// Layers, outermost first.
    pub lanes: Vec<LaneColumn>,
    /// Limits, the one that fired last.
    pub limits: Vec<LimitRow>,
}

/// A tick.
#[derive(Debug)]
pub struct TickRow {
    /// Where.
    pub y: Px,
    /// `10 s`; empty where a limit stands too near.
    pub label: String,
}

/// A lane.
#[derive(Debug)]
pub struct LaneColumn {
    /// Its middle.
    pub middle_x: Px,
    /// Left edge of its bars.
    pub bar_x: Px,
    /// Its name, cut to its room.
    pub label: String,
    /// Its full name and layer.
    pub title: String,
    /// Its layer's style class.
    pub class: &'static str,
    /// Its stretches of time.
    pub bars: Vec<BarDown>,
    /// Its moments.
    pub marks: Vec<DotDown>,
}

/// A stretch of time.
#[derive(Debug)]
pub struct BarDown {
    /// Upper edge.
    pub y: Px,
    /// Length.
    pub height: Px,
    /// `seg-work`, …
    pub class: &'static str,
    /// Whether it is hatched.
    pub hatched: bool,
    /// The words of its tooltip.
    pub title: String,
}

/// A moment.
#[derive(Debug)]
pub struct DotDown {
    /// Where.
    pub y: Px,
    /// What its shape says.
    pub kind: MarkKind,
    /// The words of its tooltip.
    pub title: String,
}

/// A limit.
#[derive(Debug)]
pub struct LimitRow {
    /// Where it stood.
    pub y: Px,
    /// Base line of its time in the margin.
    pub label_y: Px,
    /// `30 s`.
    pub label: String,
    /// `limit-fired`, …
    pub class: &'static str,
    /// Whether it is crossed out.
    pub crossed: bool,
    /// The words of its tooltip.
    pub title: String,
}

impl Narrow {
    /// Draws `timeline` on `axis`.
    #[must_use]
    pub fn draw(timeline: &Timeline, axis: Axis) -> Self {
        #[expect(clippy::cast_precision_loss, reason = "the number of lanes is bounded")]
        let column = (PLOT_RIGHT - PLOT_LEFT) / timeline.lanes.len().max(1) as f64;
        #[expect(clippy::cast_precision_loss, reason = "the number of lanes is bounded")]
        let lanes = timeline.lanes.iter().enumerate().map(|(place, lane)| {
            let middle = PLOT_LEFT + column * (place as f64 + 0.5);
            draw_lane(lane, axis, middle, column)
        });
        let limits = draw_limits(timeline, axis);
        let near_limit = |y: f64| limits.iter().any(|limit| (limit.label_y.0 - y).abs() < LINE);
        let ticks = axis.ticks(TICKS).into_iter().map(|tick| {
            let y = y_of(tick.share);
            TickRow { y: Px(y), label: if near_limit(y + 4.0) { String::new() } else { tick.label } }
        });
        Self {
            width: Px(WIDTH),
            height: Px(PLOT_TOP + PLOT_HEIGHT + 14.0),
            right: Px(PLOT_RIGHT),
            left: Px(PLOT_LEFT),
            ticks: ticks.collect(),
            lanes: lanes.collect(),
            limits,
        }
    }
}

fn y_of(share: f64) -> f64 {
    PLOT_TOP + share * PLOT_HEIGHT
}

fn draw_lane(lane: &Lane, axis: Axis, middle: f64, column: f64) -> LaneColumn {
    let layer = words::layer(Some(lane.layer));
    let name = Text::name(&lane.label);
    let bars = lane.segments.iter().filter_map(|segment| {
        let (from, to) = (y_of(axis.share(segment.from)?), y_of(axis.share(segment.to)?));
        Some(BarDown {
            y: Px(from),
            height: Px((to - from).max(BAR_MIN)),
            class: segment_class(segment.kind),
            hatched: segment.kind == SegmentKind::Unanswered,
            title: say::segment(segment, axis),
        })
    });
    let marks = lane
        .marks
        .iter()
        .filter_map(|mark| Some(DotDown { y: Px(y_of(axis.share(mark.at)?)), kind: mark.kind, title: say::mark(mark, axis) }));
    LaneColumn {
        middle_x: Px(middle),
        bar_x: Px(middle - BAR / 2.0),
        label: fitted(name.as_str(), column - 6.0).unwrap_or_default(),
        title: format!("{name}, {}", layer.name),
        class: layer.class,
        bars: bars.collect(),
        marks: marks.collect(),
    }
}

fn draw_limits(timeline: &Timeline, axis: Axis) -> Vec<LimitRow> {
    let mut limits: Vec<_> = timeline.limits.iter().filter_map(|limit| Some((y_of(axis.share(limit.at?)?), limit))).collect();
    limits.sort_by(|(y, limit), (other_y, other)| {
        y.total_cmp(other_y).then((limit.mark != LimitMark::Fired).cmp(&(other.mark != LimitMark::Fired)))
    });
    let mut free_from = f64::MIN;
    let mut rows: Vec<(bool, LimitRow)> = Vec::with_capacity(limits.len());
    for (y, limit) in limits {
        let label_y = (y + 4.0).max(free_from);
        free_from = label_y + LINE;
        let label = limit.value_ms.map_or_else(|| axis.offset(limit.at.unwrap_or(axis.start())).to_string(), |value| value.to_string());
        rows.push((
            limit.mark == LimitMark::Fired,
            LimitRow {
                y: Px(y),
                label_y: Px(label_y),
                label: fitted(&label, PLOT_LEFT - 6.0).unwrap_or_default(),
                class: limit_class(limit.mark),
                crossed: limit.mark == LimitMark::Contradicted,
                title: say::limit(limit),
            },
        ));
    }
    rows.sort_by_key(|(fired, _)| *fired);
    rows.into_iter().map(|(_, row)| row).collect()
}
