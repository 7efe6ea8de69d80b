//! Which lines belong to the event that a line before them began: blocks of single programs, and whatever is indented.

use super::{lambda_text, of_watchdog, openfaas_gateway, php_fpm, uwsgi, varnish};

/// Whether `line` belongs to the event that began with `event`.
pub fn continues(event: &str, line: &str) -> bool {
    let first = event.lines().next().unwrap_or_default();
    if line.starts_with("XRAY TraceId: ") {
        return first.starts_with("REPORT ");
    }
    if lambda_text::is_error_type(line.trim_end()) {
        return first.starts_with("RequestId: ") && first.contains(" Error: ");
    }
    let blocks = [of_watchdog::continues, openfaas_gateway::continues, uwsgi::continues, php_fpm::continues];
    if blocks.iter().any(|continues| continues(event, line)) {
        return true;
    }
    if varnish::continues(first, line) {
        return true;
    }
    // The last line of a Python traceback is not indented: `SystemExit: 1`.
    let last = event.lines().next_back().unwrap_or_default();
    goes_on(line)
        || event.contains("\nTraceback (most recent call last)")
            && (last.starts_with([' ', '\u{a0}']) && ends_traceback(line) || is_chained(line))
}

/// Whether a line belongs to whatever stands before it.
fn goes_on(line: &str) -> bool {
    // A pretty-printed value under a log line that ends in its name.
    matches!(line.trim_end(), "{" | "}" | "[" | "]")
        || line.starts_with([' ', '\t', '\u{a0}'])
        || line.starts_with("Traceback (most recent call last)")
}

/// Whether a line begins an event, whatever was read before: by its own words, and by how `before` begins, the line before it that
/// is nobody's.
pub fn stands_alone(before: &str, line: &str) -> bool {
    let may_end = before.starts_with([' ', '\u{a0}']) && ends_traceback(line);
    !(may_end || goes_on(line) || is_chained(line))
}

/// What stands between the tracebacks of an exception and of its cause.
fn is_chained(line: &str) -> bool {
    let words = ["During handling of the above exception, another exception", "The above exception was the direct cause of"];
    words.iter().any(|words| line.starts_with(words))
}

/// Whether a line may be the last of a Python traceback, which is not indented: `SystemExit: 1`.
fn ends_traceback(line: &str) -> bool {
    line.split(':').next().is_some_and(is_exception_name)
}

fn is_exception_name(word: &str) -> bool {
    word.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_'))
        && word.bytes().next().is_some_and(|b| b.is_ascii_alphabetic())
}
