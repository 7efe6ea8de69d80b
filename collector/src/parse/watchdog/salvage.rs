//! Reads what a sender managed to say before it was killed: a JSON text that stops in the middle.
//!
//! ```text
//! {"kind":"fired","request_id":"7fe2f4e6-…","left_ms":498,"stacks":[{"name":"MainThread","frames":[{"function":"han
//! ```
//!
//! A POST cut off by the kill was seen at a real collector (headers, then half a body); such a body is kept as evidence.
//! Only values that are complete are taken: of a number that is the last thing there, nobody knows whether digits follow.

use serde_json::Value;

/// The complete part of a JSON text that was cut off. `None` when not even one member or item is complete.
#[must_use]
pub fn salvage(text: &str) -> Option<Value> {
    let (end, open) = last_complete(text)?;
    let mut repaired = text[..end].to_owned();
    repaired.extend(open.iter().rev());
    serde_json::from_str(&repaired).ok()
}

/// Where the last complete value inside the outermost container ends, and the closers of what is open there.
fn last_complete(text: &str) -> Option<(usize, Vec<char>)> {
    let mut scan = Scan { open: Vec::new(), safe: None, expects_name: false };
    let mut at = 0;
    let bytes = text.as_bytes();
    while at < bytes.len() {
        at = scan.step(bytes, at);
    }
    scan.safe
}

struct Scan {
    /// Closers of the containers that are open, outermost first.
    open: Vec<char>,
    /// The last point up to which the text is complete once these closers are added.
    safe: Option<(usize, Vec<char>)>,
    /// Whether a string here is a member's name.
    expects_name: bool,
}

impl Scan {
    /// Reads one token; returns where the next begins, which is the end at a token that was cut off.
    fn step(&mut self, bytes: &[u8], at: usize) -> usize {
        match bytes[at] {
            opener @ (b'{' | b'[') => {
                self.open.push(if opener == b'{' { '}' } else { ']' });
                self.expects_name = opener == b'{';
                at + 1
            }
            b'}' | b']' => {
                self.open.pop();
                self.complete(at + 1);
                at + 1
            }
            b',' => {
                self.expects_name = self.open.last() == Some(&'}');
                at + 1
            }
            b':' => {
                self.expects_name = false;
                at + 1
            }
            b'"' => {
                let end = string_end(bytes, at);
                if let Some(end) = end.filter(|_| !self.expects_name) {
                    self.complete(end);
                }
                end.unwrap_or(bytes.len())
            }
            b' ' | b'\t' | b'\r' | b'\n' => at + 1,
            _ => {
                let ends = |b: &u8| matches!(b, b',' | b'}' | b']' | b' ' | b'\t' | b'\r' | b'\n');
                let end = bytes[at..].iter().position(ends).map(|length| at + length.max(1));
                if let Some(end) = end {
                    self.complete(end);
                }
                end.unwrap_or(bytes.len())
            }
        }
    }

    fn complete(&mut self, end: usize) {
        if !self.open.is_empty() {
            self.safe = Some((end, self.open.clone()));
        }
    }
}

/// Where the string that begins at `start` ends, behind its quote.
fn string_end(bytes: &[u8], start: usize) -> Option<usize> {
    let mut at = start + 1;
    loop {
        match bytes.get(at)? {
            b'\\' => at += 2,
            b'"' => return Some(at + 1),
            _ => at += 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn complete_members_are_kept_at_every_depth() {
        let text = r#"{"kind":"fired","left_ms":498,"stacks":[{"name":"Main","frames":[{"function":"a","line":3},{"function":"han"#;
        let kept = json!({"kind": "fired", "left_ms": 498, "stacks": [{"name": "Main", "frames": [{"function": "a", "line": 3}]}]});
        assert_eq!(salvage(text), Some(kept));
    }

    #[test]
    fn a_number_at_the_very_end_is_not_believed() {
        assert_eq!(salvage(r#"{"kind":"fired","limit_ms":30"#), Some(json!({"kind": "fired"})));
        assert_eq!(salvage(r#"{"kind":"fired","limit_ms":3000,"#), Some(json!({"kind": "fired", "limit_ms": 3000})));
    }

    #[test]
    fn every_cut_of_an_event_yields_a_prefix_of_it_or_nothing() {
        let whole = r#"{"kind": "fired", "note": "a\"}\\", "left_ms": -1.5e2, "in_flight": [{"operation": "POST", "client_timeout_ms": null}], "é": [true, {}]}"#;
        let full: Value = serde_json::from_str(whole).expect("json");
        for end in (0..whole.len()).filter(|end| whole.is_char_boundary(*end)) {
            if let Some(Value::Object(kept)) = salvage(&whole[..end]) {
                assert!(kept.iter().all(|(name, _)| full.get(name).is_some()), "{end}");
                assert!(kept.get("kind").is_none_or(|kind| kind == "fired"), "{end}");
                assert!(kept.get("left_ms").is_none_or(|left| left == -150.0), "{end}");
            }
        }
    }

    #[test]
    fn nothing_complete_is_nothing() {
        for text in ["", "{", r#"{"kind"#, r#"{"kind":"#, r#"{"kind":"fi"#, "fired", "}}]]", "[", "\"a\""] {
            assert_eq!(salvage(text), None, "{text}");
        }
    }
}
