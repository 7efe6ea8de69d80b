//! Lines that code running in AWS Lambda prints, in the shapes its runtimes give them.
//!
//! ```text
//! 2026-02-11T19:11:20.562Z⇥7f24507e-…⇥INFO⇥hello                    Node.js, .NET (lower-case level)
//! [INFO]⇥2026-01-31T22:12:58.534Z⇥779c4538-…⇥## EVENT               Python
//! [ERROR] ValueError: boom⏎Traceback (most recent call last): …      Python, unhandled; no ID, no time
//! I, [2026-01-31T22:12:58.123456 #8]  INFO 5323eb48-… -- : hello     Ruby
//! ```
//!
//! Shapes seen in recorded fixtures of the runtimes, November 2026. A line with a request ID is evidence: the last words
//! before a timeout are often the ones that help. A line without one is ignored, unless it tells of a death.

use domain::{Claim, ClaimedOutcome, Kind, Product, RequestId};

use super::{Fate, RAW_BYTES_MAX, cut, lambda_text::FORMAT, times};

/// Node.js's and .NET's levels between tabs, Python's with the moment behind them, and what the others write.
pub(super) const MARKS: [&str; 23] = [
    "\tTRACE\t",
    "\tDEBUG\t",
    "\tINFO\t",
    "\tWARN\t",
    "\tERROR\t",
    "\tFATAL\t",
    "\ttrce\t",
    "\tdbug\t",
    "\tinfo\t",
    "\twarn\t",
    "\tfail\t",
    "\tcrit\t",
    "TRACE]\t2",
    "DEBUG]\t2",
    "INFO]\t2",
    "NOTICE]\t2",
    "WARNING]\t2",
    "ERROR]\t2",
    "CRITICAL]\t2",
    "FATAL]\t2",
    "[ERROR] ",
    " -- : ",
    "LAMBDA_WARNING: ",
];

/// Reads one event; `None` when it has none of the runtimes' shapes.
#[must_use]
pub fn parse_event(text: &str) -> Option<Fate> {
    let text = text.trim_end_matches(['\n', '\r']);
    if let Some(fate) = warning_before_json(text) {
        return Some(fate);
    }
    let claim = Claim { platform: Some(Product::AWS_LAMBDA), ..Claim::new(Kind::AppLog, FORMAT, cut(text, RAW_BYTES_MAX)) };
    let claim = node(&claim, text)
        .or_else(|| python(&claim, text))
        .or_else(|| python_error(&claim, text))
        .or_else(|| ruby(&claim, text))
        .or_else(|| memory_hint(&claim, text))
        .or_else(|| logback(&claim, text))
        .or_else(|| expected_timeout(&claim, text))?;
    let claim = match claim.text("message").and_then(|message| super::tracepoints::marked(claim.clone(), message)) {
        Some(section) => section,
        None => claim,
    };
    let telling =
        claim.kind == Kind::WatchdogTracepoint || claim.request_id.is_some() || claim.outcome.is_some_and(ClaimedOutcome::is_anomalous);
    Some(if telling { Fate::Evidence(Box::new(claim)) } else { Fate::Ignored(Box::new(claim)) })
}

/// In the init phase Node prints the word `undefined` and Python nothing where the ID would be.
fn id(text: &str) -> Option<RequestId> {
    (!text.is_empty() && text != "undefined").then(|| RequestId::from(text))
}

/// An ID field may be empty or `undefined`, but it never has blanks.
fn is_id_field(text: &str) -> bool {
    text.len() <= 128 && !text.contains(char::is_whitespace)
}

fn node(base: &Claim, text: &str) -> Option<Claim> {
    let mut fields = text.splitn(4, '\t');
    let (at, request_id, level, message) = (fields.next()?, fields.next()?, fields.next()?, fields.next()?);
    let at = times::rfc3339(at)?;
    if !is_id_field(request_id) || !level.bytes().all(|b| b.is_ascii_alphabetic()) {
        return None;
    }
    let runtime = if level.bytes().all(|b| b.is_ascii_lowercase()) { "dotnet" } else { "nodejs" };
    let mut claim = Claim { observed_at: Some(at), request_id: id(request_id), ..base.clone() }
        .with("runtime", runtime)
        .with("level", level)
        .with("message", message);
    if let Some((what, json)) = message
        .split_once('\t')
        .filter(|(what, _)| matches!(*what, "Uncaught Exception " | "Invoke Error " | "Unhandled Promise Rejection "))
    {
        let error: serde_json::Value = serde_json::from_str(json).unwrap_or_default();
        if let Some(error_type) = error["errorType"].as_str() {
            claim = claim.with("error_type", error_type);
        }
        claim.outcome = Some(if what == "Invoke Error " { ClaimedOutcome::Error } else { ClaimedOutcome::Crash });
    }
    Some(claim)
}

fn python(base: &Claim, text: &str) -> Option<Claim> {
    let mut fields = text.splitn(4, '\t');
    let (level, at, request_id, message) = (fields.next()?, fields.next()?, fields.next()?, fields.next()?);
    let level = level.strip_prefix('[')?.strip_suffix(']')?;
    let at = times::rfc3339(at)?;
    is_id_field(request_id).then_some(())?;
    let prefix = message.split_once(". ").map_or(message, |(sentence, _)| sentence);
    let claim = Claim { observed_at: Some(at), request_id: id(request_id), ..base.clone() }.with("runtime", "python").with("level", level);
    let claim = if message.starts_with("LAMBDA_WARNING: ") { claim.with("message_prefix", format!("{prefix}.")) } else { claim };
    Some(claim.with("message", message))
}

/// `[ERROR] Type: text⏎Traceback…`, with CR instead of LF from the real runtime client.
fn python_error(base: &Claim, text: &str) -> Option<Claim> {
    let rest = text.strip_prefix("[ERROR] ")?;
    let first = rest.split(['\n', '\r']).next()?;
    let error_type = first.split_once(':').map_or(first, |(name, _)| name).trim();
    let is_name = !error_type.is_empty() && error_type.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_'));
    (is_name && rest.contains("Traceback")).then_some(())?;
    let outcome = if error_type.starts_with("Runtime.") { ClaimedOutcome::InitCrash } else { ClaimedOutcome::Error };
    let claim = Claim { outcome: Some(outcome), ..base.clone() };
    let claim = claim.with("runtime", "python").with("level", "ERROR").with("error_type", error_type).with("message", first);
    Some(if error_type == "MemoryError" { claim.with("memory_hint", true) } else { claim })
}

fn ruby(base: &Claim, text: &str) -> Option<Claim> {
    let rest = text.get(1..)?.strip_prefix(", [")?;
    let (at, rest) = rest.split_once(" #")?;
    let (_, rest) = rest.split_once("] ")?;
    let mut words = rest.split_whitespace();
    let (level, request_id) = (words.next()?, words.next()?);
    let (_, message) = rest.split_once(" -- : ")?;
    // Ruby's own layout, outside Lambda and in its init phase, has no ID in front of the dashes.
    let request_id = Some(request_id).filter(|word| *word != "--").and_then(id);
    let claim = Claim { observed_at: Some(times::rfc3339(at)?), request_id, ..base.clone() };
    Some(claim.with("runtime", "ruby").with("level", level).with("message", message))
}

/// Java's most usual layout, `09:24:37.294 [main] INFO  helloworld.App - started`: no date and no ID.
fn logback(base: &Claim, text: &str) -> Option<Claim> {
    let (time, rest) = text.split_once(" [")?;
    let (_, rest) = rest.split_once("] ")?;
    let (head, message) = rest.split_once(" - ")?;
    let mut words = head.split_whitespace();
    let (level, _class, None) = (words.next()?, words.next()?, words.next()) else { return None };
    let is_time = time.len() == 12 && time.bytes().all(|b| b.is_ascii_digit() || matches!(b, b':' | b'.' | b','));
    let is_level = matches!(level, "TRACE" | "DEBUG" | "INFO" | "WARN" | "ERROR");
    (is_time && is_level).then(|| base.clone().with("runtime", "java").with("level", level).with("message", message))
}

/// In a JSON log group, Python's runtime still puts a sentence and a bare CR before the JSON of an unhandled exception.
fn warning_before_json(text: &str) -> Option<Fate> {
    let (warning, json) = text.split_once('\r')?;
    warning.starts_with("LAMBDA_WARNING: ").then_some(())?;
    let object: serde_json::Map<String, serde_json::Value> = serde_json::from_str(json).ok()?;
    super::lambda_app_json::parse(&object, text)
}

/// The runtimes' own words for a full heap: a hint, since a handled one leaves the function alive.
fn memory_hint(base: &Claim, text: &str) -> Option<Claim> {
    const WORDS: [(&str, &str); 5] = [
        ("java.lang.OutOfMemoryError", "java"),
        ("JavaScript heap out of memory", "nodejs"),
        ("fatal error: runtime: out of memory", "go"),
        ("failed to allocate memory (NoMemoryError)", "ruby"),
        ("System.OutOfMemoryException", "dotnet"),
    ];
    let (_, runtime) = WORDS.iter().find(|(words, _)| text.contains(words))?;
    Some(base.clone().with("runtime", *runtime).with("memory_hint", true).with("message", text))
}

/// Sentry's SDK warns 1.5 s before the deadline and names the configured limit.
fn expected_timeout(base: &Claim, text: &str) -> Option<Claim> {
    let rest = text.split_once("Function is expected to get timed out. Configured timeout duration = ")?.1;
    let seconds = rest.strip_suffix('.').unwrap_or(rest).strip_suffix(" seconds")?;
    let limit = domain::Millis::parse_seconds(seconds)?;
    Some(base.clone().with("near_timeout", true).with("limit_ms", limit).with("message", text))
}

#[cfg(test)]
mod tests;
