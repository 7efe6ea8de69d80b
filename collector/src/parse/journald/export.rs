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

use super::{FORMAT, PARTIAL, PLACES, PROCESS, PROGRAM, message};
use crate::parse::carried::{self, Carried};
use crate::parse::envelope::Envelope;
use crate::parse::events::{Detail, Marked};
use crate::parse::{Context, Fate, Format, Item, LINE_BYTES_MAX, Parsed, RAW_BYTES_MAX, Reject, app_log, cut};

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
pub(in crate::parse) fn parse(input: &[u8], (context, detail): (&Context, Detail)) -> Option<Parsed> {
    begins(input).then_some(())?;
    let (mut lines, mut items, mut fields) = (Vec::new(), Vec::new(), Vec::new());
    let (mut number, mut rest) = (0, input.trim_ascii_start());
    while !rest.is_empty() {
        number += 1;
        match entry(&mut rest, &mut fields) {
            Ok((head, message)) => lines.push(line(number, head, message, (&fields, detail))),
            Err(fate) => items.push(Item { line: number, fate }),
        }
        rest = rest.trim_ascii_start();
    }
    items.extend(carried::read(Format::Auto, lines, |line| opened(line.head), (context, detail)));
    items.sort_by_key(|item| item.line);
    Some(Parsed { items, lines: number })
}

/// The message of an entry among others.
fn line<'t>(number: u64, head: &'t [u8], message: &'t [u8], (fields, detail): (&[Field<'t>], Detail)) -> Carried<'t, &'t [u8]> {
    let text = |name: &str| value(fields, name).and_then(|value| str::from_utf8(value).ok());
    let is_partial = value(fields, PARTIAL).is_some();
    Carried {
        number,
        writer: [PLACES.into_iter().find_map(text), text(PROGRAM), text(PROCESS)],
        marked: if is_partial { Marked::Yes } else { detail.marked(message) },
        beginning: message.utf8_chunks().next().map_or("", |chunk| chunk.valid()),
        head,
    }
}

/// What an entry says that was read before.
fn opened(head: &[u8]) -> (Envelope, String) {
    let mut found = Vec::new();
    let _ = fields(&mut &*head, &mut found);
    message(|name| value(&found, name).map(|value| String::from_utf8_lossy(value).into_owned())).unwrap_or_default()
}

fn value<'t>(fields: &[Field<'t>], name: &str) -> Option<&'t [u8]> {
    fields.iter().find(|(found, _)| *found == name.as_bytes()).map(|(_, value)| *value)
}

/// Takes an entry, with its fields: all of it and its message, or what becomes of it without one.
fn entry<'t>(rest: &mut &'t [u8], found: &mut Vec<Field<'t>>) -> Result<(&'t [u8], &'t [u8]), Fate> {
    let whole = *rest;
    found.clear();
    if let Err(reason) = fields(rest, found) {
        // Where the entry ends is unknown: on to the next that is surely one.
        let next = memmem::find(rest, b"\n__CURSOR=").map_or(rest.len(), |at| at + 1);
        *rest = &rest[next..];
        return Err(Fate::Rejected(Reject::new(reason, &lossy(&whole[..whole.len() - rest.len()]))));
    }
    let head = &whole[..whole.len() - rest.len()];
    match value(found, "MESSAGE") {
        Some(text) if text.len() > LINE_BYTES_MAX => {
            let reason = format!("expected a message of at most {LINE_BYTES_MAX} bytes, found {}", text.len());
            Err(Fate::Rejected(Reject::new(reason, &lossy(text))))
        }
        Some(text) => Ok((head, text)),
        None => Err(Fate::Ignored(Box::new(app_log(FORMAT, &lossy(head))))),
    }
}

/// The beginning of something, as text.
fn lossy(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(&bytes[..bytes.len().min(RAW_BYTES_MAX)]);
    cut(&text, RAW_BYTES_MAX).to_owned()
}

/// Takes the fields of an entry up to the empty line behind it. Leaves what could not be read.
fn fields<'a>(rest: &mut &'a [u8], found: &mut Vec<Field<'a>>) -> Result<(), String> {
    loop {
        let (line, behind) = first_line(rest);
        if line.is_empty() {
            *rest = behind;
            return Ok(());
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
        if found.len() < FIELDS_MAX {
            found.push(field);
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

fn first_line(bytes: &[u8]) -> (&[u8], &[u8]) {
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
