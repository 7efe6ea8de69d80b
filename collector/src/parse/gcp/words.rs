//! The words in which Google's platforms say how a request ended.

use domain::{Claim, ClaimedOutcome, Kind, KnownFrom, Layer, Limit, Millis, Product};

use super::{inferred, proven};

/// How far a first-generation function's duration may be from its limit: 60002 ms of 60 s is usual.
const FUNCTION_SLACK_MS: i64 = 100;
/// The same for Cloud Run's latency of a request that it says it ended: 299.999235 s of 300 s.
const REQUEST_SLACK_MS: i64 = 100;
/// Without the platform's words the duration has to fit better, and a limit that people set: whole minutes.
const SILENT_SLACK_MS: i64 = 10;

/// `Function execution took 60002 ms, finished with status: 'timeout'`, and what else the first generation prints.
pub(super) fn of_first_generation(claim: &dyn Fn(Kind) -> Claim, text: &str) -> Option<Claim> {
    if text == "Function execution started" {
        return Some(claim(Kind::InvocationStart));
    }
    if text.starts_with("Error: memory limit exceeded.") {
        return Some(Claim { outcome: Some(ClaimedOutcome::OutOfMemory), ..claim(Kind::Fault) });
    }
    let (number, rest) = text.strip_prefix("Function execution took ")?.split_once(" ms")?;
    let elapsed = Millis::parse_ms(number)?;
    let rest = rest.trim_start_matches([',', '.', ' ']);
    let status = rest.strip_prefix("finished with status").or_else(|| rest.strip_prefix("Finished with status"))?;
    let mut ended = Claim { elapsed_ms: Some(elapsed), ..claim(Kind::InvocationEnd) }.with("duration_ms", elapsed);
    if let Some(code) = status.strip_prefix(" code: ") {
        let code: f64 = code.trim().parse().ok()?;
        ended.outcome = match code {
            // What the platform answers at a timeout, but a function may answer it by itself.
            408.0 => None,
            code if code >= 500.0 => Some(ClaimedOutcome::Error),
            _ => Some(ClaimedOutcome::Success),
        };
        return Some(ended.with("status_code", code));
    }
    let word = status.trim_start_matches(':').trim().trim_matches('\'');
    ended.outcome = match word {
        "ok" => Some(ClaimedOutcome::Success),
        "timeout" => Some(ClaimedOutcome::Timeout),
        "crash" | "connection error" => Some(ClaimedOutcome::Crash),
        "error" => Some(ClaimedOutcome::Error),
        _ => None,
    };
    if ended.outcome == Some(ClaimedOutcome::Timeout) {
        ended.limit = Some(limit("cloud_functions", "timeout", proven(elapsed, FUNCTION_SLACK_MS)));
    }
    Some(ended.with("status", word))
}

fn limit(product: &'static str, setting: &str, value_ms: Option<Millis>) -> Limit {
    Limit {
        layer: Layer::Platform,
        product: Product::from(product),
        setting: setting.to_owned(),
        value_ms,
        known_from: KnownFrom::Claimed,
        place: None,
    }
}

/// How a request ended, by Cloud Run's words if there are some, else by its status.
pub(super) fn of_request(claim: Claim, status: Option<f64>, text: &str) -> Claim {
    let request_limit = |value| Some(limit(if is_function(&claim) { "cloud_functions" } else { "cloud_run" }, setting(&claim), value));
    if text.starts_with("The request has been terminated because it has reached the maximum request timeout") {
        let value = claim.elapsed_ms.and_then(|elapsed| proven(elapsed, REQUEST_SLACK_MS));
        return Claim { outcome: Some(ClaimedOutcome::Timeout), limit: request_limit(value), ..claim };
    }
    let by_words = [
        ("While handling this request, the container instance was found to be using too much memory", ClaimedOutcome::OutOfMemory),
        ("The request was aborted because there was no available instance", ClaimedOutcome::NoCapacity),
        (
            "The request failed because either the HTTP response was malformed or connection to the instance had an error",
            ClaimedOutcome::Crash,
        ),
    ];
    if let Some((_, outcome)) = by_words.into_iter().find(|(words, _)| text.starts_with(words)) {
        return Claim { outcome: Some(outcome), ..claim };
    }
    match status {
        Some(status) if status > 0.0 && status < 500.0 => Claim { outcome: Some(ClaimedOutcome::Success), ..claim },
        // The text may have been dropped on the way. An application's own 504 comes at a time of its own.
        Some(504.0) => {
            let value = claim.elapsed_ms.and_then(|elapsed| proven(elapsed, SILENT_SLACK_MS)).filter(|value| value.as_ms() % 60_000 == 0);
            match value {
                Some(value) => Claim { limit: request_limit(Some(value)), ..inferred(ClaimedOutcome::Timeout, claim) },
                None => claim,
            }
        }
        Some(status) if status >= 500.0 => Claim { outcome: Some(ClaimedOutcome::Error), ..claim },
        _ => claim,
    }
}

fn is_function(claim: &Claim) -> bool {
    claim.platform.as_ref().is_some_and(|platform| platform.as_str() == "gcf_gen2")
}

fn setting(claim: &Claim) -> &'static str {
    if is_function(claim) { "timeout" } else { "--timeout" }
}

/// `Memory limit of 512 MiB exceeded with 513 MiB used.`, `Uncaught signal: 6, …`, `Container called exit(1).`
pub(super) fn of_system_log(claim: Claim, text: &str) -> Option<Claim> {
    if let Some(rest) = text.strip_prefix("Memory limit of ") {
        let (size, rest) = rest.split_once(" exceeded with ")?;
        let used = rest.split_once(" used")?.0;
        let mib = |text: &str| {
            let (number, unit) = text.split_once(' ')?;
            let factor = match unit {
                "MiB" | "M" => 1.0,
                "GiB" | "G" => 1024.0,
                _ => return None,
            };
            Some(number.parse::<f64>().ok()? * factor)
        };
        let mut claim = Claim { outcome: Some(ClaimedOutcome::OutOfMemory), ..claim };
        for (name, text) in [("memory_size_mib", size), ("max_memory_used_mib", used)] {
            if let Some(number) = mib(text) {
                claim = claim.with(name, number);
            }
        }
        return Some(claim);
    }
    if let Some(signal) = text.strip_prefix("Uncaught signal: ") {
        let number: f64 = signal.split([',', ' ']).next()?.parse().ok()?;
        return Some(Claim { outcome: Some(ClaimedOutcome::Crash), ..claim }.with("signal", number));
    }
    let status: f64 = text.strip_prefix("Container called exit(")?.split_once(')')?.0.parse().ok()?;
    let outcome = (status > 0.0).then_some(ClaimedOutcome::Crash);
    Some(Claim { outcome, kind: Kind::ProcessExit, ..claim }.with("exit_status", status))
}
