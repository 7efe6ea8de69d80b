//! What platforms print about one end, pasted as it is: told once, with the right limit, or not at all.

use collector::correlate::Knowledge;
use domain::{Incident, Millis, Outcome};

use crate::support::{explained, explained_text, only, verdict, verdicts};

const ID: &str = "8f2c7e10-1111-4aaa-9bbb-0123456789ab";

/// An event of Lambda's JSON log format, that many seconds after ten.
fn event(second: u32, kind: &str, record: &str) -> String {
    format!("{{\"time\":\"2026-03-01T10:00:{second:02}.000Z\",\"type\":\"platform.{kind}\",\"record\":{record}}}\n")
}

fn report(status: &str, used: u32) -> String {
    format!(
        "REPORT RequestId: {ID}\tDuration: 3000.00 ms\tBilled Duration: 3000 ms\tMemory Size: 512 MB\tMax Memory Used: {used} MB\t{status}\n"
    )
}

fn start() -> String {
    format!("START RequestId: {ID} Version: 7\n")
}

fn elapsed_ms(incident: &Incident) -> Option<f64> {
    incident.elapsed_ms.map(Millis::as_ms_f64)
}

#[test]
fn all_events_about_one_start_are_told_of_once() {
    let init = |phase: &str, status: &str| {
        format!(r#"{{"initializationType":"on-demand","phase":"{phase}","status":"{status}","metrics":{{"durationMs":10000.4}}}}"#)
    };
    let text = [
        event(0, "initRuntimeDone", &init("init", "timeout")),
        event(0, "initReport", &init("init", "timeout")),
        event(1, "start", &format!(r#"{{"requestId":"{ID}","version":"7"}}"#)),
        event(7, "report", &format!(r#"{{"requestId":"{ID}","status":"timeout","metrics":{{"durationMs":6000.0}}}}"#)),
    ];
    let told = only(explained_text(&text.concat()));
    assert_eq!(verdict(&told), "timeout confirmed certain platform aws_lambda Timeout 6000");
    let restore = [
        event(10, "restoreRuntimeDone", r#"{"status":"timeout"}"#),
        event(10, "restoreReport", r#"{"status":"timeout","metrics":{"durationMs":10000.1}}"#),
    ];
    assert_eq!(only(explained_text(&restore.concat())).outcome, Outcome::InitTimeout);
}

#[test]
fn an_extension_that_crashed_belongs_to_the_invocation_it_took_down() {
    let crash = "EXTENSION\tName: agent\tState: ExitError\tEvents: [INVOKE, SHUTDOWN]\tError Type: Extension.Crash\n";
    let before = format!("{crash}{}END RequestId: {ID}\n{}", start(), report("Status: error\tError Type: Extension.Crash", 60));
    let told = only(explained_text(&before));
    assert_eq!((told.outcome, told.request_id.is_some()), (Outcome::Crash, true));
    assert!(told.summary.contains("(Extension.Crash)"), "{}", told.summary);
    // In the middle of an invocation it is not the next one's.
    let next = report("", 60).replace(ID, "other") + &start().replace(ID, "other");
    let within = format!("{}{crash}END RequestId: {ID}\n{}{next}", start(), report("Status: error\tError Type: Extension.Crash", 60));
    assert_eq!(only(explained_text(&within)).request_id.as_ref().map(domain::RequestId::as_str), Some(ID));
    // And nobody's where the invocation that it stands in ended well.
    let harmless = format!("{}{crash}END RequestId: {ID}\n{}", start(), report("", 60));
    assert_eq!(verdicts(&explained_text(&harmless)), [""; 0]);
}

#[test]
fn the_init_limit_is_ten_seconds_only_where_environments_start_on_demand() {
    let line = |kind: &str, ms: &str| {
        let record = r#"{"initializationType":"KIND","phase":"init","status":"timeout","metrics":{"durationMs":MS}}"#;
        event(0, "initReport", &record.replace("KIND", kind).replace("MS", ms))
    };
    let setting = "init_timeout confirmed certain platform aws_lambda (fixed) init phase";
    assert_eq!(verdict(&only(explained_text(&line("on-demand", "10000.5")))), format!("{setting} 10000"));
    assert_eq!(verdict(&only(explained_text(&line("provisioned-concurrency", "10000.5")))), format!("{setting} -"));
    let text = "INIT_REPORT Init Duration: 130002.11 ms\tPhase: init\tStatus: timeout\n";
    assert_eq!(verdict(&only(explained_text(text))), format!("{setting} -"));
}

#[test]
fn a_kill_with_memory_to_spare_is_not_surely_for_want_of_it() {
    let killed = format!("RequestId: {ID} Error: Runtime exited with error: signal: killed\nRuntime.ExitError\n");
    let of = |used: u32| only(explained_text(&format!("{}END RequestId: {ID}\n{}{killed}", start(), report("", used))));
    assert_eq!(verdict(&of(512)), "out_of_memory confirmed likely platform aws_lambda - -");
    let spare = of(52);
    assert_eq!(verdict(&spare), "out_of_memory confirmed possible platform aws_lambda - -");
    assert_eq!(spare.diagnosis.contradicted.len(), 1);
}

/// A request of Cloud Run's that ended that many seconds after ten, on instance `i1`.
fn cloud_run(status: u32, latency: &str, text: &str) -> String {
    format!(
        "{{\"httpRequest\":{{\"requestMethod\":\"GET\",\"requestUrl\":\"https://a/r\",\"status\":{status},\"latency\":\"{latency}\"}},\"resource\":{{\"type\":\"cloud_run_revision\",\"labels\":{{\"service_name\":\"shop\"}}}},\"timestamp\":\"2026-03-01T10:00:00Z\",\"severity\":\"ERROR\",\"labels\":{{\"instanceId\":\"i1\"}},\"logName\":\"projects/p/logs/run.googleapis.com%2Frequests\",\"trace\":\"projects/p/traces/06796866738c859f2f19b7cfb3214824\",\"textPayload\":\"{text}\"}}\n"
    )
}

#[test]
fn an_instance_out_of_memory_is_why_its_requests_broke() {
    let memory = "{\"textPayload\":\"Memory limit of 256 MiB exceeded with 260 MiB used. Consider increasing the memory limit\",\"resource\":{\"type\":\"cloud_run_revision\",\"labels\":{\"service_name\":\"shop\"}},\"timestamp\":\"2026-03-01T10:00:03Z\",\"severity\":\"ERROR\",\"labels\":{\"instanceId\":\"i1\"},\"logName\":\"projects/p/logs/run.googleapis.com%2Fvarlog%2Fsystem\"}\n";
    let broke = "The request failed because either the HTTP response was malformed or connection to the instance had an error.";
    let told = only(explained_text(&(memory.to_owned() + &cloud_run(503, "3.5s", broke))));
    assert_eq!((told.outcome, told.request_id.is_some()), (Outcome::OutOfMemory, true));
    // A request that broke a minute later died of something else.
    let later = explained_text(&(memory.to_owned() + &cloud_run(503, "63.5s", broke)));
    let mut outcomes: Vec<_> = later.iter().map(|incident| incident.outcome).collect();
    outcomes.sort_unstable();
    assert_eq!(outcomes, [Outcome::OutOfMemory, Outcome::Crash]);
}

#[test]
fn requests_of_one_trace_on_cloud_run_are_requests_of_their_own() {
    let ended = "The request has been terminated because it has reached the maximum request timeout. To change this limit, see https://cloud.google.com/run/docs/configuring/request-timeout";
    let told = only(explained_text(&(cloud_run(504, "300.001s", ended) + &cloud_run(200, "0.1s", ""))));
    assert_eq!(elapsed_ms(&told), Some(300_001.0));
}

#[test]
fn the_kernel_tells_who_was_killed_for_memory() {
    let kernel = "[12345.678901] Memory cgroup out of memory: Killed process 9 (gunicorn) total-vm:1kB, anon-rss:1kB\n";
    let told = only(explained_text(kernel));
    assert_eq!(verdict(&told), "out_of_memory confirmed certain platform linux - -");
    assert_eq!(told.summary, "the kernel ended it because memory ran out");
    // Beside the server's own lines in one journal it settles what gunicorn only guesses.
    let line = |second: u32, text: &str| format!("Nov 22 12:06:{second} host1 {text}\n");
    let journal = [
        line(10, "gunicorn[1]: [2026-11-22 12:06:10 +0000] [9] [INFO] Booting worker with pid: 9"),
        line(31, "kernel: Out of memory: Killed process 9 (gunicorn) total-vm:1kB, anon-rss:1kB"),
        line(32, "gunicorn[1]: [2026-11-22 12:06:32 +0000] [1] [ERROR] Worker (pid:9) was sent SIGKILL! Perhaps out of memory?"),
    ];
    assert_eq!(verdict(&only(explained_text(&journal.concat()))), "out_of_memory confirmed certain platform linux - -");
}

#[test]
fn whoever_left_is_the_caller_and_not_who_tells_of_it() {
    let heroku = "2026-03-01T10:00:30.010000+00:00 heroku[router]: sock=client at=warning code=H27 desc=\"Client Request Interrupted\" method=POST path=\"/a\" host=a request_id=6f747a63-ce41-4ce7-8cfe-3d61dad3d219 fwd=\"1\" dyno=web.1 connect=1ms service=12001ms status=499 bytes=0 protocol=https\n";
    let told = only(explained_text(heroku));
    assert_eq!(
        (verdict(&told).as_str(), told.summary.as_str()),
        ("caller_left confirmed certain client - - -", "the caller gave up first")
    );
    let balancer = "https 2026-03-01T10:00:05.010000Z app/lb/50dc 192.0.2.9:2817 10.0.0.1:80 0.001 -1 -1 460 - 34 366 \"GET https://a.example:443/r HTTP/1.1\" \"curl\" - - arn:t \"Root=1-6a3f1c20-3603b70c1c9918ad0d291de9\" \"-\" \"-\" 0 2026-03-01T10:00:00.000000Z \"forward\" \"-\" \"-\" \"-\" \"-\" \"-\" \"-\"\n";
    assert_eq!(verdict(&only(explained_text(balancer))), "caller_left confirmed likely client - - -");
    // A page that was closed at once waited for nothing.
    assert_eq!(verdicts(&explained_text(&balancer.replace("10:00:05.010000Z", "10:00:00.210000Z"))), [""; 0]);
}

#[test]
fn a_balancer_and_the_proxy_behind_it_are_joined_by_the_trace_in_both_their_lines() {
    let balancer = "https 2026-03-01T10:01:00.080000Z app/lb/50dc 192.0.2.9:2817 10.0.0.1:80 0.001 -1 -1 504 - 34 366 \"GET https://a.example:443/r HTTP/1.1\" \"curl\" - - arn:t \"Root=1-6a3f1c20-3603b70c1c9918ad0d291de9\" \"-\" \"-\" 0 2026-03-01T10:00:00.000000Z \"forward\" \"-\" \"-\" \"-\" \"-\" \"-\" \"-\"\n";
    let proxy = format!(
        "10.0.0.9 - - [01/Mar/2026:10:01:00 +0000] \"GET /r HTTP/1.1\" 499 0 \"-\" \"curl\" \"Root=1-6a3f1c20-3603b70c1c9918ad0d291de9\" rt=60.000 urt=60.000 us=- rid={ID}\n"
    );
    let told = only(explained_text(&(balancer.to_owned() + &proxy)));
    assert_eq!(verdict(&told), "timeout confirmed certain load_balancer alb idle_timeout.timeout_seconds 60000");
    assert_eq!(told.request_id.as_ref().map(domain::RequestId::as_str), Some(ID));
}

#[test]
fn an_answer_that_came_sooner_than_any_limit_allows_is_no_timeout() {
    let line = |ms: u32| {
        format!(
            "{{\"requestId\":\"c6af9ac6-7b61-11e6-9a41-93e8deadbeef\",\"resourcePath\":\"/r\",\"status\":\"504\",\"responseLatency\":\"{ms}\",\"integrationLatency\":\"-\",\"integrationStatus\":\"-\"}}\n"
        )
    };
    assert_eq!(verdicts(&explained_text(&line(3))), [""; 0]);
    assert_eq!(only(explained_text(&line(29_003))).outcome, Outcome::Timeout);
}

#[test]
fn one_call_to_test_an_api_is_one_incident() {
    let text = "Sat Jun 10 15:36:57 UTC 2023 : Execution failed due to a timeout error\nSat Jun 10 15:36:57 UTC 2023 : Method completed with status: 504\n";
    assert_eq!(verdict(&only(explained_text(text))), "timeout confirmed certain gateway api_gateway TimeoutInMillis -");
}

#[test]
fn step_functions_clocks_are_its_own() {
    let api = "{\"timestamp\":\"1770804005000\",\"type\":\"ActivityTimedOut\",\"id\":5,\"previousEventId\":4,\"activityTimedOutEventDetails\":{\"error\":\"States.HeartbeatTimeout\"}}\n";
    assert_eq!(verdict(&only(explained_text(api))), "timeout confirmed certain platform step_functions HeartbeatSeconds -");
    let logged = "{\"id\":\"5\",\"type\":\"TaskTimedOut\",\"details\":{\"resource\":\"invoke\",\"error\":\"States.Timeout\"},\"previous_event_id\":\"4\",\"event_timestamp\":\"1770804005000\",\"execution_arn\":\"arn:aws:states:eu-west-1:1:execution:m:e1\"}\n";
    assert_eq!(verdict(&only(explained_text(logged))), "timeout confirmed certain platform step_functions TimeoutSeconds -");
}

#[test]
fn a_platform_that_could_not_connect_says_so() {
    let fly =
        "2026-03-01T10:00:30Z proxy[148e] fra [error]timed out while connecting to your instance. this indicates a problem with your app\n";
    let told = only(explained_text(fly));
    assert_eq!(verdict(&told), "timeout confirmed certain router fly - -");
    assert_eq!(
        (told.summary.starts_with("Fly gave up waiting for a connection"), told.diagnosis.cause.id.as_str()),
        (true, "connect_hang")
    );
}

#[test]
fn what_a_line_says_of_the_time_taken_is_what_is_shown() {
    let azure = format!(
        "Executing 'Functions.up' (Reason='', Id={ID})\nTimeout value of 00:05:00 exceeded by function 'Functions.up' (Id: '{ID}'). Initiating cancellation.\nExecuted 'Functions.up' (Failed, Id={ID}, Duration=300009ms)\n"
    );
    assert_eq!(elapsed_ms(&only(explained_text(&azure))), Some(300_009.0));
    let heroku = format!(
        "at=error code=H12 desc=\"Request timeout\" method=GET path=\"/\" host=a request_id={ID} fwd=\"1\" dyno=web.1 connect=1ms service=30001ms status=503 bytes=0 protocol=https\n"
    );
    assert_eq!(elapsed_ms(&only(explained_text(&heroku))), Some(30_002.0));
    // One stamp is no duration.
    let cloudflare = "{\"outcome\":\"canceled\",\"scriptName\":\"pay\",\"eventTimestamp\":1770804003330,\"logs\":[],\"exceptions\":[],\"event\":{\"request\":{\"url\":\"https://a/\",\"method\":\"GET\",\"headers\":{\"cf-ray\":\"8c1f2e3d4a5b6c7d-FRA\"}}}}\n";
    assert_eq!(elapsed_ms(&only(explained_text(cloudflare))), None);
}

#[test]
fn what_tools_put_around_a_record_does_not_hide_it() {
    // `wsk activation get`
    let record = "{\n    \"namespace\": \"g\",\n    \"name\": \"pay\",\n    \"activationId\": \"e0e6a3f0a3f04f0ea6a3f0a3f0af0e01\",\n    \"start\": 1770804000000,\n    \"duration\": 60012,\n    \"response\": {\"status\": \"action developer error\", \"statusCode\": 2, \"result\": {\"error\": \"The action exceeded its time limits of 60000 milliseconds.\"}},\n    \"logs\": [],\n    \"annotations\": []\n}\n";
    let told = only(explained_text(&format!("ok: got activation e0e6a3f0a3f04f0ea6a3f0a3f0af0e01\n{record}")));
    assert_eq!(verdict(&told), "timeout confirmed certain platform openwhisk timeout 60000");
    // .NET's console logger, as the Functions host has it in a container.
    let azure = format!(
        "info: Function.up[1]\n      Executing 'Functions.up' (Reason='', Id={ID})\nfail: Function.up[0]\n      Timeout value of 00:05:00 exceeded by function 'Functions.up' (Id: '{ID}'). Initiating cancellation.\n"
    );
    let told = only(explained_text(&azure));
    assert_eq!(verdict(&told), "timeout confirmed certain platform azure_functions functionTimeout 300000");
}

#[test]
fn a_limit_in_no_unit_that_is_known_has_no_value() {
    let record = "{\"namespace\":\"g\",\"name\":\"pay\",\"activationId\":\"e0e6a3f0a3f04f0ea6a3f0a3f0af0e01\",\"start\":1770804000000,\"end\":1770804060012,\"duration\":60012,\"response\":{\"status\":\"action developer error\",\"statusCode\":2,\"result\":{\"error\":\"The action exceeded its time limits of 1 minute.\"}},\"logs\":[],\"annotations\":[]}\n";
    let told = only(explained("a.json", record.as_bytes(), &Knowledge::default()).incidents);
    assert_eq!(told.diagnosis.limit.and_then(|limit| limit.value_ms), None);
    assert_eq!(told.elapsed_ms.map(Millis::as_ms), Some(60_012));
}
