//! Documents that cannot be read line by line. JSON that spans lines: an array of watchdog events, pretty-printed OTLP, what
//! `aws logs` prints; also several of them, one after the other. And tables.

use serde::de::IgnoredAny;
use serde_json::value::RawValue;
use serde_json::{Deserializer, Value};

use super::carried::{self, Carried};
use super::envelope::Envelope;
use super::events::{Detail, Marked};
use super::{Context, Fate, Format, Item, Parsed, Reject, aws_logs};

/// Reads an input that is documents and nothing else; `None` when it is lines. Of one that was cut off, what came before the
/// cut is read.
pub(super) fn read(format: Format, text: &str, read_as: (&Context, Detail)) -> Option<Parsed> {
    aws_logs::read_table(text, read_as.0).or_else(|| json(format, text, read_as))
}

fn json(format: Format, text: &str, (context, detail): (&Context, Detail)) -> Option<Parsed> {
    // `wsk activation get` says so in front of the record.
    let said = text.strip_prefix("ok: got activation ").and_then(|text| text.split_once('\n'));
    let trimmed = said.map_or(text, |(_, record)| record).trim_start();
    if !trimmed.starts_with(['{', '[']) {
        return None;
    }
    let first = trimmed.lines().next()?;
    let array = first.starts_with('[') && !first.starts_with("[{") && first.trim() != "[";
    if array || first.starts_with('{') && serde_json::from_str::<IgnoredAny>(first).is_ok() {
        return None;
    }
    let (mut records, mut cut) = (Vec::new(), None);
    let mut values = Deserializer::from_str(trimmed).into_iter::<&RawValue>();
    loop {
        let begins_at = values.byte_offset();
        match values.next() {
            None => break,
            // A number behind an object is an application's own line.
            Some(Ok(document)) if document.get().starts_with(['{', '[']) => add_records(&mut records, document),
            // Words of nobody's that begin with a brace, and never close it, are lines.
            Some(Err(error)) if error.is_eof() && Format::is_marked(&trimmed[begins_at..]) => cut = Some(begins_at),
            Some(_) => return None,
        }
    }
    let mut last = records.len() as u64;
    let lines = (1..).zip(records).map(|(number, record)| {
        let text = record.get();
        // What was printed for people may hold several records; whoever ships lines prints each on one.
        let marked = if text.contains('\n') { Marked::Yes } else { detail.marked(text.as_bytes()) };
        Carried { number, writer: [None; 3], marked, beginning: text, head: record }
    });
    let mut items = carried::read(format.inside(), lines, |line| (Envelope::default(), on_one_line(line.head)), (context, detail));
    if let Some(begins_at) = cut {
        last += 1;
        let reject = Reject::new("expected a JSON document, found one that does not end", &trimmed[begins_at..]);
        items.push(Item { line: last, fate: Fate::Rejected(reject) });
    }
    Some(Parsed { items, lines: last.max(text.lines().count() as u64) })
}

/// Adds what is in an array, or a document that is none.
pub(super) fn add_records<'t>(records: &mut Vec<&'t RawValue>, document: &'t RawValue) {
    let inside = document.get().starts_with('[').then(|| serde_json::from_str::<Vec<&RawValue>>(document.get()).ok()).flatten();
    match inside {
        Some(inside) => records.extend(inside),
        None => records.push(document),
    }
}

/// A record as programs write it: line ends stand between the parts of a printed one, never in a text.
fn on_one_line(record: &RawValue) -> String {
    let text = record.get();
    if text.contains('\n') {
        serde_json::from_str(text).map_or_else(|_| text.to_owned(), |value: Value| value.to_string())
    } else {
        text.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use crate::parse::{Context, Format, facts};

    fn told(text: &str) -> Vec<(String, Option<String>)> {
        let items = Format::Auto.parse(text.as_bytes(), &Context::default()).items;
        let word = |item: &serde_json::Value, name: &str| item[name].as_str().map(str::to_owned);
        items.iter().map(facts::of).map(|item| (word(&item, "fate").unwrap_or_default(), word(&item, "reason"))).collect()
    }

    #[test]
    fn a_document_that_was_cut_off_is_refused_and_those_before_it_are_read() {
        let spans = r#"{"resourceSpans":[{"resource":{"attributes":[]},"scopeSpans":[{"spans":[{"traceId":"49df"#;
        let cut = ("rejected".to_owned(), Some("expected a JSON document, found one that does not end".to_owned()));
        assert_eq!(told(spans), std::slice::from_ref(&cut));
        let event = r#"{"message": "2026-11-20T22:23:32.998Z 6f747a63-ce41-11e7-8cfe-3d61dad3d219 Task timed out after 3.00 seconds", "timestamp": 1"#;
        let page = format!("{{\n \"events\": [\n{event}}}");
        assert_eq!(told(&page), std::slice::from_ref(&cut));
        // Pages before it are whole.
        let pages = format!("{page}\n ]\n}}\n{page}");
        let all = told(&pages);
        assert_eq!((all.len(), all[0].0.as_str(), &all[1]), (2, "evidence", &cut), "{all:?}");
    }

    #[test]
    fn words_that_never_close_a_brace_are_lines() {
        assert_eq!(told("{\"order\": 7,\n\"customer\": \"m").len(), 2);
    }
}
