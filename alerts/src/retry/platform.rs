//! Who else repeats a request that failed: told from its platform, and from the shape of its event, which says who called.
//!
//! AWS Lambda runs a failed asynchronous invocation up to two more times, a minute and two minutes later; streams and queues
//! deliver again what was not taken from them. From AWS's "How Lambda handles errors and retries with asynchronous invocation"
//! and the event samples of each service (read 2026-11-27); push subscriptions of Pub/Sub deliver until they are acknowledged.

use domain::{Evidence, Incident, Kind, Product, Value};
use jiff::Timestamp;

use super::Why;

const ASYNCHRONOUS: &str = "AWS Lambda runs a failed asynchronous invocation again by itself";
const DELIVERED_AGAIN: &str = "the queue or stream that it came from delivers it again by itself";
const PUB_SUB: &str = "Pub/Sub delivers it again by itself";
const LAMBDA_UNKNOWN: &str = "nothing in its event says whether AWS Lambda runs it again by itself";
const BROKER_UNKNOWN: &str = "its event came from a broker that may deliver it again by itself";
const PLATFORM_UNKNOWN: &str = "it is not known whether its platform runs it again by itself";

/// `eventSource` of records that are taken from a queue or stream; other sources call asynchronously.
const POLLED: [&str; 7] = ["aws:sqs", "aws:kinesis", "aws:dynamodb", "aws:kafka", "aws:mq", "aws:rmq", "SelfManagedKafka"];

/// Platforms that answer whoever called and do nothing more.
const CALLED: [&str; 8] = ["gunicorn", "openfaas_gateway", "of_watchdog", "openwhisk", "php_fpm", "unicorn", "uwsgi", "vercel"];

/// Whether somebody else repeats it, or has done so.
pub(super) fn check(incident: &Incident, event: &Value, evidence: &[Evidence], nobody_else: bool) -> Result<(), Why> {
    if has_begun_again(incident, evidence) {
        return Err(Why::PlatformRetried);
    }
    match repeats(incident.platform.as_ref(), event) {
        Repeats::Never => Ok(()),
        // The platform has said that it gave up.
        Repeats::Surely(ASYNCHRONOUS) | Repeats::Perhaps(LAMBDA_UNKNOWN) if is_exhausted(incident, evidence) => Ok(()),
        Repeats::Perhaps(_) if nobody_else => Ok(()),
        Repeats::Surely(who) => Err(Why::PlatformRetries(who)),
        Repeats::Perhaps(who) => Err(Why::PlatformMayRetry(who)),
    }
}

enum Repeats {
    Never,
    Surely(&'static str),
    Perhaps(&'static str),
}

fn repeats(platform: Option<&Product>, event: &Value) -> Repeats {
    if let Some(shape) = by_shape(event) {
        return shape;
    }
    match platform.map(Product::as_str) {
        Some("aws_lambda") => Repeats::Perhaps(LAMBDA_UNKNOWN),
        Some(platform) if CALLED.contains(&platform) => Repeats::Never,
        _ => Repeats::Perhaps(PLATFORM_UNKNOWN),
    }
}

/// What the event alone says.
fn by_shape(event: &Value) -> Option<Repeats> {
    let Value::Map(fields) = event else { return None };
    let has = |names: &[&str]| names.iter().all(|name| fields.contains_key(*name));
    let source = |fields: &std::collections::BTreeMap<String, Value>| {
        ["eventSource", "EventSource"].iter().find_map(|name| fields.get(*name)?.as_text()).map(str::to_owned)
    };
    let record = match fields.get("Records") {
        Some(Value::List(records)) => records.first(),
        _ => None,
    };
    let of_record = record.and_then(|record| match record {
        Value::Map(fields) => source(fields),
        _ => None,
    });
    match of_record.or_else(|| source(fields)) {
        Some(source) if POLLED.contains(&source.as_str()) => return Some(Repeats::Surely(DELIVERED_AGAIN)),
        Some(_) => return Some(Repeats::Surely(ASYNCHRONOUS)),
        None => {}
    }
    // The last is what Lambda's own destinations are called with.
    if has(&["detail-type", "source"]) || has(&["awslogs"]) || has(&["requestContext", "requestPayload"]) {
        return Some(Repeats::Surely(ASYNCHRONOUS));
    }
    if has(&["deliveryStreamArn", "records"]) {
        return Some(Repeats::Surely(DELIVERED_AGAIN));
    }
    if has(&["message", "subscription"]) {
        return Some(Repeats::Surely(PUB_SUB));
    }
    if has(&["specversion", "type", "source"]) {
        return Some(Repeats::Perhaps(BROKER_UNKNOWN));
    }
    // API Gateway, load balancers, function URLs: the caller waits for the answer.
    has(&["requestContext"]).then_some(Repeats::Never)
}

/// Whether an attempt began after this one had ended.
fn has_begun_again(incident: &Incident, evidence: &[Evidence]) -> bool {
    let later = |began: Option<Timestamp>| incident.ended_at.is_some_and(|ended| began.is_some_and(|began| began > ended));
    evidence.iter().map(|evidence| &evidence.claim).filter(|claim| claim.request_id == incident.request_id).any(|claim| {
        let counted = claim.attempt.is_some_and(|attempt| attempt > incident.attempt);
        let started = match claim.kind {
            Kind::InvocationStart | Kind::WatchdogArmed => later(claim.started_at.or(claim.observed_at)),
            Kind::InvocationReport | Kind::Invocation | Kind::WatchdogFired => later(claim.started_at),
            _ => false,
        };
        counted || started
    })
}

/// Whether a record of the platform says that it has given the invocation up.
fn is_exhausted(incident: &Incident, evidence: &[Evidence]) -> bool {
    let of_this = |evidence: &&Evidence| evidence.claim.request_id == incident.request_id;
    evidence.iter().filter(of_this).any(|evidence| evidence.claim.kind == Kind::AsyncFailure)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::testing;

    fn on(platform: Product) -> Incident {
        Incident { platform: Some(platform), ..testing::incident() }
    }

    fn checked(incident: &Incident, event: serde_json::Value, evidence: &[Evidence], nobody_else: bool) -> Option<Why> {
        check(incident, &Value::from(event), evidence, nobody_else).err()
    }

    #[test]
    fn what_its_platform_repeats_is_left_to_it() {
        let lambda = on(Product::AWS_LAMBDA);
        for (event, who) in [
            (json!({ "Records": [{ "eventSource": "aws:sqs", "body": "{}" }] }), DELIVERED_AGAIN),
            (json!({ "Records": [{ "eventSource": "aws:kinesis" }] }), DELIVERED_AGAIN),
            (json!({ "eventSource": "aws:kafka", "records": {} }), DELIVERED_AGAIN),
            (json!({ "Records": [{ "eventSource": "aws:s3" }] }), ASYNCHRONOUS),
            (json!({ "Records": [{ "EventSource": "aws:sns" }] }), ASYNCHRONOUS),
            (json!({ "detail-type": "Scheduled Event", "source": "aws.events", "detail": {} }), ASYNCHRONOUS),
            (json!({ "requestContext": { "condition": "RetriesExhausted" }, "requestPayload": {} }), ASYNCHRONOUS),
            (json!({ "message": { "data": "aGk=" }, "subscription": "projects/p/subscriptions/s" }), PUB_SUB),
        ] {
            // Not even a person's word that nobody does changes what is seen.
            assert_eq!(checked(&lambda, event.clone(), &[], true), Some(Why::PlatformRetries(who)), "{event}");
        }
    }

    #[test]
    fn what_somebody_waited_for_is_repeated_by_nobody() {
        let lambda = on(Product::AWS_LAMBDA);
        assert_eq!(checked(&lambda, json!({ "requestContext": { "http": { "method": "POST" } }, "body": "{}" }), &[], false), None);
        assert_eq!(checked(&on(Product::GUNICORN), json!({ "order": 7 }), &[], false), None);
    }

    #[test]
    fn what_is_not_known_is_not_guessed() {
        let (lambda, event) = (on(Product::AWS_LAMBDA), json!({ "order": 7 }));
        assert_eq!(checked(&lambda, event.clone(), &[], false), Some(Why::PlatformMayRetry(LAMBDA_UNKNOWN)));
        assert_eq!(checked(&lambda, event.clone(), &[], true), None);
        let unknown = Incident { platform: None, ..testing::incident() };
        assert_eq!(checked(&unknown, event, &[], false), Some(Why::PlatformMayRetry(PLATFORM_UNKNOWN)));
    }

    #[test]
    fn a_platform_that_gave_up_repeats_nothing_more() {
        let lambda = on(Product::AWS_LAMBDA);
        let gave_up = testing::evidence(&lambda, |claim| domain::Claim { kind: Kind::AsyncFailure, ..claim });
        assert_eq!(checked(&lambda, json!({ "Records": [{ "eventSource": "aws:s3" }] }), std::slice::from_ref(&gave_up), false), None);
        let queue = json!({ "Records": [{ "eventSource": "aws:sqs" }] });
        assert_eq!(checked(&lambda, queue, &[gave_up], false), Some(Why::PlatformRetries(DELIVERED_AGAIN)));
    }

    #[test]
    fn a_platform_that_has_begun_again_is_left_alone() {
        let lambda = on(Product::AWS_LAMBDA);
        let began = |at: &str| {
            let at = testing::at(at);
            testing::evidence(&lambda, |claim| domain::Claim { kind: Kind::InvocationStart, observed_at: Some(at), ..claim })
        };
        let checked = |evidence: Evidence| checked(&lambda, json!({ "order": 7 }), &[evidence], true);
        assert_eq!(checked(began("2026-11-20T22:23:02.990Z")), None, "its own start");
        assert_eq!(checked(began("2026-11-20T22:24:33Z")), Some(Why::PlatformRetried));
    }
}
