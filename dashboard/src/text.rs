//! Foreign text made fit to be looked at.
//!
//! Log lines, span names and events come from other people's programs and are hostile until shown otherwise. HTML is
//! escaped by the templates; this file takes care of what escaping leaves alone: control characters and terminal escapes,
//! which become visible (`⟨ESC⟩[31m`), characters that reorder or hide their neighbours (`⟨U+202E⟩`), and length.

use std::fmt::{self, Write};

use askama::Template;
use askama::filters::HtmlSafe;

/// Characters shown of one raw line; the JSON has all of it.
pub const RAW_CHARS_MAX: usize = 1200;
/// Characters shown of a name: function, instance, request ID.
pub const NAME_CHARS_MAX: usize = 200;
/// Characters shown of a sentence: a verdict, a piece of advice.
pub const SENTENCE_CHARS_MAX: usize = 600;

/// Text that may be put on a page: control characters visible, length bounded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Text {
    shown: String,
    /// Characters that were left out; 0 when all is shown.
    pub cut: usize,
}

impl Text {
    /// One line; line breaks become visible too.
    #[must_use]
    pub fn line(text: &str, chars_max: usize) -> Self {
        Self::bounded(text, chars_max, false)
    }

    /// Several lines; line breaks and tabs stay.
    #[must_use]
    pub fn block(text: &str, chars_max: usize) -> Self {
        Self::bounded(text, chars_max, true)
    }

    /// A name: function, instance, ID.
    #[must_use]
    pub fn name(text: &str) -> Self {
        Self::line(text, NAME_CHARS_MAX)
    }

    /// A raw line as received.
    #[must_use]
    pub fn raw(text: &str) -> Self {
        Self::block(text.trim_end_matches(['\n', '\r']), RAW_CHARS_MAX)
    }

    /// The text as it is shown.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.shown
    }

    fn bounded(text: &str, chars_max: usize, keep_layout: bool) -> Self {
        let mut shown = String::with_capacity(text.len().min(chars_max.saturating_mul(4)));
        let mut chars = text.chars();
        for c in chars.by_ref().take(chars_max) {
            push_visible(&mut shown, c, keep_layout);
        }
        let cut = chars.count();
        if cut > 0 {
            shown.push('…');
        }
        Self { shown, cut }
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

/// Appends `c` so that a reader sees that it is there.
fn push_visible(out: &mut String, c: char, keep_layout: bool) {
    match c {
        '\n' | '\t' if keep_layout => out.push(c),
        // Between the fields of a line, a tab is no more than a space; a line break inside one is worth a sign.
        '\t' => out.push(' '),
        '\n' => out.push('↵'),
        '\0' => out.push_str("⟨NUL⟩"),
        '\u{7}' => out.push_str("⟨BEL⟩"),
        '\u{8}' => out.push_str("⟨BS⟩"),
        '\r' => out.push_str("⟨CR⟩"),
        '\u{1b}' => out.push_str("⟨ESC⟩"),
        _ if hides_or_reorders(c) => {
            let _ = write!(out, "⟨U+{:04X}⟩", u32::from(c));
        }
        _ => out.push(c),
    }
}

/// Control characters, invisible characters and those that change the direction of what follows (Unicode categories Cc, Cf, Zl, Zp,
/// as far as fonts show nothing for them).
fn hides_or_reorders(c: char) -> bool {
    matches!(c,
        '\0'..='\u{1f}' | '\u{7f}'..='\u{9f}' | '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
}

/// A sentence of ours that may quote machine words in backticks: `POST payments.internal`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Template)]
#[template(path = "parts/sentence.html")]
pub struct Sentence {
    /// Its pieces in order.
    pub pieces: Vec<Piece>,
}

/// A piece of a sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// Whether it stood in backticks.
    pub code: bool,
    /// Its text.
    pub text: String,
}

// Its template escapes what it prints.
impl HtmlSafe for Sentence {}

impl Sentence {
    /// Splits `text` at its backticks; an unpaired one stays a character.
    #[must_use]
    pub fn new(text: &str) -> Self {
        let text = Text::line(text, SENTENCE_CHARS_MAX);
        let mut pieces = Vec::new();
        let mut rest = text.as_str();
        while let Some((before, quoted, after)) = next_quoted(rest) {
            push_piece(&mut pieces, false, &units_kept(before));
            push_piece(&mut pieces, true, quoted);
            rest = after;
        }
        push_piece(&mut pieces, false, &units_kept(rest));
        Self { pieces }
    }

    /// The sentence without its marks, for titles and labels.
    #[must_use]
    pub fn plain(&self) -> String {
        self.pieces.iter().map(|piece| piece.text.as_str()).collect()
    }

    /// Whether it says nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }
}

/// The same text in which no line breaks between a number and its unit.
fn units_kept(text: &str) -> String {
    const UNITS: [&str; 7] = ["ms", "s", "min", "h", "MB", "GB", "%"];
    let mut kept = String::with_capacity(text.len());
    for word in text.split_inclusive(' ') {
        let unit = word.trim_end_matches(|c: char| c == ' ' || c.is_ascii_punctuation() && c != '%');
        if UNITS.contains(&unit) && kept.ends_with(' ') && kept.trim_end().ends_with(|c: char| c.is_ascii_digit()) {
            kept.pop();
            kept.push('\u{a0}');
        }
        kept.push_str(word);
    }
    kept
}

fn next_quoted(text: &str) -> Option<(&str, &str, &str)> {
    let (before, rest) = text.split_once('`')?;
    let (quoted, after) = rest.split_once('`')?;
    Some((before, quoted, after))
}

fn push_piece(pieces: &mut Vec<Piece>, code: bool, text: &str) {
    if !text.is_empty() {
        pieces.push(Piece { code, text: text.to_owned() });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_become_visible() {
        assert_eq!(Text::name("a\u{1b}[31mred\u{7}\u{7f}\r\n\0").as_str(), "a⟨ESC⟩[31mred⟨BEL⟩⟨U+007F⟩⟨CR⟩↵⟨NUL⟩");
        assert_eq!(Text::name("\u{202e}gpj.exe\u{200b}\u{9b}").as_str(), "⟨U+202E⟩gpj.exe⟨U+200B⟩⟨U+009B⟩");
        assert_eq!(Text::raw("one\n\ttwo\r\n").as_str(), "one\n\ttwo");
    }

    #[test]
    fn long_text_is_cut_and_says_how_much() {
        let text = Text::line("äöüß", 3);
        assert_eq!((text.as_str(), text.cut), ("äöü…", 1));
        assert_eq!(Text::line("abc", 3).cut, 0);
    }

    #[test]
    fn numbers_stay_with_their_units() {
        assert_eq!(
            Sentence::new("after 29.1 s; 3 steps of 5 % (30 s), 7 h").plain(),
            "after 29.1\u{a0}s; 3 steps of 5\u{a0}% (30\u{a0}s), 7\u{a0}h"
        );
    }

    #[test]
    fn backticks_quote_machine_words() {
        let sentence = Sentence::new("waited in `POST a` for `b");
        assert_eq!(sentence.plain(), "waited in POST a for `b");
        assert_eq!(sentence.pieces.iter().map(|p| p.code).collect::<Vec<_>>(), [false, true, false]);
    }
}
