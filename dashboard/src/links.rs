//! Every address that a page links to, in one place.
//!
//! The dashboard may live under a path of its own behind a proxy (`https://example.com/overrun`); all links therefore start
//! with that path.

use std::fmt::Write;
use std::sync::Arc;

use domain::Layer;
use jiff::Timestamp;

/// Builds addresses below the path of the dashboard's public URL.
#[derive(Clone, Debug)]
pub struct Links {
    base: Arc<str>,
}

impl Links {
    /// Links for a dashboard that is reached as `public_url`.
    #[must_use]
    pub fn new(public_url: &str) -> Self {
        let after_scheme = public_url.split_once("://").map_or(public_url, |(_, rest)| rest);
        let path = after_scheme.split_once('/').map_or("", |(_, path)| path).trim_matches('/');
        let safe = !path.is_empty() && path.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~/".contains(&b));
        Self { base: if safe { format!("/{path}").into() } else { "".into() } }
    }

    /// The path all addresses start with: empty, or `/overrun`.
    #[must_use]
    pub fn base(&self) -> &str {
        &self.base
    }

    /// An address given as a path of ours.
    #[must_use]
    pub fn path(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    /// The page of one incident.
    #[must_use]
    pub fn incident(&self, id: &str) -> String {
        format!("{}/incidents/{}", self.base, encoded(id))
    }

    /// The page of one request.
    #[must_use]
    pub fn request(&self, request_id: &str) -> String {
        format!("{}/requests/{}", self.base, encoded(request_id))
    }

    /// The page of one problem.
    #[must_use]
    pub fn problem(&self, id: &str) -> String {
        format!("{}/problems/{}", self.base, encoded(id))
    }

    /// What running the requests of a problem again would do.
    #[must_use]
    pub fn retry(&self, problem: &str) -> String {
        format!("{}/retry", self.problem(problem))
    }

    /// One problem as JSON.
    #[must_use]
    pub fn problem_json(&self, id: &str) -> String {
        format!("{}/api/overrun/v1/problems/{}", self.base, encoded(id))
    }

    /// Where the start of a function goes.
    #[must_use]
    pub fn startup(&self, function: &str, stack: &str) -> String {
        with_query(format!("{}/functions/{}/startup", self.base, encoded(function)), &[("stack", stack.to_owned())])
    }

    /// The list of problems, filtered.
    #[must_use]
    pub fn problems(&self, parameters: &[(&str, String)]) -> String {
        with_query(format!("{}/problems", self.base), parameters)
    }

    /// One incident as JSON.
    #[must_use]
    pub fn incident_json(&self, id: &str) -> String {
        format!("{}/api/overrun/v1/incidents/{}", self.base, encoded(id))
    }

    /// The evidence of one incident as JSON.
    #[must_use]
    pub fn incident_evidence_json(&self, id: &str) -> String {
        format!("{}/evidence", self.incident_json(id))
    }

    /// One request as JSON.
    #[must_use]
    pub fn request_json(&self, request_id: &str) -> String {
        format!("{}/api/overrun/v1/requests/{}", self.base, encoded(request_id))
    }

    /// The list of incidents, filtered.
    #[must_use]
    pub fn incidents(&self, parameters: &[(&str, String)]) -> String {
        with_query(format!("{}/incidents", self.base), parameters)
    }

    /// The list of problems as JSON.
    #[must_use]
    pub fn problems_json(&self, parameters: &[(&str, String)]) -> String {
        with_query(format!("{}/api/overrun/v1/problems", self.base), parameters)
    }

    /// The incidents of one problem in a span of time.
    #[must_use]
    pub fn incidents_of_problem(&self, id: &str, from: Timestamp, to: Timestamp) -> String {
        self.incidents(&[("problem", id.to_owned()), ("from", from.to_string()), ("to", to.to_string())])
    }

    /// The incidents of a span of time.
    #[must_use]
    pub fn incidents_between(&self, from: Timestamp, to: Timestamp, layer: Option<Layer>) -> String {
        let mut parameters = vec![("from", from.to_string()), ("to", to.to_string())];
        parameters.extend(layer.map(|layer| ("layer", layer.as_str().to_owned())));
        self.incidents(&parameters)
    }
}

fn with_query(mut address: String, parameters: &[(&str, String)]) -> String {
    for (place, (name, value)) in parameters.iter().enumerate() {
        address.push(if place == 0 { '?' } else { '&' });
        let _ = write!(address, "{name}={}", encoded(value));
    }
    address
}

/// Percent-encodes everything but the unreserved characters of RFC 3986, so that any text is one path segment or value.
#[must_use]
pub fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_text_is_one_path_segment() {
        let links = Links::new("http://127.0.0.1:4319");
        assert_eq!(links.request("../a b?<\"ü"), "/requests/..%2Fa%20b%3F%3C%22%C3%BC");
    }

    #[test]
    fn links_start_with_the_path_of_the_public_url() {
        assert_eq!(Links::new("https://example.com/tools/overrun/").path("/incidents"), "/tools/overrun/incidents");
        assert_eq!(Links::new("https://example.com/").base(), "");
        assert_eq!(Links::new("https://example.com/a\"b").base(), "");
    }
}
