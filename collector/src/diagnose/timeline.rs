//! One axis with every layer as a lane, drawn from what sources stated; what has no time is left off.

use domain::{
    Call, Diagnosis, Evidence, Kind, Lane, Layer, LimitLine, LimitMark, Mark, MarkKind, Millis, Outcome, Product, Segment, SegmentKind,
    Timeline,
};
use jiff::Timestamp;

use super::clocks;
use super::firing::{Firing, gateway};
use crate::correlate::{Case, is_watchdog};
use crate::parse::watchdog;

/// Draws a case.
pub fn draw(case: &Case<'_>, firing: &Firing, diagnosis: &Diagnosis) -> Timeline {
    let starts_at = case.started_at().or_else(|| case.worker.as_ref().and_then(|end| end.stopping_at.or(end.booted_at)));
    let ends_at = [firing.at, case.ended_at()].into_iter().flatten().max();
    let mut lanes = in_front(case, firing);
    lanes.extend(serving(case, firing, starts_at, ends_at));
    lanes.extend(callers(case));
    lanes.extend(calls(case, starts_at, firing.at.or(ends_at)));
    lanes.retain(|lane| !lane.segments.is_empty() || !lane.marks.is_empty());
    lanes.sort_by_key(|lane| lane.layer);
    let marks = lanes.iter().flat_map(|lane| &lane.marks).map(|mark| mark.at).chain(starts_at).chain(ends_at);
    let segments = || lanes.iter().flat_map(|lane| &lane.segments);
    Timeline {
        starts_at: segments().map(|segment| segment.from).chain(marks.clone()).min(),
        ends_at: segments().map(|segment| segment.to).chain(marks).max(),
        lanes,
        limits: limits(case, firing, diagnosis, starts_at),
        clocks: clocks::apart(case),
    }
}

/// The layer whose account of the request a claim is, and who wrote it, where that stands in front of what served it.
fn front(one: &Evidence) -> Option<(Layer, Product)> {
    let claim = &one.claim;
    if let Some(told) = gateway::product(claim) {
        return Some(told);
    }
    let product = claim.platform.as_ref()?;
    let layer = match product.as_str() {
        "varnish" => Layer::Cdn,
        "openfaas_gateway" => Layer::Gateway,
        "heroku" if claim.kind == Kind::Request => Layer::Router,
        _ if crate::correlate::is_proxys(claim) => Layer::Router,
        _ => return None,
    };
    Some((layer, product.clone()))
}

/// One lane for each layer in front that tells of the request.
fn in_front(case: &Case<'_>, firing: &Firing) -> Vec<Lane> {
    let mut lanes: Vec<Lane> = Vec::new();
    for one in case.own.iter().copied() {
        let Some((layer, product)) = front(one) else { continue };
        let label = product.title().to_owned();
        let from = one.claim.started_at;
        let to = one.claim.elapsed_ms.zip(from).map(|(elapsed, from)| elapsed.after(from)).or(one.claim.observed_at);
        let kind = if firing.product.as_ref() == Some(&product) { SegmentKind::Fired } else { SegmentKind::Wait };
        let words = one.claim.text("path").unwrap_or("request").to_owned();
        let segment = from.zip(to).filter(|(from, to)| from < to).map(|(from, to)| Segment { from, to, kind, label: words });
        let lane = match lanes.iter().position(|lane| (lane.layer, &lane.label) == (layer, &label)) {
            Some(known) => &mut lanes[known],
            None => {
                lanes.push(Lane { layer, label, segments: Vec::new(), marks: Vec::new() });
                lanes.last_mut().expect("it was just pushed")
            }
        };
        // Its lines about one request are one account of it.
        if lane.segments.is_empty() {
            lane.segments.extend(segment);
        }
        lane.marks.extend(mark(one));
        lane.marks.sort_by_key(|mark| mark.at);
        lane.marks.dedup();
    }
    lanes
}

/// The lane of the program that ran the request; none where only layers in front tell of it.
fn serving(case: &Case<'_>, firing: &Firing, from: Option<Timestamp>, to: Option<Timestamp>) -> Option<Lane> {
    let own: Vec<&Evidence> = case.evidence().filter(|one| front(one).is_none()).collect();
    if own.is_empty() {
        return None;
    }
    let product = own.iter().find_map(|one| one.claim.platform.as_ref()).or(firing.product.as_ref());
    let acted = firing.layer.or_else(|| firing.limit.as_ref().map(|limit| limit.layer)).filter(|layer| *layer >= Layer::Platform);
    let layer = match product.map(Product::as_str) {
        _ if firing.product.as_ref() == product => acted.unwrap_or(Layer::Platform),
        Some("gunicorn" | "uwsgi" | "unicorn" | "php_fpm" | "uvicorn" | "hypercorn" | "puma" | "mod_wsgi" | "celery") => Layer::AppServer,
        Some("of_watchdog" | "classic_watchdog") => Layer::FunctionWatchdog,
        _ => acted.unwrap_or(Layer::Platform),
    };
    let label = product.map_or("function", Product::title).to_owned();
    let ended_it = firing.product.as_ref() == product && !matches!(firing.outcome, Outcome::CallerLeft | Outcome::NearMiss);
    let kind = if ended_it { SegmentKind::Fired } else { SegmentKind::Work };
    let words = case.any(|claim| claim.function.clone()).map_or_else(|| "request".to_owned(), |name| name.to_string());
    let whole = from.zip(to).filter(|(from, to)| from < to).map(|(from, to)| Segment { from, to, kind, label: words });
    let mut segments: Vec<Segment> = inits(case).chain(whole).collect();
    segments.sort_by_key(|segment| segment.from);
    let mut marks: Vec<Mark> = own.into_iter().filter_map(mark).collect();
    marks.sort_by_key(|mark| mark.at);
    marks.dedup();
    Some(Lane { layer, label, segments, marks })
}

fn inits<'a>(case: &'a Case<'_>) -> impl Iterator<Item = Segment> + 'a {
    case.all(Kind::InitReport).filter_map(|one| {
        let (to, took) = (one.claim.observed_at?, one.claim.elapsed_ms?);
        Some(Segment { from: took.before(to), to, kind: SegmentKind::Init, label: "init".to_owned() })
    })
}

fn mark(one: &Evidence) -> Option<Mark> {
    let at = one.claim.observed_at?;
    let (kind, label) = match one.claim.kind {
        Kind::Span => return None,
        Kind::WorkerTimeout if one.claim.format == watchdog::FORMAT => (MarkKind::Fired, "watchdog: worker timed out".to_owned()),
        Kind::WorkerTimeout | Kind::TimeoutNotice => (MarkKind::Fired, first_line(&one.claim.raw)),
        _ if !one.claim.stacks.is_empty() => (MarkKind::Stack, stack_label(one)),
        kind if is_watchdog(kind) => (MarkKind::Line, spoken(kind).to_owned()),
        _ => (MarkKind::Line, first_line(&one.claim.raw)),
    };
    Some(Mark { at, kind, label })
}

fn spoken(kind: Kind) -> &'static str {
    match kind {
        Kind::WatchdogArmed => "watchdog: armed",
        Kind::WatchdogNearMiss => "watchdog: near miss",
        Kind::WatchdogFired => "watchdog: fired",
        Kind::WatchdogClosed => "watchdog: closed",
        _ => "watchdog: tracepoint",
    }
}

/// The part of a line that a label has room for.
fn first_line(raw: &str) -> String {
    const CHARS_MAX: usize = 120;
    let line = raw.lines().next().unwrap_or_default();
    let end = line.char_indices().nth(CHARS_MAX).map_or(line.len(), |(end, _)| end);
    line[..end].to_owned()
}

fn stack_label(one: &Evidence) -> String {
    let frame = one.claim.stacks.iter().find(|stack| stack.serving).or(one.claim.stacks.first()).and_then(|stack| stack.frames.last());
    frame.map_or_else(String::new, |frame| {
        let file = frame.file.as_deref().map_or("", |file| file.rsplit('/').next().unwrap_or(file));
        format!("stack: {} {file}:{}", frame.function, frame.line.unwrap_or_default())
    })
}

/// Spans of the request's trace that lie above it: who called.
fn callers(case: &Case<'_>) -> Vec<Lane> {
    let spans = case.all(Kind::Span).filter(|one| one.claim.request_id.is_none() && one.claim.calls.is_empty());
    spans
        .filter_map(|one| {
            let (from, to) = (one.claim.started_at?, one.claim.observed_at?);
            let name = one.claim.text("name").unwrap_or("span").to_owned();
            let label = one.claim.function.as_ref().map_or_else(|| name.clone(), ToString::to_string);
            let layer = if from <= case.started_at()? { Layer::Client } else { Layer::Application };
            Some(Lane { layer, label, segments: vec![Segment { from, to, kind: SegmentKind::Work, label: name }], marks: Vec::new() })
        })
        .take(LANES_MAX)
        .collect()
}

/// More lanes than this are no picture any more; the evidence list has them all.
const LANES_MAX: usize = 12;

/// A watchdog reckons the beginning of a call for each event anew, from two clocks that are not read at once.
const RECKONED_ANEW: Millis = Millis::from_ms(20);

/// What the request called, one lane per target, the longest first.
fn calls(case: &Case<'_>, from: Option<Timestamp>, end: Option<Timestamp>) -> Vec<Lane> {
    let mut lanes: Vec<Lane> = Vec::new();
    let mut told: Vec<(usize, &Call, Timestamp)> = Vec::new();
    for (by, call) in case.own.iter().enumerate().flat_map(|(by, one)| one.claim.calls.iter().map(move |call| (by, call))) {
        let Some(started) = call.started_at.or(from) else { continue };
        let Some(ended) = call.ended_at.or(end).filter(|ended| *ended > started) else { continue };
        let kind =
            if call.ended_at.is_none_or(|ended| end.is_some_and(|end| ended > end)) { SegmentKind::Unanswered } else { SegmentKind::Wait };
        let label = call.target.as_ref().unwrap_or(&call.operation);
        let is_open = |call: &Call| call.ended_at.is_none();
        let is_that = |(earlier_by, earlier, at): &(usize, &Call, Timestamp)| {
            let apart = Millis::between(*at, started).max(Millis::between(started, *at));
            (&earlier.target, &earlier.operation) == (&call.target, &call.operation)
                && (apart == Millis::ZERO || *earlier_by != by && is_open(earlier) && is_open(call) && apart <= RECKONED_ANEW)
        };
        if told.iter().any(is_that) {
            continue;
        }
        told.push((by, call, started));
        let segment = || Segment { from: started, to: ended, kind, label: call.operation.clone() };
        match lanes.iter_mut().find(|lane| lane.label == *label) {
            Some(lane) => lane.segments.push(segment()),
            None => lanes.push(Lane { layer: Layer::Downstream, label: label.clone(), segments: vec![segment()], marks: Vec::new() }),
        }
    }
    lanes.sort_by_key(|lane| std::cmp::Reverse(lane.segments.iter().map(|s| s.to.as_millisecond() - s.from.as_millisecond()).max()));
    lanes.truncate(LANES_MAX);
    lanes
}

/// The limit that fired, and those known beside it.
fn limits(case: &Case<'_>, firing: &Firing, diagnosis: &Diagnosis, from: Option<Timestamp>) -> Vec<LimitLine> {
    let line = |limit: &domain::Limit, mark| LimitLine {
        at: match mark {
            LimitMark::Fired => firing.at,
            _ => from.zip(limit.value_ms).map(|(from, value)| value.after(from)),
        },
        layer: limit.layer,
        label: format!("{} {}", limit.product.title(), limit.setting),
        value_ms: limit.value_ms,
        mark,
    };
    let fired_mark = if diagnosis.contradicted.is_empty() || diagnosis.confidence > domain::Confidence::Possible {
        LimitMark::Fired
    } else {
        LimitMark::Contradicted
    };
    let fired = firing.limit.as_ref().map(|limit| line(limit, fired_mark));
    let other = |limit: &&domain::Limit| {
        firing.limit.as_ref().is_none_or(|fired| (&fired.product, &fired.setting) != (&limit.product, &limit.setting))
    };
    fired.into_iter().chain(case.knowledge.of(case.function()).filter(other).map(|limit| line(limit, LimitMark::NotReached))).collect()
}
