//! How our values become columns, and columns our values.
//!
//! Postgres text cannot hold NUL, its times span less than ours, and an index entry must fit a page. Whatever a hostile
//! sender writes must nevertheless be storable, or one bad line would hold up all that came with it.

use std::borrow::Cow;
use std::fmt::{self, Write};

use domain::Key;
use jiff::Timestamp;
use serde::Serialize;

use crate::StoreError;

/// A statement that several files bind parts of.
pub(crate) type Query<'q> = sqlx::query::Query<'q, sqlx::Postgres, sqlx::postgres::PgArguments>;

/// The longest text in an indexed column, in bytes: three of them fit a B-tree entry (2,704 bytes), with room.
pub(crate) const INDEXED_BYTES_MAX: usize = 400;

/// What stands in for NUL.
pub(crate) const REPLACEMENT: &str = "\u{fffd}";

/// The earliest moment that we store, of which Postgres can say more than we need: 4713 BC is its limit.
const EARLIEST: Timestamp = Timestamp::constant(-200_000_000_000, 0);

/// The text without NUL.
pub(crate) fn without_nul(text: &str) -> Cow<'_, str> {
    if memchr::memchr(0, text.as_bytes()).is_none() { Cow::Borrowed(text) } else { Cow::Owned(text.replace('\0', REPLACEMENT)) }
}

/// The text without NUL and short enough for an index; what is cut is represented by a digest of the whole.
pub(crate) fn indexed(text: &str) -> Cow<'_, str> {
    if text.len() <= INDEXED_BYTES_MAX {
        return without_nul(text);
    }
    let digest = blake3::hash(text.as_bytes()).to_hex();
    let kept = text.floor_char_boundary(INDEXED_BYTES_MAX - digest.len() - 1);
    Cow::Owned(format!("{}~{digest}", without_nul(&text[..kept])))
}

/// The stored form of a key.
pub(crate) fn key_text(key: &Key) -> String {
    let text = key.to_string();
    match indexed(&text) {
        Cow::Borrowed(_) => text,
        Cow::Owned(changed) => changed,
    }
}

/// Text cut at `bytes_max`, without NUL.
pub(crate) fn cut(text: &str, bytes_max: usize) -> Cow<'_, str> {
    without_nul(&text[..text.floor_char_boundary(bytes_max)])
}

/// The moment, or the earliest that can be stored.
pub(crate) fn storable(at: Timestamp) -> Timestamp {
    at.max(EARLIEST)
}

/// A moment as a parameter.
pub(crate) fn time(at: Timestamp) -> jiff_sqlx::Timestamp {
    storable(at).into()
}

/// Optional [`time`].
pub(crate) fn maybe_time(at: Option<Timestamp>) -> Option<jiff_sqlx::Timestamp> {
    at.map(time)
}

/// The reverse of [`maybe_time`].
pub(crate) fn read_time(at: Option<jiff_sqlx::Timestamp>) -> Option<Timestamp> {
    at.map(jiff_sqlx::Timestamp::to_jiff)
}

/// Several moments as a parameter.
pub(crate) fn times(at: impl IntoIterator<Item = Timestamp>) -> Vec<jiff_sqlx::Timestamp> {
    at.into_iter().map(time).collect()
}

/// A value as JSON text that Postgres accepts, also when it converts it to `jsonb`.
pub(crate) fn json(value: &impl Serialize) -> String {
    let mut bytes = Vec::with_capacity(1024);
    write_json(&mut bytes, value);
    String::from_utf8(bytes).expect("serde_json writes UTF-8")
}

/// Appends a value as JSON, with escaped NULs replaced.
pub(crate) fn write_json(out: &mut Vec<u8>, value: &impl Serialize) {
    let start = out.len();
    serde_json::to_writer(&mut *out, value).expect("our documents hold only what JSON can say, and a Vec takes all");
    if memchr::memmem::find(&out[start..], b"\\u0000").is_some() {
        let clean = replace_escaped_nul(&out[start..]);
        out.truncate(start);
        out.extend_from_slice(&clean);
    }
}

/// Replaces `\u0000` where it is an escape, and leaves it where its backslash is itself escaped.
fn replace_escaped_nul(json: &[u8]) -> Vec<u8> {
    let mut clean = Vec::with_capacity(json.len());
    let mut rest = json;
    while let Some(backslash) = memchr::memchr(b'\\', rest) {
        let (before, escape) = rest.split_at(backslash);
        clean.extend_from_slice(before);
        if let Some(after) = escape.strip_prefix(b"\\u0000") {
            clean.extend_from_slice(REPLACEMENT.as_bytes());
            rest = after;
        } else {
            let (pair, after) = escape.split_at(escape.len().min(2));
            clean.extend_from_slice(pair);
            rest = after;
        }
    }
    clean.extend_from_slice(rest);
    clean
}

/// Reads a document that we wrote.
pub(crate) fn from_json<T: serde::de::DeserializeOwned>(table: &'static str, text: &str) -> Result<T, StoreError> {
    serde_json::from_str(text).map_err(|source| StoreError::Unreadable { table, source })
}

/// Whole numbers of ours are counts far below the range of `bigint`.
pub(crate) fn count(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

/// The reverse of [`count`].
pub(crate) fn bigint(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// Writes what displays itself to the end of a buffer.
pub(crate) fn write_display(out: &mut Vec<u8>, value: &impl fmt::Display) {
    struct Bytes<'a>(&'a mut Vec<u8>);
    impl Write for Bytes<'_> {
        fn write_str(&mut self, text: &str) -> fmt::Result {
            self.0.extend_from_slice(text.as_bytes());
            Ok(())
        }
    }
    write!(Bytes(out), "{value}").expect("a Vec takes all");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_true_escapes_of_nul_are_replaced() {
        assert_eq!(json(&"a\0b"), "\"a\u{fffd}b\"");
        assert_eq!(json(&"a\\u0000b"), "\"a\\\\u0000b\"");
        assert_eq!(json(&"\\\0"), "\"\\\\\u{fffd}\"");
        assert_eq!(json(&"plain \u{1}"), "\"plain \\u0001\"");
    }

    /// The identity of a claim is a digest of its JSON; it must be the same after reading.
    #[test]
    fn numbers_are_read_as_they_were_written() {
        let fractions = (1..20_000_u32).map(|i| f64::from(i).sqrt().fract());
        let changed = fractions.filter(|number| from_json::<f64>("evidence", &json(number)).unwrap().to_bits() != number.to_bits());
        assert_eq!(changed.count(), 0);
    }

    #[test]
    fn long_text_keeps_its_identity() {
        let (one, other) = ("é".repeat(300), format!("{}x", "é".repeat(299)));
        assert!(indexed(&one).len() <= INDEXED_BYTES_MAX);
        assert_ne!(indexed(&one), indexed(&other));
        assert_eq!(indexed("short"), "short");
        assert_eq!(indexed("sh\0rt"), "sh\u{fffd}rt");
    }

    #[test]
    fn times_before_all_calendars_are_storable() {
        assert_eq!(time(Timestamp::MIN).to_jiff(), EARLIEST);
    }
}
