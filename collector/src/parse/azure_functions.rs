//! Azure Functions: the host's own lines, as the streaming log, the file log and Application Insights have them.
//!
//! ```text
//! 2026-02-11T10:00:00.000Z [Information] Executing 'Functions.tick' (Reason='Timer fired at …', Id=fc678e11-…)
//! 2026-02-11T10:05:00.010Z [Error] Timeout value of 00:05:00 exceeded by function 'Functions.tick' (Id: 'fc678e11-…'). Initiating cancellation.
//! 2026-02-11T10:05:00.020Z [Error] Executed 'Functions.tick' (Failed, Id=fc678e11-…, Duration=300009ms)
//! Timeout value of 00:05:00 was exceeded by function: Functions.tick
//! A function timeout has occurred. Restarting worker process executing invocationId 'fc678e11-…'.
//! ```
//!
//! After Azure/azure-webjobs-sdk `FunctionExecutor` and Azure/azure-functions-host, read in November 2026. One timeout makes
//! three to five of these. Diagnostic settings strip the quotes. `docs/formats/azure_functions.md`.

use domain::{Claim, ClaimedOutcome, Kind, KnownFrom, Layer, Limit, Millis, Product, RequestId};
use jiff::Timestamp;

use super::{Fate, Lines, RAW_BYTES_MAX, cut, marks, times};

/// The format's name.
pub const FORMAT: &str = "azure_functions";

/// What every line with something to say holds one of: see [`super::marks`].
pub(super) const MARKS: marks::Declared =
    &[&["Executing ", "Executed ", "Timeout value of ", "A function timeout has occurred.", "Restart of language worker process"]];
/// The product.
pub(crate) const PRODUCT: &str = "azure_functions";

/// Lines of the host, with or without the streaming log's time and level.
pub(super) const LINES: Lines = Lines { begins, read: |text| parse_event(text).map(|claim| Fate::Evidence(Box::new(claim))) };

/// With what the host's lines begin; the words after it decide.
const HEADS: [&str; 6] = [
    "Executing ",
    "Executed ",
    "Timeout value of ",
    "A function timeout has occurred.",
    "Restart of language worker process(es) completed.",
    "Restarting worker process",
];

/// What the host on Linux prints: events as comma-separated cells, of which one is the host's line.
const LINUX_HEAD: &str = "MS_FUNCTION_LOGS ";
/// What the host throws, whose words are those of its line.
const EXCEPTION: &str = "Microsoft.Azure.WebJobs.Host.FunctionTimeoutException";

/// Cells, quoted where they hold commas; a quote inside is doubled.
fn csv(text: &str) -> Vec<String> {
    let (mut cells, mut cell, mut is_quoted) = (Vec::new(), String::new(), false);
    for character in text.chars() {
        match character {
            '"' => is_quoted = !is_quoted,
            ',' if !is_quoted => cells.push(std::mem::take(&mut cell)),
            other => cell.push(other),
        }
    }
    cells.push(cell);
    cells
}

fn begins(line: &str) -> Option<usize> {
    let (_, _, text) = head(line);
    HEADS.iter().chain(&[LINUX_HEAD, EXCEPTION]).any(|head| text.starts_with(head)).then(|| parse_event(line)).flatten().map(|_| 0)
}

/// Reads one line; `None` when it is not the host's.
#[must_use]
pub fn parse_event(text: &str) -> Option<Claim> {
    let raw = text.trim_end();
    let first = raw.lines().next()?;
    if let Some(cells) = first.strip_prefix(LINUX_HEAD) {
        return csv(cells)
            .iter()
            .find_map(|cell| parse_event(cell))
            .map(|claim| Claim { raw: cut(raw, RAW_BYTES_MAX).to_owned(), ..claim });
    }
    let (at, level, words) = console(raw).unwrap_or_else(|| head(first));
    // The exception by its name, and the same in a log's `exceptionDetails`.
    let thrown = words.strip_prefix(EXCEPTION).map(|rest| rest.trim_start_matches([' ', ':']));
    let words = thrown.unwrap_or(words);
    let claim = |kind| {
        let claim = Claim { platform: Some(Product::from(PRODUCT)), observed_at: at, ..Claim::new(kind, FORMAT, cut(raw, RAW_BYTES_MAX)) };
        level.map_or(claim.clone(), |level| claim.with("level", level))
    };
    if let Some(rest) = words.strip_prefix("Executing ") {
        return started(claim(Kind::InvocationStart), rest);
    }
    if let Some(rest) = words.strip_prefix("Executed ") {
        return ended(claim(Kind::InvocationEnd), rest);
    }
    if let Some(rest) = words.strip_prefix("Timeout value of ") {
        return timed_out(claim(Kind::TimeoutNotice), rest);
    }
    if let Some(rest) = words.strip_prefix("A function timeout has occurred.") {
        let id = rest.split_once("invocationId '").and_then(|(_, id)| id.split('\'').next()).filter(|id| is_id(id));
        return Some(Claim { request_id: id.map(RequestId::from), outcome: Some(ClaimedOutcome::Timeout), ..claim(Kind::PlatformRestart) });
    }
    (words == "Restart of language worker process(es) completed.").then(|| claim(Kind::PlatformRestart))
}

/// What .NET's console logger prints, in containers as well: level and category in a line, and the text indented in the next.
fn console(text: &str) -> Option<(Option<Timestamp>, Option<&str>, &str)> {
    let (head, rest) = text.split_once('\n')?;
    let (level, category) = head.trim_end().split_once(": ")?;
    let known = matches!(level, "trce" | "dbug" | "info" | "warn" | "fail" | "crit");
    (known && category.ends_with(']') && rest.starts_with("      ")).then_some(())?;
    Some((None, Some(level), rest.lines().next()?.trim()))
}

/// `2026-02-11T08:12:21.959 [Error] text` or `[2026-02-11T08:12:41.287Z] text`.
fn head(line: &str) -> (Option<Timestamp>, Option<&str>, &str) {
    let time = |text: &str| times::rfc3339(text.trim_matches(['[', ']']));
    let Some((first, rest)) = line.split_once(' ') else { return (None, None, line) };
    let Some(at) = time(first) else { return (None, None, line) };
    let level = rest.strip_prefix('[').and_then(|rest| rest.split_once("] "));
    match level.filter(|(level, _)| level.bytes().all(|b| b.is_ascii_alphabetic())) {
        Some((level, text)) => (Some(at), Some(level), text),
        None => (Some(at), None, rest),
    }
}

/// `'Functions.tick'` or `Functions.tick`: the name, and what follows it.
fn function(text: &str) -> Option<(&str, &str)> {
    let (name, rest) = match text.strip_prefix('\'') {
        Some(quoted) => quoted.split_once('\'')?,
        None => text.split_at(text.find([' ', '\r', '\n']).unwrap_or(text.len())),
    };
    let name = name.trim_end_matches('.');
    (!name.is_empty()).then_some((name.strip_prefix("Functions.").unwrap_or(name), rest))
}

/// `Id=fc678e11-…` or `Id: 'fc678e11-…'`; a GUID, or these are somebody else's words.
fn id(text: &str) -> Option<&str> {
    let at = text.find("Id=").map(|at| at + 3).or_else(|| text.find("Id: ").map(|at| at + 4))?;
    let id = text[at..].trim_start_matches('\'');
    id.get(..36).filter(|id| is_id(id))
}

fn is_id(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(at, b)| if matches!(at, 8 | 13 | 18 | 23) { b == b'-' } else { b.is_ascii_hexdigit() })
}

fn started(claim: Claim, rest: &str) -> Option<Claim> {
    let (name, rest) = function(rest)?;
    let reason = rest.strip_prefix(" (Reason=")?;
    let id = id(reason)?;
    let claim = Claim { request_id: Some(id.into()), function: Some(name.into()), ..claim };
    let timer = reason.trim_start_matches('\'').starts_with("Timer fired");
    Some(if timer { claim.with("trigger", "timer") } else { claim })
}

fn ended(claim: Claim, rest: &str) -> Option<Claim> {
    let (name, rest) = function(rest)?;
    let rest = rest.strip_prefix(" (")?;
    let (status, facts) = rest.split_once(',')?;
    let mut claim = Claim { request_id: Some(id(facts)?.into()), function: Some(name.into()), ..claim };
    // Why it failed stands on other lines.
    claim.outcome = (status == "Succeeded").then_some(ClaimedOutcome::Success);
    claim = claim.with("status", status);
    if let Some((_, duration)) = facts.split_once("Duration=") {
        let millis = duration.split(')').next().and_then(|duration| duration.strip_suffix("ms"));
        match millis.and_then(Millis::parse_ms) {
            Some(elapsed) => {
                claim.elapsed_ms = Some(elapsed);
                claim = claim.with("duration_ms", elapsed);
            }
            None => claim.kind = Kind::UnparsedDuration,
        }
    }
    Some(claim)
}

/// `00:05:00 exceeded by function 'F' (Id: '…'). Initiating cancellation.`, or the exception's message, which has no ID.
fn timed_out(claim: Claim, rest: &str) -> Option<Claim> {
    let (value, rest) = rest.split_once(' ')?;
    let value = time_span(value)?;
    let (name, rest) = function(rest.strip_prefix("exceeded by function ").or_else(|| rest.strip_prefix("was exceeded by function: "))?)?;
    let spared = rest.contains("will not be cancelled");
    Some(Claim {
        request_id: id(rest).map(RequestId::from),
        function: Some(name.into()),
        limit: Some(limit(value)),
        outcome: (!spared).then_some(ClaimedOutcome::Timeout),
        ..claim
    })
}

/// The function timeout, as a line or an exception names it.
fn limit(value: Millis) -> Limit {
    Limit {
        layer: Layer::Platform,
        product: Product::from(PRODUCT),
        setting: "functionTimeout".to_owned(),
        value_ms: Some(value),
        known_from: KnownFrom::Claimed,
        place: None,
    }
}

/// .NET's `[d.]hh:mm:ss[.fffffff]`.
fn time_span(text: &str) -> Option<Millis> {
    let (rest, seconds) = text.rsplit_once(':')?;
    let (rest, minutes) = rest.rsplit_once(':')?;
    let (days, hours) = rest.split_once('.').unwrap_or(("0", rest));
    let number = |text: &str| text.parse::<u32>().ok().map(i64::from);
    let whole = number(days)? * 86_400 + number(hours)? * 3_600 + number(minutes)? * 60;
    Some(Millis::from_ms(whole * 1000).plus(Millis::parse_seconds(seconds)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse::{Context, Format, facts};

    fn read_all(format: Format) -> Vec<serde_json::Value> {
        let log = include_str!("../../../tests/fixtures/azure_functions/host.log");
        format.parse(log.as_bytes(), &Context::default()).items.iter().map(facts::of).collect()
    }

    #[test]
    fn each_line_of_a_timeout_is_read() {
        for format in [Format::AzureFunctions, Format::Auto] {
            let told: Vec<_> = read_all(format)
                .iter()
                .map(|item| {
                    format!("{} {} {} {}", item["kind"], item["request_id"].is_string(), item["outcome"], item["limit_ms"]).replace('"', "")
                })
                .collect();
            assert_eq!(
                told,
                [
                    "invocation_start true null null",
                    "app_log false null null",
                    "timeout_notice true timeout 600000",
                    "invocation_end true null null",
                    "timeout_notice false timeout 600000",
                    "platform_restart true timeout null",
                    "platform_restart false null null",
                    "invocation_end true success null",
                    "unparsed_duration true null null",
                ]
            );
        }
    }

    #[test]
    fn names_times_and_levels_are_kept() {
        let items = read_all(Format::Auto);
        assert_eq!((&items[2]["function_name"], &items[2]["level"]), (&"nightly".into(), &"Error".into()));
        assert_eq!((&items[2]["observed_at"], &items[3]["duration_ms"]), (&"2026-11-02T02:10:00.014Z".into(), &600_013.into()));
        assert_eq!(items[0]["trigger"], "timer");
    }

    #[test]
    fn time_spans_have_days_and_fractions() {
        assert_eq!(time_span("1.02:03:04.5"), Some(Millis::from_ms(((26 * 60 + 3) * 60 + 4) * 1000 + 500)));
        assert_eq!(time_span("5 minutes"), None);
    }

    #[test]
    fn an_applications_words_are_its_own() {
        for text in
            ["Executing query (Id=3)", "Executed task (ok, Id=7)", "Timeout value of 5 exceeded", "Executing 'x' (Reason='y', Id=12)"]
        {
            assert!(parse_event(text).is_none(), "{text}");
        }
    }
}
