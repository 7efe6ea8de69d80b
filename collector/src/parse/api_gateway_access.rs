//! Access logs of Amazon API Gateway: REST, HTTP and WebSocket APIs.
//!
//! ```text
//! {"requestId":"1565…","status":"504","responseLatency":"29004","integrationLatency":"29000","responseType":"INTEGRATION_TIMEOUT",…}
//! <request id="f0ec…"> <ip>…</ip> … <status>504</status> … </request>
//! 203.0.113.9,-,-,11/Feb/2026:10:00:30 +0000,GET,/slow,HTTP/1.1,504,41,b8fd…
//! 203.0.113.9 - - [11/Feb/2026:10:00:30 +0000] "GET /slow HTTP/1.1" 504 41 b8fd…
//! ```
//!
//! The line is the site's own template over `$context`; its keys are free. Read are JSON under keys that are named after the
//! variables, in any spelling, nested or not, and the console's XML, CSV and CLF presets. AWS's "`$context` variables for access logging", read in
//! November 2026. Values are texts, `-` where a variable has none.

use domain::{Claim, ClaimedOutcome, Confidence, Kind, Layer, Limit, Millis, RequestId, TraceId};
use serde_json::{Map, Value};

use super::gateway_facts::{self as gateways, present};
use super::{Fate, Lines, RAW_BYTES_MAX, Reject, access_line, api_gateway_execution, cut, marks, times};
use crate::documented::{self, Documented};

/// The format's name.
pub const FORMAT: &str = "api_gateway_access";

/// The usual spellings of the request's ID, which no template leaves out; the presets have a moment or begin with it.
pub(super) const MARKS: marks::Declared = &[
    &marks::COMMON_LOG,
    &["<request id=", "equestId\"", "equest_id\"", "equest-id\"", "equest.id\"", "equestid\"", "equestID\"", "EQUEST_ID\""],
];

pub(super) const LINES: Lines = Lines { begins, read: read_line };

/// Variables that only an API has, in the plain spelling of [`plain`]: two of them beside ID and status make an access line.
const OWN: [&str; 12] = [
    "extendedrequestid",
    "requesttime",
    "requesttimeepoch",
    "resourcepath",
    "routekey",
    "responselatency",
    "integrationlatency",
    "integrationrequestid",
    "integrationstatus",
    "responselength",
    "responsetype",
    "integrationerrormessage",
];

/// What API Gateway calls its own answers, as far as they tell of time and load.
const RESPONSE_TYPES: [&str; 5] = ["INTEGRATION_TIMEOUT", "INTEGRATION_FAILURE", "THROTTLED", "QUOTA_EXCEEDED", "DEFAULT_5XX"];

fn begins(line: &str) -> Option<usize> {
    let preset = || csv(line).map(|_| 0).or_else(|| clf(line).map(|_| 0));
    (line.starts_with("<request id=\"") || line.starts_with('{') && filled(line).is_some()).then_some(0).or_else(preset)
}

/// Templates that leave numbers unquoted print a bare `-` for what is absent: no JSON, though it looks like it. Such a line with
/// `null` in these places; `None` when there is none.
fn filled(line: &str) -> Option<String> {
    line.contains("equestId").then_some(())?;
    let (mut whole, mut rest, mut holes) = (String::new(), line, 0);
    while let Some(colon) = rest.find(':') {
        let (before, after) = rest.split_at(colon + 1);
        whole.push_str(before);
        let hole = after.trim_start_matches(' ').strip_prefix('-').map(|after| after.trim_start_matches(' '));
        rest = match hole.filter(|after| after.starts_with([',', '}'])) {
            Some(after) => {
                whole.push_str("null");
                holes += 1;
                after
            }
            None => after,
        };
    }
    whole.push_str(rest);
    (holes > 0).then_some(whole)
}

/// The variables of the line-wise presets, in their order; the newer ones have the last of them too.
const PRESET: [&str; 11] =
    ["", "", "", "requesttime", "httpmethod", "resourcepath", "protocol", "status", "responselength", "requestid", "extendedrequestid"];

/// Cuts the console's CLF preset: the common log format, without a blank before the request, with its IDs behind it.
fn clf(line: &str) -> Option<Vec<&str>> {
    let (head, rest) = line.trim_end().split_once(" [")?;
    let (time, rest) = rest.split_once(']')?;
    let (request, rest) = rest.trim_start_matches(' ').strip_prefix('"')?.split_once("\" ")?;
    let mut cells: Vec<&str> = head.split(' ').chain([time]).chain(request.split(' ')).chain(rest.split(' ')).collect();
    cells.truncate(PRESET.len());
    let id = *cells.get(9)?;
    let is_id = id.len() == 36 && id.bytes().filter(|b| *b == b'-').count() == 4 || id.len() >= 12 && id.ends_with('=');
    (is_id && head.split(' ').count() == 3 && is_preset(&cells)).then_some(cells)
}

/// Cuts the console's CSV preset.
fn csv(line: &str) -> Option<Vec<&str>> {
    let cells: Vec<&str> = line.trim_end().split(',').collect();
    (matches!(cells.len(), 10 | 11) && is_preset(&cells)).then_some(cells)
}

fn is_preset(cells: &[&str]) -> bool {
    times::common_log(cells[3]).is_some() && cells[6].starts_with("HTTP/") && cells[7].len() == 3
}

fn read_line(text: &str) -> Option<Fate> {
    let text = text.trim();
    if text.starts_with('{') {
        return read_filled(text, &filled(text)?);
    }
    let facts = if let Some(cells) = csv(text).or_else(|| clf(text)) {
        Facts(PRESET.iter().zip(cells).map(|(name, cell)| ((*name).to_owned(), cell.to_owned())).collect())
    } else {
        xml(text)?
    };
    Some(gateways::fate(claim(&facts, text)))
}

fn read_filled(text: &str, whole: &str) -> Option<Fate> {
    let Ok(object) = serde_json::from_str::<Map<String, Value>>(whole) else {
        let known = OWN.iter().filter(|name| text.to_ascii_lowercase().contains(**name)).count();
        return (known >= 2).then(|| Fate::Rejected(Reject::new("expected a JSON object, found one with values that are no JSON", text)));
    };
    read_record(&object, text)?.pop()
}

/// Reads a JSON line.
pub(super) fn read_record(object: &Map<String, Value>, raw: &str) -> Option<Vec<Fate>> {
    // Only what has an ID and a status is worth a closer look.
    let has = |names: &[&str]| object.keys().any(|key| names.contains(&plain(key).as_str()));
    (has(&REQUEST_ID) && has(&STATUS)).then_some(())?;
    // `"integration": {"latency": …}` is `$context.integration.latency` as well.
    let nested = |(key, value): (&String, &Value)| match value {
        Value::Object(inner) => inner.iter().map(|(name, value)| (plain(key) + &plain(name), word(value))).collect::<Vec<_>>(),
        value => vec![(plain(key), word(value))],
    };
    let names: Vec<_> = object.iter().flat_map(nested).collect();
    let own = names.iter().filter(|(name, _)| OWN.contains(&name.as_str())).count();
    let facts = Facts(names.into_iter().filter_map(|(name, value)| Some((name, value?))).collect());
    let is_ours =
        own >= 2 || own == 1 && facts.get(&["responsetype", "errorresponsetype"]).is_some_and(|word| RESPONSE_TYPES.contains(&word));
    (is_ours && facts.get(&REQUEST_ID).is_some()).then_some(())?;
    Some(vec![gateways::fate(claim(&facts, raw))])
}

fn word(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// `integration.requestId`, `integration_request_id` and `integrationRequestId` are one name.
fn plain(key: &str) -> String {
    key.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect()
}

/// The console's XML preset.
fn xml(text: &str) -> Option<Facts> {
    let rest = text.strip_prefix("<request id=\"")?;
    let (id, rest) = rest.split_once("\">")?;
    let mut facts = vec![("requestid".to_owned(), id.to_owned())];
    let mut rest = rest.trim_start();
    while let Some((name, after)) = rest.strip_prefix('<').and_then(|rest| rest.split_once('>')).filter(|(name, _)| !name.starts_with('/'))
    {
        let (value, after) = after.split_once(&format!("</{name}>"))?;
        facts.push((plain(name), value.to_owned()));
        rest = after.trim_start();
    }
    Some(Facts(facts))
}

/// The values of a line under plain names.
struct Facts(Vec<(String, String)>);

const REQUEST_ID: [&str; 3] = ["requestid", "apirequestid", "apigatewayrequestid"];
const STATUS: [&str; 4] = ["status", "statuscode", "httpstatus", "responsestatus"];

impl Facts {
    /// The value of the first of these names that has one.
    fn get(&self, names: &[&str]) -> Option<&str> {
        let value = |wanted: &&str| self.0.iter().find(|(name, _)| name == wanted).and_then(|(_, value)| present(value));
        names.iter().find_map(value)
    }

    fn number(&self, names: &[&str]) -> Option<u32> {
        self.get(names)?.parse().ok()
    }

    fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(known, _)| known == name)
    }
}

fn claim(facts: &Facts, raw: &str) -> Claim {
    let mut claim = Claim::new(Kind::GatewayRequest, FORMAT, cut(raw, RAW_BYTES_MAX));
    let id = facts.get(&REQUEST_ID).unwrap_or_default();
    // REST APIs number requests by UUIDs, HTTP and WebSocket ones by short words; a route key is theirs alone.
    let is_rest = id.len() == 36 && !facts.has("routekey");
    claim = claim.with("gateway", if is_rest { "apigw_rest" } else { "apigw_http" }).with("gateway_request_id", id);
    let of_function = facts.get(&["integrationrequestid", "awsendpointrequestid", "lambdarequestid"]);
    // Lambda's own name for it, which a template may also give to the API's.
    let named = || facts.get(&["awsrequestid"]).filter(|other| *other != id && access_line::is_uuid(other));
    claim.request_id = of_function.or_else(named).map(RequestId::from);
    if let Some(trace_id) = facts.get(&["xraytraceid"]).and_then(|text| TraceId::parse(text.strip_prefix("Root=").unwrap_or(text))) {
        claim = claim.with("xray_trace_id", trace_id.to_xray());
        claim.trace_id = Some(trace_id);
    }
    claim.observed_at = facts.get(&["requesttime"]).and_then(times::common_log);
    let epoch = facts.get(&["requesttimeepoch"]).and_then(|text| text.parse().ok()).and_then(times::epoch);
    claim.started_at = epoch.or(claim.observed_at);
    claim.observed_at = claim.observed_at.or(epoch);
    let latency = |name: &str| facts.get(&[name]).and_then(Millis::parse_ms).filter(|time| *time >= Millis::ZERO);
    claim.elapsed_ms = latency("responselatency");
    for (name, time) in [("latency_ms", claim.elapsed_ms), ("integration_latency_ms", latency("integrationlatency"))] {
        if let Some(time) = time {
            claim = claim.with(name, time.as_ms_f64());
        }
    }
    for (name, number) in [("status_code", facts.number(&STATUS)), ("integration_status_code", facts.number(&["integrationstatus"]))] {
        if let Some(number) = number {
            claim = claim.with(name, number);
        }
    }
    let words = [
        ("extended_request_id", &["extendedrequestid"][..]),
        ("method", &["httpmethod", "method"]),
        ("path", &["resourcepath", "path", "routekey"]),
        ("response_type", &["responsetype", "errorresponsetype"]),
        ("message", &["errormessage", "integrationerrormessage", "integrationerror", "error"]),
    ];
    for (name, keys) in words {
        if let Some(text) = facts.get(keys) {
            claim = claim.with(name, text);
        }
    }
    judged(claim, is_rest)
}

/// The shortest integration timeout that an API takes. AWS's API reference, `PutIntegration`.
const LIMIT_MIN: Millis = Millis::from_ms(50);

/// An HTTP API's integration timeout at most, and unless set.
fn http_api_timeout() -> Option<Millis> {
    documented::variant("api_gateway", "HTTP", gateways::API_GATEWAY_TIMEOUT).and_then(Documented::max)
}

/// What status, response type and latency together say.
fn judged(mut claim: Claim, is_rest: bool) -> Claim {
    let Some(status) = gateways::status(&claim, "status_code") else { return claim };
    let passed_through = gateways::status(&claim, "integration_status_code");
    let message = claim.text("message").unwrap_or_default().to_owned();
    let named = match claim.text("response_type") {
        Some("INTEGRATION_TIMEOUT") => Some(true),
        Some(_) => Some(false),
        None if message == "Endpoint request timed out" => Some(true),
        None => None,
    };
    let waited = claim.millis("integration_latency_ms").or(claim.elapsed_ms);
    // An HTTP API says 503 and no more; but nothing else of it lasts as long as its limit.
    let all_of_it = !is_rest && status == 503 && waited.zip(http_api_timeout()).is_some_and(|(waited, limit)| waited >= limit);
    // What was answered sooner than any limit may be is an error of another kind, or one from a cache.
    let too_soon = waited.is_some_and(|waited| waited < LIMIT_MIN);
    let gave_up = passed_through.is_none() && named.unwrap_or(status == 504 && !too_soon || all_of_it);
    if let Some(told) = api_gateway_execution::function_timeout(&message) {
        return api_gateway_execution::merged(claim, told);
    }
    claim.outcome = if gave_up {
        claim.limit = Some(limit(waited.and_then(gateways::whole_seconds)));
        claim.outcome_confidence = named.is_none().then_some(Confidence::Likely);
        Some(ClaimedOutcome::GatewayTimeout)
    } else if status == 504 && passed_through == Some(504) {
        Some(ClaimedOutcome::UpstreamTimeout)
    } else if matches!(claim.text("response_type"), Some("THROTTLED" | "QUOTA_EXCEEDED")) {
        Some(ClaimedOutcome::Throttled)
    } else {
        gateways::by_status(status)
    };
    claim
}

/// The integration timeout.
pub(super) fn limit(value: Option<Millis>) -> Limit {
    gateways::limit(Layer::Gateway, "api_gateway", gateways::API_GATEWAY_TIMEOUT, value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse::{Format, tests::read};

    #[test]
    fn every_template_says_who_gave_up() {
        let lines = include_str!("../../../tests/fixtures/api_gateway_access/access.log");
        let told = read(Format::ApiGatewayAccess, lines);
        let says = |index: usize, words: &[&str]| {
            for word in words {
                assert!(told[index].contains(word), "{word}: {}", told[index]);
            }
        };
        assert_eq!(told.len(), 8, "{told:#?}");
        says(0, &["gateway=apigw_rest", "outcome=success", "request_id=5b7e", "gateway_request_id=0a1b"]);
        says(1, &["outcome=gateway_timeout", "limit_ms=29000", "latency_ms=29006"]);
        says(2, &["gateway=apigw_http", "outcome=gateway_timeout", "limit_ms=30000"]);
        says(3, &["outcome=gateway_timeout", "outcome_confidence=likely", "status_code=504"]);
        says(4, &["outcome=gateway_timeout", "outcome_confidence=likely"]);
        says(5, &["outcome=gateway_timeout", "latency_ms=30003"]);
        says(6, &["outcome=upstream_timeout"]);
        says(7, &["outcome=timeout", "limit_ms=6000"]);
        assert!(!told[6].contains("limit_ms"), "{}", told[6]);
    }

    #[test]
    fn presets_holes_and_nested_variables_are_read() {
        let id = "0a1b2c3d-0000-4000-8000-000000000001";
        for (text, expected) in [
            (format!(r#"203.0.113.9 - - [02/Nov/2026:09:14:30 +0000] "GET /slow HTTP/1.1" 504 41 {id}"#), "status_code=504"),
            (format!(r#"{{"requestId":"{id}","status": - ,"responseLatency":29001,"integrationLatency":- }}"#), "latency_ms=29001"),
            (
                format!(r#"{{"requestId":"{id}","status":504,"responseLatency":60012,"integration":{{"latency":60000,"requestId":"-"}}}}"#),
                "limit_ms=60000",
            ),
            (
                format!(r#"{{"requestId":"{id}","status":"429","error":{{"responseType":"THROTTLED"}},"responseLatency":"3"}}"#),
                "status_code=429",
            ),
        ] {
            let told = read(Format::ApiGatewayAccess, &text).concat();
            assert!(told.contains("gateway_request ") && told.contains(expected), "{text}: {told}");
        }
    }

    #[test]
    fn a_functions_id_under_lambdas_name_is_its_request_and_the_apis_own_is_not() {
        let (id, own) = ("0a1b2c3d-0000-4000-8000-000000000001", "5b7e2c3d-0000-4000-8000-000000000002");
        for (value, expected) in [(own, true), (id, false), ("-", false), ("PJGsThbqDoEEPXQ=", false)] {
            let text =
                format!(r#"{{"requestId":"{id}","awsRequestId":"{value}","status":200,"responseLatency":29,"integrationLatency":27}}"#);
            let told = read(Format::ApiGatewayAccess, &text).concat();
            assert_eq!(told.contains(&format!(" request_id={own}")), expected, "{told}");
        }
    }

    #[test]
    fn other_peoples_json_is_not_taken() {
        for text in [
            r#"{"requestId":"0a1b2c3d-0000-4000-8000-000000000001","status":"ok","level":"INFO","message":"hello"}"#,
            r#"{"status":504,"path":"/x","responseLength":"3","responseType":"json"}"#,
        ] {
            let object = serde_json::from_str(text).expect("JSON");
            assert!(read_record(&object, text).is_none(), "{text}");
        }
        assert!(read_line("a,b,c,d,e,f,g,h,i,j").is_none());
    }
}
