//! What the AWS command line prints of CloudWatch logs: `aws logs tail`, `filter-log-events`, `get-log-events`,
//! `get-query-results`, and `sam logs`.
//!
//! ```text
//! 2026-02-11T14:15:30.680000+00:00 2026/02/11/[$LATEST]1bd7… REPORT RequestId: …                       aws logs tail
//! 2026/02/11/[$LATEST]1bd7… 2026-02-11T14:15:30.680000 REPORT RequestId: …                            sam logs
//! {"events": [{"logStreamName": "…", "timestamp": 1770804000000, "message": "START …\n", "ingestionTime": …}], …}
//! {"results": [[{"field": "@timestamp", "value": "2026-02-11 10:00:00.000"}, {"field": "@message", "value": "START …\n"}]], …}
//! EVENTS⇥38480…⇥1770804000900⇥2026/02/11/[$LATEST]1bd7…⇥START …⇥1770804000000                          --output text
//! 1770804000000,"START …                                               a part of a CSV file of the console's: `table.rs`
//! ```
//!
//! AWS's command line reference (`logs`), and its output, read in November 2026. `docs/formats/aws_logs.md`.

mod table;

use domain::{Instance, Value as Fact};
use jiff::Timestamp;
use serde_json::{Map, Value};

use super::envelope::{Envelope, function_of};
use super::{Context, Fate, carried, marks, times};

pub(super) use table::{is_header, read as read_table};

/// The format's name.
pub const FORMAT: &str = "aws_logs";

/// What its messages say has the marks of whoever wrote it.
pub(super) const MARKS: marks::Declared = &[];

/// A line that began with a time and a log stream.
pub(super) fn of_stream(at: Timestamp, stream: &str) -> Envelope {
    Envelope {
        at: Some(at),
        instance: Some(Instance::from(stream)),
        function: function_of("", stream).map(Into::into),
        log_stream: Some(stream.to_owned()),
        by: Some(FORMAT),
        ..Envelope::default()
    }
}

/// Takes off the columns of `--output text` and of CSV files.
pub(super) fn open(line: &str) -> Option<(Envelope, &str)> {
    columns(line).or_else(|| exported(line))
}

fn milliseconds(text: &str) -> Option<Timestamp> {
    (text.len() == 13).then(|| times::epoch(text.parse().ok()?)).flatten()
}

/// `1770804000000`, or `2026-02-11 10:00:00.000` as Logs Insights writes it.
fn moment(text: &str) -> Option<Timestamp> {
    let spoken = || (text.len() == "2026-02-11 10:00:00.000".len()).then(|| times::rfc3339(text)).flatten();
    milliseconds(text).or_else(spoken)
}

/// A line of a CSV file whose header came with an earlier part: the time, then the message.
fn exported(line: &str) -> Option<(Envelope, &str)> {
    let (time, rest) = line.split_once(',')?;
    let envelope = Envelope { at: Some(moment(time)?), by: Some(FORMAT), ..Envelope::default() };
    let message = rest.strip_prefix('"').map_or(rest, |rest| rest.strip_suffix('"').unwrap_or(rest));
    Some((envelope, message))
}

/// The columns of `--output text`: with the event's ID in front there is a log stream, without it there is none.
fn columns(line: &str) -> Option<(Envelope, &str)> {
    let (taken, rest) = line.strip_prefix("EVENTS\t")?.split_once('\t')?;
    let (stream, ingested, rest) = match milliseconds(taken) {
        Some(ingested) => (None, ingested, rest),
        None => {
            let (ingested, rest) = rest.split_once('\t')?;
            let (stream, rest) = rest.split_once('\t')?;
            (Some(stream), milliseconds(ingested)?, rest)
        }
    };
    // A message that ends in a line end, as Lambda's do, puts its time into the next line.
    let (text, written) = match rest.rsplit_once('\t').and_then(|(text, at)| Some((text, milliseconds(at)?))) {
        Some((text, at)) => (text, at),
        None => (rest, ingested),
    };
    let envelope =
        stream.map_or_else(|| Envelope { at: Some(written), by: Some(FORMAT), ..Envelope::default() }, |stream| of_stream(written, stream));
    Some((envelope, text))
}

/// Reads an answer of the command line; `None` when the object is none.
pub(super) fn read_record(object: &Map<String, Value>, _raw: &str) -> Option<Vec<Fate>> {
    let lines = match (object.get("events"), object.get("results")) {
        (Some(Value::Array(events)), _) => events.iter().map(event).collect::<Option<Vec<_>>>()?,
        (_, Some(Value::Array(rows))) => rows.iter().map(row).collect::<Option<Vec<_>>>()?,
        _ => return None,
    };
    (!lines.is_empty() || object.contains_key("nextForwardToken") || object.contains_key("searchedLogStreams")).then_some(())?;
    let numbered: Vec<_> = (1..).zip(lines).map(|(number, (envelope, text))| (number, envelope, text)).collect();
    Some(carried::read_made(&numbered, &Context::default()).into_iter().map(|item| item.fate).collect())
}

/// One of `filter-log-events` or `get-log-events`.
fn event(event: &Value) -> Option<(Envelope, String)> {
    let at = times::epoch(event.get("timestamp")?.as_i64()?)?;
    let message = event.get("message")?.as_str()?;
    let stream = event.get("logStreamName").and_then(Value::as_str);
    let mut envelope = stream.map_or_else(|| Envelope { by: Some(FORMAT), ..Envelope::default() }, |stream| of_stream(at, stream));
    envelope.at = Some(at);
    envelope.facts.extend(event.get("eventId").and_then(Value::as_str).map(|id| ("event_id", Fact::from(id))));
    Some((envelope, message.trim_end_matches('\n').to_owned()))
}

/// A row of a query.
fn row(row: &Value) -> Option<(Envelope, String)> {
    let fields = row.as_array()?;
    of_fields(|name| fields.iter().find(|field| field.get("field").and_then(Value::as_str) == Some(name))?.get("value")?.as_str())
}

/// What a row's fields say, of which the message has to be one.
fn of_fields<'r>(named: impl Fn(&str) -> Option<&'r str>) -> Option<(Envelope, String)> {
    let message = named("@message")?;
    // `444455556666:/aws/lambda/pay`, or the group alone.
    let group = named("@log").map(|log| log.split_once(':').map_or(log, |(_, group)| group));
    let stream = named("@logStream");
    let envelope = Envelope {
        at: named("@timestamp").and_then(moment),
        instance: match (group, stream) {
            (Some(group), Some(stream)) => Some(Instance::from(format!("{group}:{stream}"))),
            (_, stream) => stream.map(Into::into),
        },
        function: function_of(group.unwrap_or_default(), stream.unwrap_or_default()).map(Into::into),
        log_stream: stream.map(str::to_owned),
        by: Some(FORMAT),
        ..Envelope::default()
    };
    Some((envelope, message.trim_end_matches('\n').to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse::{Format, facts};

    fn read(text: &str) -> Vec<Value> {
        let both = [Format::AwsLogs, Format::Auto]
            .map(|format| format.parse(text.as_bytes(), &Context::default()).items.iter().map(facts::of).collect::<Vec<_>>());
        assert_eq!(both[0], both[1]);
        let [items, _] = both;
        items
    }

    const ID: &str = "f860aad7-0d69-4b12-92cb-0b8572f99b17";

    fn check(text: &str) {
        let items = read(text);
        let told: Vec<_> = items
            .iter()
            .map(|item| {
                format!("{} {} {} {}", item["kind"], item["request_id"], item["observed_at"], item["log_stream"])
                    .replace('"', "")
                    .replace("00.000Z", "00Z")
            })
            .collect();
        let expected = [("invocation_start", "2026-11-02T09:14:00Z"), ("invocation_report", "2026-11-02T09:14:03.001Z")];
        assert_eq!(told, expected.map(|(kind, at)| format!("{kind} {ID} {at} 2026/11/02/[$LATEST]1bd7")), "{text}");
    }

    #[test]
    fn every_output_of_the_command_line_is_the_same() {
        let start = format!("START RequestId: {ID} Version: $LATEST");
        let report = format!(
            "REPORT RequestId: {ID}\tDuration: 3000.00 ms\tBilled Duration: 3000 ms\tMemory Size: 128 MB\tMax Memory Used: 30 MB\tStatus: timeout"
        );
        let stream = "2026/11/02/[$LATEST]1bd7";
        let (first, second) = (1_793_610_840_000_i64, 1_793_610_843_001_i64);
        let event = |at: i64, message: &str| serde_json::json!({ "logStreamName": stream, "timestamp": at, "message": format!("{message}\n"), "ingestionTime": at + 900, "eventId": "38" });
        let row = |at: &str, message: &str| serde_json::json!([{ "field": "@timestamp", "value": at }, { "field": "@message", "value": format!("{message}\n") }, { "field": "@logStream", "value": stream }, { "field": "@ptr", "value": "Cn" }]);
        let events = serde_json::json!({ "events": [event(first, &start), event(second, &report)], "searchedLogStreams": [] });
        let results = serde_json::json!({ "results": [row("2026-11-02 09:14:00.000", &start), row("2026-11-02 09:14:03.001", &report)], "status": "Complete" });
        for answer in [events, results] {
            check(&answer.to_string());
            check(&serde_json::to_string_pretty(&answer).expect("JSON"));
        }
        check(&format!(
            "@timestamp,@message,@logStream\r\n2026-11-02 09:14:00.000,\"{start}\n\",{stream}\r\n2026-11-02 09:14:03.001,\"{report}\n\",{stream}\r\n"
        ));
        check(&format!("2026-11-02T09:14:00.000000+00:00 {stream} {start}\n2026-11-02T09:14:03.001000+00:00 {stream} {report}\n"));
        check(&format!("{stream} 2026-11-02T09:14:00.000000 {start}\n{stream} 2026-11-02T09:14:03.001000 {report}\n"));
        check(&format!(
            "EVENTS\t38\t{}\t{stream}\t{start}\t{first}\nEVENTS\t38\t{}\t{stream}\t{report}\t{second}\n",
            first + 900,
            second + 900
        ));
    }

    #[test]
    fn an_object_over_several_lines_is_put_together() {
        let text = r#"2026-11-02T09:14:03.001000+00:00 2026/11/02/[$LATEST]1bd7 {
    "time": "2026-11-02T09:14:03.001Z",
    "type": "platform.report",
    "record": {
        "requestId": "f860aad7-0d69-4b12-92cb-0b8572f99b17",
        "status": "timeout",
        "metrics": {
            "durationMs": 3000.0
        }
    }
}
2026-11-02T09:14:04.001000+00:00 2026/11/02/[$LATEST]1bd7 hello
"#;
        let items = read(text);
        assert_eq!((items.len(), &items[0]["outcome"], &items[0]["limit_ms"]), (2, &"timeout".into(), &3000.into()), "{items:#?}");
    }
}
