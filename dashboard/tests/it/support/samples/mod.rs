//! The made-up requests themselves, and what they are built from.

mod checkout;
mod gateway;
mod hostile;
mod lambda;
mod no_times;

use domain::{
    Advice, Citation, Claim, Confidence, Diagnosis, Evidence, Frame, Incident, IncidentState, Key, Lane, Layer, LimitLine, LimitMark, Mark,
    MarkKind, Millis, Outcome, ProblemId, Segment, SegmentKind, StackName,
};
use jiff::{SignedDuration, Timestamp};

pub use self::checkout::checkout;
pub use self::gateway::caller_left;
pub use self::hostile::hostile;
pub use self::lambda::lambda_timeout;
pub use self::no_times::no_times;

/// A request with its evidence, and the incident that a fold would make of it.
pub struct Sample {
    pub evidence: Vec<Evidence>,
    pub rejected: Vec<(u64, String, String)>,
    pub incident: Incident,
}

fn seconds(start: Timestamp, seconds: f64) -> Timestamp {
    start + SignedDuration::from_secs_f64(seconds)
}

fn evidence(source: &str, received_at: Timestamp, claim: Claim) -> Evidence {
    Evidence { stack: StackName::default(), source: source.into(), received_at, origin: None, claim }
}

fn cite(evidence: &Evidence) -> Citation {
    Citation {
        file: None,
        line: None,
        at: evidence.claim.at(),
        format: evidence.claim.format.clone(),
        id: evidence.claim.id().to_hex(),
        text: evidence.claim.raw.clone(),
    }
}

fn incident(subject: &Key, outcome: Outcome, summary: &str) -> Incident {
    Incident {
        problem: ProblemId::derive(&[summary]),
        request_id: match subject {
            Key::Request(id) => Some(id.clone()),
            _ => None,
        },
        outcome,
        state: IncidentState::Confirmed,
        summary: summary.to_owned(),
        diagnosis: Diagnosis { confidence: Confidence::Certain, ..Diagnosis::default() },
        ..Incident::suspected(StackName::default(), subject, 1)
    }
}

fn advice(kind: &str, change: [Option<&str>; 4], text: &str) -> Advice {
    let [setting, place, from, to] = change.map(|word| word.map(str::to_owned));
    Advice { kind: kind.to_owned(), setting, place, from, to, text: text.to_owned() }
}

fn frame(function: &str, file: &str, line: u32) -> Frame {
    Frame { function: function.to_owned(), file: Some(file.to_owned()), line: Some(line) }
}

fn limit(at: Option<Timestamp>, layer: Layer, label: &str, value_s: Option<i64>, mark: LimitMark) -> LimitLine {
    LimitLine { at, layer, label: label.to_owned(), value_ms: value_s.map(|s| Millis::from_ms(s * 1000)), mark }
}

fn segment(from: Timestamp, to: Timestamp, kind: SegmentKind, label: &str) -> Segment {
    Segment { from, to, kind, label: label.to_owned() }
}

fn mark(at: Timestamp, kind: MarkKind, label: &str) -> Mark {
    Mark { at, kind, label: label.to_owned() }
}

fn lane(layer: Layer, label: &str, segments: Vec<Segment>, marks: Vec<Mark>) -> Lane {
    Lane { layer, label: label.to_owned(), segments, marks }
}

/// A day's worth of all kinds, ending at `now`.
pub fn all(now: Timestamp) -> Vec<Sample> {
    let ago = |minutes: i64| now - SignedDuration::from_mins(minutes);
    let mut samples: Vec<_> = (0..17_u32).map(|n| checkout(ago(6 + i64::from(n * n) * 4), n)).collect();
    samples.extend((0..23_u32).map(|n| lambda_timeout("thumbnail", ago(20 + i64::from(n) * 57), n)));
    samples.extend((0..6_u32).map(|n| lambda_timeout("nightly-report", ago(400 + i64::from(n) * 9), 100 + n)));
    samples.extend((0..9_u32).map(|n| caller_left(ago(80 + i64::from(n * n) * 13), n)));
    for (n, state, outcome) in [
        (0_u32, IncidentState::Suspected, Outcome::Timeout),
        (1, IncidentState::Survived, Outcome::NearMiss),
        (2, IncidentState::Lost, Outcome::Timeout),
        (3, IncidentState::Confirmed, Outcome::OutOfMemory),
    ] {
        let mut sample = lambda_timeout("resize", ago(30 + i64::from(n) * 100), 200 + n);
        sample.incident.state = state;
        sample.incident.outcome = outcome;
        if outcome == Outcome::OutOfMemory {
            sample.incident.summary = "killed for memory at 128 MB; no limit on time fired".into();
            sample.incident.diagnosis.layer = None;
            sample.incident.diagnosis.limit = None;
            sample.incident.diagnosis.confidence = Confidence::Unknown;
            sample.incident.problem = ProblemId::derive(&["resize", "memory"]);
        }
        samples.push(sample);
    }
    samples.push(no_times());
    samples
}
