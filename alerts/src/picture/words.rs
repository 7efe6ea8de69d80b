//! What the picture shows, in words.

use domain::{Axis, LimitLine, Mark, MarkKind, Millis, Segment, SegmentKind, Timeline};
use jiff::Timestamp;

use crate::text::one_line;

/// Sentences at most: as many as a picture has things that catch the eye.
const ENTRIES_MAX: usize = 12;

/// Longest name, in characters.
const NAME_CHARS_MAX: usize = 100;

/// One sentence, with what decides whether there is room for it.
struct Entry {
    at: Timestamp,
    /// What fired, and what never answered, is never left out for the sake of others.
    matters: bool,
    length: Millis,
    text: String,
}

/// A limit: `gunicorn --timeout 30 s, fired`.
pub(super) fn limit(line: &LimitLine) -> String {
    line.in_words(&one_line(&line.label, NAME_CHARS_MAX))
}

/// What the shapes mean that have no words beside them, only those that occur: `amber: waiting; striped: never answered`.
pub(super) fn legend(timeline: &Timeline) -> String {
    let segment = |kind| timeline.lanes.iter().flat_map(|lane| &lane.segments).any(|segment| segment.kind == kind);
    let mark = |kind| timeline.lanes.iter().flat_map(|lane| &lane.marks).any(|mark| mark.kind == kind);
    let shapes = [
        (segment(SegmentKind::Init), "grey: start-up"),
        (segment(SegmentKind::Work), "green: work"),
        (segment(SegmentKind::Wait), "amber: waiting"),
        (segment(SegmentKind::Unanswered), "striped: never answered"),
        (segment(SegmentKind::Fired), "red: ended by a limit"),
        (mark(MarkKind::Stack), "ring: stack sample"),
        (mark(MarkKind::Line), "dot: log line"),
    ];
    shapes.into_iter().filter_map(|(occurs, text)| occurs.then_some(text)).collect::<Vec<_>>().join("; ")
}

/// What happened, in order of time: `+0 s gunicorn: work, 30 s`.
pub(super) fn entries(timeline: &Timeline, axis: Axis) -> Vec<String> {
    let mut found: Vec<Entry> = Vec::new();
    for lane in &timeline.lanes {
        let name = one_line(&lane.label, NAME_CHARS_MAX);
        found.extend(lane.segments.iter().map(|one| segment(one, &name)));
        found.extend(lane.marks.iter().filter(|mark| mark.kind != MarkKind::Line).map(|one| mark(one, &name)));
    }
    found.extend(timeline.limits.iter().filter_map(|line| {
        let at = line.at.filter(|at| axis.share(*at).is_some())?;
        Some(Entry { at, matters: true, length: Millis::default(), text: format!("limit {}", limit(line)) })
    }));
    found.sort_by_key(|entry| (!entry.matters, std::cmp::Reverse(entry.length)));
    let left_out = found.len().saturating_sub(ENTRIES_MAX);
    found.truncate(ENTRIES_MAX);
    found.sort_by_key(|entry| entry.at);
    let mut lines: Vec<_> = found.iter().map(|entry| format!("{} {}", offset(axis.offset(entry.at)), entry.text)).collect();
    if left_out > 0 {
        lines.push(format!("and {left_out} more"));
    }
    lines
}

/// `+29.1 s`.
fn offset(offset: Millis) -> String {
    if offset == Millis::default() { "+0 s".to_owned() } else { format!("+{offset}") }
}

fn segment(segment: &Segment, lane: &str) -> Entry {
    let length = Millis::between(segment.from, segment.to);
    let label = one_line(&segment.label, NAME_CHARS_MAX);
    let label = if label.is_empty() { label } else { format!("{label}, ") };
    let matters = matches!(segment.kind, SegmentKind::Unanswered | SegmentKind::Fired);
    Entry { at: segment.from, matters, length, text: format!("{lane}: {label}{}, {length}", segment.kind.in_words()) }
}

fn mark(mark: &Mark, lane: &str) -> Entry {
    let label = one_line(&mark.label, NAME_CHARS_MAX);
    let label = if label.is_empty() { label } else { format!(": {label}") };
    Entry { at: mark.at, matters: true, length: Millis::default(), text: format!("{lane}: {}{label}", mark.kind.in_words()) }
}
