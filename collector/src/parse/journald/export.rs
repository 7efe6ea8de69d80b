//! systemd's journal in its export format: `journalctl -o export`, and what `systemd-journal-upload` sends.
//!
//! ```text
//! __CURSOR=s=25fa84e7…;i=1;…
//! __REALTIME_TIMESTAMP=1793613603002000
//! _HOSTNAME=web-1
//! MESSAGE                                   a value that is not one line of plain text: its name, its length in eight bytes,
//! ‹c8 00 00 00 00 00 00 00›[2026-11-02 …    little-endian, the value, a line end
//! ‹an empty line›
//! ```
//!
//! systemd's "Journal Export Formats", read in November 2026, and the output of systemd 252.

use memchr::memmem;

use super::{FORMAT, message};
use crate::parse::envelope::Envelope;
use crate::parse::{Context, Fate, Item, LINE_BYTES_MAX, Parsed, RAW_BYTES_MAX, Reject, app_log, cut, events};

/// With what an entry begins, as `journalctl` writes it.
const FIRST: &[u8] = b"__CURSOR=";
/// How many fields an entry may have in the journal (`ENTRY_FIELD_COUNT_MAX`); those beyond are passed over.
const FIELDS_MAX: usize = 1024;

/// A field's name and its value.
type Field<'a> = (&'a [u8], &'a [u8]);

/// Whether an input is such an export.
pub(in crate::parse) fn begins(input: &[u8]) -> bool {
    input.trim_ascii_start().starts_with(FIRST)
}

/// Reads entries; `None` when the input is no export.
pub(in crate::parse) fn parse(input: &[u8], context: &Context) -> Option<Parsed> {
    begins(input).then_some(())?;
    let (mut messages, mut items) = (Vec::new(), Vec::new());
    let (mut number, mut rest) = (0, input.trim_ascii_start());
    while !rest.is_empty() {
        number += 1;
        match entry(&mut rest) {
            Ok((envelope, text)) => messages.push((number, envelope, text)),
            Err(fate) => items.push(Item { line: number, fate }),
        }
        rest = rest.trim_ascii_start();
    }
    items.extend(events::carried(messages, context));
    items.sort_by_key(|item| item.line);
    Some(Parsed { items, lines: number })
}

/// Takes an entry: its message, or what becomes of it without one.
fn entry(rest: &mut &[u8]) -> Result<(Envelope, String), Fate> {
    let whole = *rest;
    let fields = match fields(rest) {
        Ok(fields) => fields,
        Err(reason) => {
            // Where the entry ends is unknown: on to the next that is surely one.
            let next = memmem::find(rest, b"\n__CURSOR=").map_or(rest.len(), |at| at + 1);
            *rest = &rest[next..];
            return Err(Fate::Rejected(Reject::new(reason, &lossy(&whole[..whole.len() - rest.len()]))));
        }
    };
    let value = |name: &str| fields.iter().find(|(found, _)| *found == name.as_bytes()).map(|(_, value)| *value);
    match value("MESSAGE") {
        Some(text) if text.len() > LINE_BYTES_MAX => {
            let reason = format!("expected a message of at most {LINE_BYTES_MAX} bytes, found {}", text.len());
            Err(Fate::Rejected(Reject::new(reason, &lossy(text))))
        }
        _ => message(|name| value(name).map(|value| String::from_utf8_lossy(value).into_owned())).ok_or_else(|| {
            let text = lossy(&whole[..whole.len() - rest.len()]);
            Fate::Ignored(Box::new(app_log(FORMAT, &text)))
        }),
    }
}

/// The beginning of something, as text.
fn lossy(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(&bytes[..bytes.len().min(RAW_BYTES_MAX)]);
    cut(&text, RAW_BYTES_MAX).to_owned()
}

/// Takes the fields of an entry up to the empty line behind it. Leaves what could not be read.
fn fields<'a>(rest: &mut &'a [u8]) -> Result<Vec<Field<'a>>, String> {
    let mut fields = Vec::new();
    loop {
        let (line, behind) = line(rest);
        if line.is_empty() {
            *rest = behind;
            return Ok(fields);
        }
        let field = match memchr::memchr(b'=', line) {
            Some(at) => {
                *rest = behind;
                (&line[..at], &line[at + 1..])
            }
            None => {
                let (value, after) = counted(line, behind)?;
                *rest = after;
                (line, value)
            }
        };
        if fields.len() < FIELDS_MAX {
            fields.push(field);
        }
    }
}

/// The value of a field that is counted, and what is behind it.
fn counted<'a>(name: &[u8], behind: &'a [u8]) -> Result<(&'a [u8], &'a [u8]), String> {
    let wanted = |what: String| format!("expected {what} behind `{}`, found {} bytes", lossy(&name[..name.len().min(64)]), behind.len());
    let (length, value) = behind.split_first_chunk().ok_or_else(|| wanted("a length of 8 bytes".to_owned()))?;
    let length = u64::from_le_bytes(*length);
    let split = usize::try_from(length).ok().and_then(|length| value.split_at_checked(length));
    let (value, after) = split.ok_or_else(|| wanted(format!("{length} bytes")))?;
    let after = after.strip_prefix(b"\n").ok_or_else(|| wanted(format!("a line end after {length} bytes")))?;
    Ok((value, after))
}

fn line(bytes: &[u8]) -> (&[u8], &[u8]) {
    memchr::memchr(b'\n', bytes).map_or((bytes, &[]), |end| (&bytes[..end], &bytes[end + 1..]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse::{Format, facts};

    const EXPORT: &[u8] = include_bytes!("../../../../tests/fixtures/journald/shop.export");

    fn read(input: &[u8]) -> Vec<serde_json::Value> {
        Format::Auto.parse(input, &Context::default()).items.iter().map(facts::of).collect()
    }

    #[test]
    fn an_export_says_what_the_same_entries_say_as_json() {
        let json = include_bytes!("../../../../tests/fixtures/journald/shop-export.json");
        let items = read(EXPORT);
        assert_eq!(items, read(json));
        assert_eq!(items.len(), 4, "{items:#?}");
        assert_eq!((&items[0]["kind"], &items[0]["instance"], &items[0]["pid"]), (&"worker_timeout".into(), &"web-1".into(), &322.into()));
        assert!(items[1]["raw"].as_str().is_some_and(|raw| raw.ends_with("\nSystemExit: 1")), "{}", items[1]);
        assert_eq!(items[2]["message"], "paid 12 € \u{fffd} by card");
    }

    #[test]
    fn an_entry_that_cannot_be_read_costs_no_other() {
        let at = memmem::find(EXPORT, b"MESSAGE\n").expect("one is counted") + b"MESSAGE\n".len();
        let mut broken = EXPORT.to_vec();
        broken[at + 5] = 1;
        let fates = read(&broken);
        assert_eq!(
            fates.iter().map(|item| item["fate"].as_str().unwrap_or_default()).collect::<Vec<_>>(),
            ["evidence", "rejected", "ignored", "evidence"]
        );
        let reason = fates[1]["reason"].as_str().unwrap_or_default();
        assert!(reason.starts_with("expected 1099511627976 bytes behind `MESSAGE`, found "), "{reason}");
    }

    #[test]
    fn an_export_that_is_cut_anywhere_keeps_what_came_before() {
        let said = |input: &[u8]| read(input).into_iter().map(|item| (item["line"].clone(), item["kind"].clone())).collect::<Vec<_>>();
        let whole = said(EXPORT);
        for end in FIRST.len()..EXPORT.len() {
            // A message that is cut may seem to go on with the one before.
            let begun = memmem::find_iter(&EXPORT[..end], b"\n\n").count();
            let said = said(&EXPORT[..end]);
            assert!(said.starts_with(&whole[..begun]) && said.len() <= begun + 1, "{end}: {said:?}");
        }
    }

    #[test]
    fn an_entry_without_message_and_one_too_long_are_told_apart() {
        let input = [b"__CURSOR=a\n_PID=1\n\n__CURSOR=b\nMESSAGE=".to_vec(), vec![b'x'; LINE_BYTES_MAX + 1], b"\n\n".to_vec()].concat();
        let fates: Vec<_> = read(&input).iter().map(|item| item["fate"].clone()).collect();
        assert_eq!(fates, ["ignored", "rejected"]);
    }
}
