//! What all proxies have in common: whose timer ran out, whether the client left first, and what became of the function.
//!
//! A status says nothing by itself. What decides is a line in which the proxy names its own timer, or a phase that only its
//! own timer can end. It is held against the clock: the time waited has to reach the limit. The connection to the server
//! stood until then, so a worker that its server ended later was ended for nobody.

use domain::{ClaimedOutcome, Confidence, Evidence, IncidentState, Kind, KnownFrom, Layer, Limit, Millis, Note, Outcome, Product, Reason};
use jiff::Timestamp;

use super::Firing;
use crate::correlate::{Case, Ending};
use crate::diagnose::{cite, cite_all};

/// What differs from one proxy to the next.
pub struct Proxy {
    pub product: Product,
    /// For a setting that a line names: all that can stand for it in a configuration, the most specific first.
    pub stands_for: fn(&str) -> Vec<String>,
}

/// Timers fire within a few milliseconds of their value; machines under load take longer.
const SLACK: Millis = Millis::from_ms(250);
/// What whole seconds in one of two lines may hide.
const STAMP: Millis = Millis::from_ms(1000);
/// A client that leaves sooner did not wait: a page was left, a search typed on.
pub(super) const WAITED_MIN: Millis = Millis::from_ms(500);

/// What that proxy did.
pub fn fired(case: &Case<'_>, proxy: &Proxy) -> Option<Firing> {
    use ClaimedOutcome::{ClientClosed, ClientIdleTimeout, ConnectTimeout, GatewayTimeout};
    let own: Vec<&Evidence> = case.own.iter().copied().filter(|one| one.claim.platform.as_ref() == Some(&proxy.product)).collect();
    let told = |kinds: &[ClaimedOutcome]| -> Vec<&Evidence> {
        let mut told: Vec<&Evidence> =
            own.iter().copied().filter(|one| one.claim.outcome.is_some_and(|outcome| kinds.contains(&outcome))).collect();
        // An error line knows the phase; an access line has to work it out.
        told.sort_by_key(|one| (one.claim.outcome_confidence.is_some(), one.claim.kind != Kind::ProxyError));
        told
    };
    let timers = told(&[GatewayTimeout, ConnectTimeout, ClientIdleTimeout]);
    let timers: Vec<&Evidence> = timers.into_iter().filter(|one| is_of(proxy, one)).collect();
    match timers.first() {
        Some(decisive) => Some(timed_out(case, proxy, &own, decisive, &timers)),
        None => client_left(case, proxy, &own, &told(&[ClientClosed])),
    }
}

fn is_of(proxy: &Proxy, one: &Evidence) -> bool {
    one.claim.limit.as_ref().is_some_and(|limit| limit.product == proxy.product)
}

fn timed_out(case: &Case<'_>, proxy: &Proxy, own: &[&Evidence], decisive: &Evidence, timers: &[&Evidence]) -> Firing {
    let title = proxy.product.title();
    let waited = own.iter().find_map(|one| one.claim.millis("waited_ms")).or_else(|| whole_time(own, decisive));
    let claimed = decisive.claim.limit.clone().expect("only lines that name a timer are looked at");
    let limit = limit(case, proxy, &claimed, waited);
    let hidden = own.iter().any(|one| one.claim.attributes.contains_key("next_upstream") && one.claim.kind == Kind::GatewayRequest);
    let state = if hidden { IncidentState::Survived } else { IncidentState::Confirmed };
    let mut firing = Firing::new(Outcome::Timeout, state, confidence(decisive, waited, &limit));
    firing.at = acted_at(case, own, decisive);
    firing.layer = Some(claimed.layer);
    firing.product = Some(proxy.product.clone());
    let text = match decisive.claim.kind {
        Kind::ProxyError => format!("{title}'s own error line names the timer that ran out"),
        _ => format!("{title}'s access line shows that it gave up itself: {}", shown(decisive)),
    };
    firing.reasons.push(Reason { text, evidence: vec![cite(decisive)] });
    let others: Vec<&Evidence> = own.iter().copied().filter(|one| !std::ptr::eq(*one, decisive)).collect();
    if !others.is_empty() {
        let text = if timers.len() > 1 { "its other lines agree" } else { "its other lines about the same request" };
        firing.reasons.push(Reason { text: text.to_owned(), evidence: cite_all(others) });
    }
    if hidden {
        let text = "another server answered after that: the caller got an answer, late";
        firing.reasons.push(Reason { text: text.to_owned(), evidence: Vec::new() });
    } else if let Some(status) = answered_well(own) {
        let text = format!("the status had been sent by then ({status}): the caller got part of the body");
        firing.reasons.push(Reason { text, evidence: Vec::new() });
    }
    firing.refuted_by = "an answer of the server behind it, sent on in full, before the limit".into();
    hold_against_clock(&mut firing, decisive, waited, &limit);
    never_reached(&mut firing, decisive);
    let inbound = decisive.claim.outcome == Some(ClaimedOutcome::ClientIdleTimeout);
    if !inbound && !hidden {
        went_on(case, &mut firing);
    }
    firing.limit = Some(limit);
    firing
}

/// How long the request took, where the whole of it was one wait.
fn whole_time(own: &[&Evidence], decisive: &Evidence) -> Option<Millis> {
    // Caddy's limits on one reading or writing may have run more than once.
    let repeats = decisive.claim.limit.as_ref().is_some_and(|limit| matches!(limit.setting.as_str(), "read_timeout" | "write_timeout"));
    let one_wait = decisive.claim.outcome == Some(ClaimedOutcome::GatewayTimeout) && answered_well(own).is_none() && !repeats;
    let inbound = decisive.claim.outcome == Some(ClaimedOutcome::ClientIdleTimeout);
    (one_wait || inbound).then(|| own.iter().filter(|one| one.claim.kind == Kind::GatewayRequest).find_map(|one| one.claim.elapsed_ms))?
}

fn answered_well(own: &[&Evidence]) -> Option<f64> {
    own.iter().filter_map(|one| one.claim.number("status")).find(|status| (200.0..400.0).contains(status))
}

fn shown(one: &Evidence) -> String {
    match one.claim.text("termination") {
        Some(state) => format!("termination state `{state}`"),
        None if one.claim.outcome == Some(ClaimedOutcome::ClientIdleTimeout) => "it asked no server and answered 408".to_owned(),
        None => "no answer had come from the server".to_owned(),
    }
}

/// The proxy's moment: never after the end of a worker that it was still connected to.
fn acted_at(case: &Case<'_>, own: &[&Evidence], decisive: &Evidence) -> Option<Timestamp> {
    let finest = own.iter().filter(|one| one.claim.kind == Kind::GatewayRequest).find_map(|one| one.claim.observed_at);
    let at = decisive.claim.observed_at.filter(|at| at.subsec_nanosecond() != 0).or(finest).or(decisive.claim.observed_at);
    let ended = case.worker.as_ref().filter(|end| end.ending == Ending::TimedOut).and_then(|end| end.at);
    match (at, ended) {
        (Some(at), Some(ended)) => Some(at.min(Millis::from_us(1).before(ended))),
        (at, _) => at,
    }
}

/// The limit with its value: configured where one fits the time waited, else read off that time.
fn limit(case: &Case<'_>, proxy: &Proxy, claimed: &Limit, waited: Option<Millis>) -> Limit {
    let names = (proxy.stands_for)(&claimed.setting);
    let known = |name: &String| -> Vec<&Limit> {
        let own = case.knowledge.limits.iter().filter(|limit| limit.product == claimed.product && limit.setting == *name);
        own.filter(|limit| limit.value_ms.is_some()).collect()
    };
    let candidates: Vec<&Limit> = names.iter().flat_map(known).collect();
    let fits = |limit: &&&Limit| waited.zip(limit.value_ms).is_some_and(|(waited, value)| within(waited, value));
    if let Some(fitting) = candidates.iter().find(fits) {
        return (*fitting).clone();
    }
    // Nothing to tell several values apart by: only one that stands alone is known to hold.
    let first_named = names.iter().map(known).find(|own| !own.is_empty()).unwrap_or_default();
    let agreed = first_named.first().filter(|first| first_named.iter().all(|other| other.value_ms == first.value_ms));
    match (waited, agreed) {
        (None, Some(only)) => (*only).clone(),
        (Some(waited), Some(only)) if only.value_ms.is_some_and(|value| waited.plus(SLACK) < value) => (*only).clone(),
        (Some(waited), _) => match round(waited) {
            Some(value) => Limit { value_ms: Some(value), known_from: KnownFrom::Learned, ..claimed.clone() },
            None => claimed.clone(),
        },
        (None, None) => claimed.clone(),
    }
}

/// A timer fires at its value or shortly after; both ends are rounded to the millisecond.
fn within(waited: Millis, value: Millis) -> bool {
    waited.plus(Millis::from_ms(5)) >= value && waited.minus(value) <= SLACK.plus(Millis::from_us(value.as_us() / 50))
}

/// The value that a time waited gives away: limits are set in whole tenths of seconds, and timers fire within milliseconds.
fn round(waited: Millis) -> Option<Millis> {
    const TENTH_US: i64 = 100_000;
    const LATE_US: i64 = 30_000;
    const EARLY_US: i64 = 3_000;
    let tenths = waited.as_us().saturating_add(EARLY_US) / TENTH_US;
    let late = waited.as_us() - tenths * TENTH_US;
    (tenths > 0 && late <= LATE_US).then(|| Millis::from_us(tenths * TENTH_US))
}

fn confidence(decisive: &Evidence, waited: Option<Millis>, limit: &Limit) -> Confidence {
    let configured = limit.known_from == KnownFrom::Configured;
    let fits = waited.zip(limit.value_ms).is_some_and(|(waited, value)| within(waited, value));
    match (decisive.claim.kind, decisive.claim.outcome_confidence) {
        // What the request line could not be read of was perhaps none.
        _ if decisive.claim.attributes.contains_key("bad_request") => Confidence::Possible,
        (_, Some(_)) if configured && fits => Confidence::Certain,
        (_, Some(_)) if fits && waited.is_some_and(|waited| waited >= Millis::from_ms(1000)) => Confidence::Likely,
        (_, Some(_)) => Confidence::Possible,
        (Kind::ProxyError, None) => Confidence::Certain,
        (_, None) if decisive.claim.attributes.contains_key("termination") => Confidence::Certain,
        (_, None) if fits => Confidence::Certain,
        (_, None) => Confidence::Likely,
    }
}

/// A timer cannot run out before its time.
fn hold_against_clock(firing: &mut Firing, decisive: &Evidence, waited: Option<Millis>, limit: &Limit) {
    match waited.zip(limit.value_ms) {
        Some((waited, value)) if waited.plus(SLACK) < value => {
            firing.confidence = Confidence::Possible;
            let text = format!("only {waited} had passed, so a limit of {value} had not");
            firing.contradicted.push(Note { text, evidence: vec![cite(decisive)] });
        }
        Some((waited, value)) if limit.known_from == KnownFrom::Configured => {
            firing.reasons.push(Reason { text: format!("it had waited {waited}, the limit is {value}"), evidence: Vec::new() });
        }
        Some((waited, value)) => {
            let text = format!("it had waited {waited}: the limit is {value}, to within the precision of its timers");
            firing.reasons.push(Reason { text, evidence: Vec::new() });
        }
        None => {}
    }
}

/// Whether the application ever saw the request.
fn never_reached(firing: &mut Firing, decisive: &Evidence) {
    let claim = &decisive.claim;
    let text = match (claim.outcome, claim.text("termination")) {
        (Some(ClaimedOutcome::ConnectTimeout), _) => "no connection came up: the application never saw the request",
        (_, Some(state)) if state.starts_with("sQ") => "it stood in the queue for a free server: the application never saw the request",
        _ => return,
    };
    firing.reasons.push(Reason { text: text.to_owned(), evidence: Vec::new() });
}

/// What the server behind did after the proxy had given up: how long at least, by the last that is told of it.
fn went_on(case: &Case<'_>, firing: &mut Firing) {
    let Some(at) = firing.at else { return };
    let is_whole = |at: Timestamp| at.subsec_nanosecond() == 0;
    let told = case.own.iter().copied().filter(|one| !crate::correlate::is_proxys(&one.claim));
    let Some((last, end)) = told.filter_map(|one| Some((one, one.claim.observed_at?))).max_by_key(|(_, end)| *end) else { return };
    let after = Millis::between(at, end);
    // A stamp in whole seconds may be of any moment of its second.
    if after < if is_whole(at) || is_whole(end) { Millis::from_ms(1000) } else { SLACK } {
        return;
    }
    firing.outcome = Outcome::CallerLeft;
    firing.went_on = true;
    firing.reasons.push(Reason { text: format!("the function went on for {after} after that"), evidence: vec![cite(last)] });
}

/// The client closed the connection before it was answered.
fn client_left(case: &Case<'_>, proxy: &Proxy, own: &[&Evidence], told: &[&Evidence]) -> Option<Firing> {
    let decisive = told.first()?;
    let waited = own.iter().find_map(|one| one.claim.elapsed_ms);
    if waited.is_some_and(|waited| waited < WAITED_MIN) || given_up_in_front(case, proxy, own, waited).is_some() {
        return None;
    }
    let at = own.iter().filter(|one| one.claim.kind == Kind::GatewayRequest).find_map(|one| one.claim.observed_at);
    let title = proxy.product.title();
    let (state, confidence, how_long, refuted_by) = match waited {
        Some(waited) => (
            IncidentState::Confirmed,
            Confidence::Likely,
            format!("{waited} after the beginning"),
            format!("a limit of {title} of {waited} on the client's side of the connection"),
        ),
        None => (
            IncidentState::Suspected,
            Confidence::Possible,
            "and no line says how long it had waited: it may have been a moment".to_owned(),
            format!("a time of the request (`$request_time` in nginx's `log_format`) below {WAITED_MIN}"),
        ),
    };
    let mut firing = Firing::new(Outcome::CallerLeft, state, confidence);
    firing.at = at.or(decisive.claim.observed_at);
    firing.layer = Some(Layer::Client);
    let text = format!("{title} says that the client closed the connection, {how_long}");
    firing.reasons.push(Reason { text, evidence: cite_all(told.iter().copied()) });
    went_on(case, &mut firing);
    firing.refuted_by = refuted_by.into();
    Some(firing)
}

/// The line of another proxy or gateway whose own timer ran out at that moment: it was the client that left this proxy.
fn given_up_in_front<'a>(case: &Case<'a>, proxy: &Proxy, own: &[&Evidence], waited: Option<Millis>) -> Option<&'a Evidence> {
    let ended = own.iter().filter(|one| one.claim.kind == Kind::GatewayRequest).find_map(|one| one.claim.observed_at);
    let near = |a: Millis, b: Millis, apart: Millis| a <= b.plus(apart) && b <= a.plus(apart);
    case.own.iter().copied().find(|one| {
        let claim = &one.claim;
        let of_another = claim.limit.as_ref().is_some_and(|limit| limit.product != proxy.product && limit.layer <= Layer::Router);
        let gave_up = matches!(claim.outcome, Some(ClaimedOutcome::GatewayTimeout | ClaimedOutcome::Timeout));
        let same_moment = match (claim.millis("waited_ms").or(claim.elapsed_ms).zip(waited), claim.observed_at.zip(ended)) {
            (Some((theirs, waited)), _) => near(theirs, waited, SLACK),
            (None, Some((theirs, ended))) => {
                Millis::between(theirs, ended).plus(STAMP) >= Millis::ZERO && Millis::between(ended, theirs) <= STAMP
            }
            (None, None) => false,
        };
        of_another && gave_up && same_moment
    })
}

/// What a proxy behind saw of another one's giving up: its client left.
pub fn left_behind(case: &Case<'_>, who: &Product) -> Option<Note> {
    let left = |one: &&Evidence| {
        let claim = &one.claim;
        crate::correlate::is_proxys(claim) && claim.outcome == Some(ClaimedOutcome::ClientClosed) && claim.platform.as_ref() != Some(who)
    };
    let lines: Vec<&Evidence> = case.own.iter().copied().filter(left).collect();
    let behind = lines.first()?.claim.platform.as_ref().map_or("a proxy", Product::title);
    Some(Note { text: format!("{behind} behind it saw its client close the connection"), evidence: cite_all(lines) })
}

/// What proxies saw of a server that closed the connection without an answer: a consequence of whatever ended it.
pub fn saw(case: &Case<'_>) -> Option<Reason> {
    let closed = |one: &&Evidence| {
        let claim = &one.claim;
        crate::correlate::is_proxys(claim) && claim.outcome == Some(ClaimedOutcome::Error)
    };
    let lines: Vec<&Evidence> = case.own.iter().copied().filter(closed).collect();
    let first = lines.first()?;
    let who = first.claim.platform.as_ref().map_or("the proxy", Product::title);
    let status = lines.iter().find_map(|one| one.claim.number("status")).map_or(String::new(), |status| format!(" ({status})"));
    Some(Reason {
        text: format!("{who} in front saw the connection end and passed on an error{status}: a consequence"),
        evidence: cite_all(lines),
    })
}
