//! The verdict in one sentence: what fired, and where the time went.

use domain::{IncidentState, KnownFrom, Layer, Millis, Outcome, Product};

use super::firing::Firing;
use crate::correlate::Case;

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
        (Outcome::Crash, _) => format!("{who}: the process was ended or crashed; no limit on time fired"),
        (Outcome::CallerLeft, _) => caller_left(firing, who),
        (Outcome::NearMiss, _) => near_miss(case, firing, who),
        (_, IncidentState::Suspected) => format!("{} is about to fire or has fired; no line of the platform tells yet", limit(firing, who)),
        (_, IncidentState::Lost) => format!("{} has passed and nothing was heard of it again", limit(firing, who)),
        (Outcome::InitTimeout, _) => format!("{} fired while it was still starting", limit(firing, who)),
        (Outcome::DroppedAtShutdown, _) if firing.limit.is_none() => format!("{who} was told to stop at once and cut it off"),
        (Outcome::DroppedAtShutdown, _) => format!("{} ended it while the server was stopping", limit(firing, who)),
        _ => format!("{} fired", limit(firing, who)),
    }
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
    let Some(limit) = &firing.limit else { return format!("{who}'s deadline") };
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
        (_, setting) => setting,
    };
    let value = match (limit.value_ms, limit.known_from) {
        (Some(value), KnownFrom::Default) => format!("{value} by default"),
        (Some(value), _) => value.to_string(),
        (None, _) => format!("`{}`, value not known", limit.setting),
    };
    format!("{who}'s {name} ({value})")
}
