//! Control characters as rsyslog passes them on: `#` and three octal digits (`parser.escapeControlCharactersOnReceive`, on by
//! default; seen in the output of rsyslog 8.2302, 2026-11-27).
//!
//! ```text
//! Error handling request /checkout#012Traceback (most recent call last):#012  File "app.py", line 12, in checkout
//! REPORT RequestId: 6f747a63-…#011Duration: 3000.00 ms
//! ```

/// The two that are part of what programs say.
const ESCAPES: [(&str, char); 2] = [("#011", '\t'), ("#012", '\n')];

/// The text as its program wrote it. Behind a space `#012` is left as it is: there people write numbers of tickets.
pub fn undone(text: &str) -> String {
    let mut whole = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('#') {
        let (before, found) = rest.split_at(at);
        whole.push_str(before);
        let escape = ESCAPES.iter().find(|(escape, _)| found.starts_with(escape));
        match escape.filter(|(_, character)| !whole.ends_with(' ') && (*character == '\t' || !whole.is_empty())) {
            Some((escape, character)) => {
                whole.push(*character);
                rest = &found[escape.len()..];
            }
            None => {
                whole.push('#');
                rest = &found[1..];
            }
        }
    }
    whole.push_str(rest);
    whole
}

/// The text before its first escape, or what may be one.
pub fn before(text: &str) -> &str {
    text.split('#').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::undone;

    #[test]
    fn tabs_and_line_ends_are_put_back_and_numbers_stay() {
        for (text, expected) in [
            ("a#012b#011c", "a\nb\tc"),
            ("#011at com.example.Shop.pay(Shop.java:12)", "\tat com.example.Shop.pay(Shop.java:12)"),
            ("end#012", "end\n"),
            ("a#012#012b#", "a\n\nb#"),
            ("order #012 is late, #011 too", "order #012 is late, #011 too"),
            ("#012 is late", "#012 is late"),
            ("a#013b##", "a#013b##"),
            ("", ""),
        ] {
            assert_eq!(undone(text), expected, "{text}");
        }
    }
}
