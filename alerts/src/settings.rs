//! How tables of the rules file become settings: typed, and with every fault at its line and key.

use std::io;
use std::ops::Range;
use std::path::Path;

use jiff::{SignedDuration, Span, SpanRelativeTo};
use secrecy::SecretString;
use serde::Deserialize;
use serde::de::IntoDeserializer;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::nearest::nearest;

/// Keys whose values are not repeated in messages, whatever is wrong with them.
const SECRET_KEYS: [&str; 13] = [
    "secret",
    "password",
    "url",
    "urls",
    "routing_key",
    "bearer_token",
    "dsn",
    "authorization",
    "api_key",
    "gateway_url",
    "host_url",
    "callback_url",
    "endpoint_url",
];

/// Something in the file that cannot be used, and where it stands.
#[derive(Debug)]
pub(crate) struct Fault {
    /// Bytes of the file that it is about.
    pub at: Range<usize>,
    /// What was expected and what was found.
    pub message: String,
}

impl Fault {
    /// A fault of one value.
    pub(crate) fn of<T>(value: &Spanned<T>, message: impl Into<String>) -> Self {
        Self { at: value.span(), message: message.into() }
    }
}

impl From<toml::de::Error> for Fault {
    fn from(error: toml::de::Error) -> Self {
        Self { at: error.span().unwrap_or_default(), message: house_style(error.message()) }
    }
}

/// Reads one table into a settings struct.
pub(crate) fn read<'de, T: Deserialize<'de>>(table: Spanned<DeValue<'de>>) -> Result<T, Fault> {
    let at = table.span();
    T::deserialize(table.into_deserializer()).map_err(|error| {
        let fault = Fault::from(error);
        if fault.at.is_empty() { Fault { at, ..fault } } else { fault }
    })
}

/// Reads `4h`, `30m`, `1h 30m`, `2d`; a day is 24 hours.
pub(crate) fn duration(text: &Spanned<String>) -> Result<SignedDuration, Fault> {
    let span: Option<Span> = text.get_ref().parse().ok();
    span.and_then(|span| span.to_duration(SpanRelativeTo::days_are_24_hours()).ok())
        .ok_or_else(|| Fault::of(text, format!("expected a duration such as \"4h\", \"30m\" or \"90s\", found \"{}\"", text.get_ref())))
}

/// serde's sentences in the words of this project.
fn house_style(message: &str) -> String {
    let message = message.trim_end_matches('\n');
    if let Some(rest) = message.strip_prefix("invalid type: ").or_else(|| message.strip_prefix("invalid value: "))
        && let Some((found, expected)) = rest.split_once(", expected ")
    {
        return format!("expected {}, found {}", kind(expected), found.replace("string", "text"));
    }
    if let Some(name) = message.strip_prefix("missing field ") {
        return format!("expected {name}, which is missing");
    }
    if let Some(rest) = message.strip_prefix("unknown field ") {
        return format!("unknown key {rest}{}", suggestion(rest));
    }
    if let Some(rest) = message.strip_prefix("unknown variant ") {
        return format!("unknown word {rest}{}", suggestion(rest));
    }
    message.to_owned()
}

/// What serde calls a kind of value, as somebody who writes TOML would call it.
fn kind(expected: &str) -> &str {
    match expected {
        "a string" => "a text",
        "a sequence" => "a list",
        "u16" => "a number from 0 to 65535",
        "u8" | "u32" | "u64" | "usize" => "a whole number",
        "f64" => "a number",
        _ if expected.starts_with("struct ") => "a table",
        _ => expected,
    }
}

/// `` (did you mean `a`?) `` from `` `b`, expected one of `a`, `c` ``.
fn suggestion(rest: &str) -> String {
    let mut names = rest.split('`').skip(1).step_by(2);
    let found = names.next().unwrap_or_default();
    nearest(found, names).map(|name| format!(" (did you mean `{name}`?)")).unwrap_or_default()
}

/// The file as text, with the keys at their places.
pub(crate) struct Source<'a> {
    text: &'a str,
    keys: Vec<(Range<usize>, String)>,
}

impl<'a> Source<'a> {
    /// Notes where each key of the file rules.
    pub(crate) fn new(text: &'a str, table: &DeTable<'_>) -> Self {
        let mut keys = Vec::new();
        note_keys(table, &mut keys);
        Self { text, keys }
    }

    /// A file that could not be read far enough to know its keys.
    pub(crate) fn unread(text: &'a str) -> Self {
        Self { text, keys: Vec::new() }
    }

    /// The line, from 1, of a fault.
    pub(crate) fn line(&self, fault: &Fault) -> usize {
        let before = self.text.get(..fault.at.start).unwrap_or(self.text);
        before.matches('\n').count() + 1
    }

    /// The key whose value a fault is about.
    pub(crate) fn key(&self, fault: &Fault) -> Option<&str> {
        let found = self.keys.iter().filter(|(at, _)| at.start <= fault.at.start && fault.at.end <= at.end);
        found.min_by_key(|(at, _)| at.len()).map(|(_, key)| key.as_str())
    }

    /// What is wrong, without repeating a secret.
    pub(crate) fn message(&self, fault: Fault) -> String {
        match (self.key(&fault), fault.message.split_once(", found ")) {
            (Some(key), Some((expected, _))) if SECRET_KEYS.contains(&key) => expected.to_owned(),
            // The parser stopped here, so the keys are not known.
            _ if fault.message == "duplicate key" => format!("duplicate key `{}`", self.text.get(fault.at).unwrap_or_default()),
            _ => fault.message,
        }
    }
}

fn note_keys(table: &DeTable<'_>, keys: &mut Vec<(Range<usize>, String)>) {
    for (key, value) in table {
        match value.get_ref() {
            DeValue::Table(inner) => note_keys(inner, keys),
            DeValue::Array(items) if items.iter().any(|item| item.get_ref().is_table()) => {
                items.iter().filter_map(|item| item.get_ref().as_table()).for_each(|inner| note_keys(inner, keys));
            }
            _ => keys.push((value.span(), key.get_ref().to_string())),
        }
    }
}

/// What a settings table may need beyond itself.
pub(crate) struct Surroundings<'a> {
    /// Where relative paths start: the folder of the rules file.
    pub folder: &'a Path,
    /// Reads a file that the settings name.
    pub read_file: &'a dyn Fn(&Path) -> io::Result<String>,
}

impl Surroundings<'_> {
    /// The text of a file that the settings name.
    pub(crate) fn text_of(&self, path: &Spanned<String>) -> Result<String, Fault> {
        (self.read_file)(&self.folder.join(path.get_ref()))
            .map_err(|error| Fault::of(path, format!("expected a readable file, found `{}`: {error}", path.get_ref())))
    }

    /// A secret, given in place or as the name of a file that holds it; `None` when neither is there.
    pub(crate) fn secret(
        &self,
        key: &str,
        inline: Option<Spanned<SecretString>>,
        file: Option<Spanned<String>>,
    ) -> Result<Option<Spanned<SecretString>>, Fault> {
        match (inline, file) {
            (Some(_), Some(file)) => Err(Fault::of(&file, format!("expected either `{key}` or `{key}_file`, found both"))),
            (None, Some(file)) => {
                let text = self.text_of(&file)?;
                Ok(Some(Spanned::new(file.span(), SecretString::from(text.trim()))))
            }
            (inline, None) => Ok(inline),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_of_serde_become_ours() {
        insta::assert_snapshot!(house_style("invalid type: integer `3`, expected a string"), @"expected a text, found integer `3`");
        insta::assert_snapshot!(house_style("invalid type: string \"x\", expected a sequence"), @r#"expected a list, found text "x""#);
        insta::assert_snapshot!(house_style("invalid type: integer `5`, expected struct ThresholdTable"), @"expected a table, found integer `5`");
        insta::assert_snapshot!(house_style("invalid type: string \"5\", expected u32"), @r#"expected a whole number, found text "5""#);
        insta::assert_snapshot!(house_style("invalid type: string \"90%\", expected f64"), @r#"expected a number, found text "90%""#);
        insta::assert_snapshot!(house_style("missing field `name`"), @"expected `name`, which is missing");
        insta::assert_snapshot!(house_style("unknown field `nam`, expected one of `name`, `when`"), @"unknown key `nam`, expected one of `name`, `when` (did you mean `name`?)");
        insta::assert_snapshot!(house_style("unknown variant `ssl`, expected `tls`"), @"unknown word `ssl`, expected `tls`");
        insta::assert_snapshot!(house_style("something else\n"), @"something else");
    }
}
