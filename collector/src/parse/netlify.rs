//! Netlify's functions, which run on AWS Lambda: what their log page and the command line show, and function log drains.
//!
//! ```text
//! Feb 11, 10:00:10 AM: e93cba08 Duration: 812.31 ms⇥Memory Usage: 102 MB⇥Init Duration: 245.1 ms
//! Feb 11, 10:00:10 AM: e93cba08 ERROR  Error: boom
//! {"log_type":"functions","level":"info","function_name":"pay","request_id":"01J0…","message":"REPORT RequestId: …","timestamp":"…"}
//! ```
//!
//! Lines that Netlify's users show in its forum, and its documentation of log drains, read in November 2026; the drain's fields are
//! not verified. A log stream holds Lambda's own lines, and a caller gets Lambda's own error: see `lambda_text.rs` and
//! `lambda_invoke_error.rs`. The page shows eight characters of the request ID and neither year nor zone. `docs/formats/netlify.md`.

use domain::{Claim, FunctionName, Kind, Product, RequestId};
use serde_json::{Map, Value};

use super::envelope::Envelope;
use super::{Context, Fate, Format, Lines, RAW_BYTES_MAX, cut, events, lambda_fields, lambda_text, marks, times};

/// The format's name.
pub const FORMAT: &str = "netlify";

/// What every line with something to say holds one of: see [`super::marks`].
pub(super) const MARKS: marks::Declared = &[&[r"\d\d AM: ", r"\d\d PM: ", "\"site_id\""]];

/// Lines as the log page shows them.
pub(super) const LINES: Lines = Lines { begins: |line| shown(line).is_some().then_some(0), read };

fn read(text: &str) -> Option<Fate> {
    let rest = shown(text)?;
    let raw = cut(text.trim_end(), RAW_BYTES_MAX);
    // Lambda's own words behind the page's time.
    if let Some(claim) = lambda_text::parse_event(rest) {
        return Some(Fate::Evidence(Box::new(claim)).with_raw(raw));
    }
    let claim = |kind| Claim { platform: Some(Product::from(FORMAT)), ..Claim::new(kind, FORMAT, raw) };
    let (prefix, rest) = rest.split_once(' ').filter(|(word, _)| word.len() == 8 && word.bytes().all(|b| b.is_ascii_hexdigit()))?;
    // A part of an ID is no ID: two requests may begin alike.
    let claim = |kind| claim(kind).with("request_id_prefix", prefix);
    if rest.starts_with("Duration: ") {
        let report = lambda_fields::read(rest, claim(Kind::InvocationReport));
        return Some(Fate::Evidence(Box::new(Claim { elapsed_ms: report.millis("duration_ms"), ..report })));
    }
    let (level, message) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
    let line = claim(Kind::AppLog);
    let is_level = matches!(level, "TRACE" | "DEBUG" | "INFO" | "WARN" | "ERROR" | "FATAL");
    let line = if is_level { line.with("level", level).with("message", message.trim()) } else { line.with("message", rest.trim()) };
    Some(Fate::Ignored(Box::new(line)))
}

/// `Feb 11, 10:00:10 AM: ` taken off.
fn shown(line: &str) -> Option<&str> {
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    MONTHS.contains(&line.get(..3)?).then_some(())?;
    let (day, rest) = line.get(3..)?.strip_prefix(' ')?.split_once(", ")?;
    let (time, rest) = rest.split_once(' ')?;
    let number = |text: &str| !text.is_empty() && text.len() <= 2 && text.bytes().all(|b| b.is_ascii_digit());
    let parts: Vec<&str> = time.split(':').collect();
    (number(day) && parts.len() == 3 && parts.iter().all(|part| number(part))).then_some(())?;
    rest.strip_prefix("AM: ").or_else(|| rest.strip_prefix("PM: "))
}

/// Reads a record of a function log drain; `None` when the object is none.
pub(super) fn read_record(object: &Map<String, Value>, raw: &str) -> Option<Vec<Fate>> {
    let text = |name: &str| object.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    let log_type = text("log_type")?;
    object.contains_key("site_id").then_some(())?;
    let message = text("message").unwrap_or_default();
    let at = object.get("timestamp").and_then(|at| at.as_str().map_or_else(|| times::epoch(at.as_i64()?), times::rfc3339));
    if !log_type.contains("function") {
        let other = Claim { observed_at: at, ..Claim::new(Kind::Other, FORMAT, cut(raw, RAW_BYTES_MAX)) };
        return Some(vec![Fate::Ignored(Box::new(other.with("log_type", log_type)))]);
    }
    let envelope = Envelope { at, function: text("function_name").map(FunctionName::from), by: Some(FORMAT), ..Envelope::default() };
    let fates = events::wrapped(Format::Auto, message.trim_end(), &envelope, &Context::default());
    let own = |mut claim: Claim| {
        // The two IDs are of two platforms, as on Vercel.
        if let Some(theirs) = claim.request_id.take() {
            claim = claim.with("lambda_request_id", theirs.as_str());
        }
        claim.request_id = text("request_id").map(RequestId::from);
        if let Some(level) = text("level") {
            claim.attributes.entry("level".to_owned()).or_insert_with(|| level.into());
        }
        cut(raw, RAW_BYTES_MAX).clone_into(&mut claim.raw);
        claim
    };
    let about = |fate| match fate {
        Fate::Evidence(claim) => Fate::Evidence(Box::new(own(*claim))),
        Fate::Ignored(claim) => {
            let claim = Box::new(own(*claim));
            if claim.kind == Kind::AppLog && claim.request_id.is_some() { Fate::Evidence(claim) } else { Fate::Ignored(claim) }
        }
        other @ (Fate::Passed(_) | Fate::Rejected(_)) => other,
    };
    Some(fates.into_iter().map(about).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse::facts;

    fn read_all(text: &str) -> Vec<Value> {
        let both = [Format::Netlify, Format::Auto]
            .map(|format| format.parse(text.as_bytes(), &Context::default()).items.iter().map(facts::of).collect::<Vec<_>>());
        assert_eq!(both[0].len(), both[1].len());
        let [items, _] = both;
        items
    }

    #[test]
    fn the_pages_lines_say_what_they_show_and_no_more() {
        let items = read_all(
            "Nov 2, 9:14:10 AM: e93cba08 Duration: 812.31 ms\tMemory Usage: 102 MB\tInit Duration: 245.1 ms\nNov 2, 9:14:10 AM: e93cba08 ERROR  Error: boom\n",
        );
        assert_eq!(
            (&items[0]["kind"], &items[0]["duration_ms"], &items[0]["max_memory_used_mb"]),
            (&"invocation_report".into(), &812.31.into(), &102.into())
        );
        assert!(
            items
                .iter()
                .all(|item| item["request_id"].is_null() && item["observed_at"].is_null() && item["request_id_prefix"] == "e93cba08")
        );
        assert_eq!(
            (&items[1]["kind"], &items[1]["level"], &items[1]["message"]),
            (&"app_log".into(), &"ERROR".into(), &"Error: boom".into())
        );
    }

    #[test]
    fn lambdas_words_behind_the_pages_time_are_lambdas() {
        let id = "e93cba08-6667-4b31-b624-1cfc6070664e";
        let items = read_all(&format!("Nov 2, 9:14:10 PM: 2026-11-02T21:14:10.064Z {id} Task timed out after 10.01 seconds\n"));
        assert_eq!((&items[0]["request_id"], &items[0]["limit_ms"]), (&id.into(), &10000.into()));
    }

    #[test]
    fn a_drains_two_ids_are_kept_apart() {
        let record = r#"{"log_type":"functions","level":"info","function_type":"regular","function_name":"pay","request_id":"01J0ABCDEFGHJKMNPQRSTVWXYZ","site_id":"b6587da9","message":"REPORT RequestId: e93cba08-6667-4b31-b624-1cfc6070664e\tDuration: 812.31 ms\tMemory Usage: 102 MB\t","timestamp":"2026-11-02T09:14:10.000Z"}"#;
        let items = read_all(record);
        assert_eq!(
            (&items[0]["request_id"], &items[0]["lambda_request_id"]),
            (&"01J0ABCDEFGHJKMNPQRSTVWXYZ".into(), &"e93cba08-6667-4b31-b624-1cfc6070664e".into())
        );
        assert_eq!((&items[0]["duration_ms"], &items[0]["function_name"]), (&812.31.into(), &"pay".into()));
    }
}
