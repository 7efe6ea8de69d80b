//! JSON lines of code in AWS Lambda.

use crate::parse::Format;
use crate::parse::tests::read_one;

fn check(line: &str, expected: &str) {
    assert_eq!(read_one(Format::Auto, line), expected, "{line}");
}

#[test]
fn the_id_stands_under_each_runtimes_own_name() {
    let expected = "evidence app_log level=INFO observed_at=2026-02-11T16:29:45.009Z request_id=7d0a2c11";
    check(r#"{"timestamp":"2026-02-11T16:29:45.009Z","level":"INFO","requestId":"7d0a2c11","message":"hello"}"#, expected);
    check(r#"{"timestamp":"2026-02-11T16:29:45.009Z","level":"INFO","AWSRequestId":"7d0a2c11","message":"hello"}"#, expected);
    check(r#"{"timestamp":"2026-02-11T16:29:45.009Z","level":"INFO","function_request_id":"7d0a2c11","message":"hello"}"#, expected);
    check(
        r#"{"ColdStart":true,"XrayTraceId":"1-6a3f1c20-e293bab63ac3dccb6cb02541","FunctionRequestId":"7d0a2c11","Timestamp":"2026-02-11T14:15:30.4602970Z","Level":"Information","Message":"ok"}"#,
        "evidence app_log cold_start=true level=Information observed_at=2026-02-11T14:15:30.460297Z request_id=7d0a2c11 trace_id_w3c=6a3f1c20e293bab63ac3dccb6cb02541 \
         xray_trace_id=1-6a3f1c20-e293bab63ac3dccb6cb02541",
    );
}

#[test]
fn an_error_before_the_first_request_is_one_of_the_init() {
    check(
        r#"{"timestamp":"2026-02-11T03:48:40Z","log_level":"ERROR","errorMessage":"name 'x' is not defined","errorType":"NameError","requestId":"","stackTrace":[]}"#,
        "evidence app_log error_type=NameError level=ERROR observed_at=2026-02-11T03:48:40Z outcome=init_crash",
    );
}

#[test]
fn other_peoples_lines_are_not_taken_for_lambdas() {
    check(r#"{"level":"INFO","message":"hello"}"#, "ignored app_log");
    check(r#"{"requestId":"7d0a2c11","message":"no level"}"#, "ignored app_log");
    check(r#"{"level":30,"requestId":"7d0a2c11","msg":"pino counts levels"}"#, "ignored app_log");
    let somebodys = read_one(Format::Auto, r#"{"level":"info","requestId":"7d0a2c11","msg":"hello","errorType":null}"#);
    assert_eq!(somebodys, "evidence app_log level=info request_id=7d0a2c11", "its words are kept, without calling it Lambda's");
}
