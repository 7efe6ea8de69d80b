//! The nouns of Overrun, and nothing else.
//!
//! ```text
//! receive → parse → Evidence → correlate → diagnose → Incident → store ─┬→ alert
//!                                                                       └→ show
//! ```
//!
//! Every crate means the same by *evidence*, *limit*, *incident* because the words are defined here once. This crate
//! does no I/O, reads no clock and knows no database; it holds data, its names on the wire, and the few derivations that
//! follow from the data alone (the keys a claim can be found under, the identity of a claim, the axis of a timeline).
//!
//! To add a word: first see whether an existing one fits. A new [`Kind`] or [`ClaimedOutcome`] is a line in its enum; a
//! fact that only one format states goes into [`Claim::attributes`] under the name of `docs/formats/README.md`.

mod claim_keys;
mod clock;
mod confidence;
mod diagnosis;
mod error_event;
mod evidence;
mod histogram;
mod history;
mod ids;
mod incident;
mod key;
mod limit;
mod millis;
mod outcome;
mod retry;
mod start;
mod timeline;
mod value;

pub use claim_keys::without_query;
pub use clock::{Clock, ManualClock};
pub use confidence::Confidence;
pub use diagnosis::{Advice, Cause, Citation, Diagnosis, Fired, Note, Reason};
pub use error_event::{ERROR_EVENT_TYPE, sequence_text};
pub use evidence::{Call, Claim, ClaimId, Evidence, Frame, Kind, Origin, ThreadStack};
pub use histogram::{Bucket, Histogram};
pub use history::{History, Run};
pub use ids::{FunctionName, Instance, RequestId, SourceName, SpanId, StackName, TraceId};
pub use incident::{Folded, Incident, IncidentId, IncidentState, ProblemId, StackSample};
pub use key::{Key, Link};
pub use limit::{KnownFrom, Layer, Limit, Product};
pub use millis::Millis;
pub use outcome::{ClaimedOutcome, Outcome};
pub use retry::{RetryForecast, RetryOutlook};
pub use start::{Remedy, Section, Seen, StartOfRelease, StartReport};
pub use timeline::{Axis, Bounds, ClockOffset, Lane, LeftOut, LimitLine, LimitMark, Mark, MarkKind, Segment, SegmentKind, Tick, Timeline};
pub use value::{Number, Value};
