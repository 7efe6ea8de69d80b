//! The last words of a Python process: stacks that CPython's `faulthandler` writes when nothing else in it can run.
//!
//! ```text
//! {"pid": 8, "instance": "web-1", "platform": "gunicorn", "limit_ms": 30000}
//! Timeout (0:00:29.650000)!
//! Thread 0x00007f1ca8f0a6c0 (most recent call first):
//!   File "/srv/app/app.py", line 41 in native_lock
//!   File "/srv/app/marker.py", line 41 in overrun 6f747a63-… 1795781082500 1795781112500 GET /lock-gil
//! ```
//!
//! The first line is our watchdog's, sent when the connection was opened; the rest is written in C by who knows of no request.
//! There is no `Timeout` line where a signal had the stacks written (`faulthandler.register`). Whose it is stands in the name of the frame that our watchdog put below the user's code. Read off CPython 3.9 to
//! 3.13 (November 2026). The text names no time: the moment of arrival is its time.

use domain::{Claim, Frame, FunctionName, Instance, Kind, Millis, Product, RequestId, ThreadStack};
use jiff::Timestamp;
use serde::Deserialize;

use super::claim::{RAW_BYTES_MAX, STACKS_MAX, limit};
use super::reader::{NAME_BYTES_MAX, short};
use super::{FORMAT, items};
use crate::parse::{Parsed, Reject, cut};

/// How a dump begins that a thread of `faulthandler`'s writes.
const HEAD: &str = "Timeout (";
/// How the stack of a thread begins.
const THREADS: [&str; 2] = ["Thread ", "Current thread "];
/// How the name of our frame begins; ID, start and deadline in ms since 1970, method and path follow, `-` for what is not known.
const MARK: &str = "overrun ";
/// The file that our frame is in.
const MARK_FILE: &str = "marker.py";
/// How many requests of one process are told of.
const REQUESTS_MAX: usize = 64;

/// Who speaks.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Speaker {
    pid: Option<u32>,
    instance: Option<String>,
    function: Option<String>,
    stack: Option<String>,
    platform: Option<String>,
    limit_ms: Option<Millis>,
}

impl Speaker {
    /// Reads the first line.
    ///
    /// # Errors
    ///
    /// When it is not JSON, or a name is too long to be found again.
    pub fn read(line: &str) -> Result<Self, Reject> {
        let speaker: Self =
            serde_json::from_str(line).map_err(|error| Reject::new(format!("expected who speaks as JSON: {error}"), line))?;
        if speaker.instance.as_ref().is_some_and(|name| name.len() > NAME_BYTES_MAX) {
            return Err(Reject::new(format!("expected `instance` of at most {NAME_BYTES_MAX} bytes"), line));
        }
        Ok(speaker)
    }
}

/// Reads what was written after the first line: any number of dumps, of which the last may be cut off.
#[must_use]
pub fn parse(speaker: &Speaker, text: &str, received_at: Timestamp) -> Parsed {
    let begins = begins(text);
    let ends = begins.iter().skip(1).copied().chain([text.len()]);
    let dumps = begins.iter().zip(ends).map(|(begin, end)| &text[*begin..end]);
    items(dumps.flat_map(|dump| claims(speaker, dump, received_at)))
}

/// Where dumps begin: with the head, or, as a signal has none written, with a thread's stack that no empty line parts from another.
fn begins(text: &str) -> Vec<usize> {
    let (mut begins, mut at, mut before) = (Vec::new(), 0, "");
    for line in text.split_inclusive('\n') {
        let is_parted = before.trim_end().is_empty() || before.starts_with(HEAD);
        let is_first = THREADS.iter().any(|thread| line.starts_with(thread)) && (begins.is_empty() || !is_parted);
        if line.starts_with(HEAD) || is_first {
            begins.push(at);
        }
        (at, before) = (at + line.len(), line);
    }
    begins
}

/// One claim for each request that a dump tells of. Without any, it tells of the process.
fn claims(speaker: &Speaker, dump: &str, received_at: Timestamp) -> Vec<Result<Claim, Reject>> {
    let threads = threads(dump);
    let marks = threads.iter().enumerate().filter_map(|(index, thread)| Some((index, thread.frames.iter().rev().find_map(Mark::of)?)));
    let mut claims: Vec<_> =
        marks.take(REQUESTS_MAX).map(|(index, mark)| Ok(of_request(speaker, &mark, &threads, index, dump, received_at))).collect();
    if claims.is_empty() {
        claims.push(of_process(speaker, threads, dump, received_at));
    }
    claims
}

fn base(kind: Kind, speaker: &Speaker, dump: &str, received_at: Timestamp) -> Claim {
    let mut claim = Claim::new(kind, FORMAT, cut(dump, RAW_BYTES_MAX)).with("last_words", true);
    claim.pid = speaker.pid;
    claim.instance = speaker.instance.clone().map(Instance::from);
    claim.function = speaker.function.as_deref().map(|name| FunctionName::from(short(name)));
    claim.platform = speaker.platform.as_deref().map(|name| Product::from(short(name)));
    claim.limit = claim.platform.as_ref().zip(speaker.limit_ms).and_then(|(platform, value)| limit(platform, value));
    claim.observed_at = Some(received_at);
    match &speaker.stack {
        Some(stack) => claim.with("stack", short(stack)),
        None => claim,
    }
}

fn of_request(speaker: &Speaker, mark: &Mark, threads: &[ThreadStack], index: usize, dump: &str, received_at: Timestamp) -> Claim {
    let mut claim = base(Kind::WatchdogFired, speaker, dump, received_at);
    claim.request_id = mark.request_id.clone().map(RequestId::from);
    claim.started_at = mark.started_at;
    claim.elapsed_ms = mark.started_at.map(|start| Millis::between(start, received_at)).filter(|elapsed| *elapsed >= Millis::ZERO);
    let told = [("deadline_at", mark.deadline_at.map(|at| at.to_string())), ("method", mark.method.clone()), ("path", mark.path.clone())];
    for (name, value) in told {
        if let Some(value) = value {
            claim = claim.with(name, value);
        }
    }
    claim.stacks.push(ThreadStack { serving: true, ..threads[index].clone() });
    let others = threads.iter().enumerate().filter(|(other, _)| *other != index).map(|(_, thread)| thread.clone());
    claim.stacks.extend(others.take(STACKS_MAX - 1));
    claim
}

/// Nothing says that a request was running, so this is no alarm; it is there for whoever asks what the process was doing.
fn of_process(speaker: &Speaker, threads: Vec<ThreadStack>, dump: &str, received_at: Timestamp) -> Result<Claim, Reject> {
    if speaker.pid.is_none() || speaker.instance.is_none() {
        return Err(Reject::new("expected a stack that names its request, or `instance` and `pid` of the process, found neither", dump));
    }
    let mut claim = base(Kind::WatchdogNearMiss, speaker, dump, received_at);
    claim.stacks = threads.into_iter().take(STACKS_MAX).collect();
    Ok(claim)
}

/// The threads of a dump, frames innermost last.
fn threads(dump: &str) -> Vec<ThreadStack> {
    let mut threads: Vec<ThreadStack> = Vec::new();
    for line in dump.lines() {
        let head = THREADS.iter().find_map(|thread| line.strip_prefix(thread));
        if let Some(name) = head.and_then(|head| head.split_once(" (most recent call first)")).map(|(name, _)| name) {
            threads.push(ThreadStack { name: Some(short(name)), serving: false, blocked: None, frames: Vec::new() });
        } else if let Some((thread, frame)) = threads.last_mut().zip(frame(line)) {
            // faulthandler itself stops at 100.
            thread.frames.push(frame);
        }
    }
    for thread in &mut threads {
        thread.frames.reverse();
    }
    threads
}

/// `  File "/srv/app/app.py", line 41 in native_lock`
fn frame(line: &str) -> Option<Frame> {
    let (file, rest) = line.strip_prefix("  File \"")?.split_once("\", line ")?;
    let (line, function) = rest.split_once(" in ")?;
    Some(Frame { function: short(function), file: Some(short(file)), line: line.parse().ok() })
}

/// What the name of our frame tells.
struct Mark {
    request_id: Option<String>,
    started_at: Option<Timestamp>,
    deadline_at: Option<Timestamp>,
    method: Option<String>,
    path: Option<String>,
}

impl Mark {
    fn of(frame: &Frame) -> Option<Self> {
        let told = frame.function.strip_prefix(MARK)?;
        frame.file.as_deref().filter(|file| file.ends_with(MARK_FILE))?;
        let known = |word: &str| Some(word.to_owned()).filter(|word| word != "-");
        let at = |word: &str| word.parse().ok().and_then(|ms| Timestamp::from_millisecond(ms).ok());
        let mut words = told.splitn(4, ' ');
        let mut next = || words.next().unwrap_or("-");
        let (request_id, started_at, deadline_at) = (known(next()), at(next()), at(next()));
        let operation = next().split_once(' ').map(|(method, path)| (method.to_owned(), path.to_owned()));
        let (method, path) = operation.unzip();
        Some(Self { request_id, started_at, deadline_at, method, path })
    }
}

#[cfg(test)]
mod tests {
    use domain::Key;

    use super::*;
    use crate::parse::Fate;

    const BY_THREAD: &str = include_str!("../../../../tests/fixtures/last_words/python.txt");
    const BY_SIGNAL: &str = include_str!("../../../../tests/fixtures/last_words/python_signal.txt");
    const SPEAKER: &str = r#"{"pid": 8, "instance": "web-1", "platform": "gunicorn", "limit_ms": 30000}"#;

    fn read(text: &str) -> Vec<Claim> {
        let speaker = Speaker::read(SPEAKER).expect("a speaker");
        let parsed = parse(&speaker, text, "2026-11-27T12:00:00Z".parse().expect("a time"));
        let claim = |fate| match fate {
            Fate::Evidence(claim) => *claim,
            other => panic!("{other:?}"),
        };
        parsed.items.into_iter().map(|item| claim(item.fate)).collect()
    }

    #[test]
    fn a_real_dump_names_its_request_and_the_line_that_is_stuck() {
        for text in [BY_THREAD, BY_SIGNAL] {
            let claims = read(text);
            assert_eq!(claims.len(), 1);
            let claim = &claims[0];
            assert_eq!((claim.kind, claim.pid), (Kind::WatchdogFired, Some(8)));
            assert_eq!(claim.key().to_string(), "request/order-7");
            assert_eq!((claim.text("method"), claim.text("path")), (Some("GET"), Some("/native-gil")));
            assert!(claim.stacks[0].serving && claim.stacks[0].frames.last().is_some_and(|frame| frame.function == "native_wait_gil"));
            assert!(claim.started_at.is_some() && claim.limit.is_some());
        }
    }

    #[test]
    fn every_request_of_the_process_is_told_of() {
        let text = "Timeout (0:00:01)!\nThread 0x01 (most recent call first):\n  File \"a.py\", line 1 in f\n  File \"/x/marker.py\", line 2 in overrun a 1795781082500 - GET /a\n\
                    Thread 0x02 [pool] (most recent call first):\n  File \"/x/marker.py\", line 2 in overrun - 1795781082500 - -\n";
        let claims = read(text);
        let told: Vec<_> =
            claims.iter().map(|claim| (claim.key().to_string(), claim.text("path"), claim.stacks[0].name.as_deref())).collect();
        assert_eq!(told[0], ("request/a".to_owned(), Some("/a"), Some("0x01")));
        assert_eq!((told[1].1, told[1].2), (None, Some("0x02 [pool]")));
        assert!(matches!(claims[1].key(), Key::Worker { pid: 8, .. }));
    }

    #[test]
    fn a_dump_that_a_signal_asked_for_has_no_head_of_its_own() {
        let dump = |id| {
            format!(
                "Current thread 0x01 (most recent call first):\n  File \"/x/signal_timer.py\", line 3 in _wait\n\n\
                 Thread 0x02 (most recent call first):\n  File \"a.py\", line 1 in f\n  File \"/x/marker.py\", line 2 in overrun {id} 1795781082500 - GET /a\n"
            )
        };
        for text in [dump("a") + &dump("b"), format!("\n{}", dump("a") + "Timeout (0:00:01)!\n" + &dump("b"))] {
            let claims = read(&text);
            let told: Vec<_> = claims.iter().map(|claim| (claim.key().to_string(), claim.stacks.len())).collect();
            assert_eq!(told, [("request/a".to_owned(), 2), ("request/b".to_owned(), 2)]);
        }
    }

    #[test]
    fn a_process_without_a_request_raises_no_alarm() {
        let claims =
            read("Timeout (0:00:01)!\nThread 0x01 (most recent call first):\n  <no Python frame>\n  File \"a.py\", line 1 in overrun 1\n");
        assert_eq!((claims[0].kind, claims[0].stacks[0].frames.len()), (Kind::WatchdogNearMiss, 1));
        assert!(read("").is_empty() && read("noise\n").is_empty());
    }

    #[test]
    fn every_cut_of_a_dump_is_read() {
        for text in [BY_THREAD, BY_SIGNAL] {
            for end in 0..text.len() {
                let told = read(&text[..end]);
                assert!(told.len() <= 1, "{end}");
            }
        }
    }
}
