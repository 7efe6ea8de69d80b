//! The timeline in words: tooltips, legend, and the list that says the same as the drawing.

use domain::{Axis, LimitLine, LimitMark, Mark, MarkKind, Millis, Segment, SegmentKind, Timeline};
use jiff::Timestamp;

use crate::gist::gist;
use crate::moment::{Offset, clock};
use crate::text::Text;
use crate::words;

/// Entries of the list in words.
const ENTRIES_MAX: usize = 80;

/// One shape of the legend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LegendItem {
    /// Style class of its sample.
    pub class: &'static str,
    /// What it means.
    pub text: &'static str,
}

/// One line of the list in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Since the beginning of the axis: `+29.1 s`.
    pub offset: String,
    /// The time of day in UTC.
    pub clock: String,
    /// In which lane: its name and layer.
    pub lane: String,
    /// What.
    pub what: String,
    /// Whether it is the limit that fired.
    pub fired: bool,
}

/// A limit: `gunicorn --timeout 30 s, fired`.
#[must_use]
pub fn limit(line: &LimitLine) -> String {
    line.in_words(Text::name(&line.label).as_str())
}

/// A limit that has no place on the axis, with the reason.
#[must_use]
pub fn unplaced(line: &LimitLine, axis: Option<Axis>) -> String {
    let why = match (line.value_ms, line.at, axis) {
        (None, _, _) => return limit(line),
        (_, None, _) => "it is not known when it began to count",
        (_, Some(_), Some(_)) => "beyond this axis",
        (_, Some(_), None) => "there is no axis to place it on",
    };
    format!("{}; {why}", limit(line))
}

/// A stretch of time, for its tooltip.
#[must_use]
pub fn segment(segment: &Segment, axis: Axis) -> String {
    format!("{}, from {}", stretch(segment), Offset(axis.offset(segment.from)))
}

fn stretch(segment: &Segment) -> String {
    let label = Text::name(&segment.label);
    let separator = if label.as_str().is_empty() { "" } else { ": " };
    format!("{label}{separator}{}, {}", segment.kind.in_words(), Millis::between(segment.from, segment.to))
}

/// A moment, for its tooltip.
#[must_use]
pub fn mark(mark: &Mark, axis: Axis) -> String {
    format!("{} at {}", moment(mark), Offset(axis.offset(mark.at)))
}

fn moment(mark: &Mark) -> String {
    let kind = mark.kind.in_words();
    let label = Text::name(&gist(&mark.label));
    if label.as_str().is_empty() { kind.to_owned() } else { format!("{kind}: {label}") }
}

/// The shapes of `timeline` that occur on `axis`.
#[must_use]
pub fn legend(timeline: &Timeline, axis: Axis) -> Vec<LegendItem> {
    let segment = |kind| timeline.lanes.iter().flat_map(|lane| &lane.segments).any(|segment| segment.kind == kind);
    let mark = |kind| timeline.lanes.iter().flat_map(|lane| &lane.marks).any(|mark| mark.kind == kind);
    let limit = |mark| timeline.limits.iter().any(|limit| limit.mark == mark && limit.at.and_then(|at| axis.share(at)).is_some());
    [
        (segment(SegmentKind::Init), "key seg-init", "start-up"),
        (segment(SegmentKind::Work), "key seg-work", "work"),
        (segment(SegmentKind::Wait), "key seg-wait", "waiting"),
        (segment(SegmentKind::Unanswered), "key key-hatched", "never answered"),
        (segment(SegmentKind::Fired), "key seg-fired", "ended by a limit"),
        (limit(LimitMark::Fired), "key key-limit", "limit that fired"),
        (limit(LimitMark::NotReached), "key key-limit-open", "limit not reached"),
        (limit(LimitMark::Contradicted), "key key-limit-contradicted", "limit contradicted"),
        (mark(MarkKind::Stack), "key key-ring", "stack sample"),
        (mark(MarkKind::Line), "key key-dot", "log line"),
    ]
    .into_iter()
    .filter_map(|(occurs, class, text)| occurs.then_some(LegendItem { class, text }))
    .collect()
}

/// The whole drawing in two sentences, for those who do not see it.
#[must_use]
pub fn drawing(timeline: &Timeline) -> String {
    let lanes: Vec<_> = timeline.lanes.iter().map(|lane| Text::name(&lane.label).to_string()).collect();
    let limits: Vec<_> = timeline.limits.iter().map(limit).collect();
    let limits = if limits.is_empty() { "no limit is known".to_owned() } else { format!("limits: {}", limits.join("; ")) };
    format!("Timeline of the request. Lanes: {}; {limits}. The same in words stands below.", lanes.join(", "))
}

/// Everything on the axis, in order of time.
#[must_use]
pub fn entries(timeline: &Timeline, axis: Axis) -> Vec<Entry> {
    let mut entries = Vec::new();
    for lane in &timeline.lanes {
        let name = format!("{} ({})", Text::name(&lane.label), words::layer(Some(lane.layer)).name);
        entries.extend(lane.segments.iter().map(|segment| entry(axis, segment.from, &name, stretch(segment), false)));
        entries.extend(lane.marks.iter().map(|mark| entry(axis, mark.at, &name, moment(mark), mark.kind == MarkKind::Fired)));
    }
    for line in &timeline.limits {
        if let Some(at) = line.at.filter(|at| axis.share(*at).is_some()) {
            let name = words::layer(Some(line.layer)).name;
            entries.push(entry(axis, at, name, format!("limit {}", limit(line)), line.mark == LimitMark::Fired));
        }
    }
    entries.sort_by_key(|(at, _)| *at);
    entries.truncate(ENTRIES_MAX);
    entries.into_iter().map(|(_, entry)| entry).collect()
}

fn entry(axis: Axis, at: Timestamp, lane: &str, what: String, fired: bool) -> (Timestamp, Entry) {
    (at, Entry { offset: Offset(axis.offset(at)).to_string(), clock: clock(at), lane: lane.to_owned(), what, fired })
}
