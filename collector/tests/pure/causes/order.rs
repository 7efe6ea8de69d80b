//! How limits stand to each other, callers that left, and near misses.

use collector::correlate::Knowledge;
use domain::{Confidence, IncidentState, Outcome};

use super::support::{ID, call, changes, event, folded, folded_knowing, named};
use crate::support::{explained_text, only};

const TRACE: &str = "1-690714a8-0000000000000000000000a1";

/// API Gateway gives up after 29 s; the function goes on until `duration_ms`.
fn behind_gateway(duration_ms: u32, status: &str) -> String {
    let at = 1_793_607_240_000_u64;
    let end = at + u64::from(duration_ms);
    let report = format!(
        "{{\"timestamp\":{end},\"logGroup\":\"/aws/lambda/shop\",\"logStream\":\"s\",\"message\":\"REPORT RequestId: {ID}\\tDuration: {duration_ms}.00 ms\\tBilled Duration: {duration_ms} ms\\tMemory Size: 128 MB\\tMax Memory Used: 64 MB\\t{status}\\nXRAY TraceId: {TRACE}\\tSegmentId: e8ec8d7c953b2f39\\tSampled: true\\t\"}}\n"
    );
    let gateway = format!(
        "{{\"requestId\":\"0a1b2c3d-1111-4222-8333-444455556602\",\"requestTimeEpoch\":{at},\"status\":504,\"responseLatency\":29006,\"integrationLatency\":29001,\"integrationRequestId\":\"-\",\"xrayTraceId\":\"{TRACE}\",\"responseType\":\"INTEGRATION_TIMEOUT\"}}\n"
    );
    report + &gateway
}

fn with_timeout(seconds: u32) -> Knowledge {
    let limit = domain::Limit {
        layer: domain::Layer::Platform,
        product: domain::Product::AWS_LAMBDA,
        setting: "Timeout".to_owned(),
        value_ms: Some(domain::Millis::from_ms(i64::from(seconds) * 1000)),
        known_from: domain::KnownFrom::Configured,
        place: Some("template.yaml:12".to_owned()),
    };
    Knowledge { limits: vec![limit], ..Knowledge::default() }
}

#[test]
fn an_inner_limit_that_is_longer_is_named_with_both_ways_out() {
    let incident = folded_knowing(&behind_gateway(41_000, ""), &with_timeout(60));
    assert_eq!(incident.outcome, Outcome::CallerLeft);
    assert_eq!(named(&incident), ("limits_out_of_order", Confidence::Certain));
    assert_eq!(changes(&incident)[..2], ["Timeout 60 s → 27 s", "TimeoutInMillis 29 s → 63 s"]);
    assert_eq!(incident.diagnosis.advice[0].place.as_deref(), Some("template.yaml:12"));
    // In order, or not known: the caller left, and that is all.
    assert_eq!(named(&folded(&behind_gateway(41_000, ""))), ("caller_left", Confidence::Certain));
    let sound = folded_knowing(&behind_gateway(29_400, ""), &with_timeout(28));
    assert_eq!(named(&sound).0, "caller_left");
}

#[test]
fn a_call_that_took_the_time_says_more_than_the_order_of_limits() {
    let start = "2026-11-02T08:14:00.000Z";
    let in_flight =
        format!("{{\"operation\":\"POST\",\"target\":\"payments.internal\",\"started_at\":\"{start}\",\"client_timeout_ms\":null}}");
    let alarm = format!(
        "{{\"kind\":\"fired\",\"request_id\":\"{ID}\",\"observed_at\":\"2026-11-02T08:14:28.000Z\",\"elapsed_ms\":28000,\"left_ms\":32000,\"in_flight\":[{in_flight}]}}\n"
    );
    let incident = folded_knowing(&(behind_gateway(41_000, "") + &alarm), &with_timeout(60));
    assert_eq!(named(&incident).0, "no_client_timeout", "{}", incident.summary);
}

#[test]
fn a_limit_of_somebody_else_in_the_same_configuration_is_only_possible() {
    let line =
        "10.0.0.9 - - [22/Nov/2026:12:00:10 +0000] \"GET /r HTTP/1.1\" 504 160 \"-\" \"-\" rt=10.001 urt=10.001 uct=0.000 uht=- us=504\n";
    let incident = folded_knowing(line, &crate::support::gunicorn_with("--timeout 30"));
    assert_eq!(named(&incident), ("limits_out_of_order", Confidence::Possible));
}

#[test]
fn a_request_that_finished_with_little_left_is_a_near_miss() {
    let limit = ",\"platform\":\"aws_lambda\",\"limit_ms\":3000";
    let closed = |after_ms: i64| event("closed", after_ms, &format!("{limit},\"outcome\":\"ok\""));
    let near = event("near_miss", 2250, &format!("{limit},\"in_flight\":[{}]", call("00.100", ",\"client_timeout_ms\":null")));
    let incident = folded(&(near.clone() + &closed(2800)));
    assert_eq!((incident.outcome, incident.state), (Outcome::NearMiss, IncidentState::Survived));
    assert_eq!(
        incident.summary,
        "near miss: it finished 200 ms before AWS Lambda's function timeout (3 s); 2.7 s went into POST payments.internal, which has no client timeout"
    );
    let early = collector::fold(&crate::support::evidence(&(near + &closed(2300))), crate::support::at(crate::support::LATER));
    assert!(early.incidents.is_empty(), "a quarter was left");
}

#[test]
fn what_a_proxy_alone_tells_of_a_client_that_left_has_no_further_cause() {
    let line = "10.0.0.9 - - [22/Nov/2026:12:00:10 +0000] \"GET /r HTTP/1.1\" 499 0 \"-\" \"-\" rt=4.000 urt=4.000 uct=0.000 uht=- us=-\n";
    let incident = only(explained_text(line));
    assert_eq!(named(&incident), ("caller_left", Confidence::Likely));
}
