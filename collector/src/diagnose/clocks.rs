//! How far sources' clocks are apart, as their accounts of one request tell: what was served must lie within what was asked.
//!
//! A proxy's or caller's account encloses that of whatever served the request. Where by the stamps it does not, the clocks are
//! apart, by at least what sticks out. That is said beside the timeline and never applied: the stamps stay as they were written.

use domain::{ClaimedOutcome, ClockOffset, Evidence, Kind, Millis, Product};
use jiff::Timestamp;

use crate::correlate::{Case, Ending, is_proxys};

/// What lies between the moment of an event and the stamp on its line, and what clocks that are kept by NTP may be apart.
const FINE: Millis = Millis::from_ms(100);
/// The same for stamps in whole seconds.
const COARSE: Millis = Millis::from_ms(1100);

/// One source's account of the request.
struct Account<'a> {
    whose: &'a str,
    from: Timestamp,
    to: Timestamp,
    /// Whether it saw the request's end: who gave up did not.
    saw_end: bool,
    is_coarse: bool,
}

/// Every pair of accounts whose clocks are apart, the outer one's first.
pub fn apart(case: &Case<'_>) -> Vec<ClockOffset> {
    let served = case.own.iter().copied().find(|one| one.claim.kind == Kind::Span && one.claim.request_id.is_some());
    let outer: Vec<Account<'_>> = case.own.iter().copied().filter(|one| is_outer(one, served)).filter_map(account).collect();
    if outer.is_empty() {
        return Vec::new();
    }
    // gunicorn counts the line that it writes while aborting a worker from the abort.
    let aborted = case.worker.as_ref().is_some_and(|end| end.ending == Ending::TimedOut);
    let is_inner = |one: &&Evidence| is_inner(one) && !(aborted && one.claim.number("status") == Some(500.0));
    let inner: Vec<Account<'_>> = case.own.iter().copied().filter(is_inner).filter_map(account).chain(invocation(case)).collect();
    let mut found: Vec<ClockOffset> = Vec::new();
    for offset in outer.iter().flat_map(|outer| inner.iter().filter_map(|inner| between(outer, inner))) {
        if !found.iter().any(|known| (&known.clock, &known.against) == (&offset.clock, &offset.against)) {
            found.push(offset);
        }
    }
    found
}

/// Whether it is the account of somebody in front; `served` is the request's own span.
fn is_outer(one: &Evidence, served: Option<&Evidence>) -> bool {
    let called = |served: &Evidence| {
        one.claim.span_id.is_some() && served.claim.parent_span_id == one.claim.span_id && served.claim.function != one.claim.function
    };
    match one.claim.kind {
        Kind::GatewayRequest => true,
        Kind::Span => served.is_some_and(called),
        _ => false,
    }
}

fn is_inner(one: &Evidence) -> bool {
    let claim = &one.claim;
    match claim.kind {
        Kind::Request => !is_proxys(claim) && claim.platform.as_ref().is_none_or(|product| product.as_str() != "heroku"),
        Kind::Span => claim.request_id.is_some() && claim.text("span_kind") == Some("server"),
        _ => false,
    }
}

fn account(one: &Evidence) -> Option<Account<'_>> {
    let claim = &one.claim;
    let from = claim.started_at?;
    let gave_up = claim.outcome.is_some_and(ClaimedOutcome::is_anomalous) || claim.text("status") == Some("error");
    let to = claim.elapsed_ms.map(|elapsed| elapsed.after(from)).or(claim.observed_at)?;
    let name = claim.platform.as_ref().map(Product::title).or_else(|| claim.function.as_ref().map(domain::FunctionName::as_str));
    let whose = name.or_else(|| claim.text("gateway")).unwrap_or(claim.format.as_str());
    // The moment that was written, not the one worked out from it, tells the stamp's precision.
    let written = if claim.kind == Kind::Span { from } else { claim.observed_at.unwrap_or(from) };
    Some(Account { whose, from, to, saw_end: !gave_up, is_coarse: written.subsec_nanosecond() == 0 })
}

/// Lambda's own account: START to REPORT.
fn invocation<'a>(case: &Case<'a>) -> Option<Account<'a>> {
    let from = case.first(Kind::InvocationStart)?.claim.observed_at?;
    let to = case.first(Kind::InvocationReport).or_else(|| case.first(Kind::InvocationEnd))?.claim.observed_at?;
    Some(Account { whose: "AWS Lambda", from, to, saw_end: true, is_coarse: false })
}

/// How far the inner clock is ahead: what was served must have begun after, and ended before, what was asked.
fn between(outer: &Account<'_>, inner: &Account<'_>) -> Option<ClockOffset> {
    let slack = if outer.is_coarse || inner.is_coarse { COARSE } else { FINE };
    let at_most = Millis::between(outer.from, inner.from);
    let at_least = outer.saw_end.then(|| Millis::between(outer.to, inner.to));
    let (clock, against) = (inner.whose.to_owned(), outer.whose.to_owned());
    let is_ahead = at_least.is_some_and(|least| least > slack);
    let is_behind = at_most.plus(slack) < Millis::ZERO;
    if clock == against || is_ahead == is_behind {
        return None;
    }
    let positive = |value: Millis| if value < Millis::ZERO { Millis::ZERO.minus(value) } else { value };
    let (word, near, far) =
        if is_ahead { ("ahead of", at_least.unwrap_or_default(), Some(at_most)) } else { ("behind", at_most, at_least) };
    let by = match far.map(positive).filter(|far| *far > positive(near)) {
        Some(far) => format!("{} to {far}", positive(near)),
        None => format!("at least {}", positive(near)),
    };
    let text = format!("{clock}'s clock is {by} {word} {against}'s, by their accounts of this request; times are shown as each wrote them");
    Some(ClockOffset { clock, against, ahead_min_ms: at_least, ahead_max_ms: Some(at_most), text })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(whose: &'static str, from_ms: i64, to_ms: i64, saw_end: bool) -> Account<'static> {
        let at = |ms| Timestamp::from_millisecond(1_795_348_800_500 + ms).expect("a moment");
        Account { whose, from: at(from_ms), to: at(to_ms), saw_end, is_coarse: false }
    }

    fn said(outer: (i64, i64), inner: (i64, i64), saw_end: bool) -> Option<String> {
        let offset = between(&account("nginx", outer.0, outer.1, saw_end), &account("gunicorn", inner.0, inner.1, true))?;
        Some(offset.text.split(", by").next().unwrap_or_default().to_owned())
    }

    #[test]
    fn what_lies_within_tells_of_no_offset() {
        assert_eq!(said((0, 2000), (10, 1990), true), None);
        assert_eq!(said((0, 2000), (40, 2050), true), None, "a line is written a little later");
    }

    #[test]
    fn what_sticks_out_is_the_least_and_the_other_end_the_most() {
        assert_eq!(said((0, 2000), (3010, 4990), true).as_deref(), Some("gunicorn's clock is 2.99 s to 3.01 s ahead of nginx's"));
        assert_eq!(said((0, 2000), (-3000, -1020), true).as_deref(), Some("gunicorn's clock is 3 s to 3.02 s behind nginx's"));
    }

    #[test]
    fn who_gave_up_saw_no_end() {
        assert_eq!(said((0, 2000), (10, 9000), false), None, "it went on");
        assert_eq!(said((0, 2000), (-3000, 9000), false).as_deref(), Some("gunicorn's clock is at least 3 s behind nginx's"));
    }
}
