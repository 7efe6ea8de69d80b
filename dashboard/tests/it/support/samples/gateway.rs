//! A caller that left before the function was done.

use domain::{Claim, Confidence, Fired, Key, Kind, KnownFrom, Layer, LimitMark, MarkKind, Millis, Outcome, SegmentKind, Timeline};
use jiff::Timestamp;

use super::{Sample, evidence, incident, lane, limit, mark, seconds, segment};

/// API Gateway gave up at 29 s while the function went on; a log line blames the wrong limit.
pub fn caller_left(start: Timestamp, n: u32) -> Sample {
    let id = format!("c6af9ac6-7b61-11e6-9a41-{n:012x}");
    let mut gave_up = Claim::new(Kind::GatewayTimeout, "apigw_access_log", "{\"status\":\"504\",\"integrationLatency\":29009}");
    gave_up.request_id = Some(id.as_str().into());
    gave_up.observed_at = Some(seconds(start, 29.0));
    gave_up.outcome = Some(domain::ClaimedOutcome::GatewayTimeout);
    let evidence = vec![evidence("edge", seconds(start, 50.0), gave_up)];
    let mut incident = incident(
        &Key::Request(id.as_str().into()),
        Outcome::CallerLeft,
        "API Gateway's integration timeout (29 s) fired; the function went on for 12 s",
    );
    incident.function = Some("report-export".into());
    (incident.started_at, incident.ended_at, incident.elapsed_ms) =
        (Some(start), Some(seconds(start, 29.0)), Some(Millis::from_ms(41_000)));
    incident.diagnosis.layer = Some(Layer::Gateway);
    incident.diagnosis.product = Some("api_gateway".into());
    incident.diagnosis.confidence = Confidence::Likely;
    incident.diagnosis.cause.id = "caller_left".into();
    incident.diagnosis.limit = Some(Fired {
        setting: "TimeoutInMillis".into(),
        value_ms: Some(Millis::from_ms(29_000)),
        known_from: KnownFrom::Default,
        place: None,
    });
    incident.timeline = Timeline {
        clocks: Vec::new(),
        starts_at: Some(start),
        ends_at: Some(seconds(start, 41.0)),
        lanes: vec![
            lane(
                Layer::Gateway,
                "API Gateway",
                vec![segment(start, seconds(start, 29.0), SegmentKind::Fired, "integration")],
                vec![mark(seconds(start, 29.0), MarkKind::Fired, "504")],
            ),
            lane(
                Layer::FunctionWatchdog,
                "of-watchdog",
                Vec::new(),
                vec![mark(seconds(start, 29.1), MarkKind::Line, "exec_timeout exceeded")],
            ),
            lane(
                Layer::Application,
                "report-export",
                vec![
                    segment(start, seconds(start, 2.4), SegmentKind::Init, "imports"),
                    segment(seconds(start, 2.4), seconds(start, 41.0), SegmentKind::Work, "render the report"),
                ],
                Vec::new(),
            ),
        ],
        limits: vec![
            limit(Some(seconds(start, 29.0)), Layer::Gateway, "API Gateway TimeoutInMillis", Some(29), LimitMark::Fired),
            limit(Some(seconds(start, 60.0)), Layer::FunctionWatchdog, "of-watchdog exec_timeout", Some(60), LimitMark::Contradicted),
            limit(Some(seconds(start, 900.0)), Layer::Platform, "AWS Lambda Timeout", Some(900), LimitMark::NotReached),
        ],
    };
    Sample { evidence, rejected: Vec::new(), incident }
}
