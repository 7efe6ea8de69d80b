//! A request all of whose texts try to be more than text.

use domain::{IncidentId, Key, Note, Reason, ThreadStack};
use jiff::Timestamp;

use super::{Sample, advice, cite, frame, lambda_timeout};

/// Names and lines that want to be more than text.
pub const EVIL: &str = "<script>alert(1)</script>\u{1b}[31m\u{202e}\"'`&";

/// A request all of whose texts are hostile.
pub fn hostile(start: Timestamp) -> Sample {
    let mut sample = lambda_timeout(EVIL, start, 0xbad);
    let id = format!("../{EVIL}?#");
    for evidence in &mut sample.evidence {
        evidence.source = EVIL.into();
        evidence.claim.request_id = Some(id.as_str().into());
        evidence.claim.raw = format!("{EVIL}{}", "long ".repeat(2000));
        evidence.claim.stacks =
            vec![ThreadStack { name: Some(EVIL.into()), serving: true, blocked: Some(true), frames: vec![frame(EVIL, EVIL, 1)] }];
    }
    let subject = Key::Request(id.as_str().into());
    let incident = &mut sample.incident;
    incident.id = IncidentId::derive(&incident.stack, &subject, 1);
    incident.subject = subject.to_string();
    incident.request_id = Some(id.into());
    incident.summary = format!("{EVIL} fired");
    incident.instance = Some(EVIL.into());
    incident.original_event = Some(serde_json::json!({ EVIL: EVIL }).into());
    incident.timeline.lanes[0].label = EVIL.into();
    incident.timeline.lanes[0].segments[0].label = EVIL.into();
    incident.timeline.limits[0].label = EVIL.into();
    let cites: Vec<_> = sample.evidence.iter().map(cite).collect();
    incident.diagnosis.evidence.clone_from(&cites);
    incident.diagnosis.reasons = vec![Reason { text: EVIL.into(), evidence: cites.clone() }];
    incident.diagnosis.contradicted = vec![Note { text: EVIL.into(), evidence: cites }];
    incident.diagnosis.advice = vec![advice("investigate", [Some(EVIL); 4], EVIL)];
    incident.diagnosis.refuted_by = EVIL.into();
    incident.diagnosis.cause.id = EVIL.into();
    incident.diagnosis.cause.operation = Some(EVIL.into());
    sample.rejected = vec![(1, EVIL.into(), EVIL.into())];
    sample
}
