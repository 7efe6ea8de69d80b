//! systemd's journal: as JSON (`journalctl -o json`, `json-pretty`, `json-seq`, `json-sse`), and in its export format, see
//! `export.rs`.
//!
//! ```text
//! {"__REALTIME_TIMESTAMP":"1770804003002000","_HOSTNAME":"web-1","SYSLOG_IDENTIFIER":"gunicorn","_SYSTEMD_UNIT":"shop.service",
//!  "_PID":"322","PRIORITY":"3","MESSAGE":"[2026-02-11 10:00:03 +0000] [300] [CRITICAL] WORKER TIMEOUT (pid:322)"}
//! ```
//!
//! systemd's "Journal JSON Format" and `systemd.journal-fields`, read in November 2026. Fields are texts; one that is not UTF-8
//! is a list of bytes, one that occurs twice a list of texts, one that is too large `null`. `docs/formats/journald.md`.

pub(super) mod export;

use domain::{Instance, Value as Fact};
use jiff::Timestamp;
use serde_json::{Map, Value};

use super::envelope::Envelope;
use super::marks;

/// The format's name.
pub const FORMAT: &str = "journald";

/// A message in bytes, or in parts; others have the marks of whoever wrote them.
pub(super) const MARKS: marks::Declared = &[&["\"MESSAGE\":[", "PARTIAL_MESSAGE"]];

/// Where an entry was written: process IDs of a container are its own, not its machine's.
const PLACES: [&str; 3] = ["CONTAINER_NAME", "CONTAINER_ID", "_HOSTNAME"];
/// The program.
const PROGRAM: &str = "SYSLOG_IDENTIFIER";
/// Its process.
const PROCESS: &str = "_PID";
/// Whether the rest of a container's line is in the next entry.
const PARTIAL: &str = "CONTAINER_PARTIAL_MESSAGE";

/// Takes a message out of a journal entry; `None` when the object is none.
pub(super) fn open(object: &Map<String, Value>) -> Option<(Envelope, String)> {
    object.contains_key("__REALTIME_TIMESTAMP").then_some(())?;
    message(|name| object.get(name).and_then(text_of))
}

/// The message of an entry with these fields, and what else they say; `None` when there is none.
fn message(field: impl Fn(&str) -> Option<String>) -> Option<(Envelope, String)> {
    let message = field("MESSAGE")?;
    let at = ["_SOURCE_REALTIME_TIMESTAMP", "__REALTIME_TIMESTAMP"].into_iter().find_map(|name| moment(&field(name)?));
    let instance = PLACES.into_iter().find_map(&field);
    let known = [("unit", "_SYSTEMD_UNIT"), ("app", PROGRAM), ("proc_id", PROCESS), ("hostname", "_HOSTNAME")];
    let mut facts: Vec<(&'static str, Fact)> = known.into_iter().filter_map(|(ours, theirs)| Some((ours, field(theirs)?.into()))).collect();
    facts.extend(field("PRIORITY").and_then(|digit| digit.parse::<u32>().ok()).map(|severity| ("severity", severity.into())));
    let is_partial = field(PARTIAL).as_deref() == Some("true");
    let envelope = Envelope { at, instance: instance.map(Instance::from), facts, by: Some(FORMAT), is_partial, ..Envelope::default() };
    Some((envelope, message.trim_end_matches('\n').to_owned()))
}

fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Array(values) => {
            let bytes: Option<Vec<u8>> = values.iter().map(|value| u8::try_from(value.as_u64()?).ok()).collect();
            bytes.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).or_else(|| values.first()?.as_str().map(str::to_owned))
        }
        _ => None,
    }
}

/// Microseconds since 1970.
fn moment(digits: &str) -> Option<Timestamp> {
    Timestamp::from_microsecond(digits.parse().ok()?).ok()
}

/// What `json-seq` and `json-sse` put in front of an entry.
pub(super) fn without_mark(line: &str) -> &str {
    line.strip_prefix('\u{1e}').or_else(|| line.strip_prefix("data: ").filter(|rest| rest.starts_with('{'))).unwrap_or(line)
}

#[cfg(test)]
mod tests {
    use crate::parse::{Context, Format, facts};

    const ENTRIES: [&str; 3] = [
        r#"{"__REALTIME_TIMESTAMP":"1793613603002000","_HOSTNAME":"web-1","SYSLOG_IDENTIFIER":"gunicorn","_SYSTEMD_UNIT":"shop.service","_PID":"300","PRIORITY":"6","MESSAGE":"[2026-11-02 10:00:03 +0000] [300] [CRITICAL] WORKER TIMEOUT (pid:322)"}"#,
        r#"{"__REALTIME_TIMESTAMP":"1793613603100000","_HOSTNAME":"web-1","_PID":"1","MESSAGE":[104,195,40,105]}"#,
        r#"{"__REALTIME_TIMESTAMP":"1793613603200000","_HOSTNAME":"web-1","_PID":"1","MESSAGE":null}"#,
    ];

    fn read(text: &str) -> Vec<serde_json::Value> {
        Format::Auto.parse(text.as_bytes(), &Context::default()).items.iter().map(facts::of).collect()
    }

    #[test]
    fn all_spellings_of_the_journal_are_the_same() {
        let pretty = ENTRIES.map(|entry| {
            let value: serde_json::Value = serde_json::from_str(entry).expect("JSON");
            serde_json::to_string_pretty(&value).expect("JSON")
        });
        for text in [
            ENTRIES.join("\n"),
            pretty.join("\n"),
            ENTRIES.map(|entry| format!("\u{1e}{entry}\n")).concat(),
            ENTRIES.map(|entry| format!("data: {entry}\n\n")).concat(),
        ] {
            let items = read(&text);
            assert_eq!(items.len(), 3, "{text}: {items:#?}");
            assert_eq!(
                (&items[0]["kind"], &items[0]["instance"], &items[0]["pid"]),
                (&"worker_timeout".into(), &"web-1".into(), &322.into())
            );
            assert_eq!(items[0]["observed_at"], "2026-11-02T10:00:03.002Z");
            assert_eq!((&items[1]["message"], &items[1]["format"]), (&"h\u{fffd}(i".into(), &"journald".into()));
        }
    }

    #[test]
    fn a_containers_process_ids_are_its_own() {
        let entry = ENTRIES[0].replace("\"_PID\"", "\"CONTAINER_NAME\":\"shop_web_1\",\"_PID\"");
        assert_eq!(read(&entry)[0]["instance"], "shop_web_1");
    }
}
