//! What transports put around a line: shippers' JSON objects, platforms' prefixes.
//!
//! ```text
//! {"timestamp": 1770804000000, "logGroup": "/aws/lambda/pay", "logStream": "2026/02/11/[$LATEST]fa50…", "message": "START …"}
//! 2023-12-28T11:04:25.070 app[xyz] cdg [info] [2023-12-28 11:04:25 +0000] [306] [CRITICAL] WORKER TIMEOUT (pid:322)
//! 2026-02-11T14:15:30.680000+00:00 app[web.1]: [2026-02-11 14:15:30 +0000] [4] [INFO] Booting worker with pid: 4
//! 2026/02/11/[$LATEST]1bd7… 2026-02-11T14:15:30.680000 REPORT RequestId: …
//! 2026-02-11T14:15:30.680000000Z stderr F [2026-02-11 14:15:30 +0000] [4] [INFO] …
//! ```
//!
//! Shapes: `docs/formats/envelopes.md`. Only these are taken off; anything else in front of a line is the line.

use domain::{FunctionName, Instance};
use jiff::Timestamp;
use serde_json::{Map, Value};

use super::times;

/// What the transport said about a line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Envelope {
    /// When it was written or sent.
    pub at: Option<Timestamp>,
    /// Where it was written: log group and stream, machine, dyno.
    pub instance: Option<Instance>,
    /// The function, where the log group or a field names it.
    pub function: Option<FunctionName>,
    /// The log stream by itself, as Lambda names it.
    pub log_stream: Option<String>,
    /// What else it says, under the names of `docs/formats/README.md`: dyno, region, level.
    pub facts: Vec<(&'static str, String)>,
}

/// The keys under which shippers put the line, in order of preference.
const MESSAGE_KEYS: [&str; 6] = ["message", "log", "line", "MESSAGE", "msg", "event"];
/// The keys under which they put its time.
const TIME_KEYS: [&str; 6] = ["timestamp", "@timestamp", "time", "ts", "date", "asctime"];
/// Where they say who wrote it, when there is no log stream.
const INSTANCE_KEYS: [&str; 6] = ["instance", "host", "hostname", "_HOSTNAME", "container_id", "pod"];

/// Takes the line out of a shipper's JSON object: something with a text under one of the usual keys *and* a time, a log
/// stream or a host beside it. An application's own JSON line with a `message` alone is left as it is.
#[must_use]
pub fn unwrap_json(object: &Map<String, Value>) -> Option<(Envelope, String)> {
    let (message_key, message) = MESSAGE_KEYS.iter().find_map(|key| object.get(*key)?.as_str().map(|text| (*key, text)))?;
    let text = |names: &[&str]| names.iter().find_map(|name| object.get(*name)?.as_str()).map(str::to_owned);
    let at = TIME_KEYS.iter().find_map(|key| time_of(object.get(*key)?));
    let group = text(&["logGroup", "log_group", "logGroupName"]);
    let log_stream = text(&["logStream", "log_stream", "logStreamName"]);
    let instance = match (&group, &log_stream) {
        (Some(group), Some(stream)) => Some(format!("{group}:{stream}")),
        (None, Some(stream)) => Some(stream.clone()),
        _ => text(&INSTANCE_KEYS),
    };
    // A structured line of the application itself (level, logger, request ID) is not a wrapper around somebody's line.
    let own_words = ["level", "levelname", "log_level", "logger", "requestId", "AWSRequestId"].iter().any(|key| object.contains_key(*key));
    if own_words && log_stream.is_none() || at.is_none() && instance.is_none() && message_key != "log" {
        return None;
    }
    let function = text(&["function", "functionName"])
        .or_else(|| group.as_deref().and_then(|group| function_of(group, log_stream.as_deref().unwrap_or_default())).map(str::to_owned));
    Some((
        Envelope { at, instance: instance.map(Instance::from), function: function.map(FunctionName::from), log_stream, facts: Vec::new() },
        message.to_owned(),
    ))
}

fn time_of(value: &Value) -> Option<Timestamp> {
    match value {
        Value::Number(number) => number.as_i64().and_then(times::epoch),
        Value::String(text) => times::rfc3339(text),
        _ => None,
    }
}

/// `/aws/lambda/pay` → `pay`; in a log group that functions share the stream names it: `2026/02/11/pay[$LATEST]6f76…`.
pub(super) fn function_of<'a>(group: &'a str, stream: &'a str) -> Option<&'a str> {
    let shared = || Some(stream.rsplit_once('/')?.1.split_once('[')?.0);
    group.strip_prefix("/aws/lambda/").or_else(shared).filter(|name| !name.is_empty())
}

/// Takes off a known prefix. `None` when the line begins with none.
#[must_use]
pub fn strip_prefix(line: &str) -> Option<(Envelope, &str)> {
    let (first, rest) = next_word(line)?;
    if let Some(at) = times::rfc3339(first) {
        return Some(after_time(at, rest));
    }
    if let Some((instance, rest)) = compose_prefix(line) {
        return Some((Envelope { instance: Some(Instance::from(instance)), ..Envelope::default() }, rest));
    }
    // `sam logs` and `aws logs tail --format detailed`: the stream, then the time.
    let (second, rest) = next_word(rest)?;
    let at = first.contains('[').then(|| times::rfc3339(second)).flatten()?;
    Some((stream_envelope(at, first), rest))
}

/// What a prefix says that was found by what follows it: known ones as above, else the first word that is neither a time nor
/// a level, which is how `journalctl`, `foreman`, `stern` and `kubectl logs --prefix` name who wrote a line.
#[must_use]
pub fn of_prefix(prefix: &str) -> Envelope {
    let (envelope, rest) = strip_prefix(prefix).unwrap_or((Envelope::default(), prefix));
    if envelope.instance.is_some() {
        return envelope;
    }
    let name = rest.split([' ', '\t', '|']).map(plain).find(|word| !word.is_empty() && !is_time_or_level(word));
    Envelope { instance: name.map(Instance::from), ..envelope }
}

/// `gunicorn[8899]:` → `gunicorn`: the same for all processes of one server. `app[web.1]` stays.
fn plain(word: &str) -> &str {
    let word = word.trim_end_matches(':').trim_matches(['[', ']']);
    word.split_once('[').filter(|(_, number)| number.bytes().all(|b| b.is_ascii_digit())).map_or(word, |(name, _)| name)
}

fn is_time_or_level(word: &str) -> bool {
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    const OTHERS: [&str; 24] = [
        "AM", "PM", "UTC", "F", "P", "stdout", "stderr", "out", "err", "inf", "info", "notice", "warn", "warning", "error", "debug",
        "trace", "critical", "crit", "fatal", "default", "-", ">", "emerg",
    ];
    let digits = word.bytes().next().is_some_and(|b| b.is_ascii_digit())
        && word.bytes().all(|b| b.is_ascii_digit() || matches!(b, b':' | b'.' | b',' | b'-' | b'/' | b'+' | b'T' | b'Z'));
    // A logger's name, as a log configuration of gunicorn's puts it before an access line.
    let logger = word.starts_with("gunicorn.");
    digits || logger || MONTHS.contains(&word) || OTHERS.iter().any(|other| other.eq_ignore_ascii_case(word))
}

/// What follows a leading time: Fly, Heroku, CRI, a log stream, or nothing more.
fn after_time(at: Timestamp, rest: &str) -> (Envelope, &str) {
    let bare = Envelope { at: Some(at), ..Envelope::default() };
    let Some((word, after)) = next_word(rest) else { return (bare, rest) };
    // CRI: `stderr F text`.
    if matches!(word, "stdout" | "stderr")
        && let Some((_, text)) = next_word(after).filter(|(tag, _)| matches!(*tag, "F" | "P"))
    {
        return (bare, text);
    }
    // Heroku: `app[web.1]: text`.
    if let Some(process) = word.strip_suffix("]:").and_then(|w| w.split_once('[')) {
        let facts = vec![("dyno", process.1.to_owned())];
        return (Envelope { instance: Some(Instance::from(process.1)), facts, ..bare }, after);
    }
    // Fly: `app[machine] region [level] text`; a text in brackets follows the level at once.
    if let Some((provider, machine)) = word.strip_suffix(']').and_then(|w| w.split_once('[')).filter(|(app, _)| !app.contains('/'))
        && let Some((region, after)) = next_word(after)
        && let Some((level, text)) = after.strip_prefix('[').and_then(|after| after.split_once(']'))
        && region.len() == 3
        && level.bytes().all(|b| b.is_ascii_alphabetic())
    {
        let facts = [("provider", provider), ("region", region), ("level", level)].map(|(name, value)| (name, value.to_owned())).to_vec();
        let envelope = Envelope { instance: Some(Instance::from(machine)), facts, ..bare };
        return (envelope, text.strip_prefix(' ').unwrap_or(text));
    }
    // `aws logs tail`: the time, then the stream.
    if word.contains("/[") {
        return (stream_envelope(at, word), after);
    }
    (bare, rest)
}

fn stream_envelope(at: Timestamp, stream: &str) -> Envelope {
    Envelope { at: Some(at), instance: Some(Instance::from(stream)), log_stream: Some(stream.to_owned()), ..Envelope::default() }
}

/// Docker Compose: `web-1  | text`.
fn compose_prefix(line: &str) -> Option<(&str, &str)> {
    let (name, rest) = line.split_once('|')?;
    let name = name.trim_end();
    let fits = !name.is_empty() && name.len() <= 64 && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'));
    fits.then(|| (name, rest.strip_prefix(' ').unwrap_or(rest)))
}

/// The first word and what follows the one blank after it.
fn next_word(text: &str) -> Option<(&str, &str)> {
    let (word, rest) = text.split_once(' ')?;
    (!word.is_empty()).then_some((word, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(line: &str, instance: Option<&str>, rest: &str) {
        let (envelope, text) = strip_prefix(line).expect("a known prefix");
        assert_eq!((envelope.instance.as_ref().map(Instance::as_str), text), (instance, rest), "{line}");
    }

    #[test]
    fn known_prefixes_are_taken_off() {
        check(
            "2023-12-28T11:04:25.070 app[xyz] cdg [info] [2023-12-28 11:04:25 +0000] [306] hi",
            Some("xyz"),
            "[2023-12-28 11:04:25 +0000] [306] hi",
        );
        check("2026-02-11T14:15:30.680000+00:00 app[web.1]: hello", Some("web.1"), "hello");
        check("2026-02-11T14:15:30.680Z stderr F hello there", None, "hello there");
        check("2026/02/11/[$LATEST]1bd7 2026-02-11T14:15:30.680000 REPORT x", Some("2026/02/11/[$LATEST]1bd7"), "REPORT x");
        check("2026-02-11T14:15:30+00:00 2026/02/11/[$LATEST]1bd7 REPORT x", Some("2026/02/11/[$LATEST]1bd7"), "REPORT x");
        check("web-1  | hello", Some("web-1"), "hello");
        check("2026-02-11T14:15:30Z hello", None, "hello");
    }

    #[test]
    fn other_beginnings_are_part_of_the_line() {
        assert_eq!(strip_prefix("INFO worker: Task timed out after 5 seconds"), None);
        assert_eq!(strip_prefix("a b c | d"), None);
    }

    #[test]
    fn an_applications_own_json_is_no_wrapper() {
        let own: Value =
            serde_json::json!({"timestamp": "2026-02-11T16:29:45.009Z", "level": "INFO", "requestId": "f", "message": "hello"});
        assert_eq!(unwrap_json(own.as_object().expect("object")), None);
        let wrapped: Value =
            serde_json::json!({"timestamp": 1_770_804_000_000_i64, "logGroup": "/aws/lambda/pay", "logStream": "s", "message": "START"});
        let (envelope, text) = unwrap_json(wrapped.as_object().expect("object")).expect("a wrapper");
        assert_eq!(
            (envelope.function.expect("from the group").as_str(), envelope.instance.expect("stream").as_str()),
            ("pay", "/aws/lambda/pay:s")
        );
        assert_eq!(text, "START");
    }
}
