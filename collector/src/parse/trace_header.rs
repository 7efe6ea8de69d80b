//! Trace headers: AWS X-Ray's and W3C's.
//!
//! ```text
//! Root=1-6a3f1c20-73cbba13b820f787c789b474;Parent=5b640ff2dc8343a5;Sampled=1;Lineage=1:457dbdd8:0
//! 00-6a3f1c2073cbba13b820f787c789b474-5b640ff2dc8343a5-01
//! ```
//!
//! <https://docs.aws.amazon.com/xray/latest/devguide/xray-concepts.html#xray-concepts-tracingheader> and
//! <https://www.w3.org/TR/trace-context/>, read in November 2026. `Self` is the load balancer's own hop, not the trace.

use domain::{Claim, Kind, SpanId, TraceId};

use super::{Fate, Lines, RAW_BYTES_MAX, cut, marks};

/// The format's name.
pub const FORMAT: &str = "trace_header";

/// A header by itself says nothing: it is only shown.
pub(super) const MARKS: marks::Declared = &[];

/// A header by itself, as `overrun parse --format trace_header` is given it.
pub(super) const LINES: Lines = Lines { begins: |_| None, read };

fn read(text: &str) -> Option<Fate> {
    let text = text.trim();
    let claim = Claim::new(Kind::Header, FORMAT, cut(text, RAW_BYTES_MAX));
    let value = text.split_once(':').filter(|(name, _)| is_name(name)).map_or(text, |(_, value)| value.trim());
    // Keys come in any order.
    let keys = || value.split(';').filter_map(|part| part.trim().split_once('=')).map(|(key, _)| key.to_ascii_lowercase());
    let is_xray = keys().any(|key| matches!(key.as_str(), "root" | "self" | "parent"));
    let claim = if is_xray { add_xray(claim, value) } else { w3c(claim, value)? };
    Some(Fate::Ignored(Box::new(claim)))
}

fn is_name(text: &str) -> bool {
    ["x-amzn-trace-id", "traceparent", "_x_amzn_trace_id"].contains(&text.trim().to_ascii_lowercase().as_str())
}

/// Adds what an X-Ray header says to a claim.
#[must_use]
pub fn add_xray(mut claim: Claim, header: &str) -> Claim {
    for part in header.split(';') {
        let Some((name, value)) = part.trim().split_once('=') else { continue };
        // Load balancers write `Root`, Lambda's responses `root`.
        match name.to_ascii_lowercase().as_str() {
            "root" => {
                if let Some(trace_id) = TraceId::parse(value).filter(|_| value.starts_with("1-")) {
                    claim = claim.with("xray_trace_id", trace_id.to_xray());
                    claim.trace_id = Some(trace_id);
                }
            }
            "parent" if is_span_id(value) => claim.parent_span_id = Some(SpanId::from(value.to_ascii_lowercase())),
            // `?` leaves the decision to the next hop.
            "sampled" if matches!(value, "0" | "1") => claim = claim.with("xray_sampled", value == "1"),
            _ => {}
        }
    }
    claim
}

/// The trace that an access line names anywhere, by X-Ray's header or W3C's: their forms are nobody else's, whatever a site calls
/// the field.
#[must_use]
pub fn within(line: &str) -> Option<TraceId> {
    const XRAY_BYTES: usize = "1-6a3f1c20-3603b70c1c9918ad0d291de9".len();
    let xray = || line.match_indices("oot=1-").find_map(|(at, _)| TraceId::parse(line.get(at + 4..at + 4 + XRAY_BYTES)?));
    let traceparent = |word: &str| w3c(Claim::new(Kind::Header, FORMAT, ""), word)?.trace_id;
    xray().or_else(|| line.split([' ', '"', '=', '|', '{', '}']).filter(|word| word.starts_with("00-")).find_map(traceparent))
}

fn w3c(mut claim: Claim, value: &str) -> Option<Claim> {
    let mut parts = value.split('-');
    let (version, trace, parent, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    if version.len() != 2 || version == "ff" || flags.len() < 2 || !is_span_id(parent) {
        return None;
    }
    claim.trace_id = Some(TraceId::parse(trace)?);
    claim.parent_span_id = Some(SpanId::from(parent));
    let sampled = u8::from_str_radix(flags.get(..2)?, 16).ok()? & 1 == 1;
    Some(claim.with("sampled", sampled))
}

fn is_span_id(text: &str) -> bool {
    text.len() == 16 && text.bytes().all(|b| b.is_ascii_hexdigit()) && text.bytes().any(|b| b != b'0')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claim(text: &str) -> Option<Claim> {
        match read(text)? {
            Fate::Ignored(claim) => Some(*claim),
            other => panic!("a header is never {other:?}"),
        }
    }

    #[test]
    fn both_kinds_of_header_name_the_same_trace() {
        let traces: Vec<_> = include_str!("../../../tests/fixtures/trace_header/headers.txt")
            .lines()
            .map(|line| claim(line).expect("a header").trace_id)
            .collect();
        assert_eq!(traces, vec![TraceId::parse("69072a385c1d2e3f4a5b6c7d8e9f0a1b"); 3]);
    }

    #[test]
    fn a_trace_is_found_in_an_access_line_whatever_its_field_is_called() {
        let trace = TraceId::parse("69072a385c1d2e3f4a5b6c7d8e9f0a1b");
        for words in [
            r#"200 5 "-" "curl" "Root=1-69072a38-5c1d2e3f4a5b6c7d8e9f0a1b;Sampled=1""#,
            "rt=0.1 amzn=Self=1-67891234-12456789abcdef012345678;Root=1-69072a38-5c1d2e3f4a5b6c7d8e9f0a1b",
            r#"{"tp":"00-69072a385c1d2e3f4a5b6c7d8e9f0a1b-b30496596bc044ac-01"}"#,
            "tp=00-69072a385c1d2e3f4a5b6c7d8e9f0a1b-b30496596bc044ac-01 rt=0.1",
        ] {
            assert_eq!(within(words), trace, "{words}");
        }
        assert_eq!(within("root=1-2 /a?x=00-11 Root=1-5759e988-bd86"), None);
    }

    #[test]
    fn what_is_undecided_or_invalid_stays_out() {
        assert_eq!(claim("Root=1-69072a38-5c1d2e3f4a5b6c7d8e9f0a1b;Sampled=?").expect("a header").attributes.get("xray_sampled"), None);
        assert_eq!(claim("Root=1-5759e988-bd862e3fe1be46a99427279").expect("a header").trace_id, None);
        assert!(claim("00-00000000000000000000000000000000-b30496596bc044ac-01").is_none());
        assert!(claim("key=value; other=words").is_none());
    }

    #[test]
    fn keys_come_in_any_order_and_case() {
        let claim =
            claim("sampled=1; lineage=1:457dbdd8:0; PARENT=5b640ff2dc8343a5;root=1-69072a38-5c1d2e3f4a5b6c7d8e9f0a1b").expect("a header");
        assert_eq!(claim.trace_id, TraceId::parse("69072a385c1d2e3f4a5b6c7d8e9f0a1b"));
        assert_eq!(claim.attributes.get("xray_sampled"), Some(&true.into()));
    }
}
