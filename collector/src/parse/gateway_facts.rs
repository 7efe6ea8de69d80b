//! What the logs of AWS's gateways and load balancers share: whose limit it is, and what proves its value.

use domain::{Claim, ClaimedOutcome, KnownFrom, Layer, Limit, Millis, Product};

use super::Fate;

/// API Gateway's integration timeout, as its API writes it.
pub const API_GATEWAY_TIMEOUT: &str = "TimeoutInMillis";
/// The load balancer's idle timeout, as its attributes write it.
pub const ALB_IDLE_TIMEOUT: &str = "idle_timeout.timeout_seconds";
/// The load balancer's fixed limit on connecting to a target.
pub const ALB_CONNECT_TIMEOUT: &str = "(fixed) target connection";
/// CloudFront's limit on one read from the origin.
pub const CLOUDFRONT_READ_TIMEOUT: &str = "OriginReadTimeout";
/// CloudFront's limit on connecting to the origin.
pub const CLOUDFRONT_CONNECT_TIMEOUT: &str = "ConnectionTimeout";

/// A limit of one of them; its value where the input proves it.
#[must_use]
pub fn limit(layer: Layer, product: &'static str, setting: &str, value_ms: Option<Millis>) -> Limit {
    Limit { layer, product: Product::from(product), setting: setting.to_owned(), value_ms, known_from: KnownFrom::Learned, place: None }
}

/// The limit behind a time elapsed: limits are whole seconds, and what ran into one stopped within a tenth of a second of it.
/// Any other time proves nothing.
#[must_use]
pub fn whole_seconds(elapsed: Millis) -> Option<Millis> {
    let floor = elapsed.floor_seconds();
    (floor > Millis::ZERO && elapsed.minus(floor) <= Millis::from_ms(100)).then_some(floor)
}

/// A value that is there: a bare `-` stands for none.
#[must_use]
pub fn present(text: &str) -> Option<&str> {
    Some(text.trim()).filter(|text| !matches!(*text, "" | "-"))
}

/// A status that was read into a claim.
#[must_use]
pub fn status(claim: &Claim, name: &str) -> Option<u32> {
    let number = claim.number(name).filter(|number| (0.0..1000.0).contains(number))?;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a status has three digits")]
    Some(number as u32)
}

/// How an answer ended whose status says it all. A client's own error (4xx) does not tell how the function ended.
#[must_use]
pub fn by_status(status: u32) -> Option<ClaimedOutcome> {
    match status {
        100..400 => Some(ClaimedOutcome::Success),
        429 => Some(ClaimedOutcome::Throttled),
        500.. => Some(ClaimedOutcome::Error),
        _ => None,
    }
}

/// What ties to nothing and tells of no failure says nothing that a diagnosis could use.
#[must_use]
pub fn fate(claim: Claim) -> Fate {
    let tied = claim.request_id.is_some() || claim.trace_id.is_some() || claim.gateway_request_id().is_some();
    let claim = Box::new(claim);
    if tied || claim.is_anomalous() { Fate::Evidence(claim) } else { Fate::Ignored(claim) }
}
