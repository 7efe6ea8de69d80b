//! OTLP in protobuf, read where it lies, against prost: the same is accepted, and the same items come of it.
#![no_main]

use collector::parse::otlp::{Request, Signal};
use collector::parse::{Context, facts};
use libfuzzer_sys::fuzz_target;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message;

fuzz_target!(|input: &[u8]| {
    compare::<ExportTraceServiceRequest>(Signal::Traces, input);
    compare::<ExportLogsServiceRequest>(Signal::Logs, input);
});

fn compare<M: Message + Default>(signal: Signal, input: &[u8]) {
    match (signal.of_protobuf(input.to_vec()), M::decode(input)) {
        (Ok(read), Ok(message)) => {
            let written = signal.of_protobuf(message.encode_to_vec()).expect("prost wrote it");
            assert_eq!(said(read), said(written));
        }
        (Err(refused), Err(error)) => assert!(refused.reason.ends_with(&error.to_string()), "{}", refused.reason),
        (read, judged) => panic!("read: {}, judged good by prost: {}", read.is_ok(), judged.is_ok()),
    }
}

fn said(request: Request) -> Vec<String> {
    request.items(Context::default()).map(|item| facts::of(&item).to_string()).collect()
}
