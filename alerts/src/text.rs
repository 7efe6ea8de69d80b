//! Text from outside, made safe for places that give meaning to some characters: mail headers, terminals, one-line fields.
//!
//! Function names, log lines and answers of other servers come from whoever can reach us. What a program could take for a
//! command (CR LF in a header, ESC on a terminal, marks that turn the reading direction) is taken out; the rest stays as
//! it was written. Escaping for HTML is the templates' work.

/// One line of at most `chars_max` characters. What would break a line becomes a space.
pub(crate) fn one_line(text: &str, chars_max: usize) -> String {
    let words = text.split(|c: char| c.is_whitespace() || is_hidden(c)).filter(|word| !word.is_empty());
    cut(&words.collect::<Vec<_>>().join(" "), chars_max)
}

/// Several lines of at most `chars_max` characters in all. Line ends and tabs stay.
pub(crate) fn lines(text: &str, chars_max: usize) -> String {
    let kept: String = text.replace("\r\n", "\n").chars().filter(|&c| matches!(c, '\n' | '\t') || !is_hidden(c)).collect();
    cut(kept.trim_end(), chars_max)
}

/// A number with its thousands apart: `3,412`.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    digits.chars().enumerate().fold(String::new(), |mut text, (place, digit)| {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
        text
    })
}

/// The beginning, with a mark where the rest was left out.
fn cut(text: &str, chars_max: usize) -> String {
    match text.char_indices().nth(chars_max) {
        None => text.to_owned(),
        Some(_) => text.chars().take(chars_max.saturating_sub(1)).chain(['…']).collect(),
    }
}

/// Whether a character acts instead of being seen: control characters, line separators, direction marks.
fn is_hidden(c: char) -> bool {
    c.is_control() || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_acts_is_left_in_a_line() {
        let hostile = "checkout\r\nBcc: victim@example.com\u{1b}[31m\u{0}\u{202e}gpj.exe\u{85}x\u{9b}2J";
        assert_eq!(one_line(hostile, 200), "checkout Bcc: victim@example.com [31m gpj.exe x 2J");
        assert_eq!(one_line(" \t\r\n ", 200), "");
    }

    #[test]
    fn lines_keep_their_ends_and_lose_the_rest() {
        assert_eq!(lines("a\r\nb\tc\u{1b}[2J\rd\n\n", 200), "a\nb\tc[2Jd");
    }

    #[test]
    fn thousands_stand_apart() {
        let numbers = [0, 999, 1_000, 12_345, 1_234_567].map(grouped);
        assert_eq!(numbers, ["0", "999", "1,000", "12,345", "1,234,567"]);
    }

    #[test]
    fn long_text_is_cut_between_characters_and_says_so() {
        assert_eq!(one_line("äöüß", 4), "äöüß");
        assert_eq!(one_line("äöüßx", 4), "äöü…");
        assert_eq!(lines("", 0), "");
    }
}
