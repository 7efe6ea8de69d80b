//! The frame that access lines of many servers share: the common log format, whatever follows it.
//!
//! ```text
//! 127.0.0.1 - - [22/Nov/2026:12:16:58 +0000] "GET /report HTTP/1.1" 499 0 "-" "-" rid=4929… rt=1.000 urt=1.001, 0.006
//! ```
//!
//! Read off nginx 1.22.1, Apache 2.4 and varnishncsa 7.1.1. What stands behind the size is each site's own
//! (`log_format`, `LogFormat`, `-F`): bare words, quoted texts, and `key=value` pairs, whose values may be lists.

use domain::{Millis, RequestId};
use jiff::Timestamp;

use super::times;

/// Keys under which access lines carry the request's ID.
pub const REQUEST_ID_KEYS: [&str; 6] = ["rid", "request_id", "req_id", "x_request_id", "http_x_request_id", "id"];

/// An access line, cut into its parts.
pub struct AccessLine<'a> {
    /// Who sent the request.
    pub client: &'a str,
    /// The stamp in brackets; servers differ in whether it is the beginning or the end.
    pub at: Timestamp,
    /// Method and target; `None` for a request that could not be read.
    pub request: Option<(&'a str, &'a str)>,
    /// The status that the client got.
    pub status: u32,
    /// Bytes sent.
    pub bytes: Option<u32>,
    /// What follows.
    pub trailer: Trailer<'a>,
}

/// What a site's own log format put behind the common part.
#[derive(Default)]
pub struct Trailer<'a> {
    /// `key=value`, a list's elements joined as they came.
    pub pairs: Vec<(&'a str, String)>,
    /// Words without a key, quoted ones left out: those are free text.
    pub bare: Vec<&'a str>,
}

/// Cuts a line; `None` when it is no access line.
#[must_use]
pub fn split(text: &str) -> Option<AccessLine<'_>> {
    let text = text.trim_end();
    let (before, rest) = text.split_once(" [")?;
    let words: Vec<&str> = before.split(' ').collect();
    // `vhost_combined` puts the server's name in front; many a `log_format` leaves the user out.
    let ([client, _, _] | [_, client, _, _] | [client, "-"]) = words[..] else { return None };
    let (at, rest) = rest.split_once("] \"")?;
    let (request, rest) = rest.split_once("\" ")?;
    let mut parts = rest.splitn(3, ' ');
    let (status, bytes) = (parts.next()?.parse::<u32>().ok()?, parts.next()?);
    let request = request.split_once(' ').map(|(method, target)| (method, target.rsplit_once(' ').map_or(target, |(path, _)| path)));
    Some(AccessLine {
        client,
        at: times::common_log(at)?,
        request,
        status,
        bytes: bytes.parse().ok(),
        trailer: trailer(parts.next().unwrap_or_default()),
    })
}

fn trailer(text: &str) -> Trailer<'_> {
    let mut read = Trailer::default();
    let mut in_list = false;
    for word in words(text) {
        // Lists of nginx: `urt=1.001, 0.006` for one upstream after the other, ` : ` after an internal redirect.
        let continues = in_list || word == ":";
        in_list = word.ends_with(',') || word == ":";
        match word.split_once('=') {
            _ if continues && !read.pairs.is_empty() => {
                let (_, value) = read.pairs.last_mut().expect("it was just looked at");
                value.push(' ');
                value.push_str(word.trim_matches('"'));
            }
            _ if word.starts_with('"') => in_list = false,
            Some((key, value)) if is_key(key) => read.pairs.push((key, value.trim_matches('"').to_owned())),
            _ => read.bare.push(word),
        }
    }
    read.pairs.extend(ingress(&read.bare));
    read.pairs.extend(bare_times(&read.bare));
    read
}

/// `$request_time $upstream_response_time` without keys, as in the `log_format` of many a guide. Only nginx writes two times in
/// a row with three places each; the request's is never the shorter one.
///
/// ```text
/// "-" 1.202 1.202 .
/// ```
fn bare_times(bare: &[&str]) -> Vec<(&'static str, String)> {
    let is_time = |word: &str| word.split_once('.').is_some_and(|(_, places)| places.len() == 3) && seconds(word).is_some();
    let pair = bare.windows(2).find(|pair| is_time(pair[0]) && is_time(pair[1]) && seconds(pair[0]) >= seconds(pair[1]));
    let named = |pair: &[&str]| vec![("request_time", pair[0].to_owned()), ("upstream_response_time", pair[1].to_owned())];
    pair.map(named).unwrap_or_default()
}

/// The trailer of Kubernetes' ingress-nginx, which has no keys: length and time of the request, the names of the upstream and its
/// alternative in brackets, then address, length, time and status of each upstream tried, and the request's ID.
///
/// ```text
/// 120 60.001 [default-shop-80] [] 10.0.0.3:8000 0 60.001 504 4f2c6a1d0b3e4c5d6e7f8091a2b3c4d5
/// ```
///
/// The default `log-format-upstream` of its documentation, read in November 2026.
fn ingress(bare: &[&str]) -> Vec<(&'static str, String)> {
    const KEYS: [&str; 9] = [
        "length",
        "request_time",
        "name",
        "alternative",
        "upstream_addr",
        "upstream_length",
        "upstream_response_time",
        "upstream_status",
        "request_id",
    ];
    let mut fields: Vec<String> = Vec::new();
    let mut in_list = false;
    for word in bare {
        match fields.last_mut().filter(|_| in_list) {
            Some(list) => {
                list.push(' ');
                list.push_str(word);
            }
            None => fields.push((*word).to_owned()),
        }
        in_list = word.ends_with(',');
    }
    let is_name = |field: &String| field.starts_with('[') && field.ends_with(']');
    let fits = (8..=KEYS.len()).contains(&fields.len()) && fields[2..4].iter().all(is_name) && seconds(&fields[1]).is_some();
    if fits { KEYS.into_iter().zip(fields).collect() } else { Vec::new() }
}

/// Whether a word may be the key of a `key=value` pair.
#[must_use]
pub fn is_key(word: &str) -> bool {
    !word.is_empty() && word.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.'))
}

/// Splits at blanks that are not inside quotes; a quote inside quotes is escaped by a backslash.
pub fn words(text: &str) -> impl Iterator<Item = &str> {
    let (mut quoted, mut escaped) = (false, false);
    let parts = text.split(move |c: char| {
        let ends = c == ' ' && !quoted;
        quoted ^= c == '"' && !escaped;
        escaped = c == '\\' && !escaped;
        ends
    });
    parts.filter(|word| !word.is_empty())
}

impl Trailer<'_> {
    /// The value of the first of these keys, in any case; `-` and nothing are no values.
    #[must_use]
    pub fn get(&self, keys: &[&str]) -> Option<&str> {
        let value = |key: &&str| self.pairs.iter().find(|(name, _)| name.eq_ignore_ascii_case(key)).map(|(_, value)| value.as_str());
        keys.iter().find_map(value)
    }

    /// The request's ID, under one of the keys that name it.
    #[must_use]
    pub fn request_id(&self) -> Option<RequestId> {
        self.get(&REQUEST_ID_KEYS).filter(|id| !matches!(*id, "" | "-")).map(RequestId::from)
    }

    /// A UUID that stands there without a key. It may be the request's ID; another source has to say so.
    #[must_use]
    pub fn unnamed_id(&self) -> Option<&str> {
        let mut found = self.bare.iter().copied().filter(|word| is_uuid(word));
        found.next().filter(|_| found.next().is_none())
    }
}

/// Whether a text has the shape of a UUID.
#[must_use]
pub fn is_uuid(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let lengths: Vec<usize> = parts.iter().map(|part| part.len()).collect();
    lengths == [8, 4, 4, 4, 12] && parts.iter().all(|part| part.bytes().all(|b| b.is_ascii_hexdigit()))
}

/// Seconds with a fraction, as nginx writes them; `-` is `None`.
#[must_use]
pub fn seconds(text: &str) -> Option<Millis> {
    Millis::parse_seconds(text.trim())
}

/// The words that tell whose line it is, for lines that gunicorn's own reader would take for gunicorn's otherwise.
#[must_use]
pub fn is_of_a_proxy(text: &str) -> bool {
    split(text).is_some_and(|line| is_of_nginx(&line) || is_of_apache(&line) || is_of_varnish(&line) || has_nginxs_status(&line))
}

/// Whether a line with nothing of a site's own behind it has a status that nginx made up, and logs without ever sending it: 499, its
/// client was gone.
fn has_nginxs_status(line: &AccessLine<'_>) -> bool {
    line.status == 499 && line.trailer.pairs.is_empty() && line.trailer.bare.is_empty()
}

/// Keys of what only nginx's log variables give.
const NGINX_KEYS: [&str; 10] = [
    "urt",
    "upstream_response_time",
    "uct",
    "upstream_connect_time",
    "uht",
    "upstream_header_time",
    "us",
    "upstream_status",
    "rt",
    "request_time",
];

/// Whether its trailer has the keys that are used for nginx's variables.
#[must_use]
pub fn is_of_nginx(line: &AccessLine<'_>) -> bool {
    let own = line.trailer.pairs.iter().any(|(key, _)| NGINX_KEYS.contains(key));
    // gunicorn prints its process ID in angle brackets.
    own && !line.trailer.get(&["pid"]).is_some_and(|pid| pid.starts_with('<'))
}

/// Whether it carries what mod_unique_id makes: 24 or, from 2.4 on, 27 characters of its own alphabet.
#[must_use]
pub fn is_of_apache(line: &AccessLine<'_>) -> bool {
    let is_unique = |word: &&str| {
        matches!(word.len(), 24 | 27)
            && word.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'@' | b'-' | b'_'))
            && [u8::is_ascii_lowercase, u8::is_ascii_uppercase].iter().all(|kind| word.bytes().any(|b| kind(&b)))
    };
    line.trailer.bare.iter().any(is_unique)
}

/// Whether it is varnishncsa's: the whole URL in the request line, and a key of its own behind.
#[must_use]
pub fn is_of_varnish(line: &AccessLine<'_>) -> bool {
    let whole_url = line.request.is_some_and(|(_, target)| target.starts_with("http://") || target.starts_with("https://"));
    whole_url && (line.trailer.get(&["xid"]).is_some() || line.trailer.request_id().is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    const NGINX: &str = r#"10.0.0.9 - - [22/Nov/2026:12:17:32 +0000] "GET /f HTTP/1.1" 200 12 "-" "a=b c" rid=r-1 rt=1.006 uct=0.000, 0.001 us=504, 200 : 200 ua=10.0.0.1:80, 10.0.0.2:80"#;

    #[test]
    fn lists_belong_to_their_key() {
        let line = split(NGINX).expect("an access line");
        let pairs: Vec<String> = line.trailer.pairs.iter().map(|(key, value)| format!("{key}={value}")).collect();
        assert_eq!(pairs, ["rid=r-1", "rt=1.006", "uct=0.000, 0.001", "us=504, 200 : 200", "ua=10.0.0.1:80, 10.0.0.2:80"]);
        assert!(line.trailer.bare.is_empty() && is_of_nginx(&line));
    }

    #[test]
    fn ingress_nginx_has_places_instead_of_keys() {
        let line = r#"10.0.0.9 - - [22/Nov/2026:12:17:08 +0000] "GET /r HTTP/1.1" 504 160 "-" "curl" 120 65.001 [default-shop-80] [] 10.0.0.3:80, 10.0.0.4:80 0, 0 5.000, 60.001 504, 504 4f2c6a1d0b3e4c5d6e7f8091a2b3c4d5"#;
        let line = split(line).expect("an access line");
        assert!(is_of_nginx(&line));
        assert_eq!(line.trailer.request_id().as_ref().map(RequestId::as_str), Some("4f2c6a1d0b3e4c5d6e7f8091a2b3c4d5"));
        assert_eq!(line.trailer.get(&["upstream_response_time"]), Some("5.000, 60.001"));
    }

    #[test]
    fn two_times_in_a_row_are_nginxs() {
        let read = |trailer: &str| {
            let text = format!(r#"10.0.0.9 - [22/Nov/2026:12:17:32 +0000] "GET /f HTTP/1.1" 499 0 "-" "curl" {trailer}"#);
            let line = split(&text).expect("an access line");
            (is_of_nginx(&line), line.trailer.get(&["request_time"]).map(str::to_owned))
        };
        assert_eq!(read(r#""-" 1.202 1.201 ."#), (true, Some("1.202".to_owned())));
        for another in ["0.123", "12.345 ms", "1.201 1.202", "0.004021 0.004021", "127.0 1.20"] {
            assert_eq!(read(another), (false, None), "{another}");
        }
    }

    #[test]
    fn each_server_is_told_by_its_own_words_only() {
        for ordinary in [
            r#"10.0.0.9 - - [22/Nov/2026:12:17:32 +0000] "GET /f HTTP/1.1" 200 12 "-" "curl""#,
            r#"10.0.0.9 - - [22/Nov/2026:12:17:32 +0000] "GET /f HTTP/1.1" 200 12 "-" "-" 1001 rid=r-1 pid=<7>"#,
            r#"10.0.0.9 - - [22/Nov/2026:12:17:32 +0000] "GET http://x/ HTTP/1.1" 400 0 "-" "-""#,
        ] {
            assert!(!is_of_a_proxy(ordinary), "{ordinary}");
        }
        assert!(is_of_a_proxy(r#"10.0.0.9 - - [22/Nov/2026:12:17:32 +0000] "GET / HTTP/1.1" 499 0 "-" "curl" "10.1.1.1""#));
        // Traefik logs 499 as well.
        assert!(!is_of_a_proxy(
            r#"10.0.0.9 - - [22/Nov/2026:12:17:32 +0000] "GET / HTTP/1.1" 499 21 "-" "-" 7 "shop@docker" "http://10.0.0.3:80" 1200ms"#
        ));
        assert!(is_of_a_proxy(
            r#"10.0.0.9 - - [22/Nov/2026:12:17:32 +0000] "GET / HTTP/1.1" 502 5 "-" "-" 1001047 7b6b0411-7269-4008-8b13-e799c739ab35 aX9gX6d1w2fsFgXVf_hZrQAAAAE"#
        ));
        assert!(is_of_a_proxy(r#"10.0.0.9 - - [22/Nov/2026:12:17:32 +0000] "GET http://x/y HTTP/1.1" 503 278 1.0 1001 rid=r-2 xid=3"#));
    }
}
