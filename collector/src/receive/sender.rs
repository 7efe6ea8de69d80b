//! Who sent a request, as far as it says so: query parameters or headers `instance`, `function`, `stack`, `source`.
//!
//! The headers carry the prefix `overrun-`, so that OpenTelemetry exporters can set them as well. What names nobody gets
//! the instance it came from: its peer's address. Without it, equal process IDs of two machines would be one process.

use std::net::{IpAddr, SocketAddr};

use axum::extract::{ConnectInfo, Query};
use axum::http::Extensions;
use axum::http::{HeaderMap, Uri};
use domain::{Claim, FunctionName, Instance, SourceName, StackName};
use serde::Deserialize;

use super::Refusal;
use crate::parse::{Context, redact};

/// The longest name: a log group and stream have at most 1,024 bytes together.
const NAME_BYTES_MAX: usize = 1024;

/// Who sent a request.
#[derive(Clone, Debug)]
pub struct Sender {
    /// The stack of its evidence, where an event names none itself.
    pub stack: StackName,
    /// The name under which it is listed.
    pub source: SourceName,
    /// Where it was written, if the sender says so.
    pub instance: Option<Instance>,
    /// What wrote it, if the sender says so.
    pub function: Option<FunctionName>,
    /// Where the connection came from.
    peer: Option<IpAddr>,
}

#[derive(Debug, Default, Deserialize)]
struct Names {
    stack: Option<String>,
    source: Option<String>,
    instance: Option<String>,
    function: Option<String>,
}

impl Sender {
    /// Reads who sent it; `transport` is the source of whoever names none. A parameter goes before a header.
    ///
    /// # Errors
    ///
    /// When a name is too long or holds control characters.
    pub fn of(uri: &Uri, headers: &HeaderMap, extensions: &Extensions, transport: &str) -> Result<Self, Refusal> {
        let Query(query) = Query::<Names>::try_from_uri(uri)
            .map_err(|error| Refusal::Malformed(format!("expected a query like `?instance=web-1`: {}", error.body_text())))?;
        let name = |parameter: Option<String>, name: &str| {
            let header = || headers.get(format!("overrun-{name}")).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
            checked(parameter.or_else(header), name)
        };
        Ok(Self {
            stack: name(query.stack, "stack")?.map(StackName::from).unwrap_or_default(),
            source: name(query.source, "source")?.map_or_else(|| SourceName::from(transport), SourceName::from),
            instance: name(query.instance, "instance")?.map(Instance::from),
            function: name(query.function, "function")?.map(FunctionName::from),
            peer: extensions.get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(address)| address.ip().to_canonical()),
        })
    }

    /// Whoever is at the other end of a connection that says nothing about its sender.
    #[must_use]
    pub fn at(peer: IpAddr, transport: &str) -> Self {
        let peer = Some(peer.to_canonical());
        Self { stack: StackName::default(), source: SourceName::from(transport), instance: None, function: None, peer }
    }

    /// What parsers are told about an input as a whole. Headers that hold secrets are not for them.
    #[must_use]
    pub fn context(&self, headers: &HeaderMap) -> Context {
        let told = headers.iter().filter(|(name, _)| !redact::is_sensitive(name.as_str()));
        let headers = told.map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()));
        Context { instance: self.instance.clone(), function: self.function.clone(), headers: headers.collect(), ..Context::default() }
    }

    /// Adds what the request says as a whole where a claim does not say it itself.
    pub fn complete(&self, claim: &mut Claim) {
        if claim.instance.is_none() {
            // Behind an address there may be many machines, so it is no name for what can be found without one.
            let needs_one = claim.pid.is_some() || claim.request_id.is_none() && claim.trace_id.is_none();
            let peer = || self.peer.filter(|_| needs_one).map(|address| Instance::from(address.to_string()));
            claim.instance = self.instance.clone().or_else(peer);
        }
        if claim.function.is_none() {
            claim.function.clone_from(&self.function);
        }
    }

    /// Adds to a digest what makes the same bytes from different senders different evidence.
    pub fn digest_into(&self, hasher: &mut blake3::Hasher) {
        let peer = self.peer.map_or_else(String::new, |address| address.to_string());
        let instance = self.instance.as_ref().map_or("", Instance::as_str);
        let function = self.function.as_ref().map_or("", FunctionName::as_str);
        for part in [self.stack.as_str(), self.source.as_str(), instance, function, &peer] {
            hasher.update(&(part.len() as u64).to_le_bytes());
            hasher.update(part.as_bytes());
        }
    }
}

fn checked(text: Option<String>, name: &str) -> Result<Option<String>, Refusal> {
    let Some(text) = text.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty()) else { return Ok(None) };
    if text.len() > NAME_BYTES_MAX {
        return Err(Refusal::Malformed(format!("expected `{name}` of at most {NAME_BYTES_MAX} bytes, found {}", text.len())));
    }
    if text.chars().any(char::is_control) {
        return Err(Refusal::Malformed(format!("expected `{name}` without control characters")));
    }
    Ok(Some(text))
}
