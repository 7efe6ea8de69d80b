//! One axis with every layer as a lane: what the incident page and the mail draw.

mod axis;
mod bounds;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub use self::axis::{Axis, Tick};
pub use self::bounds::{Bounds, LeftOut};
use crate::{Layer, Millis};

/// What happened when, layer by layer, relative to nothing: absolute times throughout.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Timeline {
    /// Where the axis begins; `None` when no source gave a time.
    pub starts_at: Option<Timestamp>,
    /// Where what is known ends.
    pub ends_at: Option<Timestamp>,
    /// Lanes, outermost layer first.
    pub lanes: Vec<Lane>,
    /// Limits, each where it stood.
    pub limits: Vec<LimitLine>,
    /// Clocks that are apart. Nothing on the axis was moved for it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub clocks: Vec<ClockOffset>,
}

/// How far one source's clock is from another's, as their accounts of one request tell.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClockOffset {
    /// Whose clock: `gunicorn`.
    pub clock: String,
    /// Against whose: `nginx`.
    pub against: String,
    /// How far it is ahead at least; negative where it is behind.
    pub ahead_min_ms: Option<Millis>,
    /// How far it is ahead at most.
    pub ahead_max_ms: Option<Millis>,
    /// The same as one sentence.
    pub text: String,
}

/// One layer or one callee.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Lane {
    /// The layer.
    pub layer: Layer,
    /// Who it is: `gunicorn`, `checkout`, `payments.internal`.
    pub label: String,
    /// What it was busy with.
    pub segments: Vec<Segment>,
    /// Moments worth a mark.
    pub marks: Vec<Mark>,
}

/// A stretch of time on a lane.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Segment {
    /// Its beginning.
    pub from: Timestamp,
    /// Its end.
    pub to: Timestamp,
    /// What kind of time it was.
    pub kind: SegmentKind,
    /// A few words: `POST /charge`.
    pub label: String,
}

/// What kind of time a segment shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SegmentKind {
    /// Work done.
    Work,
    /// Start-up: init, imports.
    Init,
    /// Waiting for somebody else.
    Wait,
    /// A call that was never answered.
    Unanswered,
    /// Ended by a limit.
    Fired,
}

impl SegmentKind {
    /// As people read it.
    #[must_use]
    pub fn in_words(self) -> &'static str {
        match self {
            Self::Work => "work",
            Self::Init => "start-up",
            Self::Wait => "waiting",
            Self::Unanswered => "never answered",
            Self::Fired => "ended by a limit",
        }
    }
}

/// A moment on a lane.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Mark {
    /// When.
    pub at: Timestamp,
    /// What kind of moment.
    pub kind: MarkKind,
    /// A few words.
    pub label: String,
}

/// What kind of moment a mark shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MarkKind {
    /// A log line.
    Line,
    /// A stack was sampled.
    Stack,
    /// A limit fired.
    Fired,
}

impl MarkKind {
    /// As people read it.
    #[must_use]
    pub fn in_words(self) -> &'static str {
        match self {
            Self::Line => "log line",
            Self::Stack => "stack sample",
            Self::Fired => "limit fired",
        }
    }
}

/// A limit as a vertical line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LimitLine {
    /// Where it stood; `None` when its value or its start is not known.
    pub at: Option<Timestamp>,
    /// The layer that sets it.
    pub layer: Layer,
    /// `gunicorn --timeout`.
    pub label: String,
    /// Its value.
    pub value_ms: Option<Millis>,
    /// What became of it.
    pub mark: LimitMark,
}

impl LimitLine {
    /// As people read it, with its label made fit for the place: `gunicorn --timeout 30 s, fired`.
    #[must_use]
    pub fn in_words(&self, label: &str) -> String {
        let fate = self.mark.in_words();
        match self.value_ms.map(|value| value.to_string()) {
            Some(value) if label.ends_with(&value) => format!("{label}, {fate}"),
            Some(value) => format!("{label} {value}, {fate}"),
            None => format!("{label} (value not known), {fate}"),
        }
    }
}

/// What became of a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LimitMark {
    /// It fired.
    Fired,
    /// Its time had not come.
    NotReached,
    /// A source says it fired; arithmetic says it did not.
    Contradicted,
}

impl LimitMark {
    /// As people read it.
    #[must_use]
    pub fn in_words(self) -> &'static str {
        match self {
            Self::Fired => "fired",
            Self::NotReached => "not reached",
            Self::Contradicted => "contradicted",
        }
    }
}
