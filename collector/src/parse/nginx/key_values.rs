//! Access lines of a `log_format` that is nothing but `key=value`, told as the JSON ones are: by the names of nginx's variables.
//!
//! ```text
//! time="2026-11-27T15:22:28+00:00" client=10.0.0.9 method=GET uri="/report" status=499 request_time=1.202 upstream_status="-"
//! ```

use serde_json::{Map, Value};

use super::access;
use crate::parse::{Fate, access_line};

/// Where in a line the pairs begin.
pub fn find(line: &str) -> Option<usize> {
    if !line.contains("request_time=") || !line.contains("status=") {
        return None;
    }
    // A pair whose value has blanks is quoted; what stands in front of the first pair is a transport's.
    line.find(access_line::words(line).find(|word| is_pair(word))?)
}

/// Reads a line; `None` when it is none of these.
pub fn read(text: &str) -> Option<Fate> {
    let line = &text[find(text)?..];
    let pairs: Map<String, Value> = access_line::words(line.trim_end())
        .map(|word| {
            let (key, value) = word.split_once('=').filter(|_| is_pair(word))?;
            Some((key.to_owned(), Value::from(value.trim_matches('"'))))
        })
        .collect::<Option<_>>()?;
    access::read_record(&pairs, text)?.pop()
}

fn is_pair(word: &str) -> bool {
    word.split_once('=').is_some_and(|(key, _)| access_line::is_key(key))
}
