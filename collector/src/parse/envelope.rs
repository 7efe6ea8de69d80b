//! What transports put around a line: shippers' JSON objects, platforms' prefixes.
//!
//! ```text
//! {"timestamp": 1770804000000, "logGroup": "/aws/lambda/pay", "logStream": "2026/02/11/[$LATEST]fa50…", "message": "START …"}
//! 2023-12-28T11:04:25.070 app[xyz] cdg [info] [2023-12-28 11:04:25 +0000] [306] [CRITICAL] WORKER TIMEOUT (pid:322)
//! 2026-02-11T14:15:30.680000+00:00 app[web.1]: [2026-02-11 14:15:30 +0000] [4] [INFO] Booting worker with pid: 4
//! 2026/02/11/[$LATEST]1bd7… 2026-02-11T14:15:30.680000 REPORT RequestId: …
//! 2026-02-11T14:15:30.680000000Z stderr F [2026-02-11 14:15:30 +0000] [4] [INFO] …
//! Nov 27 15:30:00 web1 caddy[77]: {"level":"error",…}
//! [pod/shop-7d9f/web] INFO:     Started server process [7]
//! ```
//!
//! Shapes: `docs/formats/envelopes.md`. Only these are taken off; anything else in front of a line is the line. Containers'
//! log drivers, syslog, journald and shippers have files of their own, with the name of their format.

use domain::{Claim, FunctionName, Instance, Value};
use jiff::Timestamp;

use super::{Context, Format, aws_logs, cri, syslog, times};

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
    pub facts: Vec<(&'static str, Value)>,
    /// The format whose shape this is, if it is one by itself.
    pub by: Option<&'static str>,
    /// The line goes on in the next one of the same origin, without a line end between them.
    pub is_partial: bool,
}

/// What has written the lines of one file or stream: carrier, instance, and what tells its programs and their streams apart.
pub type Origin = (Option<&'static str>, Option<Instance>, Vec<Value>);

/// Facts by which programs in one place, and the streams of one program, are told apart.
const ORIGIN_FACTS: [&str; 3] = ["stream", "app", "proc_id"];

impl Envelope {
    /// Lines of one origin may belong together; those of two do not.
    #[must_use]
    pub fn origin(&self) -> Origin {
        let told = self.facts.iter().filter(|(name, _)| ORIGIN_FACTS.contains(name)).map(|(_, value)| value.clone());
        (self.by, self.instance.clone(), told.collect())
    }

    /// Adds what this and the input as a whole say to a claim that does not.
    #[must_use]
    pub(super) fn complete(&self, mut claim: Box<Claim>, context: &Context) -> Box<Claim> {
        // A line stamped in whole seconds is placed better by a transport that saw it within the same moment.
        claim.observed_at = match (claim.observed_at, self.at) {
            (Some(own), Some(seen)) if own.subsec_nanosecond() == 0 && within_two_seconds(own, seen) => Some(seen),
            (own, seen) => own.or(seen).or(context.sent_at),
        };
        if claim.instance.is_none() {
            claim.instance = self.instance.clone().or_else(|| context.instance.clone());
        }
        if claim.function.is_none() {
            claim.function = self.function.clone().or_else(|| context.function.clone());
        }
        if let Some(stream) = &self.log_stream {
            claim.attributes.entry("log_stream".to_owned()).or_insert_with(|| stream.as_str().into());
        }
        // What nobody claims is named after what carried it.
        if let Some(by) = self.by.filter(|_| claim.format == Format::Auto.name()) {
            by.clone_into(&mut claim.format);
        }
        // A server's line has its own level; what the transport says of it is the transport's.
        let bare = claim.kind == domain::Kind::AppLog || claim.format == super::fly::FORMAT;
        for (name, value) in self.facts.iter().filter(|_| bare) {
            claim.attributes.entry((*name).to_owned()).or_insert_with(|| value.clone());
        }
        claim
    }

    /// This one, and what the one around it says beyond that.
    #[must_use]
    pub(super) fn or(self, outer: &Self) -> Self {
        let mut facts = self.facts;
        facts.extend(outer.facts.iter().cloned());
        Self {
            at: self.at.or(outer.at),
            instance: self.instance.or_else(|| outer.instance.clone()),
            function: self.function.or_else(|| outer.function.clone()),
            log_stream: self.log_stream.or_else(|| outer.log_stream.clone()),
            facts,
            by: self.by.or(outer.by),
            is_partial: self.is_partial,
        }
    }
}

fn within_two_seconds(own: Timestamp, seen: Timestamp) -> bool {
    (seen.as_millisecond() - own.as_millisecond()).abs() <= 2000
}

/// `/aws/lambda/pay` → `pay`; in a log group that functions share the stream names it: `2026/02/11/pay[$LATEST]6f76…`.
pub(super) fn function_of<'a>(group: &'a str, stream: &'a str) -> Option<&'a str> {
    let shared = || Some(stream.rsplit_once('/')?.1.split_once('[')?.0);
    group.strip_prefix("/aws/lambda/").or_else(shared).filter(|name| !name.is_empty())
}

/// Takes off a known prefix. `None` when the line begins with none.
#[must_use]
pub fn strip_prefix(line: &str) -> Option<(Envelope, &str)> {
    let may_be_syslog = line.starts_with('<') || line.as_bytes().first().is_some_and(u8::is_ascii_digit);
    if let Some(opened) = may_be_syslog.then(|| syslog::open(line)).flatten() {
        return Some(opened);
    }
    if let Some(opened) = aws_logs::open(line) {
        return Some(opened);
    }
    let (first, rest) = next_word(line)?;
    if let Some(at) = times::rfc3339(first) {
        return Some(after_time(at, rest));
    }
    if let Some((instance, rest)) = compose_prefix(line).or_else(|| syslog_file_prefix(line)).or_else(|| kubectl_prefix(line)) {
        return Some((Envelope { instance: Some(Instance::from(instance)), ..Envelope::default() }, rest));
    }
    // `sam logs`: the stream, then the time.
    let (second, rest) = next_word(rest)?;
    let at = first.contains('[').then(|| times::rfc3339(second)).flatten()?;
    Some((aws_logs::of_stream(at, first), rest))
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
    Envelope { instance: name.map(Instance::from), at: envelope.at.or_else(|| times::within(prefix)), ..envelope }
}

/// `gunicorn[8899]:` → `gunicorn`: the same for all processes of one server. `app[web.1]` stays.
fn plain(word: &str) -> &str {
    let word = word.trim_end_matches(':').trim_matches(['[', ']']);
    word.split_once('[').filter(|(_, number)| number.bytes().all(|b| b.is_ascii_digit())).map_or(word, |(name, _)| name)
}

const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

fn is_time_or_level(word: &str) -> bool {
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
    if let Some(opened) = cri::open(at, rest) {
        return opened;
    }
    // Heroku: `app[web.1]: text`.
    if let Some(process) = word.strip_suffix("]:").and_then(|w| w.split_once('[')) {
        let facts = vec![("dyno", process.1.into())];
        return (Envelope { instance: Some(Instance::from(process.1)), facts, ..bare }, after);
    }
    // Fly: `app[machine] region [level] text`; a text in brackets follows the level at once.
    if let Some((provider, machine)) = word.strip_suffix(']').and_then(|w| w.split_once('[')).filter(|(app, _)| !app.contains('/'))
        && let Some((region, after)) = next_word(after)
        && let Some((level, text)) = after.strip_prefix('[').and_then(|after| after.split_once(']'))
        && region.len() == 3
        && level.bytes().all(|b| b.is_ascii_alphabetic())
    {
        let facts = [("provider", provider), ("region", region), ("level", level)].map(|(name, value)| (name, value.into())).to_vec();
        let envelope = Envelope { instance: Some(Instance::from(machine)), facts, ..bare };
        return (envelope, text.strip_prefix(' ').unwrap_or(text));
    }
    // `journalctl -o short-iso`, rsyslog's own file format: `host program[77]: text`.
    if let Some((_, text)) = next_word(after).filter(|(tag, _)| is_tag(tag)) {
        return (Envelope { instance: Some(Instance::from(word)), ..bare }, text);
    }
    // `aws logs tail`: the time, then the stream.
    if word.contains("/[") {
        return (aws_logs::of_stream(at, word), after);
    }
    (bare, rest)
}

/// Docker Compose: `web-1  | text`.
fn compose_prefix(line: &str) -> Option<(&str, &str)> {
    let (name, rest) = line.split_once('|')?;
    let name = name.trim_end();
    let fits = !name.is_empty() && name.len() <= 64 && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'));
    fits.then(|| (name, rest.strip_prefix(' ').unwrap_or(rest)))
}

/// syslog's files and `journalctl`: `Nov 27 15:30:00 host program[77]: text`. The moment has neither year nor zone, so it is none.
fn syslog_file_prefix(line: &str) -> Option<(&str, &str)> {
    const MOMENT_BYTES: usize = "Nov 27 15:30:00 ".len();
    let (moment, rest) = line.split_at_checked(MOMENT_BYTES)?;
    let (month, clock) = (moment.get(..3)?, moment.get(7..15)?);
    let is_moment = MONTHS.contains(&month)
        && moment.ends_with(' ')
        && clock.bytes().enumerate().all(|(at, b)| if at % 3 == 2 { b == b':' } else { b.is_ascii_digit() });
    let (host, rest) = next_word(rest).filter(|_| is_moment)?;
    let (_, text) = next_word(rest).filter(|(tag, _)| is_tag(tag))?;
    Some((host, text))
}

/// `program[77]:`.
fn is_tag(word: &str) -> bool {
    let process = word.strip_suffix("]:").and_then(|word| word.split_once('['));
    // The kernel is no process.
    word == "kernel:"
        || process.is_some_and(|(program, number)| !program.is_empty() && !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()))
}

/// `kubectl logs --prefix`: `[pod/shop-7d9f/web] text`.
fn kubectl_prefix(line: &str) -> Option<(&str, &str)> {
    let (name, rest) = line.strip_prefix('[')?.split_once("] ")?;
    (name.starts_with("pod/") && name.split('/').count() == 3 && !name.contains(' ')).then_some((name, rest))
}

/// The first word and what follows the one blank after it.
pub(super) fn next_word(text: &str) -> Option<(&str, &str)> {
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
        check("Nov 27 15:30:00 web1 caddy[77]: {\"level\":1}", Some("web1"), "{\"level\":1}");
        check("Nov  7 15:30:00 web1 uwsgi[77]: hello", Some("web1"), "hello");
        check("2026-11-27T15:30:00+0000 web1 caddy[77]: hello", Some("web1"), "hello");
        check("[pod/shop-7d9f/web] INFO:     hello", Some("pod/shop-7d9f/web"), "INFO:     hello");
        check("2026-02-11T14:15:30Z hello", None, "hello");
    }

    #[test]
    fn other_beginnings_are_part_of_the_line() {
        assert_eq!(strip_prefix("INFO worker: Task timed out after 5 seconds"), None);
        assert_eq!(strip_prefix("a b c | d"), None);
        for line in ["Nov 27 was a Friday, as said", "Nov 27 15:30:00 web1 said: hello", "[pod/web] hello", "[12] hello", "November 27"] {
            assert_eq!(strip_prefix(line), None, "{line}");
        }
    }
}
