//! Takes secrets out of JSON that a sender passed on, the second line of defence behind the sender's own redaction, and out of lines
//! before they are stored.
//!
//! Default patterns, by the name a value stands under: authorization, cookie, password, token, secret, API key. By the
//! value itself: payment card numbers (grouped or not, with a valid check digit). Names are also looked for inside text
//! (`?token=abc`, `Authorization: Bearer abc`) and inside JSON that is carried as text, as API Gateway carries bodies.

mod words;

use std::ops::{Range, RangeInclusive};

use memchr::memchr2_iter;
use serde_json::{Map, Value};

/// What stands in place of a secret.
pub const REDACTED: &str = "[redacted]";

/// The numbers of 15 and 16 digits: a shorter or longer one is more often a time than a card.
const CARDS: Range<u64> = 100_000_000_000_000..10_000_000_000_000_000;
/// How many digits a card number has.
const CARD_DIGITS: RangeInclusive<usize> = 13..=19;
/// How deep JSON inside text inside JSON is followed.
const NESTED_TEXT_MAX: u8 = 4;

/// Whether a value under this name is a secret.
#[must_use]
pub fn is_sensitive(name: &str) -> bool {
    if !name.is_ascii() {
        // Letters of other scripts may be ours in lower case, as the sign of the kelvin is.
        return words::are_in(name.to_lowercase().as_bytes());
    }
    words::are_in(name.as_bytes())
}

/// Redacts a value in place, at any depth.
pub fn redact(value: &mut Value) {
    nested(value, NESTED_TEXT_MAX);
}

fn nested(value: &mut Value, depth: u8) {
    match value {
        Value::Object(object) => object_members(object, depth),
        Value::Array(items) => items.iter_mut().for_each(|item| nested(item, depth)),
        Value::String(text) => {
            if let Some(clean) = json_in_text(text, depth).or_else(|| text_without_secrets(text)) {
                *text = clean;
            }
        }
        Value::Number(number) if number.as_u64().is_some_and(|n| CARDS.contains(&n) && is_card(n.to_string().as_bytes())) => {
            *value = Value::from(REDACTED);
        }
        _ => {}
    }
}

fn object_members(object: &mut Map<String, Value>, depth: u8) {
    for (name, member) in object.iter_mut() {
        if is_sensitive(name) && !member.is_null() {
            *member = Value::from(REDACTED);
        } else {
            nested(member, depth);
        }
    }
}

/// A JSON object or array carried as text.
fn json_in_text(text: &str, depth: u8) -> Option<String> {
    if depth == 0 || !text.trim_start().starts_with(['{', '[']) {
        return None;
    }
    let mut inner: Value = serde_json::from_str(text).ok()?;
    let before = inner.clone();
    nested(&mut inner, depth - 1);
    (inner != before).then(|| inner.to_string())
}

/// `text` without the secrets in it; `None` when there are none.
#[must_use]
pub fn text_without_secrets(text: &str) -> Option<String> {
    let named = without_named(text);
    let cards = without_cards(named.as_deref().unwrap_or(text));
    cards.or(named)
}

/// Takes what follows a sensitive name out of a text as it was received. Numbers stay: a line's are times and IDs far more often
/// than cards.
pub fn received(text: &mut String) {
    if words::are_in(text.as_bytes())
        && let Some(clean) = without_named(text)
    {
        *text = clean;
    }
}

/// Replaces what follows a sensitive name and `=` or `:`.
fn without_named(text: &str) -> Option<String> {
    let mut clean = String::new();
    let mut done = 0;
    for at in memchr2_iter(b'=', b':', text.as_bytes()) {
        if at < done {
            continue;
        }
        let name = name_at_end(&text[done..at]);
        if !is_sensitive(name) {
            continue;
        }
        let value_at = at + 1 + text[at + 1..].find(|c| !matches!(c, ' ' | '"' | '\'' | '\\')).unwrap_or(0);
        // A header's value runs to the end of its line: `Bearer abc`, `a=1; b=2`.
        let header = text[at..].starts_with(':') && ["authorization", "cookie"].iter().any(|word| ends_with(&text[..at], word));
        let ends = |c: char| matches!(c, '\n' | '\r') || !header && matches!(c, '&' | ' ' | ',' | ';' | '"' | '\'' | '}' | '\\' | '\t');
        let value_end = text[value_at..].find(ends).map_or(text.len(), |n| value_at + n);
        clean.push_str(&text[done..value_at]);
        clean.push_str(REDACTED);
        done = value_end;
    }
    (done > 0).then(|| {
        clean.push_str(&text[done..]);
        clean
    })
}

/// The name that a text ends with, quoted or not; empty when it ends with none.
fn name_at_end(text: &str) -> &str {
    let unquoted = text.trim_end_matches(['"', '\'', ' ', '\\']);
    let is_of_name = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    let length = unquoted.bytes().rev().take_while(|byte| is_of_name(byte)).count();
    &unquoted[unquoted.len() - length..]
}

fn ends_with(text: &str, word: &str) -> bool {
    text.len().checked_sub(word.len()).is_some_and(|at| text.as_bytes()[at..].eq_ignore_ascii_case(word.as_bytes()))
}

/// Replaces payment card numbers.
fn without_cards(text: &str) -> Option<String> {
    let bytes = text.as_bytes();
    if bytes.iter().filter(|byte| byte.is_ascii_digit()).count() < *CARD_DIGITS.start() {
        return None;
    }
    let mut clean = String::new();
    let (mut done, mut at) = (0, 0);
    while at < bytes.len() {
        let follows_word = at > 0 && (bytes[at - 1].is_ascii_alphanumeric() || bytes[at - 1] == b'-');
        match (!follows_word && bytes[at].is_ascii_digit()).then(|| card_length(&bytes[at..])).flatten() {
            Some(length) => {
                clean.push_str(&text[done..at]);
                clean.push_str(REDACTED);
                at += length;
                done = at;
            }
            None => at += 1,
        }
    }
    (done > 0).then(|| {
        clean.push_str(&text[done..]);
        clean
    })
}

/// The length of the card number at the beginning of `bytes`: digits alone, or in the groups printed on cards.
fn card_length(bytes: &[u8]) -> Option<usize> {
    let shapes: [&[usize]; 3] = [&[4, 4, 4, 4], &[4, 6, 5], &[]];
    shapes.into_iter().find_map(|groups| {
        let length = if groups.is_empty() { bytes.iter().take_while(|b| b.is_ascii_digit()).count() } else { grouped(bytes, groups)? };
        let ends = bytes.get(length).is_none_or(|b| !b.is_ascii_alphanumeric() && *b != b'-');
        (ends && is_card(&bytes[..length])).then_some(length)
    })
}

/// The length of digit groups of these sizes with one space or dash between them.
fn grouped(bytes: &[u8], groups: &[usize]) -> Option<usize> {
    let mut at = 0;
    for (index, size) in groups.iter().enumerate() {
        if index > 0 {
            matches!(bytes.get(at)?, b' ' | b'-').then_some(())?;
            at += 1;
        }
        bytes.get(at..at + size)?.iter().all(u8::is_ascii_digit).then_some(())?;
        at += size;
    }
    Some(at)
}

/// Whether the digits among these bytes have the number, the first digit and the check digit (Luhn) of a payment card.
fn is_card(bytes: &[u8]) -> bool {
    let digits = bytes.iter().filter(|b| b.is_ascii_digit());
    if !matches!(bytes.first(), Some(b'2'..=b'6')) || !CARD_DIGITS.contains(&digits.clone().count()) {
        return false;
    }
    let sum: u32 = digits
        .rev()
        .enumerate()
        .map(|(place, digit)| {
            let digit = u32::from(digit - b'0');
            if place % 2 == 0 { digit } else { digit * 2 / 10 + digit * 2 % 10 }
        })
        .sum();
    sum.is_multiple_of(10)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn redacted(mut value: Value) -> Value {
        redact(&mut value);
        value
    }

    #[test]
    fn values_under_sensitive_names_go_whatever_their_shape() {
        let event = json!({"headers": {"Authorization": "Bearer x", "X-Api-Key": "k", "Accept": "*/*"}, "cookies": ["a=1"], "user": {"passWord": 7, "next_token": null}});
        let clean = json!({"headers": {"Authorization": REDACTED, "X-Api-Key": REDACTED, "Accept": "*/*"}, "cookies": REDACTED, "user": {"passWord": REDACTED, "next_token": null}});
        assert_eq!(redacted(event), clean);
    }

    #[test]
    fn json_carried_as_text_is_followed() {
        assert_eq!(redacted(json!({"body": r#"{"password":"hunter2","q":1}"#})), json!({"body": r#"{"password":"[redacted]","q":1}"#}));
    }

    #[test]
    fn names_are_found_in_text() {
        let said = |text: &str| text_without_secrets(text).unwrap_or_else(|| text.to_owned());
        assert_eq!(said("GET /x?access_token=abc&page=2"), "GET /x?access_token=[redacted]&page=2");
        assert_eq!(said("Authorization: Bearer abc def\nHost: x"), "Authorization: [redacted]\nHost: x");
        assert_eq!(said("broken {\"secret\": \"s3\", \"n\": 1"), "broken {\"secret\": \"[redacted]\", \"n\": 1");
        assert_eq!(said("token = größe, x"), "token = [redacted], x");
        assert_eq!(said("the token was accepted"), "the token was accepted");
        assert_eq!(said("token="), "token=[redacted]");
        assert_eq!(said("api_key: k, x-api-key=k"), "api_key: [redacted], x-api-key=[redacted]");
        assert_eq!(said("Set-Cookie: a=1; b=2\ncookie=a; b"), "Set-Cookie: [redacted]\ncookie=[redacted]; b");
    }

    #[test]
    fn names_are_sensitive_in_any_case_with_or_without_separators() {
        for name in ["PASSWORD", "db.pass-word", "x_api_key", "X-Api-Key", "set-cookie", "to\u{212a}en", "größe.token", "client secret"] {
            assert!(is_sensitive(name), "{name}");
        }
        for name in ["", "pass", "tok", "http.request.method", "cook", "server.address", "a-p-i-k-e", "größe"] {
            assert!(!is_sensitive(name), "{name}");
        }
    }

    #[test]
    fn card_numbers_go_and_other_numbers_stay() {
        assert_eq!(redacted(json!("paid with 4111 1111 1111 1111.")), json!("paid with [redacted]."));
        assert_eq!(
            redacted(json!(["4111111111111111", 4_111_111_111_111_111_u64, "3782-822463-10005"])),
            json!([REDACTED, REDACTED, REDACTED])
        );
        for kept in [
            json!("6f747a63-ce41-11e7-8123-411111111111"),
            json!(1_795_351_165_957_u64),
            json!("4111111111111112"),
            json!("x4111111111111111"),
        ] {
            assert_eq!(redacted(kept.clone()), kept);
        }
    }
}
