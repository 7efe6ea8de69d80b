//! `google.rpc.Status`, in which OTLP tells what was wrong: in protobuf and in JSON.
//!
//! Messages as in googleapis `google/rpc/status.proto` and `error_details.proto` (read 2026-11-23). Written out here, since
//! three short messages are no reason for a crate.

use prost::Message;
use tonic::Code;

use super::Refusal;
use crate::pipeline::NotTaken;

const RETRY_INFO: &str = "type.googleapis.com/google.rpc.RetryInfo";

/// `google.rpc.Status`
#[derive(Clone, PartialEq, Message)]
pub struct RpcStatus {
    /// A gRPC code.
    #[prost(int32, tag = "1")]
    pub code: i32,
    /// What was expected and what was found.
    #[prost(string, tag = "2")]
    pub message: String,
    /// `RetryInfo`, where coming again is of use.
    #[prost(message, repeated, tag = "3")]
    pub details: Vec<Any>,
}

/// `google.protobuf.Any`
#[derive(Clone, PartialEq, Message)]
pub struct Any {
    /// The message's type.
    #[prost(string, tag = "1")]
    pub type_url: String,
    /// The message.
    #[prost(bytes = "vec", tag = "2")]
    pub value: Vec<u8>,
}

/// `google.rpc.RetryInfo`
#[derive(Clone, PartialEq, Message)]
pub struct RetryInfo {
    /// How long to wait at least.
    #[prost(message, optional, tag = "1")]
    pub retry_delay: Option<Delay>,
}

/// `google.protobuf.Duration`
#[derive(Clone, Copy, PartialEq, Message)]
pub struct Delay {
    /// Whole seconds.
    #[prost(int64, tag = "1")]
    pub seconds: i64,
    /// Nanoseconds beside them.
    #[prost(int32, tag = "2")]
    pub nanos: i32,
}

/// The gRPC code that says this.
pub fn code(refusal: &Refusal) -> Code {
    match refusal {
        Refusal::TooLarge { .. } => Code::ResourceExhausted,
        Refusal::TooSlow { .. } => Code::DeadlineExceeded,
        Refusal::NotTaken(NotTaken::Failed) => Code::Internal,
        Refusal::Busy | Refusal::NotTaken(_) => Code::Unavailable,
        _ => Code::InvalidArgument,
    }
}

/// The status that says this; a passing fault says when to come again.
pub fn status(refusal: &Refusal, retry_after_seconds: u32) -> RpcStatus {
    let retry = RetryInfo { retry_delay: Some(Delay { seconds: i64::from(retry_after_seconds), nanos: 0 }) };
    let detail = Any { type_url: RETRY_INFO.to_owned(), value: retry.encode_to_vec() };
    let details = if refusal.is_passing() { vec![detail] } else { Vec::new() };
    RpcStatus { code: code(refusal).into(), message: refusal.to_string(), details }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_passing_fault_says_when_to_come_again_and_others_do_not() {
        let away = status(&NotTaken::StoreAway.into(), 2);
        assert_eq!((away.code, away.details.len()), (14, 1));
        let retry = RetryInfo::decode(away.details[0].value.as_slice()).expect("ours");
        assert_eq!(retry.retry_delay, Some(Delay { seconds: 2, nanos: 0 }));
        let bad = status(&Refusal::Malformed("expected this, found that".to_owned()), 2);
        assert_eq!((bad.code, bad.message.as_str(), bad.details.len()), (3, "expected this, found that", 0));
    }
}
