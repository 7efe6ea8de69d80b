//! A gateway, a load balancer or a content network of AWS in front of the function: it gave up waiting.
//!
//! Conclusive of what the caller was told, because it is the gateway's own account. Of the function it tells nothing: that may
//! have gone on, and where its own lines say that it ended well later, the caller left. Where the function's own limit
//! fired first, the gateway's answer is a consequence of that.

use domain::{Claim, ClaimedOutcome, Confidence, Evidence, IncidentState, Kind, Layer, Limit, Millis, Note, Outcome, Product, Reason};
use jiff::Timestamp;

use super::Firing;
use super::proxy::WAITED_MIN;
use crate::correlate::Case;
use crate::diagnose::{cite, cite_all};

/// Clocks of two services of one cloud: an order within this is none.
const CLOCKS_APART: Millis = Millis::from_ms(250);

/// What the gateway did.
pub fn fired(case: &Case<'_>) -> Option<Firing> {
    let told: Vec<&Evidence> = case.own.iter().copied().filter(|one| product(&one.claim).is_some() && gave_up(&one.claim)).collect();
    // Of several in a row the one that gave up first; without times, the first in the log.
    let Some(decisive) = told.iter().copied().min_by_key(|one| acted_at(&one.claim).unwrap_or(Timestamp::MAX)) else {
        return client_left(case);
    };
    let (layer, product) = product(&decisive.claim)?;
    let told: Vec<&Evidence> = told.into_iter().filter(|one| one.claim.text("gateway") == decisive.claim.text("gateway")).collect();
    // Another line of the same request says that the 504 came from behind it.
    if case.own.iter().any(|one| {
        one.claim.outcome == Some(ClaimedOutcome::UpstreamTimeout) && one.claim.text("gateway") == decisive.claim.text("gateway")
    }) {
        return None;
    }
    let at = told.iter().find_map(|one| acted_at(&one.claim));
    let mut firing = Firing::new(Outcome::Timeout, IncidentState::Confirmed, Confidence::Certain);
    firing.at = at;
    firing.layer = Some(layer);
    firing.product = Some(product.clone());
    firing.limit = limit(case, &told);
    if told.iter().all(|one| one.claim.outcome_confidence == Some(Confidence::Likely)) {
        firing.confidence = Confidence::Likely;
    }
    let waited = told.iter().find_map(|one| one.claim.elapsed_ms).map_or(String::new(), |waited| format!(" after {waited}"));
    let text = match decisive.claim.outcome {
        Some(ClaimedOutcome::ConnectTimeout) => format!("{} says that it could not connect{waited}", product.title()),
        _ => format!("{} says that it gave up waiting{waited}", product.title()),
    };
    firing.reasons.push(Reason { text, evidence: cite_all(told.iter().copied()) });
    firing.refuted_by = "a line of whatever stands behind it that says it answered with this status itself".into();
    went_on(case, at, &mut firing);
    Some(firing)
}

/// The client closed the connection before it was answered.
fn client_left(case: &Case<'_>) -> Option<Firing> {
    let left = |one: &&Evidence| one.claim.kind == Kind::GatewayRequest && one.claim.outcome == Some(ClaimedOutcome::ClientClosed);
    let told = case.own.iter().copied().filter(left).find(|one| product(&one.claim).is_some())?;
    let (_, product) = product(&told.claim)?;
    let waited = told.claim.elapsed_ms.filter(|waited| *waited >= WAITED_MIN)?;
    let mut firing = Firing::new(Outcome::CallerLeft, IncidentState::Confirmed, Confidence::Likely);
    firing.at = acted_at(&told.claim);
    firing.layer = Some(Layer::Client);
    let text = format!("{} says that the client closed the connection, {waited} after the beginning", product.title());
    firing.reasons.push(Reason { text, evidence: vec![cite(told)] });
    firing.refuted_by = format!("a limit of {} of {waited} on the client's side of the connection", product.title()).into();
    went_on(case, firing.at, &mut firing);
    Some(firing)
}

/// What the function did meanwhile, where its own lines tell.
fn went_on(case: &Case<'_>, at: Option<Timestamp>, firing: &mut Firing) {
    let Some(report) = case.all(Kind::InvocationReport).find(|one| one.claim.is_good_report()) else { return };
    let ended = case.all(Kind::InvocationEnd).chain([report]).find_map(|one| one.claim.observed_at);
    let Some(later) = at.zip(ended).map(|(at, ended)| Millis::between(at, ended)) else { return };
    if later >= CLOCKS_APART {
        firing.outcome = Outcome::CallerLeft;
        firing.went_on = true;
        let text = format!("the function went on for {later} after that, and ended well");
        firing.reasons.push(Reason { text, evidence: vec![cite(report)] });
        firing.refuted_by = format!("clocks of gateway and function that are more than {later} apart").into();
    } else if later < Millis::ZERO.minus(CLOCKS_APART) {
        // The answer was there before the gateway gave up, by the stamps: something between the two kept it, or a clock is off.
        firing.confidence = Confidence::Possible;
        let text = format!("the function had ended well {} earlier", Millis::ZERO.minus(later));
        firing.contradicted.push(Note { text, evidence: vec![cite(report)] });
    }
}

/// The limit, with the value that a line proves or that configuration states.
fn limit(case: &Case<'_>, told: &[&Evidence]) -> Option<Limit> {
    let limits = || told.iter().filter_map(|one| one.claim.limit.as_ref());
    let claimed = limits().find(|limit| limit.value_ms.is_some()).or_else(|| limits().next())?;
    let stated = case.stated_limit(&claimed.product, &claimed.setting).filter(|_| claimed.value_ms.is_none());
    Some(stated.unwrap_or(claimed).clone())
}

fn gave_up(claim: &Claim) -> bool {
    matches!(claim.outcome, Some(ClaimedOutcome::GatewayTimeout | ClaimedOutcome::ConnectTimeout))
}

/// When it answered. Access lines of API Gateway are stamped with the request's beginning.
fn acted_at(claim: &Claim) -> Option<Timestamp> {
    claim.started_at.zip(claim.elapsed_ms).map(|(start, elapsed)| elapsed.after(start)).or(claim.observed_at)
}

/// Which of them wrote a line.
pub fn product(claim: &Claim) -> Option<(Layer, Product)> {
    if !claim.kind.is_of_gateway() {
        return None;
    }
    Some(match claim.text("gateway")? {
        "alb" => (Layer::LoadBalancer, Product::from("alb")),
        "apigw_rest" | "apigw_http" => (Layer::Gateway, Product::from("api_gateway")),
        "cloudfront" => (Layer::Cdn, Product::from("cloudfront")),
        _ => return None,
    })
}

/// What the gateways in front answered when something behind them had ended the request.
pub fn answered(case: &Case<'_>) -> Vec<Note> {
    let failed = case.own.iter().copied().filter(|one| one.claim.kind == Kind::GatewayRequest && !gave_up(&one.claim));
    let note = |one: &Evidence| {
        let (_, product) = product(&one.claim)?;
        let status = one.claim.number("status_code").filter(|status| *status >= 500.0)?;
        Some(Note { text: format!("{} answered {status}", product.title()), evidence: vec![cite(one)] })
    };
    failed.filter_map(note).collect()
}

#[cfg(test)]
mod tests {
    use domain::{KnownFrom, Outcome};
    use jiff::Timestamp;

    use crate::correlate::Knowledge;
    use crate::explain::{Input, Report, explain};
    use crate::parse::Format;

    fn told(text: &str) -> Report {
        let now = Timestamp::from_second(1_900_000_000).expect("a moment");
        explain(&[Input { name: "app.log", bytes: text.as_bytes() }], Format::Auto, &Knowledge::default(), now)
    }

    fn report(id: &str, trace: &str, duration: &str, at: &str, status: &str) -> String {
        let tail = if status.is_empty() { "\\t" } else { status };
        format!(
            r#"{{"timestamp":"{at}","logGroup":"/aws/lambda/shop","logStream":"2026/11/02/[$LATEST]0f","message":"REPORT RequestId: {id}\tDuration: {duration} ms\tBilled Duration: 1 ms\tMemory Size: 128 MB\tMax Memory Used: 64 MB\t{tail}\nXRAY TraceId: 1-690714a8-{trace}\tSegmentId: e8ec8d7c953b2f39\tSampled: true\t\n"}}"#
        )
    }

    const TRACE: &str = "0000000000000000000000a1";
    const ID: &str = "9c8b7a60-4444-4555-8666-777788889901";

    fn alb(trace: &str) -> String {
        format!(
            r#"https 2026-11-02T08:14:45.012000Z app/shop/1f2e3d4c5b6a7980 198.51.100.7:50001 - 0.002 -1 -1 504 - 51 204 "GET https://shop.example.com:443/ HTTP/2.0" "curl" - - - "Root=1-690714a8-{trace}" "-" "-" 3 2026-11-02T08:14:00.000000Z "forward" "-" "-" "-" "-""#
        )
    }

    fn gateway(id: &str) -> String {
        format!(
            r#"{{"requestId":"0a1b2c3d-1111-4222-8333-444455556602","requestTimeEpoch":1793607240000,"status":504,"responseLatency":29006,"integrationLatency":29001,"integrationRequestId":"{id}","responseType":"INTEGRATION_TIMEOUT"}}"#
        )
    }

    #[test]
    fn a_function_that_ended_well_later_was_left_by_its_caller() {
        let found = told(&format!("{}\n{}\n", report(ID, TRACE, "58000.00", "2026-11-02T08:14:58.100Z", ""), alb(TRACE)));
        let [incident] = &found.incidents[..] else { panic!("one incident, found {found:#?}") };
        assert_eq!((incident.outcome, incident.request_id.as_ref().map(domain::RequestId::as_str)), (Outcome::CallerLeft, Some(ID)));
        let limit = incident.diagnosis.limit.as_ref().expect("a limit");
        assert_eq!((limit.setting.as_str(), limit.value_ms.map(domain::Millis::as_ms)), ("idle_timeout.timeout_seconds", Some(45_000)));
        assert_eq!(limit.known_from, KnownFrom::Learned);
        assert!(incident.summary.contains("idle timeout (45 s) fired first; the function went on"), "{}", incident.summary);
    }

    #[test]
    fn the_functions_own_timeout_comes_first_and_the_gateway_is_its_consequence() {
        let lines = [
            report(ID, TRACE, "6000.00", "2026-11-02T08:14:06.010Z", "Status: timeout"),
            format!(
                "(0a1b2c3d-1111-4222-8333-444455556613) Lambda execution failed with status 200 due to customer function error: RequestId: {ID} Error: Task timed out after 6.00 seconds. Lambda request id: {ID}"
            ),
            "(0a1b2c3d-1111-4222-8333-444455556613) Method completed with status: 502".to_owned(),
        ];
        let found = told(&lines.join("\n"));
        let [incident] = &found.incidents[..] else { panic!("one incident, found {found:#?}") };
        assert_eq!(incident.diagnosis.product.as_ref().map(domain::Product::as_str), Some("aws_lambda"));
        assert_eq!(incident.diagnosis.consequences.len(), 1, "{:#?}", incident.diagnosis.consequences);
        assert_eq!(incident.diagnosis.consequences[0].text, "API Gateway answered 502");
    }

    #[test]
    fn a_trace_with_two_requests_joins_none() {
        let other = "9c8b7a60-4444-4555-8666-777788889902";
        let lines = [
            report(ID, TRACE, "58000.00", "2026-11-02T08:14:58.100Z", ""),
            report(other, TRACE, "57000.00", "2026-11-02T08:14:57.100Z", ""),
            alb(TRACE),
        ];
        let found = told(&lines.join("\n"));
        let [incident] = &found.incidents[..] else { panic!("one incident, found {found:#?}") };
        assert_eq!((incident.outcome, incident.request_id.as_ref()), (Outcome::Timeout, None));
        assert_eq!(incident.diagnosis.layer, Some(domain::Layer::LoadBalancer));
    }

    #[test]
    fn a_gateway_alone_is_an_incident_without_a_request() {
        let found = told(&gateway("-"));
        let [incident] = &found.incidents[..] else { panic!("one incident, found {found:#?}") };
        assert_eq!((incident.outcome, incident.request_id.as_ref()), (Outcome::Timeout, None));
        assert_eq!(incident.elapsed_ms.map(domain::Millis::as_ms), Some(29_006));
        assert!(incident.summary.starts_with("API Gateway's integration timeout (29 s) fired"), "{}", incident.summary);
        assert!(incident.diagnosis.advice.iter().any(|advice| advice.setting.as_deref() == Some("TimeoutInMillis")));
    }

    #[test]
    fn lines_of_one_gateway_request_are_one_incident() {
        let id = "0a1b2c3d-1111-4222-8333-444455556602";
        let lines =
            [format!("({id}) Execution failed due to a timeout error"), gateway("-"), format!("({id}) Method completed with status: 504")];
        assert_eq!(told(&lines.join("\n")).incidents.len(), 1);
    }
}
