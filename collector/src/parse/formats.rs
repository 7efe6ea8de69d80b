//! The formats that can be asked for by name: a closed set, one line per format in [`REGISTRY`], see `docs/formats/`.

use std::sync::LazyLock;

use serde_json::{Map, Value};

use super::envelope::Envelope;
use super::events::Detail;
use super::marks::{self, Marks};
use super::otlp::{self, Signal};
use super::{Context, Fate, Parsed, Visitor, events, sieve};
use super::{alb, api_gateway_access, api_gateway_execution, cloudfront, lambda_async};
use super::{apache, caddy, haproxy, nginx, varnish};
use super::{aws_logs, cri, docker, journald, json_lines, logplex, loki, netlify, syslog};
use super::{azure_eventhub, azure_functions, cloudflare, fly, gcp, gcp_pubsub, heroku, vercel};
use super::{celery, classic_watchdog, hypercorn, of_watchdog, openfaas_gateway, php_fpm, puma, rack_timeout, unicorn, uvicorn, uwsgi};
use super::{
    cloudwatch, firehose, gunicorn, lambda_app_json, lambda_invoke_error, lambda_json, lambda_telemetry, lambda_text, otlp_logs,
    otlp_traces, trace_header, watchdog,
};
use super::{knative, openwhisk, openwhisk_events, tracepoints};

/// A format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Decided line by line, so that a file may mix formats.
    Auto,
    /// OpenFaaS's of-watchdog.
    OfWatchdog,
    /// OpenFaaS's classic watchdog.
    ClassicWatchdog,
    /// OpenFaaS's gateway.
    OpenfaasGateway,
    /// uWSGI's log.
    Uwsgi,
    /// Celery's worker log.
    Celery,
    /// rack-timeout, under any Ruby server.
    RackTimeout,
    /// unicorn's master log.
    Unicorn,
    /// Puma's own lines.
    Puma,
    /// uvicorn's default log.
    Uvicorn,
    /// hypercorn's log.
    Hypercorn,
    /// php-fpm's log, slow log and access lines.
    PhpFpm,
    /// Knative Serving's queue-proxy, activator and request log.
    Knative,
    /// Apache OpenWhisk's activation records.
    Openwhisk,
    /// Apache OpenWhisk's user events.
    OpenwhiskEvents,
    /// gunicorn's error and access log.
    Gunicorn,
    /// HAProxy's traffic log.
    Haproxy,
    /// Caddy's JSON log.
    Caddy,
    /// nginx's error and access log.
    Nginx,
    /// Varnish's log and access lines.
    Varnish,
    /// Apache httpd's error and access log.
    Apache,
    /// AWS's Application Load Balancer: access logs.
    Alb,
    /// Amazon API Gateway: access logs.
    ApiGatewayAccess,
    /// Amazon API Gateway: execution logs.
    ApiGatewayExecution,
    /// Amazon CloudFront: standard logs.
    Cloudfront,
    /// AWS Lambda's text log format, and what code running there prints.
    LambdaText,
    /// AWS Lambda's JSON log format.
    LambdaJson,
    /// Batches of AWS Lambda's Telemetry API.
    LambdaTelemetry,
    /// What AWS Lambda answers whoever invoked a function that failed.
    LambdaInvokeError,
    /// What became of asynchronous invocations.
    LambdaAsync,
    /// CloudWatch Logs subscription messages.
    Cloudwatch,
    /// Kinesis Data Firehose deliveries.
    Firehose,
    /// Heroku's router and dynos.
    Heroku,
    /// Fly.io's proxy and machines.
    Fly,
    /// Google Cloud's log entries of functions and services.
    Gcp,
    /// Azure Functions' host log as text.
    AzureFunctions,
    /// Vercel's log drains.
    Vercel,
    /// Cloudflare's trace events and request log.
    Cloudflare,
    /// Google Pub/Sub push deliveries.
    GcpPubsub,
    /// Azure diagnostic settings through an Event Hub.
    AzureEventhub,
    /// A trace header by itself: X-Ray or W3C.
    TraceHeader,
    /// Sections that a function prints.
    Tracepoints,
    /// Events of a watchdog inside a function.
    Watchdog,
    /// OpenTelemetry traces, protobuf or JSON.
    OtlpTraces,
    /// OpenTelemetry logs, protobuf or JSON.
    OtlpLogs,
    /// Netlify's functions.
    Netlify,
    /// Loki's push API.
    Loki,
    /// Heroku's HTTPS log drains.
    Logplex,
    /// syslog, RFC 5424 and older.
    Syslog,
    /// systemd's journal as JSON.
    Journald,
    /// Docker's log files.
    Docker,
    /// Kubernetes' container log files.
    Cri,
    /// What the AWS command line prints of CloudWatch logs.
    AwsLogs,
    /// Shippers' JSON around lines.
    JsonLines,
}

/// Every format: its name, which is that of its file, its page, its fixtures and its label, the marks of its lines, and how it is
/// read. In `auto` the order is the precedence: stricter ones stand first.
const REGISTRY: &[(Format, &str, marks::Declared, Readers)] = &[
    (Format::Auto, "auto", &[], Readers::NONE),
    (Format::Tracepoints, tracepoints::FORMAT, tracepoints::MARKS, Readers::lines(tracepoints::LINES)),
    (Format::OfWatchdog, of_watchdog::FORMAT, of_watchdog::MARKS, Readers::lines(of_watchdog::LINES)),
    (Format::ClassicWatchdog, classic_watchdog::FORMAT, classic_watchdog::MARKS, Readers::lines(classic_watchdog::LINES)),
    (Format::OpenfaasGateway, openfaas_gateway::FORMAT, openfaas_gateway::MARKS, Readers::lines(openfaas_gateway::LINES)),
    (Format::Uwsgi, uwsgi::FORMAT, uwsgi::MARKS, Readers::lines(uwsgi::LINES)),
    (Format::Celery, celery::FORMAT, celery::MARKS, Readers::lines(celery::LINES).records(celery::read_record)),
    (Format::RackTimeout, rack_timeout::FORMAT, rack_timeout::MARKS, Readers::lines(rack_timeout::LINES)),
    (Format::Unicorn, unicorn::FORMAT, unicorn::MARKS, Readers::lines(unicorn::LINES)),
    (Format::Puma, puma::FORMAT, puma::MARKS, Readers::lines(puma::LINES)),
    (Format::Uvicorn, uvicorn::FORMAT, uvicorn::MARKS, Readers::lines(uvicorn::LINES)),
    (Format::Hypercorn, hypercorn::FORMAT, hypercorn::MARKS, Readers::lines(hypercorn::LINES)),
    (Format::PhpFpm, php_fpm::FORMAT, php_fpm::MARKS, Readers::lines(php_fpm::LINES)),
    (Format::Knative, knative::FORMAT, knative::MARKS, Readers::lines(knative::LINES).records(knative::read_record)),
    (Format::Openwhisk, openwhisk::FORMAT, openwhisk::MARKS, Readers::lines(openwhisk::LINES).records(openwhisk::read_record)),
    (Format::OpenwhiskEvents, openwhisk_events::FORMAT, openwhisk_events::MARKS, Readers::NONE.records(openwhisk_events::read_record)),
    (Format::Gunicorn, gunicorn::FORMAT, gunicorn::MARKS, Readers::lines(gunicorn::LINES).records(gunicorn::read_record)),
    (Format::Haproxy, haproxy::FORMAT, haproxy::MARKS, Readers::lines(haproxy::LINES)),
    (Format::Caddy, caddy::FORMAT, caddy::MARKS, Readers::NONE.records(caddy::read_record)),
    (Format::Nginx, nginx::FORMAT, nginx::MARKS, Readers::lines(nginx::LINES).records(nginx::read_record)),
    (Format::Varnish, varnish::FORMAT, varnish::MARKS, Readers::lines(varnish::LINES)),
    (Format::Apache, apache::FORMAT, apache::MARKS, Readers::lines(apache::LINES)),
    (Format::Alb, alb::FORMAT, alb::MARKS, Readers::lines(alb::LINES)),
    (
        Format::ApiGatewayAccess,
        api_gateway_access::FORMAT,
        api_gateway_access::MARKS,
        Readers::lines(api_gateway_access::LINES).records(api_gateway_access::read_record),
    ),
    (
        Format::ApiGatewayExecution,
        api_gateway_execution::FORMAT,
        api_gateway_execution::MARKS,
        Readers::lines(api_gateway_execution::LINES).records(api_gateway_execution::read_record),
    ),
    (
        Format::Cloudfront,
        cloudfront::FORMAT,
        cloudfront::MARKS,
        Readers::body(|input, (context, _)| cloudfront::parse(input, context))
            .and_lines(cloudfront::LINES)
            .records(cloudfront::read_record),
    ),
    (
        Format::LambdaText,
        lambda_text::FORMAT,
        lambda_text::MARKS,
        Readers::lines(lambda_text::LINES).own_words(lambda_app_json::read_record),
    ),
    (Format::LambdaJson, lambda_json::FORMAT, lambda_json::MARKS, Readers::NONE.records(lambda_json::read_record)),
    (Format::LambdaTelemetry, lambda_telemetry::FORMAT, lambda_telemetry::MARKS, Readers::body(lambda_telemetry::parse)),
    (
        Format::LambdaInvokeError,
        lambda_invoke_error::FORMAT,
        lambda_invoke_error::MARKS,
        Readers::NONE.records(lambda_invoke_error::read_record),
    ),
    (Format::LambdaAsync, lambda_async::FORMAT, lambda_async::MARKS, Readers::NONE.records(lambda_async::read_record)),
    (Format::Cloudwatch, cloudwatch::FORMAT, cloudwatch::MARKS, Readers::body(cloudwatch::parse).records(cloudwatch::read_record)),
    (Format::Firehose, firehose::FORMAT, firehose::MARKS, Readers::body(firehose::parse).records(firehose::read_record)),
    (Format::Heroku, heroku::FORMAT, heroku::MARKS, Readers::lines(heroku::LINES)),
    (Format::Fly, fly::FORMAT, fly::MARKS, Readers::lines(fly::LINES).records(fly::read_record)),
    (Format::Gcp, gcp::FORMAT, gcp::MARKS, Readers::NONE.records(gcp::read_record)),
    (Format::AzureFunctions, azure_functions::FORMAT, azure_functions::MARKS, Readers::lines(azure_functions::LINES)),
    (Format::Vercel, vercel::FORMAT, vercel::MARKS, Readers::NONE.records(vercel::read_record)),
    (Format::Cloudflare, cloudflare::FORMAT, cloudflare::MARKS, Readers::NONE.records(cloudflare::read_record)),
    (Format::GcpPubsub, gcp_pubsub::FORMAT, gcp_pubsub::MARKS, Readers::NONE.records(gcp_pubsub::read_record)),
    (Format::AzureEventhub, azure_eventhub::FORMAT, azure_eventhub::MARKS, Readers::NONE.records(azure_eventhub::read_record)),
    (Format::TraceHeader, trace_header::FORMAT, trace_header::MARKS, Readers::lines(trace_header::LINES)),
    (Format::Watchdog, watchdog::FORMAT, watchdog::MARKS, Readers::body(|input, _| watchdog::parse(input))),
    (Format::OtlpTraces, otlp_traces::FORMAT, otlp_traces::MARKS, Readers::body(|input, read_as| Signal::Traces.parse(input, read_as))),
    (Format::OtlpLogs, otlp_logs::FORMAT, otlp_logs::MARKS, Readers::body(|input, read_as| Signal::Logs.parse(input, read_as))),
    (Format::Netlify, netlify::FORMAT, netlify::MARKS, Readers::lines(netlify::LINES).records(netlify::read_record).around_lines()),
    (Format::Loki, loki::FORMAT, loki::MARKS, Readers::body(loki::parse).records(loki::read_record)),
    (Format::Logplex, logplex::FORMAT, logplex::MARKS, Readers::body(logplex::parse)),
    (Format::Syslog, syslog::FORMAT, syslog::MARKS, Readers::body(syslog::parse)),
    (Format::Journald, journald::FORMAT, journald::MARKS, Readers::NONE.carrying(journald::open)),
    (Format::Docker, docker::FORMAT, docker::MARKS, Readers::NONE.carrying(docker::open)),
    (Format::Cri, cri::FORMAT, cri::MARKS, Readers::NONE.around_lines()),
    (Format::AwsLogs, aws_logs::FORMAT, aws_logs::MARKS, Readers::NONE.records(aws_logs::read_record).around_lines()),
    (Format::JsonLines, json_lines::FORMAT, json_lines::MARKS, Readers::NONE.carrying(json_lines::open)),
];

/// How a format is read; in most of these ways it is not.
#[derive(Clone, Copy)]
struct Readers {
    lines: Option<Lines>,
    records: Option<ReadRecord>,
    own_words: Option<ReadRecord>,
    body: Option<ReadBody>,
    carrier: Option<OpenRecord>,
    /// The format is what stands around lines of others.
    is_around_lines: bool,
}

/// How a format of lines tells and reads its events.
#[derive(Clone, Copy)]
pub(crate) struct Lines {
    /// Where in a line an event of this format begins: 0 for a bare one, more behind a transport's prefix that only this
    /// format's head can end. `None` when the line does not begin one by its first look; cheap, may be wrong for the better.
    pub begins: fn(&str) -> Option<usize>,
    /// Reads a whole event, continuation lines included. `None` when it is not of this format after all.
    pub read: fn(&str) -> Option<Fate>,
}

/// Reads a JSON object. `None` when it is not of this format.
pub(crate) type ReadRecord = fn(&Map<String, Value>, &str) -> Option<Vec<Fate>>;

/// Takes a line out of a JSON object that carries it. `None` when it is not of this format.
pub(crate) type OpenRecord = fn(&Map<String, Value>) -> Option<(Envelope, String)>;

/// Reads a whole body, for all that is in it or for what it says.
type ReadBody = fn(&[u8], (&Context, Detail)) -> Parsed;

impl Readers {
    const NONE: Self = Self { lines: None, records: None, own_words: None, body: None, carrier: None, is_around_lines: false };

    /// A format of lines.
    const fn lines(lines: Lines) -> Self {
        Self { lines: Some(lines), ..Self::NONE }
    }

    /// A format of whole bodies: batches and transports.
    const fn body(body: ReadBody) -> Self {
        Self { body: Some(body), ..Self::NONE }
    }

    /// Also a format of lines, where others' stand around them.
    const fn and_lines(self, lines: Lines) -> Self {
        Self { lines: Some(lines), ..self }
    }

    /// Also, or only, a format of JSON objects.
    const fn records(self, records: ReadRecord) -> Self {
        Self { records: Some(records), ..self }
    }

    /// Lines of others, with something of this format around each, which is taken off in `envelope.rs`.
    const fn around_lines(self) -> Self {
        Self { is_around_lines: true, ..self }
    }

    /// Lines of others, each in a JSON object of this format.
    const fn carrying(self, carrier: OpenRecord) -> Self {
        Self { carrier: Some(carrier), ..self.around_lines() }
    }

    /// Also JSON objects that an application wrote in its own words; asked last, since they look like shippers' wrappers.
    const fn own_words(self, own_words: ReadRecord) -> Self {
        Self { own_words: Some(own_words), ..self }
    }
}

impl Format {
    /// Every format, in the order of the registry.
    pub const ALL: [Self; REGISTRY.len()] = {
        let mut all = [Self::Auto; REGISTRY.len()];
        let mut index = 0;
        while index < all.len() {
            all[index] = REGISTRY[index].0;
            index += 1;
        }
        all
    };

    fn entry(self) -> &'static (Self, &'static str, marks::Declared, Readers) {
        REGISTRY.iter().find(|(format, ..)| *format == self).expect("every format has its line in the registry")
    }

    /// The format's name on the command line, in URLs, labels and docs.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.entry().1
    }

    /// The format of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        REGISTRY.iter().find(|(_, known, ..)| *known == name).map(|(format, ..)| *format)
    }

    /// Reads an input. Never fails: what cannot be read is an item with [`Fate::Rejected`].
    #[must_use]
    pub fn parse(self, input: &[u8], context: &Context) -> Parsed {
        self.parse_body(input, (context, Detail::All)).unwrap_or_else(|| events::parse(self, input, context))
    }

    /// Reads an input for what it says: lines that no format claims are passed over and counted. Returns how many lines (or
    /// records, where the format has no lines) were read.
    pub fn visit(self, input: &[u8], context: &Context, visitor: &mut dyn Visitor) -> u64 {
        let Some(parsed) = self.parse_body(input, (context, Detail::Count)) else { return sieve::visit(self, input, context, visitor) };
        parsed.items.into_iter().for_each(|item| visitor.item(item));
        parsed.lines
    }

    /// Reads an input that is one thing and not lines; `None` when it is lines.
    fn parse_body(self, input: &[u8], read_as: (&Context, Detail)) -> Option<Parsed> {
        if let Some(body) = self.entry().3.body {
            return Some(body(input, read_as));
        }
        match self {
            Self::Journald => return journald::export::parse(input, read_as),
            Self::Auto if journald::export::begins(input) => return journald::export::parse(input, read_as),
            Self::Auto if syslog::is_counted(input) => return Some(syslog::parse(input, read_as)),
            Self::Auto => {}
            _ => return None,
        }
        match otlp::protobuf_signal(input) {
            Some(signal) => Some(signal.parse(input, read_as)),
            None if is_binary(input) && loki::looks_like_push(input) => Some(loki::parse(input, read_as)),
            None => cloudwatch::parse_bare(input, read_as),
        }
    }

    /// Whether a line may be somebody's, by the words in it. If not, [`Format::visit`] passes over it, unless it goes on from one that
    /// may.
    #[must_use]
    pub fn is_marked(line: &str) -> bool {
        Self::marks().search(line.as_bytes()).next(0).is_some()
    }

    /// The marks of every format: a function's log may hold any of them, whatever it was sent as.
    pub(super) fn marks() -> &'static Marks {
        static MARKS: LazyLock<Marks> = LazyLock::new(|| {
            let declared = REGISTRY.iter().flat_map(|(_, _, marks, _)| marks.iter().copied().flatten());
            Marks::new(declared.copied())
        });
        &MARKS
    }

    /// Whether an input is one thing: what stands at its beginning holds for all of it.
    pub(super) fn is_of_bodies(self) -> bool {
        self.entry().3.body.is_some()
    }

    /// The format of what an input of this one holds: any, if this one only stands around lines.
    pub(super) fn inside(self) -> Self {
        if self.entry().3.is_around_lines { Self::Auto } else { self }
    }

    /// How lines are taken out of JSON objects, by every format that has such: a server's log may have been shipped.
    pub(super) fn carriers() -> impl Iterator<Item = OpenRecord> {
        REGISTRY.iter().filter_map(|(.., readers)| readers.carrier)
    }

    /// How the formats that an input of this one may hold are read.
    fn candidates(self) -> impl Iterator<Item = Readers> {
        REGISTRY.iter().filter(move |(format, ..)| *format == self || self == Self::Auto).map(|(.., readers)| *readers)
    }

    /// How their lines are read.
    pub(super) fn line_readers(self) -> impl Iterator<Item = Lines> {
        self.candidates().filter_map(|readers| readers.lines)
    }

    /// How their JSON objects are read.
    pub(super) fn record_readers(self) -> impl Iterator<Item = ReadRecord> {
        self.candidates().filter_map(|readers| readers.records)
    }

    /// How JSON objects in an application's own words are read.
    pub(super) fn own_words(self) -> impl Iterator<Item = ReadRecord> {
        self.candidates().filter_map(|readers| readers.own_words)
    }
}

/// Whether bytes are no text: control characters stand at their beginning.
fn is_binary(input: &[u8]) -> bool {
    input.iter().take(256).any(|b| matches!(b, 0..=8 | 14..=26 | 28..=31 | 127..))
}
