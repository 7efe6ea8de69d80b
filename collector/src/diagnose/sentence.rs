//! The verdict in one sentence: what fired, and where the time went.

use domain::{Claim, ClaimedOutcome, IncidentState, Kind, KnownFrom, Layer, Millis, Outcome, Product};

use super::firing::Firing;
use crate::correlate::{Case, is_watchdog};

/// `gunicorn's worker timeout (30 s) fired; 29.1 s went into POST payments.internal, which has no client timeout`.
pub fn verdict(case: &Case<'_>, firing: &Firing, why: Option<&str>) -> String {
    let what = what(case, firing);
    match why {
        Some(why) => format!("{what}; {why}"),
        None => what,
    }
}

fn what(case: &Case<'_>, firing: &Firing) -> String {
    let who = firing.product.as_ref().map_or("the function", Product::title);
    match (firing.outcome, firing.state) {
        (Outcome::OutOfMemory, _) => format!("{who} ended it because memory ran out"),
        (Outcome::Crash, _) => format!("{who}: the process was ended or crashed{}; no limit on time fired", how_it_died(case)),
        (Outcome::CallerLeft, _) => caller_left(firing, who),
        (Outcome::NearMiss, _) => near_miss(case, firing, who),
        (Outcome::Timeout, IncidentState::Confirmed) if firing.limit.is_none() && could_not_connect(case) => {
            format!("{who} gave up waiting for a connection")
        }
        (_, IncidentState::Suspected) if !case.own.iter().any(|one| is_watchdog(one.claim.kind)) => {
            format!("{} fired for an invocation that the line does not name", limit(firing, who))
        }
        (_, IncidentState::Suspected) => format!("{} is about to fire or has fired; no line of the platform tells yet", limit(firing, who)),
        (_, IncidentState::Lost) => format!("{} has passed and nothing was heard of it again", limit(firing, who)),
        (Outcome::InitTimeout, _) => format!("{} fired while it was still starting", limit(firing, who)),
        (Outcome::DroppedAtShutdown, _) if firing.limit.is_none() => format!("{who} was told to stop at once and cut it off"),
        (Outcome::DroppedAtShutdown, _) => format!("{} ended it while the server was stopping", limit(firing, who)),
        _ => format!("{} fired", limit(firing, who)),
    }
}

fn could_not_connect(case: &Case<'_>) -> bool {
    case.own.iter().any(|one| one.claim.outcome == Some(ClaimedOutcome::ConnectTimeout))
}

/// ` (exit status 1, Runtime.ExitError)`: what sources say of an end that was no timeout.
fn how_it_died(case: &Case<'_>) -> String {
    let died = |claim: &Claim| {
        use ClaimedOutcome::{Crash, ExtensionCrash, InitCrash};
        matches!(claim.outcome, Some(Crash | InitCrash | ExtensionCrash)) || matches!(claim.kind, Kind::ProcessExit | Kind::WorkerKilled)
    };
    let word = |name: &str| case.any(|claim| died(claim).then(|| claim.text(name)).flatten());
    let status = case.any(|claim| died(claim).then(|| claim.number("exit_status")).flatten());
    let signal = word("signal").map(|signal| if signal.starts_with("SIG") { signal.to_owned() } else { format!("signal: {signal}") });
    let said = [signal, status.map(|status| format!("exit status {status}")), word("error_type").map(str::to_owned)];
    let said: Vec<String> = said.into_iter().flatten().collect();
    if said.is_empty() { String::new() } else { format!(" ({})", said.join(", ")) }
}

/// `near miss: it finished 200 ms before AWS Lambda's function timeout (3 s)`.
fn near_miss(case: &Case<'_>, firing: &Firing, who: &str) -> String {
    let spare = case.deadline().zip(case.ended_at()).map(|(deadline, ended)| Millis::between(ended, deadline));
    match spare.filter(|spare| *spare > Millis::ZERO) {
        Some(spare) => format!("near miss: it finished {spare} before {}", limit(firing, who)),
        None => format!("near miss: it finished just before {}", limit(firing, who)),
    }
}

/// A layer in front with a limit of its own, or whoever called.
fn caller_left(firing: &Firing, who: &str) -> String {
    let gave_up = match &firing.limit {
        Some(fired) if fired.layer != Layer::Client => format!("{} fired first", limit(firing, who)),
        _ => format!("the caller{} gave up first", firing.product.as_ref().map_or(String::new(), |who| format!(" ({who})"))),
    };
    if firing.went_on { format!("{gave_up}; the function went on") } else { gave_up }
}

/// `AWS Lambda's function timeout (3 s)`; without a limit, `AWS Lambda's deadline`.
fn limit(firing: &Firing, who: &str) -> String {
    let whose = possessive(who);
    let Some(limit) = &firing.limit else { return format!("{whose} deadline") };
    let fixed = limit.setting.strip_prefix("(fixed) ");
    let name = match (limit.product.as_str(), limit.setting.as_str()) {
        ("aws_lambda", "Timeout") => "function timeout",
        ("aws_lambda", setting) if setting.contains("init phase") => "init phase limit",
        ("aws_lambda", setting) if setting.contains("restore") => "restore limit",
        ("gunicorn", "--timeout") => "worker timeout",
        ("gunicorn", "--graceful-timeout") => "graceful timeout",
        ("api_gateway", "TimeoutInMillis") => "integration timeout",
        ("alb", "idle_timeout.timeout_seconds") => "idle timeout",
        ("cloudfront", "OriginReadTimeout") => "origin response timeout",
        ("cloudfront", "ConnectionTimeout") => "origin connection timeout",
        _ if limit.layer == Layer::Client => "own timeout",
        (_, setting) => fixed.unwrap_or(setting),
    };
    // `first byte` is what is limited and no name of a limit.
    let noun = if fixed.is_some() && !name.ends_with("timeout") && !name.ends_with("limit") { " limit" } else { "" };
    let value = match (limit.value_ms, limit.known_from) {
        (Some(value), _) if fixed.is_some() => format!("{value}, fixed"),
        (Some(value), KnownFrom::Default) => format!("{value} by default"),
        (Some(value), _) => value.to_string(),
        (None, _) if fixed.is_some() || name == limit.setting => "value not known".to_owned(),
        (None, _) => format!("`{}`, value not known", limit.setting),
    };
    format!("{whose} {name}{noun} ({value})")
}

/// `Heroku's`, `Azure Functions'`.
fn possessive(who: &str) -> String {
    if who.ends_with('s') { format!("{who}'") } else { format!("{who}'s") }
}
