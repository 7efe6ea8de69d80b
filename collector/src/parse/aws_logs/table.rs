//! CSV files that the console saves: of a query of Logs Insights, and of the log events that it lists.
//!
//! ```text
//! @timestamp,@message,@logStream,@log
//! 2026-02-11 10:00:00.000,"START RequestId: …
//! ",2026/02/11/[$LATEST]1bd7…,444455556666:/aws/lambda/pay
//!
//! timestamp,message
//! 1770804000000,"START RequestId: …
//! "
//! ```
//!
//! A message is quoted when it has a line end, as Lambda's own have, a comma or a quote, which is doubled. Seen in the console, November 2026.

use csv::ReaderBuilder;

use super::of_fields;
use crate::parse::{Context, Parsed, carried};

/// The header of a file of listed events.
const OF_EVENTS: &str = "timestamp,message";

/// Whether a line is the header of such a file.
pub fn is_header(line: &str) -> bool {
    let line = line.trim_start_matches('\u{feff}');
    line == OF_EVENTS || line.split(',').any(|name| name == "@message")
}

/// Reads a file; `None` when its first line names no message.
pub fn read(text: &str, context: &Context) -> Option<Parsed> {
    let header = text.lines().next().filter(|line| is_header(line))?;
    let of_events = header.ends_with(OF_EVENTS);
    let mut reader = ReaderBuilder::new().flexible(true).from_reader(text.as_bytes());
    let names = reader.headers().ok()?.clone();
    let mut rows = Vec::new();
    for row in reader.records() {
        let row = row.ok()?;
        let number = row.position().map_or(0, csv::Position::line);
        let field = |name: &str| {
            let name = if of_events { name.trim_start_matches('@') } else { name };
            row.get(names.iter().position(|known| known == name)?).filter(|field| !field.is_empty())
        };
        rows.extend(of_fields(field).map(|(envelope, message)| (number, envelope, message)));
    }
    Some(Parsed { items: carried::read_made(&rows, context), lines: text.lines().count() as u64 })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::parse::{Context, Format, facts};

    fn told(text: &str) -> Vec<String> {
        let items = Format::Auto.parse(text.as_bytes(), &Context::default()).items;
        let named = |item: &Value| ["line", "kind", "request_id", "observed_at"].map(|name| item[name].to_string()).join(" ");
        items.iter().map(facts::of).map(|item| named(&item).replace('"', "")).collect()
    }

    #[test]
    fn the_events_that_the_console_lists_are_read() {
        let csv = "timestamp,message\n1770804000000,\"START RequestId: r1 Version: 7\n\"\n1770804001000,\"he said \"\"wait\"\", and\n\n\"\n1770804003010,END RequestId: r1\n";
        let expected = [
            "2 invocation_start r1 2026-02-11T10:00:00Z",
            "4 app_log null 2026-02-11T10:00:01Z",
            "7 invocation_end r1 2026-02-11T10:00:03.010Z",
        ];
        assert_eq!(told(csv), expected);
        // A later part of the same file has no header.
        assert_eq!(told(csv.trim_start_matches("timestamp,message\n"))[0], "1 invocation_start r1 2026-02-11T10:00:00Z");
    }

    #[test]
    fn a_query_whose_messages_are_json_names_the_function() {
        let record = json!({ "requestId": "r1", "metrics": { "durationMs": 3000.0 }, "status": "timeout" });
        let message = json!({ "time": "2026-02-11T10:00:03.010Z", "type": "platform.report", "record": record }).to_string();
        let csv = format!(
            "@timestamp,@message,@logStream,@log\n2026-02-11 10:00:03.020,\"{}\",2026/02/11/[$LATEST]1bd7,444455556666:/aws/lambda/pay\n",
            message.replace('"', "\"\"")
        );
        let items = Format::Auto.parse(csv.as_bytes(), &Context::default()).items;
        let item = facts::of(&items[0]);
        assert_eq!(
            (items.len(), &item["function_name"], &item["instance"]),
            (1, &json!("pay"), &json!("/aws/lambda/pay:2026/02/11/[$LATEST]1bd7")),
            "{item:#}"
        );
        assert_eq!((&item["kind"], &item["outcome"]), (&json!("invocation_report"), &json!("timeout")), "{item:#}");
    }

    #[test]
    fn a_large_file_is_read_to_its_end() {
        let row = |id: usize| {
            format!(
                "2026-02-11 10:00:03.020,\"{{\"\"type\"\":\"\"platform.start\"\",\"\"time\"\":\"\"2026-02-11T10:00:03.010Z\"\",\"\"record\"\":{{\"\"requestId\"\":\"\"r{id}\"\"}}}}\"\n"
            )
        };
        let csv = std::iter::once("@timestamp,@message\n".to_owned()).chain((0..4000).map(row)).collect::<String>();
        let found = crate::parse::items(Format::Auto, csv.into_bytes(), Context::default());
        assert_eq!(found.filter(|item| matches!(item.fate, crate::parse::Fate::Evidence(_))).count(), 4000);
    }

    #[test]
    fn tables_without_messages_are_lines() {
        assert_eq!(told("@timestamp,count\n2026-02-11 10:00:03.020,4\n").len(), 2);
    }
}
