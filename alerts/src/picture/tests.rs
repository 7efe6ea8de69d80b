//! What is drawn of a request, that hostile ones are drawn too, and that the same gives the same.

use domain::{Lane, Layer, LimitLine, LimitMark, Mark, MarkKind, Millis, Segment, SegmentKind};
use jiff::Timestamp;
use proptest::prelude::*;

use super::*;
use crate::testing;

/// Largest picture that a mail may carry, in bytes.
const PNG_BYTES_MAX: usize = 128 * 1024;

/// The picture as letters, one for each piece of it: by the colour in the middle of the piece. Words are not seen.
fn sketch(png: &[u8]) -> String {
    let picture = tiny_skia::Pixmap::decode_png(png).expect("a PNG");
    let letter = |x: u32, y: u32| match picture.pixel(x, y).map(|pixel| (pixel.red(), pixel.green(), pixel.blue())) {
        Some((0xb3, 0x26, 0x1e)) => '#',
        Some((0xe4, 0xe0, 0xd8)) => ':',
        Some((0xe5, 0xc1, 0x8c)) => '=',
        Some((0xdb, 0xa9, 0x5f) | (0xf5, 0xe6, 0xcc)) => '/',
        _ => ' ',
    };
    let row = |y: u32| (1..picture.width() / 10).map(|x| letter(x * 10, y)).collect::<String>().trim_end().to_owned();
    (0..picture.height() / 12).map(|y| row(y * 12 + 6)).collect::<Vec<_>>().join("\n")
}

#[test]
fn a_request_is_drawn_on_one_axis() {
    let picture = Picture::of(&testing::timeline()).expect("there are times");
    assert_eq!((picture.width, picture.height), (360, 183));
    insta::assert_snapshot!(sketch(&picture.png), @r##"
                                                                      :

     ================================#
    =================================                                 :
    :                                #
    :                                #
                                                                      :

    :                                #
    :#############################   #                                :
    :############################## ##
    :                                #
                                                                      :


    : ///////////////////////////////#                                :
    : ///////////////////////////////#
    :                                #
    :                                #                                :
                                     #
                                     #
                                     #
                                                     #
                   #     ##
    "##);
    insta::assert_snapshot!(picture.words.join("\n"), @r##"
    +0 s nginx: POST /checkout, waiting, 30.3 s
    +200 ms gunicorn: worker 322, ended by a limit, 29.8 s
    +900 ms payments.internal: POST /charge, never answered, 29.1 s
    +28 s gunicorn: stack sample: charge() in payments.py:41
    +30 s gunicorn: limit fired: WORKER TIMEOUT (pid:322)
    +30 s limit gunicorn --timeout 30 s, fired
    +60 s limit nginx proxy_read_timeout 60 s, not reached
    "##);
    insta::assert_snapshot!(picture.caption, @"0 s is 22:23:02.990 UTC; amber: waiting; striped: never answered; red: ended by a limit; ring: stack sample; dot: log line.");
    assert_eq!(picture.png, Picture::of(&testing::timeline()).expect("there are times").png);
}

#[test]
fn what_has_no_room_is_said() {
    let mut timeline = testing::timeline();
    timeline.lanes = timeline.lanes.iter().cycle().take(9).cloned().collect();
    let caption = Picture::of(&timeline).expect("there are times").caption;
    assert!(caption.ends_with(". Not drawn: 1 more lanes."), "{caption}");
}

#[test]
fn without_a_time_there_is_no_picture() {
    assert!(Picture::of(&Timeline::default()).is_none());
    let only_limits = Timeline { lanes: Vec::new(), ..testing::timeline() };
    assert!(Picture::of(&only_limits).is_none());
}

fn moment() -> impl Strategy<Value = Timestamp> {
    let edge = prop_oneof![Just(Timestamp::MIN), Just(Timestamp::MAX), Just(Timestamp::UNIX_EPOCH)];
    let near = (0_i64..100_000_000).prop_map(|us| Timestamp::from_microsecond(1_795_000_000_000_000 + us).expect("in range"));
    prop_oneof![9 => near, 1 => edge]
}

fn label() -> impl Strategy<Value = String> {
    prop_oneof![50 => ".{0,30}", 1 => Just("\u{1f600}\r\n\u{202e}<b>日本".repeat(1_000))]
}

fn lane() -> impl Strategy<Value = Lane> {
    use {MarkKind as M, SegmentKind as S};
    let kind = prop_oneof![Just(S::Work), Just(S::Init), Just(S::Wait), Just(S::Unanswered), Just(S::Fired)];
    let segment = (moment(), moment(), kind, label()).prop_map(|(from, to, kind, label)| Segment { from, to, kind, label });
    let kind = prop_oneof![Just(M::Line), Just(M::Stack), Just(M::Fired)];
    let mark = (moment(), kind, label()).prop_map(|(at, kind, label)| Mark { at, kind, label });
    (label(), prop::collection::vec(segment, 0..120), prop::collection::vec(mark, 0..120)).prop_map(|(label, segments, marks)| Lane {
        layer: Layer::Router,
        label,
        segments,
        marks,
    })
}

fn timeline() -> impl Strategy<Value = Timeline> {
    let mark = prop_oneof![Just(LimitMark::Fired), Just(LimitMark::NotReached), Just(LimitMark::Contradicted)];
    let limit = (prop::option::of(moment()), label(), prop::option::of(any::<u32>()), mark).prop_map(|(at, label, value, mark)| {
        LimitLine { at, layer: Layer::Platform, label, value_ms: value.map(|value| Millis::from_ms(value.into())), mark }
    });
    (prop::collection::vec(lane(), 0..12), prop::collection::vec(limit, 0..12), prop::option::of(moment()), prop::option::of(moment()))
        .prop_map(|(lanes, limits, starts_at, ends_at)| Timeline { starts_at, ends_at, lanes, limits, clocks: Vec::new() })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]
    #[test]
    fn whatever_happened_the_picture_is_bounded(timeline in timeline()) {
        let Some(picture) = Picture::of(&timeline) else { return Ok(()) };
        prop_assert!(picture.png.len() < PNG_BYTES_MAX, "{}", picture.png.len());
        prop_assert!((40..=500).contains(&picture.height), "{}", picture.height);
        prop_assert!(picture.words.len() <= 13 && picture.alt().chars().count() <= 1_500);
        prop_assert!(picture.words.iter().all(|line| !line.contains(char::is_control) && line.chars().count() < 300), "{:?}", picture.words);
    }
}
