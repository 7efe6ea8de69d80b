//! The geometry as a reader would check it: nothing overlaps, nothing is invented, every shape stands where its time is.

use domain::{Lane, Layer, LimitLine, LimitMark, Mark, MarkKind, Millis, Segment, SegmentKind, Timeline};
use jiff::Timestamp;

use super::*;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_795_348_800 + seconds).expect("in range")
}

fn lane(layer: Layer, label: &str, segments: Vec<Segment>, marks: Vec<Mark>) -> Lane {
    Lane { layer, label: label.to_owned(), segments, marks }
}

fn segment(from: i64, to: i64, kind: SegmentKind, label: &str) -> Segment {
    Segment { from: at(from), to: at(to), kind, label: label.to_owned() }
}

fn mark(time: i64, kind: MarkKind, label: &str) -> Mark {
    Mark { at: at(time), kind, label: label.to_owned() }
}

fn limit(seconds: i64, layer: Layer, label: &str, mark: LimitMark) -> LimitLine {
    LimitLine { at: Some(at(seconds)), layer, label: label.to_owned(), value_ms: Some(Millis::from_ms(seconds * 1000)), mark }
}

/// The request of the sketch: gunicorn's 30 s fired, nginx's 60 s did not.
fn checkout() -> Timeline {
    Timeline {
        clocks: Vec::new(),
        starts_at: Some(at(0)),
        ends_at: Some(at(31)),
        lanes: vec![
            lane(Layer::Router, "nginx", vec![segment(0, 31, SegmentKind::Wait, "")], vec![mark(31, MarkKind::Line, "502")]),
            lane(
                Layer::AppServer,
                "gunicorn",
                vec![segment(0, 30, SegmentKind::Fired, "worker 8901")],
                vec![mark(30, MarkKind::Fired, "worker 8901 aborted")],
            ),
            lane(Layer::Downstream, "payments.internal", vec![segment(1, 30, SegmentKind::Unanswered, "POST /charge")], Vec::new()),
        ],
        limits: vec![
            limit(30, Layer::AppServer, "gunicorn --timeout", LimitMark::Fired),
            limit(60, Layer::Router, "nginx proxy_read_timeout", LimitMark::NotReached),
        ],
    }
}

fn drawn(timeline: &Timeline) -> Drawn {
    TimelineView::new(timeline).drawn.expect("there are times")
}

#[test]
fn bars_end_where_their_limit_stands() {
    let wide = drawn(&checkout()).wide;
    let bar = &wide.lanes[1].bars[0];
    let fired = wide.limits.last().expect("two limits");
    assert_eq!((fired.class, Px(bar.x.0 + bar.width.0)), ("limit-fired", fired.x));
}

#[test]
fn the_same_limit_is_a_line_across_the_narrow_drawing() {
    let narrow = drawn(&checkout()).narrow;
    let bar = &narrow.lanes[1].bars[0];
    let fired = narrow.limits.last().expect("two limits");
    assert_eq!((fired.class, fired.label.as_str()), ("limit-fired", "30 s"));
    assert!((bar.y.0 + bar.height.0 - fired.y.0).abs() < 0.001);
    assert!(narrow.ticks.iter().all(|tick| tick.label != "30 s"), "the limit takes the tick's place in the margin");
}

#[test]
fn no_words_of_the_wide_drawing_overlap() {
    let mut timeline = checkout();
    for second in 28..34 {
        timeline.lanes[1].marks.push(mark(second, MarkKind::Line, "a line of the log that says a good deal"));
        timeline.limits.push(limit(second, Layer::Application, "some_setting", LimitMark::NotReached));
    }
    let wide = drawn(&timeline).wide;
    let notes = wide.lanes.iter().flat_map(|lane| &lane.notes).chain(wide.limits.iter().filter_map(|limit| limit.words.as_ref()));
    let boxes: Vec<_> = notes
        .map(|note| {
            let width = place::width_px(&note.text);
            let from = if note.anchor == "start" { note.x.0 } else { note.x.0 - width };
            (note.y.0, from, from + width)
        })
        .collect();
    assert!(boxes.len() > 4);
    for (place, (y, from, to)) in boxes.iter().enumerate() {
        assert!(*from >= 0.0 && *to <= wide.width.0);
        let clash = boxes[..place].iter().find(|(other_y, a, b)| (y - other_y).abs() < 12.0 && from < b && a < to);
        assert_eq!(clash, None);
    }
}

#[test]
fn without_times_nothing_is_drawn_and_limits_are_named() {
    let limits =
        vec![LimitLine { at: None, layer: Layer::Platform, label: "AWS Lambda Timeout".into(), value_ms: None, mark: LimitMark::Fired }];
    let view = TimelineView::new(&Timeline {
        limits,
        lanes: vec![lane(Layer::Platform, "AWS Lambda", Vec::new(), Vec::new())],
        ..Timeline::default()
    });
    assert!(view.drawn.is_none());
    assert_eq!(view.unplaced, ["AWS Lambda Timeout (value not known), fired"]);
}

#[test]
fn the_list_says_the_same_in_words() {
    let lines: Vec<_> = TimelineView::new(&checkout())
        .entries
        .into_iter()
        .map(|entry| format!("{} {} · {}", entry.offset, entry.lane, entry.what))
        .collect();
    insta::assert_snapshot!(lines.join("\n"), @r"
    0 s nginx (router) · waiting, 31 s
    0 s gunicorn (app server) · worker 8901: ended by a limit, 30 s
    +1 s payments.internal (downstream) · POST /charge: never answered, 29 s
    +30 s gunicorn (app server) · limit fired: worker 8901 aborted
    +30 s app server · limit gunicorn --timeout 30 s, fired
    +31 s nginx (router) · log line: 502
    +60 s router · limit nginx proxy_read_timeout 60 s, not reached
    ");
}

#[test]
fn hostile_labels_stay_text_and_too_much_is_bounded() {
    let mut timeline = checkout();
    timeline.lanes[0].label = "\u{1b}[31m<script>".into();
    timeline.lanes.extend((0..40).map(|_| lane(Layer::Downstream, "x", Vec::new(), Vec::new())));
    timeline.lanes[2].segments = (0..400).map(|_| segment(1, 2, SegmentKind::Wait, "call")).collect();
    let view = TimelineView::new(&timeline);
    assert_eq!(view.left_out.as_deref(), Some("29 more lanes, 250 more stretches and moments"));
    assert!(view.drawn.expect("times").wide.lanes[0].label.starts_with("⟨ESC⟩[31m<script>"));
}
