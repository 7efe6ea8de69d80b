//! Who and where, as resource and attributes say it, and what the encodings of IDs and times mean.

use domain::{Claim, FunctionName, Instance, Product, RequestId, SpanId, TraceId};
use jiff::Timestamp;

use super::attributes::Attributes;
use crate::parse::cut;

/// The longest identifier: an ARN has at most 200 bytes, a log stream 512.
const ID_BYTES_MAX: usize = 512;
/// Under which names instrumentations put the request ID; the second is the name before semantic conventions 1.19.
const REQUEST_ID: [&str; 2] = ["faas.invocation_id", "faas.execution"];
/// Under which names the function's ARN is found, newest first.
const FUNCTION_ARN: [&str; 3] = ["cloud.resource_id", "aws.lambda.invoked_arn", "faas.id"];
/// Where a process ran, narrowest first. `service.instance.id` comes last: SDKs make it up per process, so that nothing
/// else that was written by that process carries it.
const INSTANCE: [&str; 4] = ["faas.instance", "k8s.pod.name", "host.name", "service.instance.id"];

/// What a span's or log record's attributes and resource say of who wrote it.
#[derive(Clone, Debug)]
pub struct Identity {
    request_id: Option<RequestId>,
    pub instance: Option<Instance>,
    pid: Option<u32>,
    pub function: Option<FunctionName>,
    platform: Option<Product>,
}

impl Identity {
    /// Looks it up.
    pub fn of(attributes: &Attributes<'_, '_>) -> Self {
        Self {
            request_id: attributes.text(&REQUEST_ID).filter(|id| id.len() <= ID_BYTES_MAX).map(RequestId::from),
            instance: instance(attributes),
            pid: attributes.integer("process.pid").and_then(|pid| u32::try_from(pid).ok()),
            function: function(attributes).map(|text| FunctionName::from(cut(text, ID_BYTES_MAX))),
            platform: attributes.text(&["cloud.platform"]).and_then(platform),
        }
    }

    /// Adds it where a claim does not say it itself.
    pub fn fill(self, claim: &mut Claim) {
        claim.request_id = claim.request_id.take().or(self.request_id);
        claim.instance = claim.instance.take().or(self.instance);
        claim.pid = claim.pid.or(self.pid);
        claim.function = claim.function.take().or(self.function);
        claim.platform = claim.platform.take().or(self.platform);
    }
}

/// A log stream is named with its log group, as CloudWatch Logs delivers it, so that both meet.
fn instance(attributes: &Attributes<'_, '_>) -> Option<Instance> {
    let group = attributes.first_text("aws.log.group.names");
    let stream = attributes.first_text("aws.log.stream.names").or_else(|| attributes.text(&["faas.instance"]));
    match (group, stream) {
        (Some(group), Some(stream)) => Some(Instance::from(format!("{}:{}", cut(group, ID_BYTES_MAX), cut(stream, ID_BYTES_MAX)))),
        _ => attributes.text(&INSTANCE).or(stream).map(|text| Instance::from(cut(text, ID_BYTES_MAX))),
    }
}

fn function<'a>(attributes: &Attributes<'a, '_>) -> Option<&'a str> {
    let arn = || FUNCTION_ARN.iter().find_map(|name| attributes.text(&[name]).and_then(function_of_arn));
    attributes
        .text(&["faas.name"])
        .or_else(arn)
        .or_else(|| attributes.first_text("aws.log.group.names").and_then(|group| group.strip_prefix("/aws/lambda/")))
        .or_else(|| attributes.text(&["service.name"]).filter(|name| !name.starts_with("unknown_service")))
}

/// `arn:aws:lambda:us-east-1:123456789012:function:checkout:live` → `checkout`
fn function_of_arn(arn: &str) -> Option<&str> {
    let mut parts = arn.strip_prefix("arn:")?.split(':').skip(1);
    let is_lambda = parts.next() == Some("lambda");
    let name = parts.nth(3);
    name.filter(|name| is_lambda && !name.is_empty())
}

/// The values of `cloud.platform` that have a limit of their own (semantic conventions 1.38, read 2026-11-22).
fn platform(text: &str) -> Option<Product> {
    Some(match text {
        "aws_lambda" => Product::AWS_LAMBDA,
        "gcp_cloud_run" => Product::from("cloud_run"),
        "gcp_cloud_functions" => Product::from("cloud_functions"),
        "azure_functions" | "azure.functions" => Product::from("azure_functions"),
        _ => return None,
    })
}

/// Zero is "not set".
pub fn time(unix_nanoseconds: u64) -> Option<Timestamp> {
    if unix_nanoseconds == 0 {
        return None;
    }
    Timestamp::from_nanosecond(i128::from(unix_nanoseconds)).ok()
}

/// Sixteen bytes that are not all zero.
pub fn trace_id(bytes: &[u8]) -> Option<TraceId> {
    TraceId::from_bytes(bytes.try_into().ok()?)
}

/// Eight bytes that are not all zero.
pub fn span_id(bytes: &[u8]) -> Option<SpanId> {
    SpanId::from_bytes(bytes.try_into().ok()?)
}
