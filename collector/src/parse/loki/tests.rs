use super::*;
use crate::parse::facts;

const ID: &str = "f860aad7-0d69-4b12-92cb-0b8572f99b17";

fn timed_out() -> String {
    format!("2026-11-02T09:14:03.002Z {ID} Task timed out after 3.00 seconds")
}

fn read(input: &[u8]) -> Vec<Value> {
    let read = |format: Format| format.parse(input, &Context::default()).items.iter().map(facts::of).collect::<Vec<_>>();
    let unnumbered = |mut item: Value| {
        item["line"] = Value::Null;
        item
    };
    let items = read(Format::Loki);
    assert_eq!(
        items.iter().cloned().map(unnumbered).collect::<Vec<_>>(),
        read(Format::Auto).into_iter().map(unnumbered).collect::<Vec<_>>()
    );
    items
}

#[test]
fn json_protobuf_and_the_older_json_say_the_same() {
    let line = timed_out();
    let json = serde_json::json!({ "streams": [{ "stream": { "job": "lambda", "function_name": "pay" }, "values": [["1793610843002000000", line]] }] });
    let older = serde_json::json!({ "streams": [{ "labels": "{job=\"lambda\", function_name=\"pay\"}", "entries": [{ "ts": "2026-11-02T09:14:03.002Z", "line": line }] }] });
    let wire = wire::encode(&[("{job=\"lambda\", function_name=\"pay\"}", 1_793_610_843, 2_000_000, &line, &[])]);
    let pretty = serde_json::to_string_pretty(&json).expect("JSON");
    for body in [json.to_string().into_bytes(), pretty.into_bytes(), older.to_string().into_bytes(), wire] {
        let items = read(&body);
        assert_eq!((items.len(), &items[0]["request_id"], &items[0]["outcome"]), (1, &ID.into(), &"timeout".into()));
        assert_eq!((&items[0]["function_name"], &items[0]["labels"]["job"]), (&"pay".into(), &"lambda".into()));
        assert_eq!(items[0]["observed_at"], "2026-11-02T09:14:03.002Z");
    }
}

#[test]
fn metadata_names_request_and_trace() {
    let metadata = [("trace_id", "58859819458dff51e3cd08eef11dc7ca"), ("requestId", ID)];
    let items = read(&wire::encode(&[("{pod=\"pay-7d9f\"}", 1_793_610_843, 5, "hello", &metadata)]));
    assert_eq!((&items[0]["request_id"], &items[0]["fate"]), (&ID.into(), &"evidence".into()));
    assert_eq!((&items[0]["trace_id_w3c"], &items[0]["instance"]), (&metadata[0].1.into(), &"pay-7d9f".into()));
    assert_eq!((&items[0]["observed_at"], &items[0]["format"]), (&"2026-11-02T09:14:03.000000005Z".into(), &FORMAT.into()));
}

#[test]
fn lines_of_one_stream_belong_together_and_a_broken_value_costs_itself() {
    let values = serde_json::json!([
        ["1793610843000000000", "[2026-11-02 09:14:03 +0000] [7] [ERROR] Error handling request /slow"],
        ["1793610843000000001", "Traceback (most recent call last):"],
        ["1793610843000000002", "  File \"/srv/app.py\", line 12, in slow"],
        ["1793610843000000003", "SystemExit: 1"],
        ["yesterday", "x"],
        [],
    ]);
    let body =
        serde_json::json!({ "streams": [{ "stream": { "pod": "a" }, "values": values }, { "stream": { "job": "b" }, "values": [] }] });
    let told: Vec<_> = read(body.to_string().as_bytes())
        .iter()
        .map(|item| format!("{} {} {}", item["line"], item["fate"], item["kind"]).replace('"', ""))
        .collect();
    assert_eq!(told, ["1 evidence request_error", "5 rejected unparsed", "6 rejected unparsed"]);
}

#[test]
fn what_is_no_push_is_rejected_with_the_reason() {
    for body in [b"hello".as_slice(), b"", b"{}", b"{\"streams\":1}", b"{\"streams\":[{}]}", b"\xff\xff\xff\xff\x0f"] {
        let parsed = Format::Loki.parse(body, &Context::default());
        assert!(
            matches!(&parsed.items[..], [Item { fate: Fate::Rejected(reject), .. }] if reject.reason.starts_with("expected")),
            "{body:?}"
        );
    }
    // Four gigabytes are promised by five bytes.
    assert!(read_push(b"\xff\xff\xff\xff\x0f", &Context::default()).is_err());
}

#[test]
fn lambdas_forwarder_names_group_and_stream() {
    let labels = serde_json::json!({ "__aws_cloudwatch_log_group": "/aws/lambda/pay", "__aws_cloudwatch_log_stream": "2026/11/02/[$LATEST]1bd7", "__aws_cloudwatch_owner": "444455556666" });
    let body = serde_json::json!({ "streams": [{ "stream": labels, "values": [["1793610843002000000", timed_out()]] }] });
    let items = read(body.to_string().as_bytes());
    assert_eq!((&items[0]["instance"], &items[0]["function_name"]), (&"/aws/lambda/pay:2026/11/02/[$LATEST]1bd7".into(), &"pay".into()));
    assert_eq!(items[0]["log_stream"], "2026/11/02/[$LATEST]1bd7");
}
