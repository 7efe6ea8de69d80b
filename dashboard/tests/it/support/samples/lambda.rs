//! AWS Lambda's own timeout, of which nothing more is known.

use domain::{
    Claim, Confidence, Diagnosis, Fired, Key, Kind, KnownFrom, Layer, LimitMark, MarkKind, Millis, Outcome, ProblemId, Product, Reason,
    SegmentKind, Timeline,
};
use jiff::Timestamp;

use super::{Sample, advice, cite, evidence, incident, lane, limit, mark, seconds, segment};

/// Lambda's own three seconds, as the platform's four lines tell it.
pub fn lambda_timeout(function: &str, start: Timestamp, n: u32) -> Sample {
    let id = format!("6f747a63-ce41-11e7-8cfe-{n:012x}");
    let end = seconds(start, 3.0);
    let mut report = Claim::new(
        Kind::InvocationReport,
        "lambda_text",
        &format!("REPORT RequestId: {id}\tDuration: 3001.52 ms\tBilled Duration: 3000 ms\tMemory Size: 128 MB\tMax Memory Used: 20 MB"),
    );
    report.elapsed_ms = Some(Millis::from_us(3_001_520));
    let mut notice = Claim::new(Kind::TimeoutNotice, "lambda_text", &format!("{end} {id} Task timed out after 3.00 seconds"));
    notice.outcome = Some(domain::ClaimedOutcome::Timeout);
    for claim in [&mut report, &mut notice] {
        claim.request_id = Some(id.as_str().into());
        claim.observed_at = Some(end);
    }
    let evidence: Vec<_> = [report, notice].map(|claim| evidence("lambda-logs", seconds(end, 40.0), claim)).into();
    let mut incident = incident(&Key::Request(id.as_str().into()), Outcome::Timeout, "AWS Lambda's function timeout (3 s) fired");
    incident.problem = ProblemId::derive(&[function, "platform"]);
    incident.function = Some(function.into());
    incident.platform = Some(Product::AWS_LAMBDA);
    (incident.started_at, incident.ended_at, incident.elapsed_ms) = (Some(start), Some(end), Some(Millis::from_us(3_001_520)));
    incident.diagnosis = Diagnosis {
        layer: Some(Layer::Platform),
        product: Some(Product::AWS_LAMBDA),
        limit: Some(Fired {
            setting: "Timeout".into(),
            value_ms: Some(Millis::from_ms(3000)),
            known_from: KnownFrom::Claimed,
            place: None,
        }),
        confidence: Confidence::Certain,
        advice: vec![advice("send_more", [None; 4], "Nothing says what was in flight. A watchdog inside the function would.")],
        refuted_by: "a REPORT line of the same request with a duration well under 3 s".into(),
        reasons: vec![
            Reason { text: "The platform says so".into(), evidence: vec![cite(&evidence[1])] },
            Reason { text: "3 s is what it was billed for".into(), evidence: vec![cite(&evidence[0])] },
        ],
        evidence: evidence.iter().map(cite).collect(),
        ..Diagnosis::default()
    };
    incident.timeline = Timeline {
        clocks: Vec::new(),
        starts_at: Some(start),
        ends_at: Some(end),
        lanes: vec![lane(
            Layer::Platform,
            "AWS Lambda",
            vec![segment(start, end, SegmentKind::Fired, function)],
            vec![mark(end, MarkKind::Fired, "Task timed out after 3.00 seconds")],
        )],
        limits: vec![limit(Some(end), Layer::Platform, "AWS Lambda Timeout", Some(3), LimitMark::Fired)],
    };
    Sample { evidence, rejected: Vec::new(), incident }
}
