//! OpenTelemetry over gRPC: `opentelemetry.proto.collector.trace.v1.TraceService/Export`, and `logs` likewise.
//!
//! Framing, compression and their limits are tonic's; the message itself is handed on as it came and read where it lies. What
//! is added: bytes are counted while they come in, and a message over the limit is answered `RESOURCE_EXHAUSTED`. tonic says
//! `OUT_OF_RANGE`, after which an OTLP client would send the same again for ever.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderValue, Uri};
use axum::middleware::Next;
use axum::response::Response;
use axum::routing::post;
use bytes::Buf;
use futures_util::StreamExt;
use prost::Message;
use tonic::codec::{Codec, CompressionEncoding, DecodeBuf, Decoder, EnabledCompressionEncodings, EncodeBuf, Encoder};
use tonic::server::{Grpc, UnaryService};
use tonic::{Code, Status};

use super::otlp_answer::Answer;
use super::parts::{Arrival, Source};
use super::{Receiver, Refusal, Sender, rpc_status};
use crate::parse::Context;
use crate::parse::otlp::Signal;
use crate::pipeline::NotTaken;

const TRANSPORT: &str = "otlp_grpc";

/// The services, with their limits.
pub fn router(receiver: Receiver) -> Router {
    let serve = |signal: Signal| {
        let receiver = receiver.clone();
        let export = move |request: Request| {
            let bytes_max = receiver.options.decompressed_bytes_max;
            let mut gzip = EnabledCompressionEncodings::default();
            gzip.enable(CompressionEncoding::Gzip);
            let service = Export { receiver: receiver.clone(), signal };
            let mut grpc = Grpc::new(AsItIs).apply_compression_config(gzip, gzip).apply_max_message_size_config(Some(bytes_max), None);
            async move { grpc.unary(service, request).await.map(Body::new) }
        };
        post(export)
    };
    Router::new()
        .route("/opentelemetry.proto.collector.trace.v1.TraceService/Export", serve(Signal::Traces))
        .route("/opentelemetry.proto.collector.logs.v1.LogsService/Export", serve(Signal::Logs))
        .fallback(async || Status::unimplemented("expected `TraceService/Export` or `LogsService/Export` of OTLP").into_http::<Body>())
        .layer(axum::middleware::from_fn_with_state(receiver, bounded))
}

/// The one method that each service has.
struct Export {
    receiver: Receiver,
    signal: Signal,
}

impl UnaryService<Bytes> for Export {
    type Response = Answer;
    type Future = Pin<Box<dyn Future<Output = Result<tonic::Response<Answer>, Status>> + Send>>;

    fn call(&mut self, request: tonic::Request<Bytes>) -> Self::Future {
        let (receiver, signal) = (self.receiver.clone(), self.signal);
        Box::pin(async move {
            let answer = export(&receiver, signal, request).await;
            answer.map(tonic::Response::new).map_err(|refusal| grpc_status(&refusal, receiver.options.retry_after_seconds))
        })
    }
}

async fn export(receiver: &Receiver, signal: Signal, request: tonic::Request<Bytes>) -> Result<Answer, Refusal> {
    let (metadata, extensions, message) = request.into_parts();
    let sender = Sender::of(&Uri::from_static("/"), &metadata.into_headers(), &extensions, TRANSPORT)?;
    if receiver.pipeline.is_stopping() {
        return Err(NotTaken::Stopping.into());
    }
    let (received_at, mut reservation) = (receiver.pipeline.clock().now(), receiver.budget.reservation());
    let bytes = message.len();
    let open = move || {
        reservation.grow(bytes)?;
        let arrival = Arrival { sender, format: signal.format(), received_at, bytes: bytes as u64 };
        let digest = arrival.digest(&message);
        let request = signal.of_protobuf(message.into()).map_err(|reject| Refusal::Malformed(reject.reason))?;
        Ok((Source::new(Box::new(request.items(Context::default())), arrival, digest), reservation))
    };
    let tally = receiver.store(bytes, open).await?;
    Ok(Answer::of(signal, &tally))
}

/// Hands messages on without reading them.
struct AsItIs;

impl Codec for AsItIs {
    type Encode = Answer;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for AsItIs {
    type Item = Answer;
    type Error = Status;

    fn encode(&mut self, answer: Answer, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        answer.encode(buffer).map_err(|error| Status::internal(error.to_string()))
    }
}

impl Decoder for AsItIs {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(buffer.copy_to_bytes(buffer.remaining())))
    }
}

/// A refusal as a gRPC status, with `RetryInfo` where coming again is of use.
fn grpc_status(refusal: &Refusal, retry_after_seconds: u32) -> Status {
    let status = rpc_status::status(refusal, retry_after_seconds);
    if status.details.is_empty() {
        return Status::new(rpc_status::code(refusal), status.message);
    }
    Status::with_details(rpc_status::code(refusal), status.message.clone(), Bytes::from(status.encode_to_vec()))
}

/// Counts a request's bytes against the budget until it is answered, and mends tonic's code for too large a message.
async fn bounded(State(receiver): State<Receiver>, request: Request, next: Next) -> Response {
    let held = Arc::new(Mutex::new(receiver.budget.reservation()));
    let counted = {
        let (receiver, held) = (receiver.clone(), held.clone());
        let bytes = receiver.pipeline.metrics().bytes.with_label_values(&[TRANSPORT]);
        let count = move |chunk: Result<Bytes, axum::Error>| {
            let chunk = chunk?;
            bytes.inc_by(chunk.len() as u64);
            let grown = held.lock().map_err(|_| Refusal::Busy).and_then(|mut held| held.grow(chunk.len()));
            grown.map_err(|refusal| grpc_status(&refusal, receiver.options.retry_after_seconds))?;
            Ok::<_, axum::BoxError>(chunk)
        };
        // A request of gRPC has no trailers that would be lost here.
        request.map(|body| Body::from_stream(body.into_data_stream().map(count)))
    };
    let mut response = next.run(counted).await;
    drop(held);
    let code = response.headers().get(Status::GRPC_STATUS).map(|value| Code::from_bytes(value.as_bytes()));
    if code == Some(Code::OutOfRange) {
        response.headers_mut().insert(Status::GRPC_STATUS, HeaderValue::from(Code::ResourceExhausted as i32));
    }
    let class = match code {
        None | Some(Code::Ok) => "2xx",
        Some(Code::Unavailable | Code::Internal | Code::Unknown | Code::DeadlineExceeded) => "5xx",
        Some(_) => "4xx",
    };
    receiver.pipeline.metrics().requests.with_label_values(&[TRANSPORT, class]).inc();
    response
}
