//! The words in which pages speak of layers, outcomes, states and claims, and the style classes that go with them.

use askama::Template;
use askama::filters::HtmlSafe;
use domain::{Cause, Claim, ClaimedOutcome, Confidence, Incident, IncidentState, Kind, KnownFrom, Layer, Outcome, RetryOutlook};
use serde::Serialize;
use store::{DeliveryState, ProblemState, Retry, RetryState};

use crate::text::Text;

/// A small label with a style class of its own; colour only repeats what the word says.
#[derive(Clone, Debug, PartialEq, Eq, Template)]
#[template(path = "parts/chip.html")]
pub struct Chip {
    /// The word.
    pub text: String,
    /// `fired`, `wait`, `work` or `plain`.
    pub class: &'static str,
    /// What the word means, for the tooltip.
    pub title: &'static str,
}

/// A layer with its colour.
#[derive(Clone, Debug, PartialEq, Eq, Template)]
#[template(path = "parts/layer.html")]
pub struct LayerWord {
    /// Its name for people: `app server`.
    pub name: &'static str,
    /// `layer-app_server`, or `layer-unknown`.
    pub class: &'static str,
}

// Their templates escape what they print.
impl HtmlSafe for Chip {}
impl HtmlSafe for LayerWord {}

/// The name and colour of a layer; `None` is a layer that nobody knows.
#[must_use]
pub fn layer(layer: Option<Layer>) -> LayerWord {
    let (name, class) = match layer {
        Some(Layer::Client) => ("client", "layer-client"),
        Some(Layer::Cdn) => ("CDN", "layer-cdn"),
        Some(Layer::Gateway) => ("gateway", "layer-gateway"),
        Some(Layer::LoadBalancer) => ("load balancer", "layer-load_balancer"),
        Some(Layer::Router) => ("router", "layer-router"),
        Some(Layer::Queue) => ("queue", "layer-queue"),
        Some(Layer::Platform) => ("platform", "layer-platform"),
        Some(Layer::FunctionWatchdog) => ("function watchdog", "layer-function_watchdog"),
        Some(Layer::AppServer) => ("app server", "layer-app_server"),
        Some(Layer::Application) => ("application", "layer-application"),
        Some(Layer::Downstream) => ("downstream", "layer-downstream"),
        None => ("layer not known", "layer-unknown"),
    };
    LayerWord { name, class }
}

/// The chip of an outcome; red only where a limit fired.
#[must_use]
pub fn outcome(incident: &Incident) -> Chip {
    let class = match incident.outcome {
        Outcome::Timeout | Outcome::InitTimeout if incident.state != IncidentState::Survived => "fired",
        Outcome::NearMiss => "wait",
        Outcome::Ok => "work",
        _ => "plain",
    };
    let title = match incident.outcome {
        Outcome::Timeout => "a layer's limit ended it",
        Outcome::InitTimeout => "the limit was reached while it was still starting",
        Outcome::OutOfMemory => "killed for memory",
        Outcome::Crash => "the process died for another reason than a limit",
        Outcome::DroppedAtShutdown => "killed while the server or function was being stopped",
        Outcome::CallerLeft => "the caller, or a layer in front, gave up; the function went on",
        Outcome::NearMiss => "it finished, but most of its budget was gone",
        Outcome::Ok => "it finished in time",
    };
    Chip { text: outcome_name(incident.outcome), class, title }
}

/// An outcome as a word of a sentence.
#[must_use]
pub fn outcome_name(outcome: Outcome) -> String {
    outcome.as_str().replace('_', " ")
}

/// The chip of a state.
#[must_use]
pub fn state(state: IncidentState) -> Chip {
    let (class, title) = match state {
        IncidentState::Suspected => ("wait", "the watchdog fired; no platform or server has said so yet"),
        IncidentState::Confirmed => ("plain", "a platform or server line says so"),
        IncidentState::Survived => ("work", "it finished after all"),
        IncidentState::Lost => ("wait", "its deadline and grace passed and it was never closed: a silent death"),
    };
    Chip { text: state.as_str().to_owned(), class, title }
}

/// The chip of a confidence.
#[must_use]
pub fn confidence(confidence: Confidence) -> Chip {
    let (text, class, title) = match confidence {
        Confidence::Certain => ("certain", "plain", "stated by the layer that acted, and nothing known contradicts it"),
        Confidence::Likely => ("likely", "plain", "fits better than any other explanation known to us"),
        Confidence::Possible => ("possible", "wait", "fits, but so do other explanations"),
        Confidence::Unknown => ("cause not known", "wait", "nothing decides it; the diagnosis says what is missing"),
    };
    Chip { text: text.to_owned(), class, title }
}

/// A cause as a phrase.
#[must_use]
pub fn cause(id: &str) -> String {
    match id {
        Cause::UNKNOWN => "cause not known".to_owned(),
        id => Text::name(&id.replace('_', " ")).to_string(),
    }
}

/// The chip of a problem's state.
#[must_use]
pub fn problem(state: ProblemState) -> Chip {
    let (class, title) = match state {
        ProblemState::Open => ("plain", "nobody has said that it is over"),
        ProblemState::Resolved => ("work", "somebody said that it is over, and it was not seen since"),
        ProblemState::Regressed => ("wait", "it was said to be over, and came back"),
    };
    Chip { text: state.as_str().to_owned(), class, title }
}

/// The chip of what is silenced, or was when it came.
#[must_use]
pub fn silenced(holds: bool) -> Chip {
    let title = if holds { "nobody is told of it for the time being" } else { "a silence held it when it came; nobody was told" };
    Chip { text: if holds { "silenced" } else { "was silenced" }.to_owned(), class: "plain", title }
}

/// The chip of a delivery's state.
#[must_use]
pub fn delivery(state: DeliveryState) -> Chip {
    let (class, title) = match state {
        DeliveryState::Pending => ("wait", "an attempt is due, now or later"),
        DeliveryState::Delivered => ("work", "the other side has it"),
        DeliveryState::Declined => ("plain", "left undone on purpose; the reason stands beside it"),
        DeliveryState::Parked => ("fired", "given up; kept for people to look at"),
    };
    Chip { text: state.as_str().to_owned(), class, title }
}

/// The chip of what would become of a retry.
#[must_use]
pub fn outlook(outlook: RetryOutlook) -> Chip {
    let (class, title) = match outlook {
        RetryOutlook::Runs => ("work", "it would be run again at once"),
        RetryOutlook::Waits => ("wait", "it would be decided later"),
        RetryOutlook::Refused => ("plain", "it would not be run again"),
    };
    Chip { text: outlook.as_str().to_owned(), class, title }
}

/// The chip of a retry's state.
#[must_use]
pub fn retry(state: RetryState) -> Chip {
    let (class, title) = match state {
        RetryState::Begun => ("wait", "it is being sent"),
        RetryState::NotTaken => ("plain", "the other side did not take it: it has not run"),
        RetryState::Accepted => ("wait", "taken; its result is not known yet"),
        RetryState::Succeeded => ("work", "it ran and ended well"),
        RetryState::Failed => ("fired", "it ran and failed"),
        RetryState::Unknown => ("doubt", "nobody can tell whether it ran"),
    };
    Chip { text: state.as_str().replace('_', " "), class, title }
}

/// All retries of a request in one sentence; `None` where there are none.
#[must_use]
pub fn retried(retries: &[Retry]) -> Option<String> {
    let ran: Vec<_> = retries.iter().filter(|retry| retry.state != RetryState::NotTaken).collect();
    let times = match ran.len() {
        0 if retries.is_empty() => return None,
        0 => return Some("Not retried: the other side did not take it.".to_owned()),
        1 => "once".to_owned(),
        2 => "twice".to_owned(),
        n => format!("{n} times"),
    };
    let latest = ran.last()?;
    let took = |word: &str| latest.took_ms.map(|took| format!(" {word} {took}")).unwrap_or_default();
    Some(match latest.state {
        RetryState::Succeeded => format!("Retried {times}, succeeded{}.", took("in")),
        RetryState::Failed => format!("Retried {times}, failed{}.", took("after")),
        RetryState::Unknown => format!("Retried {times}; nobody can tell whether it ran."),
        _ => format!("Retried {times}; its result is not known yet."),
    })
}

/// How a limit's value is known, as the end of a sentence.
#[must_use]
pub fn known_from(known_from: KnownFrom) -> &'static str {
    match known_from {
        KnownFrom::Claimed => "named by a source in a line about this request",
        KnownFrom::Configured => "from configuration",
        KnownFrom::Learned => "worked out from other evidence",
        KnownFrom::Default => "the documented default; nobody said that it applies here",
    }
}

/// What a claim says, in one line: its kind and the facts it names.
#[must_use]
pub fn claim(claim: &Claim) -> Text {
    let mut parts = vec![kind(claim.kind)];
    let outcome = claim.outcome.map(|outcome| claimed_outcome(outcome, claim.outcome_confidence));
    parts.extend(outcome.filter(|outcome| !parts[0].contains(outcome.as_str())));
    parts.extend(claim.elapsed_ms.map(|elapsed| format!("after {elapsed}")));
    parts.extend(claim.limit.as_ref().map(|limit| match limit.value_ms {
        Some(value) => format!("limit {} {value}", limit.setting),
        None => format!("limit {}, value not said", limit.setting),
    }));
    parts.extend(claim.millis("left_ms").map(|left| format!("{left} left")));
    parts.extend(claim.pid.map(|pid| format!("pid {pid}")));
    Text::line(&parts.join(", "), 300)
}

/// A kind of claim in words: `worker timeout`.
#[must_use]
pub fn kind(kind: Kind) -> String {
    wire_name(&kind).replace('_', " ")
}

fn claimed_outcome(outcome: ClaimedOutcome, confidence: Option<Confidence>) -> String {
    let name = wire_name(&outcome).replace('_', " ");
    match confidence {
        Some(confidence) => format!("{name} (our reading, {})", confidence.as_str()),
        None => name,
    }
}

/// The name of a unit variant as it stands in JSON.
fn wire_name(variant: &impl Serialize) -> String {
    match serde_json::to_value(variant) {
        Ok(serde_json::Value::String(name)) => name,
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use domain::{Limit, Millis, Product};

    use super::*;

    #[test]
    fn a_claim_is_said_in_one_line() {
        let mut said = Claim::new(Kind::WorkerTimeout, "gunicorn", "raw");
        said.pid = Some(8901);
        assert_eq!(claim(&said).as_str(), "worker timeout, pid 8901");
        said.kind = Kind::WatchdogFired;
        said.elapsed_ms = Some(Millis::from_ms(29_500));
        said.limit = Some(Limit {
            layer: Layer::AppServer,
            product: Product::GUNICORN,
            setting: "--timeout".into(),
            value_ms: None,
            known_from: KnownFrom::Claimed,
            place: None,
        });
        let said = said.with("left_ms", 500.0);
        assert_eq!(claim(&said).as_str(), "watchdog fired, after 29.5 s, limit --timeout, value not said, 500 ms left, pid 8901");
    }

    #[test]
    fn every_layer_has_a_class_of_its_own() {
        let mut classes: Vec<_> = Layer::ALL.into_iter().map(|l| layer(Some(l)).class).collect();
        classes.sort_unstable();
        classes.dedup();
        assert_eq!(classes.len(), Layer::ALL.len());
    }
}
