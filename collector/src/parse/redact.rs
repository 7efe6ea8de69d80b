//! Takes secrets out of JSON that a sender passed on: the second line of defence behind the sender's own redaction.
//!
//! Default patterns, by the name a value stands under: authorization, cookie, password, token, secret, API key. By the
//! value itself: payment card numbers (grouped or not, with a valid check digit). Names are also looked for inside text
//! (`?token=abc`, `Authorization: Bearer abc`) and inside JSON that is carried as text, as API Gateway carries bodies.

use serde_json::{Map, Value};

/// What stands in place of a secret.
pub const REDACTED: &str = "[redacted]";

/// Words that make a name sensitive, compared without case, `-` and `_`.
const NAMES: [&str; 7] = ["authorization", "cookie", "password", "passwd", "token", "secret", "apikey"];
/// How deep JSON inside text inside JSON is followed.
const NESTED_TEXT_MAX: u8 = 4;

/// Whether a value under this name is a secret.
#[must_use]
pub fn is_sensitive(name: &str) -> bool {
    let plain: String = name.chars().filter(|c| !matches!(c, '-' | '_' | '.' | ' ')).flat_map(char::to_lowercase).collect();
    NAMES.iter().any(|word| plain.contains(word))
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
        // 15 and 16 digits only: a shorter or longer number is more often a time than a card.
        Value::Number(number) if number.as_u64().is_some_and(|n| (15..=16).contains(&n.to_string().len()) && is_card(&n.to_string())) => {
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

/// Replaces what follows a sensitive name and `=` or `:`.
fn without_named(text: &str) -> Option<String> {
    let lower = text.to_ascii_lowercase();
    if !NAMES.iter().any(|word| lower.contains(word)) && !lower.contains("api-key") && !lower.contains("api_key") {
        return None;
    }
    let mut clean = String::with_capacity(text.len());
    let mut done = 0;
    for (at, separator) in text.match_indices(['=', ':']) {
        if at < done {
            continue;
        }
        let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        let before = text[done..at].trim_end_matches(['"', '\'', ' ', '\\']);
        let name = &before[before.rfind(|c| !is_name(c)).map_or(0, |p| p + before[p..].chars().next().map_or(1, char::len_utf8))..];
        if !is_sensitive(name) {
            continue;
        }
        let value_at = at + 1 + text[at + 1..].find(|c| !matches!(c, ' ' | '"' | '\'' | '\\')).unwrap_or(0);
        // A header's value runs to the end of its line: `Bearer abc`, `a=1; b=2`.
        let header = separator == ":" && (lower[..at].ends_with("authorization") || lower[..at].ends_with("cookie"));
        let ends = |c: char| matches!(c, '\n' | '\r') || !header && matches!(c, '&' | ' ' | ',' | ';' | '"' | '\'' | '}' | '\\' | '\t');
        let value_end = text[value_at..].find(ends).map_or(text.len(), |n| value_at + n);
        clean.push_str(&text[done..value_at]);
        clean.push_str(REDACTED);
        done = value_end;
    }
    if done == 0 {
        return None;
    }
    clean.push_str(&text[done..]);
    Some(clean)
}

/// Replaces payment card numbers.
fn without_cards(text: &str) -> Option<String> {
    let bytes = text.as_bytes();
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
        let digits: String = bytes[..length].iter().filter(|b| b.is_ascii_digit()).map(|b| char::from(*b)).collect();
        let ends = bytes.get(length).is_none_or(|b| !b.is_ascii_alphanumeric() && *b != b'-');
        (ends && is_card(&digits)).then_some(length)
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

/// Whether these digits have the length, the first digit and the check digit (Luhn) of a payment card.
fn is_card(digits: &str) -> bool {
    let sum: u32 = digits
        .bytes()
        .rev()
        .enumerate()
        .map(|(place, digit)| {
            let digit = u32::from(digit - b'0');
            if place % 2 == 0 { digit } else { digit * 2 / 10 + digit * 2 % 10 }
        })
        .sum();
    (13..=19).contains(&digits.len()) && digits.starts_with(['2', '3', '4', '5', '6']) && sum.is_multiple_of(10)
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
