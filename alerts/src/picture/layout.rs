//! Where everything stands, in pixels of the picture. One lane under another, time to the right, names above the bars.
//!
//! ```text
//! gunicorn  worker 322, 30 s
//! ████████████████████████████│
//! payments.internal  POST /charge, 29.1 s
//!  ▨▨▨▨▨▨▨▨▨▨▨▨▨▨▨▨▨▨▨▨▨▨▨▨▨▨▨│
//! 0 s        10 s       20 s  │
//!  gunicorn --timeout 30 s, fired
//! ```

use domain::{Axis, Lane, LimitLine, LimitMark, MarkKind, Millis, Segment, SegmentKind, Timeline};

use super::paint::CHAR_WIDTH;
use crate::text::one_line;

const WIDTH: u32 = 720;
const LEFT: f32 = 20.0;
const RIGHT: f32 = 700.0;
const TOP: f32 = 16.0;
/// A line of text, and the room between it and a bar.
const TEXT: f32 = 36.0;
const BAR: f32 = 26.0;
/// Narrower bars could not be seen.
const BAR_MIN: f32 = 4.0;
/// Between the bar of one lane and the name of the next.
const GAP: f32 = 16.0;
const TICKS: i64 = 5;
/// Between a limit's line and its words.
const BESIDE: f32 = 8.0;

/// What is drawn, from the ground up.
#[derive(Debug)]
pub(super) struct Drawing {
    pub width: u32,
    pub height: u32,
    pub shapes: Vec<Shape>,
}

/// One thing drawn.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Shape {
    /// A faint line at a round time.
    Grid { x: f32, from: f32, to: f32 },
    /// A stretch of time.
    Bar { x: f32, y: f32, width: f32, height: f32, kind: SegmentKind },
    /// A limit.
    Limit { x: f32, from: f32, to: f32, mark: LimitMark },
    /// A moment.
    Moment { x: f32, y: f32, kind: MarkKind },
    /// Words, by their upper left corner.
    Words { x: f32, y: f32, text: String, ink: Ink },
}

/// What words are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ink {
    /// A name.
    Name,
    /// What stands beside it.
    Soft,
    /// The limit that fired.
    Fired,
}

/// Lays out a timeline that is within bounds.
pub(super) fn lay_out(timeline: &Timeline, axis: Axis) -> Drawing {
    let (mut bars, mut moments, mut texts) = (Vec::new(), Vec::new(), Vec::new());
    let mut y = TOP;
    for lane in &timeline.lanes {
        texts.extend(title(lane, y));
        y += TEXT;
        bars.extend(lane.segments.iter().filter_map(|segment| bar(segment, axis, y)));
        moments.extend(
            lane.marks.iter().filter_map(|mark| Some(Shape::Moment { x: x_of(axis.share(mark.at)?), y: y + BAR / 2.0, kind: mark.kind })),
        );
        y += BAR + GAP;
    }
    let (plot_end, mut shapes) = (y, Vec::new());
    let stood: Vec<f32> = timeline.limits.iter().filter_map(|limit| axis.share(limit.at?)).map(x_of).collect();
    for tick in axis.ticks(TICKS) {
        let x = x_of(tick.share);
        shapes.push(Shape::Grid { x, from: TOP, to: plot_end });
        let room = width_of(&tick.label);
        let left = (x - room / 2.0).clamp(LEFT, RIGHT - room);
        // The line of a limit goes on down to its own words.
        if !stood.iter().any(|line| (left - BESIDE..left + room + BESIDE).contains(line)) {
            texts.push(Shape::Words { x: left, y: plot_end, text: tick.label, ink: Ink::Soft });
        }
    }
    y += TEXT;
    let mut limits = Vec::new();
    for limit in &timeline.limits {
        let Some(x) = limit.at.and_then(|at| axis.share(at)).map(x_of) else { continue };
        let (words, is_beside) = limit_words(limit, x, y);
        texts.push(words);
        limits.push(Shape::Limit { x, from: TOP, to: if is_beside { y + TEXT / 2.0 } else { y }, mark: limit.mark });
        y += TEXT;
    }
    // What fired lies over the others.
    limits.reverse();
    shapes.extend(bars);
    shapes.extend(limits);
    shapes.extend(moments);
    shapes.extend(texts);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a dozen rows of whole pixels")]
    let height = (y + TOP / 2.0) as u32;
    Drawing { width: WIDTH, height, shapes }
}

/// The name of a lane, and what it was busy with in the end.
fn title(lane: &Lane, y: f32) -> Vec<Shape> {
    let name = fitted(&lane.label, RIGHT - LEFT);
    let x = LEFT + width_of(&name) + 2.0 * CHAR_WIDTH;
    let matters = |segment: &&Segment| (segment.kind == SegmentKind::Unanswered, segment.kind == SegmentKind::Fired, length(segment));
    let beside = lane.segments.iter().max_by_key(matters).map(|segment| {
        let parts = [one_line(&segment.label, 100), length(segment).to_string()];
        fitted(&parts.iter().filter(|part| !part.is_empty()).cloned().collect::<Vec<_>>().join(", "), RIGHT - x)
    });
    let words = |x, text, ink| Shape::Words { x, y, text, ink };
    let mut shapes = vec![words(LEFT, name, Ink::Name)];
    shapes.extend(beside.filter(|text| !text.is_empty()).map(|text| words(x, text, Ink::Soft)));
    shapes
}

fn length(segment: &Segment) -> Millis {
    Millis::between(segment.from, segment.to)
}

fn bar(segment: &Segment, axis: Axis, y: f32) -> Option<Shape> {
    let (from, to) = (x_of(axis.share(segment.from)?), x_of(axis.share(segment.to)?));
    Some(Shape::Bar { x: from, y, width: (to - from).max(BAR_MIN), height: BAR, kind: segment.kind })
}

/// The words of a limit: behind its line, else before it, else below it; and whether they stand beside the line.
fn limit_words(limit: &LimitLine, x: f32, y: f32) -> (Shape, bool) {
    let ink = if limit.mark == LimitMark::Fired { Ink::Fired } else { Ink::Soft };
    let text = fitted(&super::words::limit(limit), RIGHT - LEFT);
    let width = width_of(&text);
    let (behind, before, below) = (x + BESIDE, x - BESIDE - width, (x - width / 2.0).clamp(LEFT, RIGHT - width));
    let (left, is_beside) = match () {
        () if behind + width <= RIGHT => (behind, true),
        () if before >= LEFT => (before, true),
        () => (below, false),
    };
    (Shape::Words { x: left, y, text, ink }, is_beside)
}

fn x_of(share: f64) -> f32 {
    #[expect(clippy::cast_possible_truncation, reason = "a share from 0 to 1")]
    let share = share as f32;
    LEFT + share * (RIGHT - LEFT)
}

fn width_of(text: &str) -> f32 {
    #[expect(clippy::cast_precision_loss, reason = "a line of text")]
    let count = text.chars().count() as f32;
    count * CHAR_WIDTH
}

/// As much of a text as has room, in one line.
fn fitted(text: &str, room: f32) -> String {
    const MORE: &str = "..";
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a room of some hundred pixels, or none")]
    let chars_max = (room / CHAR_WIDTH).max(0.0) as usize;
    let text = one_line(text, 1_000);
    if text.chars().count() <= chars_max {
        return text;
    }
    match chars_max.checked_sub(MORE.len()) {
        None | Some(0) => String::new(),
        Some(kept) => text.chars().take(kept).chain(MORE.chars()).collect(),
    }
}
