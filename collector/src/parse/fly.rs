//! Fly.io: lines of its proxy and of the runner of machines, as text of `fly logs` and as objects of the log shipper.
//!
//! ```text
//! 2026-02-11T10:00:37Z proxy[4d891d77b05118] fra [error][PR04] could not find a good candidate within 40 attempts at load balancing
//! {"event":{"provider":"runner"},"fly":{"app":{"instance":"4d89…","name":"pay"},"region":"fra"},"host":"f442",
//!  "log":{"level":"error"},"message":"Process appears to have been OOM killed!","timestamp":"2026-02-11T10:00:37.252022967Z"}
//! ```
//!
//! After Fly's log shipper and lines that its users show, read in November 2026; Fly documents no grammar. No line names a
//! request. The prefix of the text form is taken off in `envelope.rs`. `docs/formats/fly.md`.

use domain::{Claim, ClaimedOutcome, Instance, Kind, Product};
use serde_json::{Map, Value};

use super::envelope::Envelope;
use super::{Context, Fate, Format, Lines, RAW_BYTES_MAX, cut, events, marks, times};

/// The format's name.
pub const FORMAT: &str = "fly";

/// The proxy's codes: parts by their letter, each with less than ten.
const CODES: [&str; 54] = {
    macro_rules! of_parts {
        ($($part:literal)*) => { [$(
            concat!("[P", $part, "01]"), concat!("[P", $part, "02]"), concat!("[P", $part, "03]"),
            concat!("[P", $part, "04]"), concat!("[P", $part, "05]"), concat!("[P", $part, "06]"),
            concat!("[P", $part, "07]"), concat!("[P", $part, "08]"), concat!("[P", $part, "09]"),
        )*] };
    }
    of_parts!("A" "C" "M" "P" "R" "U")
};

/// What every line with something to say holds one of: see [`super::marks`].
pub(super) const MARKS: marks::Declared = &[
    &CODES,
    &[
        "OOM killed!",
        "ut of memory: Killed process ",
        "Main child exited normally with code: ",
        "could not find a good candidate",
        "no known healthy instances",
        "timed out while connecting",
    ],
];
/// The product.
pub(crate) const PRODUCT: &str = "fly";

/// Lines of proxy, runner and kernel, without their prefix.
pub(super) const LINES: Lines = Lines { begins: |line| (code(line).is_some() || of_kernel(line).is_some()).then_some(0), read };

fn read(text: &str) -> Option<Fate> {
    let raw = cut(text.trim_end(), RAW_BYTES_MAX);
    let claim = |kind| Claim { platform: Some(Product::from(PRODUCT)), ..Claim::new(kind, FORMAT, raw) };
    let claim = if let Some((code, words)) = code(raw) {
        let outcome = outcome(words);
        Claim { outcome, ..claim(Kind::ProxyError).with("code", code).with("message", words) }
    } else if raw.starts_with("timed out while connecting to your instance") {
        Claim { outcome: outcome(raw), ..claim(Kind::ProxyError).with("message", raw) }
    } else if raw == "Process appears to have been OOM killed!" {
        Claim { outcome: Some(ClaimedOutcome::OutOfMemory), ..claim(Kind::OomKill) }
    } else if let Some(killed) = of_kernel(raw) {
        let (pid, rest) = killed.split_once(" (")?;
        let process = rest.split_once(')')?.0;
        let pid = pid.parse().ok()?;
        let killed = Claim { platform: Some(Product::LINUX), pid: Some(pid), ..claim(Kind::OomKill) };
        Claim { outcome: Some(ClaimedOutcome::OutOfMemory), ..killed.with("process", process) }
    } else {
        let status: f64 = raw.strip_prefix("Main child exited normally with code: ")?.parse().ok()?;
        Claim { outcome: (status > 0.0).then_some(ClaimedOutcome::Crash), ..claim(Kind::ProcessExit).with("exit_status", status) }
    };
    Some(Fate::Evidence(Box::new(claim)))
}

/// The kernel's words, which any machine's log may hold: for all of its memory, and for that of a container.
const KERNELS: [&str; 2] = ["Out of memory: Killed process ", "Memory cgroup out of memory: Killed process "];

/// Whom the kernel killed for want of memory: `528 (node) total-vm:…`.
fn of_kernel(line: &str) -> Option<&str> {
    KERNELS.iter().find_map(|words| since_boot(line).strip_prefix(words))
}

/// Without the seconds since boot that `dmesg` writes in front: `[12345.678901] `.
fn since_boot(line: &str) -> &str {
    let rest = line.strip_prefix('[').and_then(|line| line.split_once("] "));
    rest.filter(|(seconds, _)| seconds.trim_start().parse::<f64>().is_ok()).map_or(line, |(_, rest)| rest)
}

/// `[PR04] words`.
fn code(text: &str) -> Option<(&str, &str)> {
    let (code, words) = text.strip_prefix('[')?.split_once("] ")?;
    let digits = code.strip_prefix(['P']).and_then(|code| code.strip_prefix(['A', 'C', 'M', 'P', 'R', 'U']))?;
    matches!(digits.as_bytes(), [b'0', b'1'..=b'9']).then_some((code, words))
}

/// The words decide: the codes have changed between releases of the proxy.
fn outcome(words: &str) -> Option<ClaimedOutcome> {
    if words.starts_with("could not find a good candidate") || words.starts_with("no known healthy instances") {
        return Some(ClaimedOutcome::NoCapacity);
    }
    words.starts_with("timed out while connecting").then_some(ClaimedOutcome::ConnectTimeout)
}

/// Reads an object of the log shipper: the line inside, with what is said about it.
pub(super) fn read_record(object: &Map<String, Value>, raw: &str) -> Option<Vec<Fate>> {
    let fly = object.get("fly")?.as_object()?;
    let message = object.get("message")?.as_str()?;
    let text = |value: Option<&Value>| value.and_then(Value::as_str).map(str::to_owned);
    let app = fly.get("app");
    let name = text(app.and_then(|app| app.get("name")));
    let instance = text(app.and_then(|app| app.get("instance"))).filter(|instance| !instance.is_empty());
    let inside = |outer: &str, inner: &str| text(object.get(outer).and_then(|value| value.get(inner)));
    let facts = [
        ("app", name.clone()),
        ("region", text(fly.get("region"))),
        ("provider", inside("event", "provider")),
        ("level", inside("log", "level")),
    ];
    let envelope = Envelope {
        at: object.get("timestamp").and_then(Value::as_str).and_then(times::rfc3339),
        instance: instance.map(Instance::from),
        function: name.map(Into::into),
        facts: facts.into_iter().filter_map(|(name, value)| Some((name, value?.into()))).collect(),
        ..Envelope::default()
    };
    // Some of the proxy's words have no code in front; whoever else writes them, it is not the proxy.
    let is_proxy = inside("event", "provider").as_deref() == Some("proxy");
    if let Some(outcome) = outcome(message).filter(|_| is_proxy) {
        let claim = Claim { outcome: Some(outcome), ..Claim::new(Kind::ProxyError, FORMAT, raw).with("message", message) };
        let claim = Claim { platform: Some(Product::from(PRODUCT)), ..claim };
        return Some(vec![events::enveloped(Fate::Evidence(Box::new(claim)), &envelope)]);
    }
    let fates = events::wrapped(Format::Auto, message, &envelope, &Context::default());
    Some(fates.into_iter().map(|fate| if message.starts_with('{') { fate } else { fate.with_raw(raw) }).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse::facts;

    fn read_all(format: Format) -> Vec<Value> {
        let log = include_str!("../../../tests/fixtures/fly/machine.log");
        format.parse(log.as_bytes(), &Context::default()).items.iter().map(facts::of).collect()
    }

    #[test]
    fn text_and_objects_say_the_same() {
        for format in [Format::Fly, Format::Auto] {
            let told: Vec<_> = read_all(format)
                .iter()
                .map(|item| format!("{} {} {} {}", item["kind"], item["outcome"], item["instance"], item["region"]).replace('"', ""))
                .collect();
            assert_eq!(
                told,
                [
                    "proxy_error no_capacity 7811d52b0e9d48 ams",
                    "app_log null 7811d52b0e9d48 ams",
                    "oom_kill out_of_memory 7811d52b0e9d48 ams",
                    "oom_kill out_of_memory 7811d52b0e9d48 ams",
                    "process_exit crash 7811d52b0e9d48 ams",
                    "process_exit null 7811d52b0e9d48 ams",
                ]
            );
        }
    }

    #[test]
    fn a_server_on_fly_is_read_as_itself() {
        let line = r#"{"event":{"provider":"app"},"fly":{"app":{"instance":"7811","name":"books"},"region":"ams"},"log":{"level":"info"},"message":"[2026-11-02 09:14:25 +0000] [306] [CRITICAL] WORKER TIMEOUT (pid:322)","timestamp":"2026-11-02T09:14:25.100Z"}"#;
        let parsed = Format::Auto.parse(line.as_bytes(), &Context::default());
        let item = facts::of(&parsed.items[0]);
        assert_eq!((&item["kind"], &item["instance"], &item["pid"]), (&"worker_timeout".into(), &"7811".into(), &322.into()));
    }
}
