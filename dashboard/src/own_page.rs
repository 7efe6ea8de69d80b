//! Who may change something: pages of our own, and programs. Not a page of another site that a reader happens to have open.
//!
//! Browsers say where a request comes from: `Sec-Fetch-Site` (<https://www.w3.org/TR/fetch-metadata/>), and `Origin` with every
//! POST (<https://fetch.spec.whatwg.org/#origin-header>), both read 2026-11-27. A page cannot forge either.

use axum::http::HeaderMap;
use axum::http::header::{HOST, ORIGIN};

use crate::error::Failure;

/// Refuses what another site's page sent.
///
/// # Errors
///
/// [`Failure::ForeignPage`].
pub fn check(headers: &HeaderMap) -> Result<(), Failure> {
    let text = |name| headers.get(name).and_then(|value: &axum::http::HeaderValue| value.to_str().ok());
    let is_own = match (text("sec-fetch-site"), headers.get(ORIGIN)) {
        (Some(site), _) => matches!(site, "same-origin" | "none"),
        (None, Some(origin)) => {
            let origin = origin.to_str().ok().and_then(|origin| origin.split_once("://"));
            origin.is_some_and(|(_, authority)| text(HOST.as_str()) == Some(authority))
        }
        // No browser.
        (None, None) => true,
    };
    if is_own { Ok(()) } else { Err(Failure::ForeignPage) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_own(given: &[(&'static str, &'static str)]) -> bool {
        let headers = given.iter().map(|(name, value)| (name.parse().expect("a name"), value.parse().expect("a value")));
        check(&headers.collect()).is_ok()
    }

    #[test]
    fn only_our_own_pages_and_programs_change_anything() {
        assert!(is_own(&[("host", "a:1")]));
        assert!(is_own(&[("host", "a:1"), ("origin", "http://a:1")]));
        assert!(is_own(&[("sec-fetch-site", "same-origin"), ("host", "behind-a-proxy"), ("origin", "https://a")]));
        assert!(!is_own(&[("host", "a:1"), ("origin", "http://a:2")]));
        assert!(!is_own(&[("host", "a:1"), ("origin", "null")]));
        assert!(!is_own(&[("sec-fetch-site", "cross-site"), ("host", "a"), ("origin", "http://a")]));
        assert!(!is_own(&[("sec-fetch-site", "same-site")]));
    }
}
