//! Names and operations without what varies: numbers, IDs, addresses, hashes, temporary paths, parameters in routes.
//!
//! ```text
//! GET https://shard-17.db.internal/users/6f747a63-ce41-11e7-8cfe-3d61dad3d219/orders/8831?page=2
//! get https://shard-#.db.internal/users/#/orders/#
//! ```
//!
//! Letters around digits stay, so that `s3` and `ec2`, `v1` and `oauth2` do not become the same; a word that mixes letters
//! and digits as nobody would is an ID, and goes as a whole.

use core::net::IpAddr;

/// What stands for whatever varies.
const VARIES: &str = "#";

/// From here on Linux hands out ports to whoever asks for any (`net.ipv4.ip_local_port_range`); a port below names a service.
const EPHEMERAL_PORTS: u16 = 32_768;

/// The shortest word of hexadecimal digits that is taken for a hash: what git shows of one. No English word of `a` to `f` that
/// is as long names a route.
const HASH_CHARS_MIN: usize = 7;

/// A function's name without the version or revision that a deploy changes: `checkout:42`, `checkout:$LATEST`, an ARN, a
/// revision of Knative (`checkout-00007`) or Cloud Run (`checkout-00007-xaz`).
pub fn function(name: &str) -> &str {
    let name = name.split_once(":function:").map_or(name, |(_, rest)| rest.split(':').next().unwrap_or(rest));
    let name = match name.rsplit_once(':') {
        Some((name, version)) if version == "$LATEST" || is_number(version) => name,
        _ => name,
    };
    without_revision(name).filter(|name| !name.is_empty()).unwrap_or(name)
}

fn without_revision(name: &str) -> Option<&str> {
    const REVISION_DIGITS: usize = 5;
    let is_revision = |part: &str| part.len() == REVISION_DIGITS && is_number(part);
    let (rest, last) = name.rsplit_once('-')?;
    if is_revision(last) {
        return Some(rest);
    }
    let (rest, number) = rest.rsplit_once('-')?;
    (is_revision(number) && last.len() == 3 && last.bytes().all(|b| b.is_ascii_lowercase())).then_some(rest)
}

/// An operation and its target, such as `POST payments.internal`, `SELECT … WHERE id = 7`, `charge (payments.py:88)`.
pub fn operation(text: &str) -> String {
    let text = without_literals(&without_comments(text));
    let words: Vec<String> = text.split_whitespace().map(word).collect();
    without_lists(&words.join(" "))
}

/// What tracers put into SQL differs from call to call: `/* traceparent='00-…' */`.
fn without_comments(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, comment)) = rest.split_once("/*") {
        kept.push_str(before);
        // Without an end it is none: `SELECT a/*b`.
        let Some((_, after)) = comment.split_once("*/") else {
            kept.push_str("/*");
            rest = comment;
            continue;
        };
        rest = after;
    }
    kept.push_str(rest);
    kept
}

/// Replaces `'…'`, in which values stand. An apostrophe within a word opens nothing.
fn without_literals(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, literal)) = rest.split_once('\'') {
        kept.push_str(before);
        match literal.split_once('\'') {
            Some((_, after)) if !before.ends_with(char::is_alphanumeric) => {
                kept.push_str(VARIES);
                rest = after;
            }
            _ => {
                kept.push('\'');
                rest = literal;
            }
        }
    }
    kept.push_str(rest);
    kept
}

/// `in (#, #, #)` has as many values as there were at that time.
fn without_lists(text: &str) -> String {
    let mut text = text.to_owned();
    for repeated in ["#, #", "#,#", "(#), (#)", "(#),(#)"] {
        let one = if repeated.starts_with('(') { "(#)" } else { VARIES };
        while text.contains(repeated) {
            text = text.replace(repeated, one);
        }
    }
    text
}

fn word(word: &str) -> String {
    let (scheme, rest) = word.split_once("://").map_or(("", word), |(scheme, rest)| (scheme, rest));
    let is_url = !scheme.is_empty();
    // In SQL a `?` stands for a value, and there is no path before it.
    let rest = if is_url || rest.contains('/') { rest.split(['?', ';']).next().unwrap_or_default() } else { rest };
    let rest = if is_url { rest.split('#').next().unwrap_or_default() } else { rest };
    let mut before = "";
    let mut parts = Vec::new();
    for (place, part) in rest.split('/').enumerate() {
        let is_temporary = matches!(before, "tmp" | "temp") && !part.is_empty();
        parts.push(match place {
            _ if is_temporary => VARIES.to_owned(),
            0 => host(part),
            _ => segment(part),
        });
        before = part;
    }
    let joined = parts.join("/");
    if is_url { format!("{}://{joined}", scheme.to_ascii_lowercase()) } else { joined }
}

/// The first part of a word: a host with user and port, or simply a word.
fn host(text: &str) -> String {
    let text = text.rsplit('@').next().unwrap_or_default();
    let address = text.trim_matches(['[', ']', '(', ')', ',']);
    if address.parse::<IpAddr>().is_ok() {
        return VARIES.to_owned();
    }
    let port = text.rsplit_once(':').and_then(|(host, port)| Some((host, port.parse::<u16>().ok()?)));
    match port {
        // A file and its line looks the same, and the line is what a deploy shifts.
        Some((file, _)) if is_source_file(file) => format!("{}:{VARIES}", labels(file)),
        Some((host, port)) => {
            let host = if host.trim_matches(['[', ']']).parse::<IpAddr>().is_ok() { VARIES.to_owned() } else { labels(host) };
            if port < EPHEMERAL_PORTS { format!("{host}:{port}") } else { format!("{host}:{VARIES}") }
        }
        None => labels(text),
    }
}

fn is_source_file(text: &str) -> bool {
    const EXTENSIONS: [&str; 14] = ["py", "js", "mjs", "cjs", "ts", "rb", "go", "java", "kt", "php", "rs", "cs", "ex", "scala"];
    text.rsplit_once('.').is_some_and(|(_, extension)| EXTENSIONS.contains(&extension))
}

/// A part of a path.
fn segment(text: &str) -> String {
    // An address of a person, or a value with characters that no route has.
    let is_escaped = text.match_indices('%').any(|(at, _)| text[at + 1..].bytes().take(2).filter(u8::is_ascii_hexdigit).count() == 2);
    if is_escaped || text.contains('@') { VARIES.to_owned() } else { labels(text) }
}

/// The labels of a name, dot by dot.
fn labels(text: &str) -> String {
    text.split('.').map(label).collect::<Vec<_>>().join(".")
}

fn label(text: &str) -> String {
    if let Some(workload) = of_pod(text) {
        return format!("{}-{VARIES}", tokens(workload));
    }
    match uuid(text) {
        Some((before, after)) => format!("{}{VARIES}{}", tokens(before), tokens(after)),
        None if is_random(text) => VARIES.to_owned(),
        None => tokens(text),
    }
}

/// `checkout` of a Kubernetes pod `checkout-7d9f8b6c4-x2x9z`: names end in parts of these letters only.
fn of_pod(label: &str) -> Option<&str> {
    let is_generated = |part: &str| part.bytes().all(|b| b"bcdfghjklmnpqrstvwxz2456789".contains(&b));
    let (rest, pod) = label.rsplit_once('-')?;
    let (workload, template) = rest.rsplit_once('-')?;
    let fits = pod.len() == 5 && (8..=10).contains(&template.len()) && is_generated(pod) && is_generated(template);
    fits.then_some(workload)
}

/// What stands before and after a UUID.
fn uuid(text: &str) -> Option<(&str, &str)> {
    const LENGTH: usize = 36;
    let is_uuid = |part: &str| {
        part.bytes().enumerate().all(|(place, b)| if [8, 13, 18, 23].contains(&place) { b == b'-' } else { b.is_ascii_hexdigit() })
    };
    let starts = (0..=text.len().checked_sub(LENGTH)?).filter(|start| text.is_char_boundary(*start));
    let start = starts.into_iter().find(|start| text.get(*start..start + LENGTH).is_some_and(is_uuid))?;
    Some((&text[..start], &text[start + LENGTH..]))
}

/// The words of a label, with what stands between them as it is.
fn tokens(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut rest = text;
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_alphanumeric()).unwrap_or(rest.len());
        kept.push_str(&token(&rest[..end]));
        let next = rest[end..].find(char::is_alphanumeric).map_or(rest.len(), |next| end + next);
        kept.push_str(&rest[end..next]);
        rest = &rest[next..];
    }
    kept
}

fn token(text: &str) -> String {
    let is_hash = text.len() >= HASH_CHARS_MIN && text.bytes().all(|b| b.is_ascii_hexdigit());
    let is_address = text.strip_prefix("0x").is_some_and(|rest| !rest.is_empty());
    let is_id = text.len() >= 5 && text.contains(|c: char| c.is_ascii_digit()) && changes(text) >= 3;
    if is_hash || is_address || is_id {
        return VARIES.to_owned();
    }
    let mut kept = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            c if c.is_ascii_digit() && kept.ends_with(VARIES) => {}
            c if c.is_ascii_digit() => kept.push_str(VARIES),
            c => kept.push(c.to_ascii_lowercase()),
        }
    }
    kept
}

/// Whether a label, whatever joins its words, is one long mixture of letters and digits: a nanoid, base64.
fn is_random(text: &str) -> bool {
    const CHARS_MIN: usize = 16;
    let letters: String = text.chars().filter(char::is_ascii_alphanumeric).collect();
    let digits = letters.bytes().filter(u8::is_ascii_digit).count();
    letters.len() >= CHARS_MIN && digits >= 2 && changes(&letters) * 3 >= letters.len()
}

/// How often a word goes from digits to letters, from small letters to capitals and back. A capital before small letters is how
/// words begin, and counts once.
fn changes(text: &str) -> usize {
    #[derive(Clone, Copy, PartialEq)]
    enum Class {
        Digit,
        Small,
        Capital,
    }
    let class = |c: char| match c {
        c if c.is_ascii_digit() => Class::Digit,
        c if c.is_uppercase() => Class::Capital,
        _ => Class::Small,
    };
    let classes: Vec<Class> = text.chars().map(class).collect();
    classes.windows(2).filter(|pair| pair[0] != pair[1] && *pair != [Class::Capital, Class::Small]).count()
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All of these are one operation.
    fn same(operations: &[&str], expected: &str) {
        for text in operations {
            assert_eq!(operation(text), expected, "{text}");
        }
    }

    #[test]
    fn parameters_of_routes_vary() {
        same(&["GET /orders/7?x=1", "GET /orders/8831?y=2", "GET /orders/01HV5Y8ZQ4T3S2R1"], "get /orders/#");
        same(
            &["PUT s3://a/40719d2c-0a1b-4c3d-8e5f-6a7b8c9d0e1f.json", "PUT s3://a/aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee.json"],
            "put s3://a/#.json",
        );
        same(
            &[
                "GET https://shard-17.db.internal/users/6f747a63-ce41-11e7-8cfe-3d61dad3d219",
                "GET https://shard-3.db.internal/users/deadbeef-aaaa-bbbb-cccc-ddddeeeeffff#top",
                "GET https://me:secret@shard-0004.db.internal/users/V1StGXR8_Z5jdHi6B-myT",
                "GET https://shard-9.db.internal/users/jane%40example.com",
                "GET https://shard-9.db.internal/users/jane@example.com;jsessionid=7",
            ],
            "get https://shard-#.db.internal/users/#",
        );
    }

    #[test]
    fn hosts_keep_what_names_them() {
        same(&["POST payments.internal:8443"], "post payments.internal:8443");
        same(&["connect 10.0.3.17:5432", "connect [2001:db8::1]:5432"], "connect #:5432");
        same(&["connect 10.0.3.17", "connect 2001:db8::7", "connect ::1"], "connect #");
        same(&["GET cache:40123", "GET cache:61000"], "get cache:#");
        same(&["GET checkout-7d9f8b6c4-x2x9z:8080", "GET checkout-6bcdfghjk-xkqzp:8080"], "get checkout-#:8080");
        assert_ne!(operation("GET s3.amazonaws.com"), operation("GET ec2.amazonaws.com"));
        assert_ne!(operation("GET /orders/7"), operation("GET /users/7"));
        assert_ne!(operation("connect localhost:6379"), operation("connect localhost:5432"));
    }

    #[test]
    fn values_in_statements_vary() {
        same(
            &[
                "SELECT * FROM orders WHERE id IN (1, 2, 3) AND name = 'it is'",
                "SELECT * FROM orders WHERE id IN (17) AND name = 'x' /* traceparent='00-1' */",
            ],
            "select * from orders where id in (#) and name = #",
        );
        same(&["INSERT INTO a VALUES (1, 'b'), (2, 'c')", "INSERT INTO a VALUES (3, 'd')"], "insert into a values (#)");
        same(&["DELETE FROM a WHERE b = ? AND c = ?"], "delete from a where b = ? and c = ?");
    }

    #[test]
    fn frames_are_not_split_by_a_deploy() {
        same(&["charge (/srv/releases/20261127/payments.py:88)", "charge (/srv/releases/20261128/payments.py:91)"], {
            "charge (/srv/releases/#/payments.py:#)"
        });
        same(&["charge payments.py:88", "charge payments.py:91"], "charge payments.py:#");
        same(&["open /tmp/tmpq_x1/a", "open /tmp/tmpzz/a"], "open /tmp/#/a");
        same(&["run 0x7fff5fbff8a0", "run 0xdead"], "run #");
        same(&["call Foo$$Lambda$14/0x00000001", "call Foo$$Lambda$211/0x000000ff"], "call foo$$lambda$#/#");
    }

    #[test]
    fn words_stay_words() {
        same(&["POST /v1/oauth2/token"], "post /v#/oauth#/token");
        same(&["Payments/ChargeCard"], "payments/chargecard");
        same(&["don't GET it's"], "don't get it's");
        same(&["SELECT a/*b"], "select a/*b");
        same(&[""], "");
    }

    #[test]
    fn any_text_is_taken() {
        for text in ["ü%", "%e2%82", "a:b:", "://", "[", "'", "/*", "日本語-6f747a63-ce41-11e7-8cfe-3d61dad3d219-日本", "9%ü"] {
            let _ = operation(text);
            let _ = function(text);
        }
    }

    #[test]
    fn a_function_keeps_its_name_through_a_deploy() {
        for name in [
            "checkout",
            "checkout:42",
            "checkout:$LATEST",
            "arn:aws:lambda:eu-west-1:123456789012:function:checkout:live",
            "checkout-00007",
            "checkout-00042-xaz",
        ] {
            assert_eq!(function(name), "checkout", "{name}");
        }
        for name in ["worker-2", "rake:task", "-00007", "checkout-v2", ""] {
            assert_eq!(function(name), name);
        }
    }
}
