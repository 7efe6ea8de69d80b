//! The drawing for wide screens: time runs to the right, one lane under another.
//!
//! ```text
//!            0 s        10 s        20 s        30 s                   60 s
//! gunicorn   ████████████████████████████████████◆ worker 8901 aborted  ┊
//! payments   ▨▨ POST /charge · 29.1 s ▨▨▨▨▨▨▨▨▨▨▨▨│                     ┊
//!                                                 │ --timeout 30 s, fired
//! ```

use domain::{Axis, Lane, LimitLine, LimitMark, Mark, MarkKind, Segment, SegmentKind, Timeline};

use super::place::{Placed, Rows, fitted, width_px};
use super::{Px, say};
use crate::gist::gist;
use crate::text::Text;
use crate::words::{self, LayerWord};

const WIDTH: f64 = 1040.0;
const PLOT_LEFT: f64 = 190.0;
const PLOT_RIGHT: f64 = 1028.0;
/// Below the labels of the ticks.
const PLOT_TOP: f64 = 30.0;
const BAR: f64 = 20.0;
const ROW: f64 = 16.0;
/// Between the bar of one lane and the words of the next.
const LANE_GAP: f64 = 20.0;
/// Narrower bars could not be seen.
const BAR_MIN: f64 = 2.5;
/// Rows of words over one lane.
const NOTE_ROWS: usize = 2;
/// Rows of words under the drawing.
const LIMIT_ROWS: usize = 4;
const NOTE_PX_MAX: f64 = 420.0;
const TICKS: i64 = 9;

/// Everything the template draws.
#[derive(Debug)]
pub struct Wide {
    /// Size of the drawing.
    pub width: Px,
    /// Size of the drawing.
    pub height: Px,
    /// Lower end of the plot.
    pub bottom: Px,
    /// Round times.
    pub ticks: Vec<TickLine>,
    /// Layers, outermost first.
    pub lanes: Vec<LaneRow>,
    /// Limits, the one that fired last, so that it lies over the others.
    pub limits: Vec<LimitBar>,
}

/// A tick.
#[derive(Debug)]
pub struct TickLine {
    /// Where.
    pub x: Px,
    /// `10 s`.
    pub label: String,
}

/// A lane.
#[derive(Debug)]
pub struct LaneRow {
    /// Its name, cut to its room.
    pub label: String,
    /// Its full name and layer.
    pub title: String,
    /// Its layer.
    pub layer: LayerWord,
    /// Upper edge of its bars.
    pub bar_y: Px,
    /// Their middle.
    pub middle_y: Px,
    /// Its stretches of time.
    pub bars: Vec<Bar>,
    /// Its moments.
    pub marks: Vec<Dot>,
    /// Words over the bars.
    pub notes: Vec<NoteText>,
}

/// A stretch of time.
#[derive(Debug)]
pub struct Bar {
    /// Left edge.
    pub x: Px,
    /// Length.
    pub width: Px,
    /// `seg-work`, …
    pub class: &'static str,
    /// Whether it is hatched: a call that was never answered.
    pub hatched: bool,
    /// The words of its tooltip.
    pub title: String,
    /// Words inside it, where they fit.
    pub inside: Option<String>,
}

/// A moment.
#[derive(Debug)]
pub struct Dot {
    /// Where.
    pub x: Px,
    /// What its shape says.
    pub kind: MarkKind,
    /// The words of its tooltip.
    pub title: String,
}

/// Words over a lane.
#[derive(Debug)]
pub struct NoteText {
    /// Where they are anchored.
    pub x: Px,
    /// Base line.
    pub y: Px,
    /// `start` or `end`.
    pub anchor: &'static str,
    /// `note-fired` or nothing.
    pub class: &'static str,
    /// The words.
    pub text: String,
}

/// A limit.
#[derive(Debug)]
pub struct LimitBar {
    /// Where it stood.
    pub x: Px,
    /// Lower end of its line.
    pub bottom: Px,
    /// `limit-fired`, `limit-open`, `limit-contradicted`.
    pub class: &'static str,
    /// Whether it is crossed out.
    pub crossed: bool,
    /// Its words, where there was room.
    pub words: Option<NoteText>,
    /// The words of its tooltip.
    pub title: String,
}

impl Wide {
    /// Draws `timeline` on `axis`.
    #[must_use]
    pub fn draw(timeline: &Timeline, axis: Axis) -> Self {
        let stood: Vec<f64> = timeline.limits.iter().filter_map(|limit| axis.share(limit.at?)).map(x_of).collect();
        let mut y = PLOT_TOP;
        let mut lanes = Vec::with_capacity(timeline.lanes.len());
        for lane in &timeline.lanes {
            let (row, below) = draw_lane(lane, axis, y, &stood);
            lanes.push(row);
            y = below;
        }
        let (limits, rows) = draw_limits(&timeline.limits, axis, y);
        #[expect(clippy::cast_precision_loss, reason = "a handful of rows")]
        let height = y + ROW * rows as f64 + 8.0;
        let ticks = axis.ticks(TICKS).into_iter().map(|tick| TickLine { x: Px(x_of(tick.share)), label: tick.label }).collect();
        Self { width: Px(WIDTH), height: Px(height), bottom: Px(y), ticks, lanes, limits }
    }
}

fn x_of(share: f64) -> f64 {
    PLOT_LEFT + share * (PLOT_RIGHT - PLOT_LEFT)
}

/// Words that want a place over a lane, with where they belong.
struct Wish {
    x: f64,
    text: String,
    class: &'static str,
}

fn draw_lane(lane: &Lane, axis: Axis, top: f64, lines: &[f64]) -> (LaneRow, f64) {
    let mut wishes = Vec::new();
    for mark in lane.marks.iter().filter(|mark| mark.kind != MarkKind::Line) {
        wishes.extend(mark_wish(mark, axis));
    }
    let bars: Vec<Bar> = lane.segments.iter().filter_map(|segment| draw_segment(segment, axis, &mut wishes)).collect();
    for mark in lane.marks.iter().filter(|mark| mark.kind == MarkKind::Line) {
        wishes.extend(mark_wish(mark, axis));
    }
    let mut rows = Rows::new(PLOT_LEFT, PLOT_RIGHT, NOTE_ROWS).avoiding(lines.to_vec());
    let placed: Vec<(Wish, Placed)> =
        wishes.into_iter().filter_map(|wish| rows.place(wish.x, width_px(&wish.text)).map(|placed| (wish, placed))).collect();
    #[expect(clippy::cast_precision_loss, reason = "a handful of rows")]
    let bar_y = top + ROW * rows.used() as f64 + 6.0;
    #[expect(clippy::cast_precision_loss, reason = "a handful of rows")]
    let note = |(wish, placed): (Wish, Placed)| NoteText {
        x: Px(placed.x),
        y: Px(bar_y - 6.0 - ROW * placed.row as f64),
        anchor: placed.anchor.as_str(),
        class: wish.class,
        text: wish.text,
    };
    let layer = words::layer(Some(lane.layer));
    let name = Text::name(&lane.label);
    let row = LaneRow {
        label: fitted(name.as_str(), PLOT_LEFT - 16.0).unwrap_or_default(),
        title: format!("{name}, {}", layer.name),
        layer,
        bar_y: Px(bar_y),
        middle_y: Px(bar_y + BAR / 2.0),
        bars,
        marks: lane.marks.iter().filter_map(|mark| draw_mark(mark, axis)).collect(),
        notes: placed.into_iter().map(note).collect(),
    };
    (row, bar_y + BAR + LANE_GAP)
}

fn draw_segment(segment: &Segment, axis: Axis, wishes: &mut Vec<Wish>) -> Option<Bar> {
    let (from, to) = (x_of(axis.share(segment.from)?), x_of(axis.share(segment.to)?));
    let width = (to - from).max(BAR_MIN);
    let label = Text::name(&segment.label);
    let inside = (!label.as_str().is_empty() && width_px(label.as_str()) + 14.0 <= width).then(|| label.as_str().to_owned());
    if inside.is_none() && !label.as_str().is_empty() {
        wishes.extend(fitted(label.as_str(), NOTE_PX_MAX).map(|text| Wish { x: from, text, class: "" }));
    }
    Some(Bar {
        x: Px(from),
        width: Px(width),
        class: segment_class(segment.kind),
        hatched: segment.kind == SegmentKind::Unanswered,
        title: say::segment(segment, axis),
        inside,
    })
}

/// The style class of a stretch of time.
#[must_use]
pub fn segment_class(kind: SegmentKind) -> &'static str {
    match kind {
        SegmentKind::Work => "seg-work",
        SegmentKind::Init => "seg-init",
        SegmentKind::Wait => "seg-wait",
        SegmentKind::Unanswered => "seg-unanswered",
        SegmentKind::Fired => "seg-fired",
    }
}

fn mark_wish(mark: &Mark, axis: Axis) -> Option<Wish> {
    let x = x_of(axis.share(mark.at)?);
    let text = fitted(Text::name(&gist(&mark.label)).as_str(), NOTE_PX_MAX).filter(|text| !text.is_empty())?;
    Some(Wish { x, text, class: if mark.kind == MarkKind::Fired { "note-fired" } else { "" } })
}

fn draw_mark(mark: &Mark, axis: Axis) -> Option<Dot> {
    Some(Dot { x: Px(x_of(axis.share(mark.at)?)), kind: mark.kind, title: say::mark(mark, axis) })
}

fn draw_limits(limits: &[LimitLine], axis: Axis, plot_bottom: f64) -> (Vec<LimitBar>, usize) {
    let mut on_axis: Vec<(f64, &LimitLine)> = limits.iter().filter_map(|limit| Some((x_of(axis.share(limit.at?)?), limit))).collect();
    // What fired gets the first row; the others from right to left, so that their words run over no other's line.
    on_axis.sort_by(|(x, limit), (other_x, other)| {
        (limit.mark != LimitMark::Fired).cmp(&(other.mark != LimitMark::Fired)).then(other_x.total_cmp(x))
    });
    let mut rows = Rows::new(8.0, PLOT_RIGHT, LIMIT_ROWS);
    let mut bars: Vec<LimitBar> = on_axis.into_iter().map(|(x, limit)| draw_limit(x, limit, plot_bottom, &mut rows)).collect();
    bars.reverse();
    (bars, rows.used())
}

fn draw_limit(x: f64, limit: &LimitLine, plot_bottom: f64, rows: &mut Rows) -> LimitBar {
    let class = limit_class(limit.mark);
    let title = say::limit(limit);
    let text = fitted(&title, NOTE_PX_MAX).unwrap_or_default();
    let placed = rows.place(x, width_px(&text));
    #[expect(clippy::cast_precision_loss, reason = "a handful of rows")]
    let base = placed.map_or(plot_bottom, |placed| plot_bottom + ROW * placed.row as f64 + 6.0);
    let words = placed.map(|placed| NoteText { x: Px(placed.x), y: Px(base), anchor: placed.anchor.as_str(), class, text });
    LimitBar { x: Px(x), bottom: Px(base), class, crossed: limit.mark == LimitMark::Contradicted, words, title }
}

/// The style class of a limit.
#[must_use]
pub fn limit_class(mark: LimitMark) -> &'static str {
    match mark {
        LimitMark::Fired => "limit-fired",
        LimitMark::NotReached => "limit-open",
        LimitMark::Contradicted => "limit-contradicted",
    }
}
