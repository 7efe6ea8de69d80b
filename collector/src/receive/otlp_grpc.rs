//! OpenTelemetry traces over gRPC: `opentelemetry.proto.collector.trace.v1.TraceService/Export`.
//!
//! Decoding and its limits are tonic's. What is added: bytes are counted while they come in, and a message over the limit is
//! answered `RESOURCE_EXHAUSTED`. tonic says `OUT_OF_RANGE`, after which an OTLP client would send the same again for ever.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderValue, Uri};
use axum::middleware::Next;
use axum::response::Response;
use futures_util::StreamExt;
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{TraceService, TraceServiceServer};
use opentelemetry_proto::tonic::collector::trace::v1::{ExportTraceServiceRequest, ExportTraceServiceResponse};
use prost::Message;
use tonic::codec::CompressionEncoding;
use tonic::{Code, Status};

use super::otlp_http::partial_success;
use super::parts::{Arrival, Source};
use super::{Receiver, Refusal, Sender, rpc_status};
use crate::parse::otlp;
use crate::pipeline::NotTaken;

const TRANSPORT: &str = "otlp_grpc";

/// The service, with its limits.
pub fn router(receiver: Receiver) -> Router {
    let bytes_max = receiver.options.decompressed_bytes_max;
    let service = TraceServiceServer::new(Traces(receiver.clone()))
        .accept_compressed(CompressionEncoding::Gzip)
        .send_compressed(CompressionEncoding::Gzip)
        .max_decoding_message_size(bytes_max);
    tonic::service::Routes::new(service).into_axum_router().layer(axum::middleware::from_fn_with_state(receiver, bounded))
}

struct Traces(Receiver);

#[tonic::async_trait]
impl TraceService for Traces {
    async fn export(
        &self,
        request: tonic::Request<ExportTraceServiceRequest>,
    ) -> Result<tonic::Response<ExportTraceServiceResponse>, Status> {
        let (metadata, extensions, message) = request.into_parts();
        let refused = |refusal: Refusal| grpc_status(&refusal, self.0.options.retry_after_seconds);
        let sender = Sender::of(&Uri::from_static("/"), &metadata.into_headers(), &extensions, TRANSPORT).map_err(refused)?;
        if self.0.pipeline.is_stopping() {
            return Err(refused(NotTaken::Stopping.into()));
        }
        let (received_at, mut reservation) = (self.0.pipeline.clock().now(), self.0.budget.reservation());
        let bytes = message.encoded_len();
        let open = move || {
            reservation.grow(bytes)?;
            let arrival = Arrival { sender, format: otlp::FORMAT, received_at, bytes: bytes as u64 };
            // What tonic has decoded is gone; the same message always encodes to the same bytes.
            let digest = arrival.digest(&message.encode_to_vec());
            Ok((Source::new(Box::new(otlp::items(message)), arrival, digest), reservation))
        };
        let tally = self.0.store(bytes, open).await.map_err(refused)?;
        Ok(tonic::Response::new(partial_success(&tally)))
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
