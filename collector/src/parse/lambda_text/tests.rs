//! AWS Lambda's platform lines, in every shape that AWS, its emulator and the extensions that rebuild them write.

use crate::parse::Format;
use crate::parse::tests::read_one;

const ID: &str = "7d0a2c11-4b1e-5f6a-9c3d-2e8f1a0b9c8d";
const XRAY: &str = "1-6a3f1c20-3eb34191e0d1a317b3829668";

/// `ID` stands for the request's ID on both sides, `XRAY` for the trace's.
fn check(line: &str, expected: &str) {
    let fill = |text: &str| {
        let id = text.replace("RequestId: ID", &format!("RequestId: {ID}")).replace("request_id=ID", &format!("request_id={ID}"));
        id.replace("TraceId: X", &format!("TraceId: {XRAY}"))
    };
    assert_eq!(read_one(Format::LambdaText, &fill(line)), fill(expected), "{line}");
}

#[test]
fn start_has_blanks_or_a_tab_and_any_version() {
    check("START RequestId: ID Version: $LATEST\n", "evidence invocation_start function_version=$LATEST request_id=ID");
    check("START RequestId: ID Version: $LATEST.PUBLISHED", "evidence invocation_start function_version=$LATEST.PUBLISHED request_id=ID");
    check("START RequestId: ID\tVersion: 56", "evidence invocation_start function_version=56 request_id=ID");
}

#[test]
fn end_may_say_how() {
    check("END RequestId: ID", "evidence invocation_end request_id=ID");
    check(
        "END RequestId: ID Task timed out after 5.00 seconds",
        "evidence invocation_end elapsed_ms=5000 limit_ms=5000 outcome=timeout request_id=ID",
    );
    check(
        "END RequestId: ID Task failed: \"Runtime.ExitError\"",
        "evidence invocation_end error_type=Runtime.ExitError outcome=crash request_id=ID",
    );
}

#[test]
fn report_of_a_warm_and_of_a_cold_invocation() {
    check(
        "REPORT RequestId: ID\tDuration: 2.90 ms\tBilled Duration: 3 ms\tMemory Size: 128 MB\tMax Memory Used: 36 MB\t\n",
        "evidence invocation_report billed_duration_ms=3 cold_start=false duration_ms=2.9 elapsed_ms=2.9 max_memory_used_mb=36 memory_size_mb=128 request_id=ID",
    );
    check(
        "REPORT RequestId: ID\tDuration: 45.50 ms\tBilled Duration: 624 ms\tMemory Size: 128 MB\tMax Memory Used: 71 MB\tInit Duration: 577.61 ms\t\r\n",
        "evidence invocation_report billed_duration_ms=624 cold_start=true duration_ms=45.5 elapsed_ms=45.5 init_duration_ms=577.61 max_memory_used_mb=71 \
         memory_size_mb=128 request_id=ID",
    );
    check(
        "REPORT RequestId: ID\tDuration: 1.00 ms\tInit Duration: 0.00 ms\t",
        "evidence invocation_report cold_start=false duration_ms=1 elapsed_ms=1 init_duration_ms=0 request_id=ID",
    );
}

#[test]
fn report_of_a_restored_snapshot_keeps_its_four_durations_apart() {
    check(
        "REPORT RequestId: ID\tDuration: 127.10 ms\tBilled Duration: 154 ms\tMemory Size: 2048 MB\tMax Memory Used: 212 MB\tRestore Duration: 325.93 ms\tBilled Restore Duration: 26 ms\t\n",
        "evidence invocation_report billed_duration_ms=154 billed_restore_duration_ms=26 cold_start=true duration_ms=127.1 elapsed_ms=127.1 \
         max_memory_used_mb=212 memory_size_mb=2048 request_id=ID restore_duration_ms=325.93",
    );
}

#[test]
fn report_of_a_timeout_names_the_limit_in_whole_seconds() {
    check(
        "REPORT RequestId: ID\tDuration: 3016.78 ms\tBilled Duration: 3101 ms\tMemory Size: 128 MB\tMax Memory Used: 129 MB\tInit Duration: 84.00 ms\tStatus: timeout\n",
        "evidence invocation_report billed_duration_ms=3101 cold_start=true duration_ms=3016.78 elapsed_ms=3016.78 init_duration_ms=84 limit_ms=3000 \
         max_memory_used_mb=129 memory_at_limit=true memory_size_mb=128 outcome=timeout request_id=ID status=timeout",
    );
    check(
        "REPORT RequestId: ID\tStatus: timeout",
        "evidence invocation_report cold_start=false limit_ms=null outcome=timeout request_id=ID status=timeout",
    );
}

#[test]
fn report_of_a_crash_names_its_kind() {
    let report = |error: &str, outcome: &str| {
        check(
            &format!("REPORT RequestId: ID\tDuration: 133.61 ms\tStatus: error\tError Type: {error}"),
            &format!(
                "evidence invocation_report cold_start=false duration_ms=133.61 elapsed_ms=133.61 error_type={error} outcome={outcome} request_id=ID status=error"
            ),
        );
    };
    report("Runtime.ExitError", "crash");
    report("Runtime.OutOfMemory", "out_of_memory");
    report("Extension.Crash", "extension_crash");
    report("Something.New", "crash");
    check(
        "REPORT RequestId: ID\tDuration: 3001.61 ms\tStatus: error\tError Type: Sandbox.Timedout",
        "evidence invocation_report cold_start=false duration_ms=3001.61 elapsed_ms=3001.61 error_type=Sandbox.Timedout limit_ms=3000 outcome=timeout request_id=ID status=error",
    );
    check("REPORT RequestId: ID\tStatus: frozen", "evidence invocation_report cold_start=false request_id=ID status=frozen");
}

#[test]
fn the_x_ray_part_stands_on_a_line_of_its_own_or_not() {
    let expected = "evidence invocation_report cold_start=false duration_ms=1 elapsed_ms=1 request_id=ID trace_id_w3c=6a3f1c203eb34191e0d1a317b3829668 xray_sampled=true \
                    xray_segment_id=7f644b92a5eff858 xray_trace_id=X";
    let expected = expected.replace("xray_trace_id=X", &format!("xray_trace_id={XRAY}"));
    check("REPORT RequestId: ID\tDuration: 1.00 ms\t\nXRAY TraceId: X\tSegmentId: 7f644b92a5eff858\tSampled: true\t\n", &expected);
    check("REPORT RequestId: ID\tDuration: 1.00 ms\tXRAY TraceId: X\tSegmentId: 7f644b92a5eff858\tSampled: true\n", &expected);
    let alone =
        format!("evidence xray trace_id_w3c=6a3f1c203eb34191e0d1a317b3829668 xray_segment_id=1e2514536f8c4d91 xray_trace_id={XRAY}");
    check("XRAY TraceId: X       SegmentId: 1e2514536f8c4d91\n", &alone);
}

#[test]
fn reports_that_others_rebuild_are_read() {
    check(
        "REPORT RequestId: ID Duration: 2599.40 ms Runtime Duration: 2598.00 ms Post Runtime Duration: 1.40 ms Billed Duration: 2600 ms Memory Size: 128 MB Max Memory Used: 94 MB",
        "evidence invocation_report billed_duration_ms=2600 cold_start=false duration_ms=2599.4 elapsed_ms=2599.4 max_memory_used_mb=94 memory_size_mb=128 \
         post_runtime_duration_ms=1.4 request_id=ID runtime_duration_ms=2598",
    );
    check(
        "REPORT RequestId: ID Runtime Duration: 30000.00 ms Task timed out after 30.00 seconds",
        "evidence invocation_report cold_start=false elapsed_ms=30000 limit_ms=30000 outcome=timeout request_id=ID runtime_duration_ms=30000 status=timeout",
    );
    check(
        "REPORT RequestId: 123\tDuration: 1687.96 ms",
        "evidence invocation_report cold_start=false duration_ms=1687.96 elapsed_ms=1687.96 request_id=123",
    );
}

#[test]
fn tools_that_print_streams_and_times_are_read() {
    let stream = "2026/02/11/[$LATEST]1bd79a8054e4ba578540e20253b37d9e";
    let expected = format!(
        "evidence invocation_report billed_duration_ms=2451 cold_start=false duration_ms=2450.99 elapsed_ms=2450.99 instance={stream} log_stream={stream} \
         observed_at=2026-02-11T14:15:30.680Z request_id=ID"
    );
    check(&format!("{stream} 2026-02-11T14:15:30.680000 REPORT RequestId: ID  Duration: 2450.99 ms   Billed Duration: 2451 ms"), &expected);
    check(
        &format!("2026-02-11T14:15:30.680000+00:00 {stream} REPORT RequestId: ID\tDuration: 2450.99 ms\tBilled Duration: 2451 ms"),
        &expected,
    );
}

#[test]
fn the_old_notice_prints_what_elapsed() {
    let notice = format!("2026-02-11T02:13:13.948Z {ID} Task timed out after 30.02 seconds\n\n");
    check(
        &notice,
        "evidence timeout_notice elapsed_ms=30020 limit_ms=30000 observed_at=2026-02-11T02:13:13.948Z outcome=timeout request_id=ID",
    );
    check(
        "RequestId: ID Error: Task timed out after 1.00 seconds",
        "evidence timeout_notice elapsed_ms=1000 limit_ms=1000 outcome=timeout request_id=ID",
    );
    check("Task timed out after 3.00 seconds", "evidence timeout_notice elapsed_ms=3000 limit_ms=3000 outcome=timeout");
    check(
        "Vercel Runtime Timeout Error: Task timed out after 300 seconds",
        "evidence timeout_notice elapsed_ms=300000 limit_ms=300000 outcome=timeout",
    );
}

#[test]
fn a_fault_names_signal_status_or_type() {
    let fault = |text: &str, expected: &str| check(&format!("RequestId: ID {text}"), &format!("evidence fault {expected} request_id=ID"));
    check(
        "RequestId: ID Error: Runtime exited with error: signal: killed\nRuntime.ExitError\n",
        "evidence fault error_type=Runtime.ExitError outcome=out_of_memory outcome_confidence=likely request_id=ID signal=killed",
    );
    check(
        "RequestId: ID Error: Runtime exited with error: signal: killed",
        "evidence fault outcome=out_of_memory outcome_confidence=likely request_id=ID signal=killed",
    );
    check(
        "RequestId: ID Error: Runtime exited with error: signal: aborted (core dumped)\nRuntime.ExitError",
        "evidence fault error_type=Runtime.ExitError outcome=crash request_id=ID signal=aborted",
    );
    fault(
        "Error: Runtime exited with error: exit status 137\nRuntime.ExitError",
        "error_type=Runtime.ExitError exit_status=137 outcome=crash",
    );
    fault("Error: Runtime exited without providing a reason\nRuntime.ExitError", "error_type=Runtime.ExitError outcome=crash");
    fault("Error: exit code 0\nExtension.Crash", "error_type=Extension.Crash outcome=extension_crash");
    fault(
        "Error: fork/exec /var/task/bootstrap: no such file or directory\nRuntime.InvalidEntrypoint",
        "error_type=Runtime.InvalidEntrypoint outcome=crash",
    );
    fault("Process exited before completing request", "outcome=crash");
    check(
        "RequestId: ID\tStatus: timeout\tErrorType: Sandbox.Timedout",
        "evidence fault error_type=Sandbox.Timedout outcome=timeout request_id=ID status=timeout",
    );
}

#[test]
fn init_and_restore_have_limits_of_their_own() {
    check(
        "INIT_START Runtime Version: python:3.12.v27\tRuntime Version ARN: arn:aws:lambda:x",
        "evidence init_start runtime_version=python:3.12.v27 runtime_version_arn=arn:aws:lambda:x",
    );
    check("INIT_START Runtime Version: ?\tRuntime Version ARN: ?", "evidence init_start");
    check(
        "INIT_START Runtime Version: python:3.14.DurableFunction.v9",
        "evidence init_start durable_function=true runtime_version=python:3.14.DurableFunction.v9",
    );
    check(
        "INIT_REPORT Init Duration: 10337.01 ms\tPhase: init\tStatus: timeout\n",
        "evidence init_report elapsed_ms=10337.01 init_duration_ms=10337.01 limit_ms=10000 outcome=init_timeout phase=init status=timeout",
    );
    check(
        "INIT_REPORT Init Duration: 45000.10 ms\tPhase: invoke\tStatus: timeout",
        "evidence init_report elapsed_ms=45000.1 init_duration_ms=45000.1 limit_ms=45000 outcome=init_timeout phase=invoke status=timeout",
    );
    check(
        "INIT_REPORT Init Duration: 137.69 ms\tPhase: init\tStatus: error\tError Type: Runtime.ImportModuleError",
        "evidence init_report elapsed_ms=137.69 error_type=Runtime.ImportModuleError init_duration_ms=137.69 outcome=init_crash phase=init status=error",
    );
    check(
        "INIT_REPORT Initialization Type: on-demand Phase: init Status: timeout Duration: 10000.49 ms",
        "evidence init_report elapsed_ms=10000.49 init_duration_ms=10000.49 initialization_type=on-demand limit_ms=10000 outcome=init_timeout phase=init status=timeout",
    );
    check(
        "RESTORE_REPORT Restore Duration: 10000.00 ms\tStatus: timeout",
        "evidence restore_report elapsed_ms=10000 limit_ms=10000 outcome=restore_timeout restore_duration_ms=10000 status=timeout",
    );
    check("RESTORE_REPORT Restore Duration: 398.97 ms", "evidence restore_report elapsed_ms=398.97 restore_duration_ms=398.97");
}

#[test]
fn a_timeout_in_disguise_is_not_decided_by_its_own_line() {
    check(
        "INIT_REPORT Init Duration: 45045.69 ms\tPhase: invoke\tStatus: error\tError Type: Runtime.Unknown",
        "evidence init_report elapsed_ms=45045.69 error_type=Runtime.Unknown init_duration_ms=45045.69 phase=invoke status=error",
    );
}

#[test]
fn the_platforms_bookkeeping_is_ignored_but_for_what_died() {
    check(
        "EXTENSION\tName: agent\tState: Ready\tEvents: [INVOKE, SHUTDOWN]\n",
        r#"ignored extension events=["INVOKE","SHUTDOWN"] name=agent state=Ready"#,
    );
    check(
        "EXTENSION\tName: agent\tState: ExitError\tEvents: [INVOKE]\tError Type: Extension.Crash\n",
        r#"evidence extension error_type=Extension.Crash events=["INVOKE"] name=agent outcome=extension_crash state=ExitError"#,
    );
    check(
        "TELEMETRY\tName: agent\tState: Subscribed\tTypes: [Platform, Function]",
        r#"ignored subscription api=telemetry name=agent state=Subscribed types=["Platform","Function"]"#,
    );
    check(
        "LOGS_DROPPED DroppedRecords: 40 DroppedBytes: 12000 Reason: slow",
        "ignored logs_dropped dropped_bytes=12000 dropped_records=40",
    );
}

#[test]
fn fields_that_are_broken_are_left_out() {
    check(
        "REPORT RequestId: ID\tDuration: fast ms\tBilled Duration: 3 ms\tMemory Size: MB",
        "evidence invocation_report billed_duration_ms=3 cold_start=false request_id=ID",
    );
    check("REPORT RequestId: ID\tDuration:", "evidence invocation_report cold_start=false request_id=ID");
    check(
        "REPORT RequestId: ID\tDuration: 99999999999999999999 ms\tEvents: [",
        "evidence invocation_report cold_start=false request_id=ID",
    );
}
