//! What code in AWS Lambda prints, runtime by runtime.

use crate::parse::Format;
use crate::parse::tests::read_one;

fn check(line: &str, expected: &str) {
    assert_eq!(read_one(Format::LambdaText, line), expected, "{line}");
}

const ID: &str = "7d0a2c11-4b1e-5f6a-9c3d-2e8f1a0b9c8d";

#[test]
fn lines_with_an_id_are_evidence() {
    let at = "observed_at=2026-02-11T19:11:20.562Z";
    check(
        &format!("2026-02-11T19:11:20.562Z\t{ID}\tINFO\thello"),
        &format!("evidence app_log level=INFO {at} request_id={ID} runtime=nodejs"),
    );
    check(
        &format!("2026-02-11T19:11:20.562Z\t{ID}\tinfo\thello"),
        &format!("evidence app_log level=info {at} request_id={ID} runtime=dotnet"),
    );
    check(
        &format!("[WARNING]\t2026-02-11T19:11:20.562Z\t{ID}\tslow"),
        &format!("evidence app_log level=WARNING {at} request_id={ID} runtime=python"),
    );
    check(
        &format!("I, [2026-02-11T19:11:20.562000 #8]  INFO {ID} -- : hello"),
        &format!("evidence app_log level=INFO {at} request_id={ID} runtime=ruby"),
    );
}

#[test]
fn before_the_first_request_there_is_no_id() {
    check(
        "2026-02-11T19:11:20.562Z\tundefined\tINFO\tloading",
        "ignored app_log level=INFO observed_at=2026-02-11T19:11:20.562Z runtime=nodejs",
    );
    check(
        "[WARNING]\t2026-02-11T19:11:20.562Z\t\tLAMBDA_WARNING: Unhandled exception. The most likely cause is an issue.",
        "ignored app_log level=WARNING message_prefix=LAMBDA_WARNING: Unhandled exception. observed_at=2026-02-11T19:11:20.562Z runtime=python",
    );
    check(
        "I, [2026-02-11T19:11:20.562000 #8]  INFO -- : loading",
        "ignored app_log level=INFO observed_at=2026-02-11T19:11:20.562Z runtime=ruby",
    );
}

#[test]
fn an_uncaught_error_of_node_ends_the_process_and_a_handlers_does_not() {
    let line = |what: &str| format!("2026-02-11T19:11:20.562Z\t{ID}\tERROR\t{what}\t{{\"errorType\":\"Error\",\"errorMessage\":\"boom\"}}");
    let told = |outcome: &str| {
        format!(
            "evidence app_log error_type=Error level=ERROR observed_at=2026-02-11T19:11:20.562Z outcome={outcome} request_id={ID} runtime=nodejs"
        )
    };
    check(&line("Uncaught Exception "), &told("crash"));
    check(&line("Unhandled Promise Rejection "), &told("crash"));
    check(&line("Invoke Error "), &told("error"));
}

#[test]
fn pythons_unhandled_errors_have_neither_id_nor_time() {
    let traceback = "Traceback (most recent call last):\n\u{a0}\u{a0}File \"/var/task/app.py\", line 9, in handler";
    check(
        &format!("[ERROR] ValueError: boom\n{traceback}"),
        "ignored app_log error_type=ValueError level=ERROR outcome=error runtime=python",
    );
    // The real runtime client writes CR for the line ends inside an event.
    check(
        &format!("[ERROR] ValueError: boom\n{traceback}").replace('\n', "\r"),
        "ignored app_log error_type=ValueError level=ERROR outcome=error runtime=python",
    );
    check(
        &format!("[ERROR] Runtime.ImportModuleError: Unable to import module 'app'\n{traceback}"),
        "evidence app_log error_type=Runtime.ImportModuleError level=ERROR outcome=init_crash runtime=python",
    );
    check(
        &format!("[ERROR] MemoryError\n{traceback}"),
        "ignored app_log error_type=MemoryError level=ERROR memory_hint=true outcome=error runtime=python",
    );
    check("[ERROR] no traceback here", "ignored app_log");
}

#[test]
fn words_for_a_full_heap_are_a_hint() {
    for (line, runtime) in [
        ("Exception in thread \"main\" java.lang.OutOfMemoryError: Java heap space", "java"),
        ("FATAL ERROR: CALL_AND_RETRY_LAST Allocation failed - JavaScript heap out of memory", "nodejs"),
        ("fatal error: runtime: out of memory", "go"),
        ("failed to allocate memory (NoMemoryError)", "ruby"),
    ] {
        check(line, &format!("ignored app_log memory_hint=true runtime={runtime}"));
    }
}

#[test]
fn other_shapes_of_runtimes_and_libraries_are_known() {
    check("09:24:37.294 [main] INFO  helloworld.App - started", "ignored app_log level=INFO runtime=java");
    check(
        "WARNING : Function is expected to get timed out. Configured timeout duration = 3 seconds.",
        "ignored app_log limit_ms=3000 near_timeout=true",
    );
    check("Hello from print()", "ignored app_log");
    check("2026/02/11 10:00:00 hello from go", "ignored app_log");
}

#[test]
fn a_warning_before_json_is_passed_over() {
    let json = format!(
        "{{\"timestamp\":\"2026-02-11T17:23:55Z\",\"log_level\":\"ERROR\",\"errorMessage\":\"boom\",\"errorType\":\"ValueError\",\"requestId\":\"{ID}\"}}"
    );
    check(
        &format!("LAMBDA_WARNING: Unhandled exception.\r{json}"),
        &format!("evidence app_log error_type=ValueError level=ERROR observed_at=2026-02-11T17:23:55Z outcome=error request_id={ID}"),
    );
    check("LAMBDA_WARNING: Unhandled exception.\r{broken", "ignored app_log");
}
