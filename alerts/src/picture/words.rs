//! What the picture shows, in words.

use domain::{Axis, Lane, LimitLine, Mark, MarkKind, Millis, Segment, SegmentKind, Timeline};
use jiff::Timestamp;

use crate::text::one_line;

/// Sentences at most: as many as a picture has things that catch the eye.
const ENTRIES_MAX: usize = 12;

/// Longest name, in characters.
const NAME_CHARS_MAX: usize = 100;

/// Something that happened, with what decides whether there is room for it.
struct Entry<'a> {
    at: Timestamp,
    length: Millis,
    what: What<'a>,
}

enum What<'a> {
    Stretch(&'a Lane, &'a Segment),
    Moment(&'a Lane, &'a Mark),
    Limit(&'a LimitLine),
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

/// What happened, in order of time: `+0 s gunicorn: worker 322, ended by a limit, 29.8 s`.
pub(super) fn entries(timeline: &Timeline, axis: Axis) -> Vec<String> {
    let mut found: Vec<Entry<'_>> = Vec::new();
    for lane in &timeline.lanes {
        let stretch = |one: &'_ Segment| Millis::between(one.from, one.to);
        found.extend(lane.segments.iter().map(|one| Entry { at: one.from, length: stretch(one), what: What::Stretch(lane, one) }));
        let moments = lane.marks.iter().filter(|mark| mark.kind != MarkKind::Line);
        found.extend(moments.map(|one| Entry { at: one.at, length: Millis::default(), what: What::Moment(lane, one) }));
    }
    found.extend(timeline.limits.iter().filter_map(|line| {
        let at = line.at.filter(|at| axis.share(*at).is_some())?;
        Some(Entry { at, length: Millis::default(), what: What::Limit(line) })
    }));
    found.sort_by_key(|entry| (!entry.matters(), std::cmp::Reverse(entry.length)));
    let left_out = found.len().saturating_sub(ENTRIES_MAX);
    found.truncate(ENTRIES_MAX);
    found.sort_by_key(|entry| entry.at);
    let mut lines: Vec<_> = found.iter().map(|entry| format!("{} {}", offset(axis.offset(entry.at)), entry.text())).collect();
    if left_out > 0 {
        lines.push(format!("and {left_out} more"));
    }
    lines
}

impl Entry<'_> {
    /// What fired, and what never answered, is never left out for the sake of other stretches.
    fn matters(&self) -> bool {
        match self.what {
            What::Stretch(_, segment) => matches!(segment.kind, SegmentKind::Unanswered | SegmentKind::Fired),
            What::Moment(..) | What::Limit(_) => true,
        }
    }

    fn text(&self) -> String {
        let name = |lane: &Lane| one_line(&lane.label, NAME_CHARS_MAX);
        match self.what {
            What::Limit(line) => format!("limit {}", limit(line)),
            What::Stretch(lane, segment) => {
                let label = one_line(&segment.label, NAME_CHARS_MAX);
                let label = if label.is_empty() { label } else { format!("{label}, ") };
                format!("{}: {label}{}, {}", name(lane), segment.kind.in_words(), self.length)
            }
            What::Moment(lane, mark) => {
                let label = one_line(&mark.label, NAME_CHARS_MAX);
                let label = if label.is_empty() { label } else { format!(": {label}") };
                format!("{}: {}{label}", name(lane), mark.kind.in_words())
            }
        }
    }
}

/// `+29.1 s`.
fn offset(offset: Millis) -> String {
    if offset == Millis::default() { "+0 s".to_owned() } else { format!("+{offset}") }
}
