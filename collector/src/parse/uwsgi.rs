//! uWSGI: harakiri blocks, workers' ends and access lines, versions 2.0.21 and 2.0.31.
//!
//! ```text
//! Sun Nov 22 12:42:26 2026 - *** HARAKIRI ON WORKER 2 (pid: 16578, try: 1) ***
//! HARAKIRI: -- wchan> hrtimer_nanosleep
//! Sun Nov 22 12:42:26 2026 - HARAKIRI [core 0] 127.0.0.1 - GET /report?seconds=20 since 1795351343
//! DAMN ! worker 2 (pid: 16578) died, killed by signal 9 :( trying respawn ...
//! [pid: 16751|app: 0|req: 2/2] 127.0.0.1 () {24 vars in 293 bytes} [Sun Nov 22 12:42:28 2026] GET /fast => generated 12 bytes in 5 msecs (HTTP/1.1 200) …
//! ```
//!
//! A block is one event. It names the process, the path and the second in which the request began; whole seconds, so that a
//! limit of 2 s was seen to fire after 1.4 s. Times are local and have no zone; they are read as UTC. `docs/formats/uwsgi.md`.

use domain::{Claim, ClaimedOutcome, Kind, KnownFrom, Layer, Limit, Millis, Product};
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::Offset;

use super::{Fate, Lines, RAW_BYTES_MAX, cut, marks};

/// The format's name.
pub const FORMAT: &str = "uwsgi";

/// What every line with something to say holds one of: see [`super::marks`].
pub(super) const MARKS: marks::Declared =
    &[&["HARAKIRI", "DAMN ! worker ", "spawned uWSGI worker ", "*** Starting uWSGI ", " => generated ", EVIL, CRASHING]];

/// Where the server ends a worker for its memory (`evil-reload-on-rss`, `evil-reload-on-as`).
const EVIL: &str = "*** EVIL RELOAD ON WORKER ";
/// Where a worker tells of its own crash, before its backtrace.
const CRASHING: &str = "!!! uWSGI process ";

pub(super) const LINES: Lines = Lines { begins, read };

/// How its lines begin, behind the time.
const WORDS: [&str; 12] = [
    EVIL,
    CRASHING,
    "*** HARAKIRI ON ",
    "HARAKIRI [core ",
    "HARAKIRI triggered by ",
    "HARAKIRI !!! ",
    "HARAKIRI: ",
    "DAMN ! worker ",
    "Respawned uWSGI worker ",
    "spawned uWSGI worker ",
    "*** Starting uWSGI ",
    "[pid: ",
];

/// Where a line of its own begins: bare, behind its own time, or behind what a transport, `log-date` or `log-encoder` put there.
fn begins(line: &str) -> Option<usize> {
    // A prefix is short; more than that is somebody's sentence.
    const PREFIX_BYTES_MAX: usize = 120;
    let is_prefix = |at: usize| at == 0 || at <= PREFIX_BYTES_MAX && line[..at].ends_with([' ', '\t', ':', ']', '|']);
    let is_whole = |words: &str| words != "[pid: " || line.contains(" => generated ");
    let found = |words: &&str| line.find(words).filter(|at| is_prefix(*at) && is_whole(words));
    let at = WORDS.iter().filter_map(found).min()?;
    let own_time = at.checked_sub(STAMP_BYTES + " - ".len()).filter(|from| line.get(*from..).is_some_and(|rest| split(rest).0.is_some()));
    Some(own_time.unwrap_or(at))
}

const STAMP_BYTES: usize = "Sun Nov 22 12:42:26 2026".len();

/// The time in front of a line, if there is one: `Sun Nov 22 12:42:26 2026 - `.
fn split(line: &str) -> (Option<Timestamp>, &str) {
    let stamp = line.get(..STAMP_BYTES).zip(line.get(STAMP_BYTES..).and_then(|rest| rest.strip_prefix(" - ")));
    stamp.and_then(|(stamp, rest)| Some((Some(ctime(stamp)?), rest))).unwrap_or((None, line))
}

/// C's `ctime`: `Sun Nov  2 12:42:26 2026`.
fn ctime(text: &str) -> Option<Timestamp> {
    const DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
    // A day below ten is padded with a blank.
    let (_, rest) = text.split_once(' ').filter(|(day, _)| DAYS.contains(day))?;
    let civil = DateTime::strptime("%b %d %H:%M:%S %Y", rest.split_whitespace().collect::<Vec<_>>().join(" ")).ok()?;
    Offset::UTC.to_timestamp(civil).ok()
}

/// Whether `line` belongs to the harakiri block that `event` began.
pub(super) fn continues(event: &str, line: &str) -> bool {
    let begun = split(event.lines().next().unwrap_or_default()).1.starts_with("*** HARAKIRI ON ");
    begun && split(line).1.starts_with("HARAKIRI")
}

/// Reads one event; `None` when it is not uWSGI's.
#[must_use]
pub fn read(text: &str) -> Option<Fate> {
    let (at, first) = split(text.lines().next()?);
    let base = |kind| Claim {
        platform: Some(Product::from(FORMAT)),
        observed_at: at,
        ..Claim::new(kind, FORMAT, cut(text.trim_end(), RAW_BYTES_MAX))
    };
    let claim = |kind, pid| Claim { pid: Some(pid), ..base(kind) };
    let found = if let Some(victim) = first.strip_prefix("*** HARAKIRI ON ") {
        harakiri(claim(Kind::WorkerTimeout, pid(victim)?), text)
    } else if let Some(rest) = first.strip_prefix("DAMN ! worker ") {
        died(claim(Kind::WorkerExit, pid(rest)?), rest)
    } else if let Some(rest) = first.strip_prefix(EVIL) {
        memory(claim(Kind::WorkerKilled, pid(rest)?), rest)
    } else if let Some((pid, signal)) = first.strip_prefix(CRASHING).and_then(|rest| rest.split_once(" got ")) {
        crashing(claim(Kind::WorkerKilled, pid.parse().ok()?), signal)?
    } else if let Some(rest) = first.strip_prefix("spawned uWSGI worker ").or_else(|| first.strip_prefix("Respawned uWSGI worker ")) {
        claim(Kind::WorkerBoot, pid(rest)?)
    } else if let Some(rest) = first.strip_prefix("*** Starting uWSGI ") {
        let (version, rest) = rest.split_once(' ')?;
        let at = rest.split_once("on [").and_then(|(_, rest)| ctime(rest.split_once(']')?.0));
        Claim { observed_at: at.or(base(Kind::ServerStart).observed_at), ..base(Kind::ServerStart).with("version", version) }
    } else {
        request(&base(Kind::Request), first)?
    };
    Some(Fate::Evidence(Box::new(found)))
}

/// `WORKER 2 (pid: 16578, try: 1)`, `2 (new pid: 16751)`.
fn pid(text: &str) -> Option<u32> {
    let (_, rest) = text.split_once("pid: ")?;
    rest.split([',', ')']).next()?.parse().ok()
}

/// What a block says of the request: that of the core that triggered it, else of the first core.
fn harakiri(mut claim: Claim, block: &str) -> Claim {
    let lines = || block.lines().map(|line| split(line).1);
    let triggered = lines().find_map(|line| line.strip_prefix("HARAKIRI triggered by worker ")?.split_once(" core ")?.1.split(' ').next());
    let core = |line: &&str| triggered.is_none_or(|core| line.starts_with(&format!("HARAKIRI [core {core}] ")));
    let request = lines().filter(|line| line.starts_with("HARAKIRI [core ")).find(core);
    // `HARAKIRI [core 0] 127.0.0.1 - GET /report since 1795351343`
    if let Some((target, since)) = request.and_then(|line| line.split_once("] ")?.1.split_once(" - ")?.1.rsplit_once(" since "))
        && let Some((method, path)) = target.split_once(' ')
    {
        claim = claim.with("method", method).with("path", path);
        claim.started_at = since.trim_end().parse().ok().and_then(|second| Timestamp::from_second(second).ok());
    }
    if let Some(wchan) = lines().find_map(|line| line.strip_prefix("HARAKIRI: -- wchan> ")) {
        claim = claim.with("wchan", wchan.trim_end());
    }
    let limit = Limit {
        layer: Layer::AppServer,
        product: Product::from(FORMAT),
        setting: "harakiri".to_owned(),
        value_ms: None,
        known_from: KnownFrom::Claimed,
        place: None,
    };
    Claim { limit: Some(limit), outcome: Some(ClaimedOutcome::Timeout), ..claim }
}

/// `… died, killed by signal 9 :( trying respawn ...`, or `… died :(` after an end by itself.
fn died(claim: Claim, rest: &str) -> Claim {
    let signal = rest.split_once("killed by signal ").and_then(|(_, rest)| rest.split(' ').next()?.parse::<u32>().ok());
    match signal {
        Some(signal) => {
            let name = match signal {
                6 => "SIGABRT",
                9 => "SIGKILL",
                11 => "SIGSEGV",
                15 => "SIGTERM",
                _ => "a signal",
            };
            Claim { kind: Kind::WorkerKilled, ..claim.with("signal", name) }
        }
        None => claim,
    }
}

/// `1 RSS: 26923008 (pid: 20322) ***`, or `ADDRESS SPACE`: bytes.
fn memory(claim: Claim, rest: &str) -> Claim {
    let (_, found) = rest.split_once(' ').unwrap_or_default();
    let (setting, bytes) = match found.split_once(": ") {
        Some(("RSS", bytes)) => ("evil-reload-on-rss", bytes),
        Some((_, bytes)) => ("evil-reload-on-as", bytes),
        None => return claim,
    };
    let claim = Claim { outcome: Some(ClaimedOutcome::OutOfMemory), ..claim.with("signal", "SIGKILL").with("memory_setting", setting) };
    match bytes.split(' ').next().and_then(|bytes| bytes.parse::<f64>().ok()) {
        Some(bytes) => claim.with("memory_bytes", bytes),
        None => claim,
    }
}

/// `Segmentation Fault !!!`
fn crashing(claim: Claim, signal: &str) -> Option<Claim> {
    (signal.trim_end() == "Segmentation Fault !!!").then(|| claim.with("signal", "SIGSEGV"))
}

/// An access line in the default format; its time is that of the request's beginning.
fn request(base: &Claim, line: &str) -> Option<Claim> {
    let (process, rest) = line.strip_prefix("[pid: ")?.split_once('|')?;
    let (_, rest) = rest.split_once("} [")?;
    let (stamp, rest) = rest.split_once("] ")?;
    let (target, rest) = rest.split_once(" => generated ")?;
    let (method, path) = target.split_once(' ')?;
    let (bytes, rest) = rest.split_once(" bytes in ")?;
    let (elapsed, rest) = rest.split_once(" msecs ")?;
    let elapsed = Millis::parse_ms(elapsed)?;
    let started = ctime(stamp)?;
    let status = rest.split(' ').nth(1).and_then(|status| status.trim_end_matches(')').parse::<u32>().ok());
    let claim = base.clone().with("method", method).with("path", path).with("response_bytes", bytes.parse::<u32>().ok()?);
    let claim = status.map_or(claim.clone(), |status| claim.with("status", status));
    Some(Claim {
        pid: process.parse().ok(),
        started_at: Some(started),
        observed_at: Some(elapsed.after(started)),
        elapsed_ms: Some(elapsed),
        ..claim
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse::tests::evidence;
    use crate::parse::{Context, Format, Item};

    /// uWSGI 2.0.31 (November 2026).
    #[test]
    fn an_end_for_memory_and_a_crash_are_told_apart_from_harakiri() {
        let memory = claim("*** EVIL RELOAD ON WORKER 1 RSS: 26923008 (pid: 20322) ***");
        assert_eq!((memory.kind, memory.pid, memory.outcome), (Kind::WorkerKilled, Some(20322), Some(ClaimedOutcome::OutOfMemory)));
        assert_eq!((memory.text("memory_setting"), memory.number("memory_bytes")), (Some("evil-reload-on-rss"), Some(26_923_008.0)));
        let crash = claim("!!! uWSGI process 20349 got Segmentation Fault !!!");
        assert_eq!((crash.kind, crash.pid, crash.text("signal")), (Kind::WorkerKilled, Some(20349), Some("SIGSEGV")));
        assert!(read("!!! uWSGI process got bored !!!").is_none());
    }

    fn claim(text: &str) -> Claim {
        evidence(text, read)
    }

    const BLOCK: &str = "Sun Nov  2 09:00:05 2026 - *** HARAKIRI ON WORKER 3 (pid: 77, try: 1, graceful: yes) ***
HARAKIRI: -- wchan> sk_wait_data
Sun Nov  2 09:00:05 2026 - HARAKIRI [core 0] 10.0.0.1 - GET /quick since 1793610004
Sun Nov  2 09:00:05 2026 - HARAKIRI [core 1] 10.0.0.1 - POST /pay?a=b since 1793610000
Sun Nov  2 09:00:05 2026 - HARAKIRI triggered by worker 3 core 1 !!!";

    #[test]
    fn a_block_is_one_event_that_names_process_path_and_beginning() {
        assert!(BLOCK.lines().skip(1).all(|line| continues(BLOCK, line)));
        let claim = claim(BLOCK);
        assert_eq!((claim.kind, claim.pid, claim.text("path")), (Kind::WorkerTimeout, Some(77), Some("/pay?a=b")));
        assert_eq!(claim.observed_at.map(|at| at.to_string()).as_deref(), Some("2026-11-02T09:00:05Z"));
        assert_eq!(claim.started_at.map(Timestamp::as_second), Some(1_793_610_000));
        assert_eq!(
            (claim.text("wchan"), claim.limit.as_ref().map(|limit| limit.setting.as_str())),
            (Some("sk_wait_data"), Some("harakiri"))
        );
    }

    #[test]
    fn workers_come_and_go() {
        assert_eq!(claim("spawned uWSGI worker 1 (and the only) (pid: 7, cores: 2)").pid, Some(7));
        assert_eq!(claim("Respawned uWSGI worker 1 (new pid: 8)").kind, Kind::WorkerBoot);
        let killed = claim("DAMN ! worker 1 (pid: 7) died, killed by signal 11 :( trying respawn ...");
        assert_eq!((killed.kind, killed.text("signal")), (Kind::WorkerKilled, Some("SIGSEGV")));
        assert_eq!(claim("DAMN ! worker 1 (pid: 7) died :( trying respawn ...").kind, Kind::WorkerExit);
    }

    #[test]
    fn an_access_line_names_its_process_and_when_it_began() {
        let line = "[pid: 7|app: 0|req: 1/1] 127.0.0.1 () {24 vars in 293 bytes} [Sun Nov  2 09:00:00 2026] GET /a => generated 12 bytes in 1007 msecs (HTTP/1.1 200) 2 headers in 71 bytes (1 switches on core 0)";
        let claim = claim(line);
        assert_eq!((claim.pid, claim.number("status"), claim.elapsed_ms), (Some(7), Some(200.0), Some(Millis::from_ms(1007))));
        assert_eq!(claim.observed_at.map(|at| at.to_string()).as_deref(), Some("2026-11-02T09:00:01.007Z"));
    }

    /// 2.0.31 with `log-date=%Y-%m-%d %H:%M:%S`, and with `log-encoder = format [${strftime:…}] uwsgi: ${msgnl}` (November 2026).
    #[test]
    fn whatever_stands_in_front_is_taken_off_and_its_time_kept() {
        let block = "*** HARAKIRI ON WORKER 1 (pid: 21241, try: 1, graceful: yes) ***\nHARAKIRI [core 0] 127.0.0.1 - GET /report?seconds=6 since 1795818276\n";
        for prefix in [
            "2026-11-27 22:24:38 - ",
            "[2026-11-27 22:24:38] uwsgi: ",
            "Fri Nov 27 22:24:38 2026 - ",
            "web-1  | Fri Nov 27 22:24:38 2026 - ",
        ] {
            let text: String = block.lines().flat_map(|line| [prefix, line, "\n"]).collect();
            let read = Format::Auto.parse(text.as_bytes(), &Context::default()).items;
            let [Item { fate: Fate::Evidence(claim), .. }] = &read[..] else { panic!("{prefix}: {read:?}") };
            assert_eq!(
                (claim.kind, claim.pid, claim.text("path")),
                (Kind::WorkerTimeout, Some(21241), Some("/report?seconds=6")),
                "{prefix}"
            );
            assert_eq!(claim.observed_at.map(|at| at.to_string()).as_deref(), Some("2026-11-27T22:24:38Z"), "{prefix}");
        }
    }

    #[test]
    fn other_lines_are_not_uwsgis() {
        for line in
            ["HARAKIRI is a word", "[pid: 7] hello", "DAMN ! worker bees", "your mercy for graceful operations on workers is 60 seconds"]
        {
            assert!(read(line).is_none(), "{line}");
        }
    }
}
