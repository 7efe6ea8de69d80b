//! The `Name: value` fields of Lambda's platform lines, however their writer separates them.
//!
//! AWS separates by TAB, the OpenTelemetry and Datadog extensions by one blank, `sam logs` by several. A name is therefore
//! recognised only where a field may begin, and the longest known name wins: `Billed Restore Duration` ends in
//! `Restore Duration`, which ends in `Duration`.

use domain::{Claim, Millis};

/// What a field's value is and under which name it is kept.
enum Shape {
    /// A number followed by its unit.
    Number(&'static str),
    /// One word.
    Word(&'static str),
    /// `true` or `false`.
    Flag(&'static str),
    /// A list in brackets.
    List(&'static str),
}

/// Every field name known from AWS's documentation, its emulator and the extensions that rebuild these lines; longest first
/// where one ends in another.
const FIELDS: [(&str, Shape); 26] = [
    ("Billed Restore Duration", Shape::Number("billed_restore_duration_ms")),
    ("Post Runtime Duration", Shape::Number("post_runtime_duration_ms")),
    ("Initialization Type", Shape::Word("initialization_type")),
    ("Runtime Version ARN", Shape::Word("runtime_version_arn")),
    ("Restore Duration", Shape::Number("restore_duration_ms")),
    ("Runtime Duration", Shape::Number("runtime_duration_ms")),
    ("Runtime Version", Shape::Word("runtime_version")),
    ("Billed Duration", Shape::Number("billed_duration_ms")),
    ("Max Memory Used", Shape::Number("max_memory_used_mb")),
    ("DroppedRecords", Shape::Number("dropped_records")),
    ("Init Duration", Shape::Number("init_duration_ms")),
    ("Memory Usage", Shape::Number("max_memory_used_mb")),
    ("XRAY TraceId", Shape::Word("xray_trace_id")),
    ("DroppedBytes", Shape::Number("dropped_bytes")),
    ("Memory Size", Shape::Number("memory_size_mb")),
    ("Error Type", Shape::Word("error_type")),
    ("ErrorType", Shape::Word("error_type")),
    ("SegmentId", Shape::Word("xray_segment_id")),
    ("Duration", Shape::Number("duration_ms")),
    ("Version", Shape::Word("function_version")),
    ("Sampled", Shape::Flag("xray_sampled")),
    ("Status", Shape::Word("status")),
    ("Events", Shape::List("events")),
    ("Phase", Shape::Word("phase")),
    ("Types", Shape::List("types")),
    ("State", Shape::Word("state")),
];

/// Reads every known field of `text` into the claim's attributes; unknown ones are passed over.
#[must_use]
pub fn read(text: &str, mut claim: Claim) -> Claim {
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let known = FIELDS.iter().find_map(|(name, shape)| {
            let after = rest.strip_prefix(name)?.strip_prefix(':')?;
            Some((shape, after.trim_start_matches(' ')))
        });
        rest = match known {
            Some((shape, value)) => take(shape, value, &mut claim),
            None => skip_word(rest),
        }
        .trim_start();
    }
    claim
}

/// Takes one value and gives what follows it.
fn take<'a>(shape: &Shape, value: &'a str, claim: &mut Claim) -> &'a str {
    let end = value.find(char::is_whitespace).unwrap_or(value.len());
    let (word, rest) = value.split_at(end);
    let mut keep = |name: &str, value: domain::Value| {
        claim.attributes.insert(name.to_owned(), value);
    };
    match shape {
        Shape::Number(name) => {
            let bare = ["ms", "MB"].iter().find_map(|unit| word.strip_suffix(unit)).unwrap_or(word);
            if let Some(number) = Millis::parse_ms(bare) {
                keep(name, number.into());
            }
            skip_unit(rest)
        }
        Shape::Word(name) => {
            // The emulator prints `?` for what it does not know.
            if !word.is_empty() && word != "?" {
                keep(name, word.into());
            }
            rest
        }
        Shape::Flag(name) => {
            if let Ok(flag) = word.parse::<bool>() {
                keep(name, flag.into());
            }
            rest
        }
        Shape::List(name) => {
            let Some((inside, rest)) = value.strip_prefix('[').and_then(|v| v.split_once(']')) else { return rest };
            let items = inside.split(',').map(str::trim).filter(|item| !item.is_empty());
            keep(name, domain::Value::List(items.map(domain::Value::from).collect()));
            rest
        }
    }
}

fn skip_unit(rest: &str) -> &str {
    let trimmed = rest.trim_start_matches(' ');
    ["ms", "MB"].iter().find_map(|unit| trimmed.strip_prefix(unit)).unwrap_or(rest)
}

fn skip_word(text: &str) -> &str {
    text.find(char::is_whitespace).map_or("", |end| &text[end..])
}

#[cfg(test)]
mod tests {
    use domain::Kind;

    use super::*;

    fn check(text: &str, expected: &[(&str, f64)]) {
        let claim = read(text, Claim::new(Kind::InvocationReport, "lambda_text", text));
        let numbers: Vec<_> = claim.attributes.iter().filter_map(|(name, value)| Some((name.as_str(), value.as_number()?))).collect();
        assert_eq!(numbers, expected, "{text}");
    }

    #[test]
    fn the_longest_name_wins_wherever_a_field_begins() {
        let expected =
            [("billed_duration_ms", 2.0), ("billed_restore_duration_ms", 4.0), ("duration_ms", 1.0), ("restore_duration_ms", 3.0)];
        check("Duration: 1 ms\tBilled Duration: 2 ms\tRestore Duration: 3 ms\tBilled Restore Duration: 4 ms", &expected);
        check("Billed Restore Duration: 4 ms Restore Duration: 3 ms Billed Duration: 2 ms Duration: 1 ms", &expected);
    }

    #[test]
    fn names_inside_other_words_are_none() {
        check("MyDuration: 5 ms\tSome Duration: 7 ms", &[("duration_ms", 7.0)]);
        check("Duration 5 ms", &[]);
    }

    #[test]
    fn units_and_blanks_vary() {
        check("Memory Size:128MB   Max Memory Used:   36 MB", &[("max_memory_used_mb", 36.0), ("memory_size_mb", 128.0)]);
        check("Memory Size: 128\tMax Memory Used: 36", &[("max_memory_used_mb", 36.0), ("memory_size_mb", 128.0)]);
    }
}
