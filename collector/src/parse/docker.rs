//! Docker's `json-file` log driver: the files `/var/lib/docker/containers/<id>/<id>-json.log`.
//!
//! ```text
//! {"log":"[2026-02-11 10:00:00 +0000] [7] [INFO] Booting worker with pid: 7\n","stream":"stderr","time":"2026-02-11T10:00:00.123456789Z"}
//! ```
//!
//! Docker's "JSON File logging driver" and files of its own, November 2026. A line of more than 16 KiB is written in parts of
//! that size, all but the last without a line end. The last line of a container may have none either. `attrs` holds labels that the user chose. `docs/formats/docker.md`.

use domain::Value as Fact;
use serde_json::{Map, Value};

use super::envelope::Envelope;
use super::{marks, times};

/// The format's name.
pub const FORMAT: &str = "docker";

/// What its lines say has the marks of whoever wrote it. Lines in parts are told by their length.
pub(super) const MARKS: marks::Declared = &[];

/// The size of the buffer that Docker copies a container's output through (`defaultBufSize`): no part but the last is shorter.
const PART_BYTES: usize = 16 << 10;

/// Takes a line out of its object; `None` when the object is another's, who may have more keys.
pub(super) fn open(object: &Map<String, Value>) -> Option<(Envelope, String)> {
    let text = |name: &str| object.get(name)?.as_str();
    let (log, stream, time) = (text("log")?, text("stream")?, text("time")?);
    (object.len() == 3 || object.len() == 4 && object.get("attrs").is_some_and(Value::is_object)).then_some(())?;
    let attribute = |name: &str| object.get("attrs")?.get(name)?.as_str().filter(|name| !name.is_empty());
    let envelope = Envelope {
        at: times::rfc3339(time),
        instance: attribute("tag").map(Into::into),
        facts: vec![("stream", Fact::from(stream))],
        by: Some(FORMAT),
        is_partial: log.len() >= PART_BYTES && !log.ends_with('\n'),
        ..Envelope::default()
    };
    Some((envelope, log.trim_end_matches(['\n', '\r']).to_owned()))
}

#[cfg(test)]
mod tests {
    use crate::parse::{Context, Format, facts};

    fn read(text: &str) -> Vec<serde_json::Value> {
        Format::Auto.parse(text.as_bytes(), &Context::default()).items.iter().map(facts::of).collect()
    }

    fn entry(log: &str, stream: &str) -> String {
        serde_json::json!({ "log": log, "stream": stream, "time": "2026-11-02T10:00:00.123456789Z" }).to_string() + "\n"
    }

    #[test]
    fn a_traceback_and_a_long_line_in_parts_are_one_item_each() {
        let text = [
            entry("[2026-11-02 10:00:00 +0000] [7] [ERROR] Error handling request /slow\n", "stderr"),
            entry("Traceback (most recent call last):\n", "stderr"),
            entry("  File \"/srv/app.py\", line 12, in slow\n", "stderr"),
            entry("SystemExit: 1\n", "stderr"),
            entry(&format!("{:16384}", "a line that is "), "stdout"),
            entry("a warning\n", "stderr"),
            entry("written in parts\n", "stdout"),
        ]
        .concat();
        let items = read(&text);
        let told: Vec<_> = items.iter().map(|item| (item["line"].as_u64(), item["kind"].as_str())).collect();
        assert_eq!(told, [(Some(1), Some("request_error")), (Some(5), Some("app_log")), (Some(6), Some("app_log"))], "{items:#?}");
        assert!(items[1]["message"].as_str().is_some_and(|text| text.starts_with("a line that is ")), "{items:#?}");
        assert_eq!((&items[1]["format"], &items[1]["stream"]), (&"docker".into(), &"stdout".into()));
    }

    #[test]
    fn the_last_words_of_a_container_are_no_part_of_what_the_next_one_says() {
        let text =
            [entry("Killed", "stderr"), entry("[2026-11-02 10:00:00 +0000] [7] [CRITICAL] WORKER TIMEOUT (pid:9)\n", "stderr")].concat();
        let items = read(&text);
        let told: Vec<_> = items.iter().map(|item| (item["line"].as_u64(), item["kind"].as_str())).collect();
        assert_eq!(told, [(Some(1), Some("app_log")), (Some(2), Some("worker_timeout"))], "{items:#?}");
    }

    #[test]
    fn objects_of_others_are_theirs() {
        let items = read(r#"{"date":1793613600.5,"log":"no line end","stream":"stdout","time":"2026-11-02T10:00:00Z"}"#);
        assert_eq!((&items[0]["format"], &items[0]["message"]), (&"json_lines".into(), &"no line end".into()));
    }
}
