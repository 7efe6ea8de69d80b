use bytes::BufMut as _;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::logs::v1::logs_service_client::LogsServiceClient;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_client::TraceServiceClient;
use prost::Message;
use tonic::codec::{Codec, CompressionEncoding, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Request};

use super::otlp::{protobuf, two_records, two_spans};
use super::*;
use crate::parse::otlp::Signal;
use crate::receive::rpc_status::{RetryInfo, RpcStatus};

async fn channel(bench: &Bench) -> Channel {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("bound");
    tokio::spawn(serve(listener, grpc_router(&bench.receiver), bench.stop.clone()));
    Endpoint::from_shared(format!("http://{address}")).expect("an address").connect().await.expect("it listens")
}

async fn client(bench: &Bench) -> TraceServiceClient<Channel> {
    TraceServiceClient::new(channel(bench).await).max_encoding_message_size(usize::MAX)
}

fn spans(bad: bool) -> ExportTraceServiceRequest {
    ExportTraceServiceRequest::decode(protobuf(Signal::Traces, &two_spans(bad)).as_slice()).expect("good")
}

fn records(bad: bool) -> ExportLogsServiceRequest {
    ExportLogsServiceRequest::decode(protobuf(Signal::Logs, &two_records(bad)).as_slice()).expect("good")
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn log_records_are_stored_plain_and_in_gzip(pool: PgPool) {
    let bench = Bench::new(pool);
    let mut plain = LogsServiceClient::new(channel(&bench).await);
    assert_eq!(plain.export(records(false)).await.expect("taken").into_inner().partial_success, None);
    assert_eq!(bench.only(&id(7)).await.claim.kind, domain::Kind::InvocationReport);
    let mut packed = LogsServiceClient::new(channel(&bench).await)
        .send_compressed(CompressionEncoding::Gzip)
        .accept_compressed(CompressionEncoding::Gzip);
    let partial = packed.export(records(true)).await.expect("taken").into_inner().partial_success.expect("partial");
    assert_eq!(partial.rejected_log_records, 1);
    assert!(packed.export(ExportLogsServiceRequest::default()).await.is_ok());
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn what_is_no_message_and_no_method_is_refused(pool: PgPool) {
    let bench = Bench::new(pool);
    let call = async |path: &'static str, message: &[u8]| {
        let mut grpc = tonic::client::Grpc::new(channel(&bench).await);
        grpc.ready().await.expect("connected");
        let codec = Raw;
        grpc.unary(Request::new(message.to_vec()), axum::http::uri::PathAndQuery::from_static(path), codec).await.expect_err("refused")
    };
    let status = call("/opentelemetry.proto.collector.trace.v1.TraceService/Export", b"garbage").await;
    assert_eq!(status.code(), Code::InvalidArgument);
    assert!(status.message().starts_with("expected an ExportTraceServiceRequest in protobuf"), "{status:?}");
    let status = call("/opentelemetry.proto.collector.metrics.v1.MetricsService/Export", b"").await;
    assert_eq!(status.code(), Code::Unimplemented, "{status:?}");
}

/// Sends bytes as they are.
struct Raw;

impl Codec for Raw {
    type Encode = Vec<u8>;
    type Decode = ();
    type Encoder = Self;
    type Decoder = Self;
    fn encoder(&mut self) -> Self {
        Self
    }
    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Raw {
    type Item = Vec<u8>;
    type Error = tonic::Status;
    fn encode(&mut self, message: Vec<u8>, buffer: &mut EncodeBuf<'_>) -> Result<(), tonic::Status> {
        buffer.put_slice(&message);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = ();
    type Error = tonic::Status;
    fn decode(&mut self, _: &mut DecodeBuf<'_>) -> Result<Option<()>, tonic::Status> {
        Ok(Some(()))
    }
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn spans_are_stored_plain_and_in_gzip(pool: PgPool) {
    let bench = Bench::new(pool);
    let mut plain = client(&bench).await;
    let mut request = Request::new(spans(false));
    request.metadata_mut().insert("overrun-stack", "shop".parse().expect("ascii"));
    assert_eq!(plain.export(request).await.expect("taken").into_inner().partial_success, None);
    assert_eq!(bench.evidence("a").await[0].stack.as_str(), "shop");
    let mut packed = client(&bench).await.send_compressed(CompressionEncoding::Gzip).accept_compressed(CompressionEncoding::Gzip);
    let partial = packed.export(spans(true)).await.expect("taken").into_inner().partial_success.expect("partial");
    assert_eq!(partial.rejected_spans, 1);
    assert!(packed.export(ExportTraceServiceRequest::default()).await.is_ok());
    assert_eq!(bench.receiver.pipeline.metrics().requests.with_label_values(&["otlp_grpc", "2xx"]).get(), 3);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn what_is_too_large_is_final_and_what_passes_is_not(pool: PgPool) {
    let options = ReceiveOptions { decompressed_bytes_max: 100 << 10, in_flight_bytes_max: 200 << 10, ..ReceiveOptions::default() };
    let bench = Bench::with(pool.clone(), options);
    let large = |bytes: usize| {
        let mut request = spans(false);
        request.resource_spans[0].scope_spans[0].spans[0].name = "x".repeat(bytes);
        request
    };
    let mut plain = client(&bench).await;
    let mut packed = client(&bench).await.send_compressed(CompressionEncoding::Gzip);
    for refused in [plain.export(large(120 << 10)).await, packed.export(large(1 << 20)).await] {
        let status = refused.expect_err("too large");
        assert_eq!((status.code(), status.details().is_empty()), (Code::ResourceExhausted, true), "{status:?}");
    }
    let mut hog = bench.receiver.budget.reservation();
    hog.grow(200 << 10).expect("room");
    let busy = plain.export(spans(false)).await.expect_err("no room");
    drop(hog);
    pool.close().await;
    let away = plain.export(spans(false)).await.expect_err("no database");
    for status in [busy, away] {
        assert_eq!(status.code(), Code::Unavailable, "{status:?}");
        let details = RpcStatus::decode(status.details()).expect("ours").details;
        let retry = RetryInfo::decode(details[0].value.as_slice()).expect("ours").retry_delay.expect("a delay");
        assert_eq!(retry.seconds, 2);
    }
}
