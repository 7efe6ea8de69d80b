//! Shippers' JSON over HTTP or in a file: Fluent Bit, Fluentd, Vector, Logstash, Beats, and whoever else puts a line into an
//! object.
//!
//! ```text
//! [{"date":1770804000.123456,"log":"REPORT RequestId: …","kubernetes":{"pod_name":"pay-7d9f","container_name":"pay"}}]
//! {"message":"REPORT RequestId: …","timestamp":"2026-02-11T10:00:00.123Z","host":"web-1","source_type":"file"}
//! {"timestamp": 1770804000000, "logGroup": "/aws/lambda/pay", "logStream": "2026/02/11/[$LATEST]fa50…", "message": "START …"}
//! ```
//!
//! Fluent Bit's "HTTP" output and its formats `json`, `json_lines` and `json_stream`, Fluentd's `out_http`, Vector's `http`
//! sink, Logstash's `http` output, Elastic's common schema, read in November 2026. `docs/formats/json_lines.md`.

use domain::{FunctionName, Instance};
use jiff::Timestamp;
use serde_json::{Map, Value};

use super::envelope::{Envelope, function_of};
use super::{marks, times};

/// The format's name.
pub const FORMAT: &str = "json_lines";

/// A line in parts; whole ones have the marks of whoever wrote them.
pub(super) const MARKS: marks::Declared = &[&["partial_message"]];

/// The keys under which shippers put the line, in order of preference.
const MESSAGE_KEYS: [&str; 7] = ["message", "log", "line", "MESSAGE", "msg", "body", "event"];
/// The keys under which they put its time.
const TIME_KEYS: [&str; 7] = ["timestamp", "@timestamp", "time", "ts", "date", "asctime", "_time"];
/// Where they say who wrote it, when there is no log stream: the innermost place first, since process IDs are its own.
const INSTANCE_PATHS: [&[&str]; 19] = [
    &["instance"],
    &["kubernetes", "pod_name"],
    &["kubernetes", "pod", "name"],
    &["pod"],
    &["pod_name"],
    &["container_name"],
    &["container", "name"],
    &["ecs_task_arn"],
    &["container_id"],
    &["container", "id"],
    &["host"],
    &["hostname"],
    &["host", "name"],
    &["host", "hostname"],
    &["_HOSTNAME"],
    &["agent", "hostname"],
    &["beat", "hostname"],
    &["source_host"],
    &["kubernetes", "host"],
];
/// What only shippers put beside a line.
const SHIPPERS_KEYS: [&str; 9] =
    ["@version", "agent", "beat", "kubernetes", "source_type", "ecs_cluster", "container_id", "date", "docker"];
/// What an application puts into its own structured line.
const OWN_KEYS: [&str; 6] = ["level", "levelname", "log_level", "logger", "requestId", "AWSRequestId"];

/// Takes the line out of a shipper's JSON object: something with a text under one of the usual keys *and* a time, a log
/// stream or a host beside it. An application's own JSON line with a `message` alone is left as it is.
pub(super) fn open(object: &Map<String, Value>) -> Option<(Envelope, String)> {
    let (message_key, message) = MESSAGE_KEYS.iter().find_map(|key| object.get(*key)?.as_str().map(|text| (*key, text)))?;
    let text = |names: &[&str]| names.iter().find_map(|name| object.get(*name)?.as_str()).map(str::to_owned);
    let at = TIME_KEYS.iter().find_map(|key| time_of(object.get(*key)?));
    let group = text(&["logGroup", "log_group", "logGroupName"]);
    let log_stream = text(&["logStream", "log_stream", "logStreamName"]);
    let instance = match (&group, &log_stream) {
        (Some(group), Some(stream)) => Some(format!("{group}:{stream}")),
        (None, Some(stream)) => Some(stream.clone()),
        _ => INSTANCE_PATHS.iter().find_map(|path| place(object, path)),
    };
    let is_shippers = SHIPPERS_KEYS.iter().any(|key| object.contains_key(*key));
    // A structured line of the application itself (level, logger, request ID) is not a wrapper around somebody's line.
    let own_words = !is_shippers && OWN_KEYS.iter().any(|key| object.contains_key(*key));
    if own_words && log_stream.is_none() || at.is_none() && instance.is_none() && message_key != "log" {
        return None;
    }
    let function = text(&["function", "functionName"])
        .or_else(|| group.as_deref().and_then(|group| function_of(group, log_stream.as_deref().unwrap_or_default())).map(str::to_owned));
    let stream = text(&["stream"]).filter(|stream| matches!(stream.as_str(), "stdout" | "stderr"));
    let envelope = Envelope {
        at,
        instance: instance.map(Instance::from),
        function: function.map(FunctionName::from),
        log_stream,
        facts: stream.map(|stream| ("stream", stream.into())).into_iter().collect(),
        by: Some(FORMAT),
        // Docker's Fluentd driver writes a long line in parts.
        is_partial: text(&["partial_message"]).as_deref() == Some("true") && text(&["partial_last"]).as_deref() != Some("true"),
    };
    Some((envelope, message.trim_end_matches(['\n', '\r']).to_owned()))
}

fn place(object: &Map<String, Value>, path: &[&str]) -> Option<String> {
    let (first, rest) = path.split_first()?;
    let value = rest.iter().try_fold(object.get(*first)?, |value, key| value.get(*key))?;
    value.as_str().filter(|text| !text.is_empty()).map(str::to_owned)
}

fn time_of(value: &Value) -> Option<Timestamp> {
    match value {
        Value::Number(number) => match number.as_i64() {
            Some(whole) => times::epoch(whole),
            None => times::epoch_seconds(&number.to_string()),
        },
        Value::String(text) => times::rfc3339(text).or_else(|| times::epoch_seconds(text)),
        // MongoDB's and .NET's spelling is nobody's here; Fluentd's event time is a number.
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse::{Context, Format, facts};

    const REPORT: &str = "REPORT RequestId: 3f272854-9458-4a03-89e0-ca9133358ded\\tDuration: 10.00 ms\\tBilled Duration: 10 ms\\tMemory Size: 128 MB\\tMax Memory Used: 67 MB\\t";

    fn read(text: &str) -> Vec<Value> {
        let both = [Format::JsonLines, Format::Auto]
            .map(|format| format.parse(text.as_bytes(), &Context::default()).items.iter().map(facts::of).collect::<Vec<_>>());
        assert_eq!(both[0], both[1]);
        let [items, _] = both;
        items
    }

    fn check(text: &str, expected: [(&str, &str); 2]) {
        let items = read(text);
        let told: Vec<_> = items
            .iter()
            .map(|item| (item["kind"].as_str().unwrap_or_default(), item["observed_at"].as_str().unwrap_or_default()))
            .collect();
        assert_eq!(told, expected, "{text}");
        assert_eq!(items[0]["request_id"], "3f272854-9458-4a03-89e0-ca9133358ded");
    }

    #[test]
    fn every_shippers_spelling_is_read() {
        let (first, second) = (format!("\"log\":\"{REPORT}\""), "\"log\":\"x\"");
        let expected = [("invocation_report", "2026-02-11T10:00:00.123456Z"), ("app_log", "2026-02-11T10:00:01.500Z")];
        check(&format!("[{{\"date\":1770804000.123456,{first}}},{{\"date\":1770804001.5,{second}}}]"), expected);
        check(&format!("[\n{{\"date\":1770804000.123456,{first}}},\n{{\"date\":1770804001.5,{second}}}\n]"), expected);
        check(&format!("{{\"date\":1770804000.123456,{first}}}{{\"date\":1770804001.5,{second}}}"), expected);
        check(
            &format!("{{\"date\":\"2026-02-11T10:00:00.123456Z\",{first}}}\n{{\"date\":\"2026-02-11T10:00:01.500000Z\",{second}}}"),
            expected,
        );
        check(
            &format!(
                "{{\"@timestamp\":\"2026-02-11T10:00:00.123456Z\",\"@version\":\"1\",\"message\":\"{REPORT}\"}}\n{{\"ts\":1770804001500,\"msg\":\"x\"}}"
            ),
            expected,
        );
    }

    #[test]
    fn places_are_named_from_the_innermost() {
        for (text, expected) in [
            (r#"{"date":1.5,"log":"x","stream":"stderr","kubernetes":{"pod_name":"pay-7d9f","host":"node-1"}}"#, "pay-7d9f"),
            (r#"{"message":"x","@timestamp":"2026-02-11T10:00:00Z","host":{"name":"web-1"},"agent":{"type":"filebeat"}}"#, "web-1"),
            (r#"{"message":"x","timestamp":"2026-02-11T10:00:00Z","host":"web-2","source_type":"file"}"#, "web-2"),
            (r#"{"log":"x","container_id":"4f1","container_name":"/shop","source":"stdout","partial_message":"false"}"#, "/shop"),
        ] {
            assert_eq!(read(text)[0]["instance"], expected, "{text}");
        }
    }

    #[test]
    fn an_applications_own_json_is_no_wrapper() {
        let own: Value =
            serde_json::json!({"timestamp": "2026-02-11T16:29:45.009Z", "level": "INFO", "requestId": "f", "message": "hello"});
        assert_eq!(open(own.as_object().expect("object")), None);
        let wrapped: Value =
            serde_json::json!({"timestamp": 1_770_804_000_000_i64, "logGroup": "/aws/lambda/pay", "logStream": "s", "message": "START"});
        let (envelope, text) = open(wrapped.as_object().expect("object")).expect("a wrapper");
        assert_eq!(
            (envelope.function.expect("from the group").as_str(), envelope.instance.expect("stream").as_str()),
            ("pay", "/aws/lambda/pay:s")
        );
        assert_eq!(text, "START");
    }
}
