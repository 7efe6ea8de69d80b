//! A request of which hardly anything is known.

use domain::{Claim, Confidence, Fired, Kind, KnownFrom, Layer, LimitMark, Outcome, Product};

use super::{Sample, evidence, incident, lane, limit};

/// A worker died of a timeout; no line says when, which request, or how long the limit is.
pub fn no_times() -> Sample {
    let mut claim = Claim::new(Kind::WorkerTimeout, "gunicorn", "[CRITICAL] WORKER TIMEOUT (pid:322)");
    claim.pid = Some(322);
    let evidence = vec![evidence("app-log", "2026-11-22T11:00:00Z".parse().expect("a time"), claim)];
    let mut incident = incident(&evidence[0].claim.key(), Outcome::Timeout, "gunicorn's worker timeout fired");
    incident.pid = Some(322);
    incident.diagnosis.layer = Some(Layer::AppServer);
    incident.diagnosis.product = Some(Product::GUNICORN);
    incident.diagnosis.confidence = Confidence::Possible;
    incident.diagnosis.limit = Some(Fired { setting: "--timeout".into(), value_ms: None, known_from: KnownFrom::Claimed, place: None });
    incident.timeline.lanes = vec![lane(Layer::AppServer, "gunicorn", Vec::new(), Vec::new())];
    incident.timeline.limits = vec![limit(None, Layer::AppServer, "gunicorn --timeout", None, LimitMark::Fired)];
    Sample {
        evidence,
        rejected: vec![(7, "expected a log line, found `\u{1b}[2J`".into(), "\u{1b}[2J\u{1b}[31m<b>what</b>".into())],
        incident,
    }
}
