//! HTTP to addresses that users configured: bounded in time and bytes, no redirects, and not into private networks.
//!
//! A name is resolved here, its addresses are checked, and the connection is made to one of those that passed: a name that
//! changes its address between check and use gains nothing.

pub(crate) mod address;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use jiff::fmt::rfc2822;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::header::{HeaderMap, RETRY_AFTER};
use reqwest::{Client, Response, StatusCode, Url, redirect};
use secrecy::{ExposeSecret, SecretString};
use toml::Spanned;

use super::{ActionError, BoxError};
use crate::settings::Fault;
use crate::text::one_line;

/// How long a connection may take to come about.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Most bytes read of an answer: enough to show why it was refused.
const ANSWER_BYTES_MAX: usize = 4_096;

/// How long an answer's body is waited for once its status is known.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(1);

/// Longest part of an answer that is kept, in characters.
const ANSWER_CHARS_MAX: usize = 200;

/// Two clients: one for public addresses only, one for any.
#[derive(Clone, Debug)]
pub(crate) struct Clients {
    public: Client,
    any: Client,
}

impl Clients {
    /// Clients whose requests end after `timeout`.
    ///
    /// # Errors
    /// When no TLS provider is installed or the system's certificates cannot be used.
    pub(crate) fn new(timeout: Duration) -> Result<Self, reqwest::Error> {
        let builder = || {
            Client::builder()
                .timeout(timeout)
                .connect_timeout(CONNECT_TIMEOUT)
                .redirect(redirect::Policy::none())
                .referer(false)
                .no_proxy()
                .no_gzip()
                .user_agent(concat!("Overrun/", env!("CARGO_PKG_VERSION")))
        };
        Ok(Self { public: builder().dns_resolver(Arc::new(PublicOnly)).build()?, any: builder().build()? })
    }

    /// The client for an action that may or may not reach private addresses.
    pub(crate) fn for_private(&self, allowed: bool) -> &Client {
        if allowed { &self.any } else { &self.public }
    }
}

/// A name or address behind which there is nothing public.
#[derive(Debug, thiserror::Error)]
#[error("expected a public address, found `{host}` ({who}); `allow_private = true` in the action permits it")]
pub(crate) struct PrivateAddress {
    host: String,
    who: &'static str,
}

/// Checks a URL whose host says where it is: an address, or a name that is `localhost` everywhere (RFC 6761 §6.3). Other names are checked
/// when they are resolved.
pub(crate) fn check_host(url: &Url) -> Result<(), PrivateAddress> {
    let host = url.host_str().unwrap_or_default();
    let address: Result<IpAddr, _> = host.trim_matches(['[', ']']).parse();
    let name = host.strip_suffix('.').unwrap_or(host);
    let is_here = name == "localhost" || name.ends_with(".localhost");
    match address.ok().and_then(address::reserved_for).or(is_here.then_some("loopback")) {
        Some(who) => Err(PrivateAddress { host: host.to_owned(), who }),
        None => Ok(()),
    }
}

/// Reads the `url` of an action.
pub(crate) fn read_url(url: &Spanned<SecretString>, allow_private: bool) -> Result<Url, Fault> {
    let read: Url = url
        .get_ref()
        .expose_secret()
        .parse()
        .map_err(|error| Fault::of(url, format!("expected a URL that begins with https:// or http://: {error}")))?;
    if !["http", "https"].contains(&read.scheme()) || !read.has_host() {
        return Err(Fault::of(url, format!("expected a URL that begins with https:// or http://, not {}:", read.scheme())));
    }
    if !allow_private {
        check_host(&read).map_err(|error| Fault::of(url, error.to_string().replace("found", "not")))?;
    }
    Ok(read)
}

/// Resolves names through the system and lets only public addresses through.
struct PublicOnly;

impl Resolve for PublicOnly {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let found: Vec<SocketAddr> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            Ok(only_public(name.as_str(), found)?)
        })
    }
}

fn only_public(host: &str, found: Vec<SocketAddr>) -> Result<Addrs, PrivateAddress> {
    let refused = found.iter().find_map(|address| address::reserved_for(address.ip()));
    let public: Vec<_> = found.into_iter().filter(|address| address::reserved_for(address.ip()).is_none()).collect();
    match refused {
        Some(who) if public.is_empty() => Err(PrivateAddress { host: host.to_owned(), who }),
        _ => Ok(Box::new(public.into_iter())),
    }
}

/// What may be shown of a URL: paths and queries of webhooks are often keys.
pub(crate) fn origin(url: &Url) -> String {
    url.origin().ascii_serialization()
}

/// An answer that is not success.
#[derive(Debug, thiserror::Error)]
#[error("answered {status}{}", if .answer.is_empty() { String::new() } else { format!(": {}", .answer) })]
struct Answered {
    status: StatusCode,
    answer: String,
}

/// Turns a response into what becomes of the delivery: the accepted status, or the error that decides.
pub(crate) async fn judge(action: &'static str, response: Response, now: Timestamp) -> Result<String, ActionError> {
    let (status, after) = (response.status(), retry_after(response.headers(), now));
    let answer = beginning(response).await;
    if status.is_success() {
        return Ok(format!("answered {status}"));
    }
    let answer = if is_redirect(status) { "redirects are not followed".to_owned() } else { answer };
    let source: BoxError = Box::new(Answered { status, answer });
    if status == StatusCode::GONE {
        return Err(ActionError::Gone { action, source });
    }
    Err(if is_final(status) { ActionError::GiveUp { action, source } } else { ActionError::Retry { action, after, source } })
}

/// Turns a request that got no answer into what becomes of the delivery.
pub(crate) fn unanswered(action: &'static str, error: reqwest::Error) -> ActionError {
    let error = error.without_url();
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(&error);
    while let Some(found) = cause {
        if let Some(PrivateAddress { host, who }) = found.downcast_ref() {
            return ActionError::GiveUp { action, source: Box::new(PrivateAddress { host: host.clone(), who }) };
        }
        cause = found.source();
    }
    ActionError::Retry { action, after: None, source: Box::new(error) }
}

/// Statuses after which no later attempt can succeed: moved for good, and any 4xx but 408 (too slow) and 429 (too many).
fn is_final(status: StatusCode) -> bool {
    let for_later = [StatusCode::REQUEST_TIMEOUT, StatusCode::TOO_MANY_REQUESTS].contains(&status);
    let moved = [StatusCode::MOVED_PERMANENTLY, StatusCode::PERMANENT_REDIRECT].contains(&status);
    moved || (status.is_client_error() && !for_later)
}

fn is_redirect(status: StatusCode) -> bool {
    status.is_redirection() && status != StatusCode::NOT_MODIFIED
}

/// The beginning of a body as one clean line.
async fn beginning(response: Response) -> String {
    one_line(&String::from_utf8_lossy(&beginning_of(response).await), ANSWER_CHARS_MAX)
}

/// The beginning of a body. Whatever goes wrong here changes nothing: the status has been said.
pub(crate) async fn beginning_of(mut response: Response) -> Vec<u8> {
    let mut bytes = Vec::new();
    let read = async {
        while bytes.len() < ANSWER_BYTES_MAX
            && let Ok(Some(chunk)) = response.chunk().await
        {
            bytes.extend_from_slice(&chunk[..chunk.len().min(ANSWER_BYTES_MAX - bytes.len())]);
        }
    };
    // Out of time means that the beginning is as long as it got.
    let _ = tokio::time::timeout(ANSWER_TIMEOUT, read).await;
    bytes
}

/// `answered 404 Not Found: no such function`
pub(crate) async fn said(response: Response) -> String {
    let status = response.status();
    let answer = if is_redirect(status) { "redirects are not followed".to_owned() } else { beginning(response).await };
    Answered { status, answer }.to_string()
}

/// `Retry-After` as seconds or as an HTTP date (RFC 9110 §10.2.3).
pub(crate) fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let value = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if !value.is_empty() && value.bytes().all(|b| b.is_ascii_digit()) {
        // More digits than a number holds is longer than anybody waits.
        return Some(Duration::from_secs(value.parse().unwrap_or(u64::from(u32::MAX))));
    }
    let date = rfc2822::DateTimeParser::new().parse_timestamp(value).ok()?;
    Some(Duration::try_from(date.duration_since(now)).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_in_any_notation_and_localhost_are_checked() {
        for url in [
            "http://127.0.0.1/",
            "http://127.1/",
            "http://2130706433/",
            "http://0x7f.0.0.1/",
            "http://[::1]/",
            "http://[::ffff:a9fe:a9fe]/",
            "http://LocalHost:9093/",
            "https://hooks.localhost./",
        ] {
            check_host(&url.parse().expect(url)).expect_err(url);
        }
        for url in ["http://1.1.1.1/", "https://[2606:4700::1]:8443/x", "https://example.com/", "https://localhost.example.com/"] {
            check_host(&url.parse().expect(url)).expect(url);
        }
        let refused = check_host(&"http://10.0.0.1/secret-path".parse().expect("valid")).expect_err("private");
        insta::assert_snapshot!(refused, @"expected a public address, found `10.0.0.1` (private); `allow_private = true` in the action permits it");
    }

    #[tokio::test]
    async fn a_name_of_a_private_address_is_refused_when_it_is_resolved() {
        crate::testing::install_tls();
        let clients = Clients::new(Duration::from_mins(1)).expect("set up");
        let error = clients.for_private(false).get("http://localhost:9/").send().await.expect_err("refused");
        let refused = unanswered("webhook", error);
        assert!(matches!(refused, ActionError::GiveUp { .. }));
        insta::assert_snapshot!(refused.detail(), @"`webhook` was refused: expected a public address, found `localhost` (loopback); `allow_private = true` in the action permits it");
    }

    #[test]
    fn a_name_keeps_its_public_addresses_only() {
        let socket = |text: &str| format!("{text}:0").parse().expect("valid");
        let mixed: Vec<_> = only_public("a.example", vec![socket("10.0.0.1"), socket("1.1.1.1")]).expect("one is public").collect();
        assert_eq!(mixed, [socket("1.1.1.1")]);
        assert!(only_public("a.example", vec![socket("127.0.0.1"), socket("10.0.0.1")]).is_err());
        assert_eq!(only_public("a.example", Vec::new()).expect("nothing to refuse").count(), 0);
    }

    #[test]
    fn retry_after_is_read_in_both_forms() {
        let now = crate::testing::at("2026-11-20T12:00:00Z");
        for (value, seconds) in [
            ("120", Some(120)),
            ("0", Some(0)),
            ("99999999999999999999999", Some(4_294_967_295)),
            ("Fri, 20 Nov 2026 12:02:00 GMT", Some(120)),
            ("Fri, 20 Nov 2026 11:00:00 GMT", Some(0)),
            ("-5", None),
            ("soon", None),
            ("", None),
        ] {
            let headers = HeaderMap::from_iter([(RETRY_AFTER, value.parse().expect("visible text"))]);
            assert_eq!(retry_after(&headers, now), seconds.map(Duration::from_secs), "{value}");
        }
    }

    #[test]
    fn a_status_says_whether_to_come_again() {
        for status in [301, 308, 400, 401, 403, 404, 410, 413, 422] {
            assert!(is_final(StatusCode::from_u16(status).expect("valid")), "{status}");
        }
        for status in [302, 303, 307, 408, 429, 500, 502, 503, 504, 599] {
            assert!(!is_final(StatusCode::from_u16(status).expect("valid")), "{status}");
        }
    }

    #[test]
    fn only_scheme_and_host_of_a_url_are_shown() {
        let url = "https://user:pass@hooks.example.com:8443/T000/B000/key?token=x".parse().expect("valid");
        assert_eq!(origin(&url), "https://hooks.example.com:8443");
    }
}
