use super::*;
use crate::parse::facts;

fn read_all(format: Format) -> Vec<Value> {
    let log = include_str!("../../../../tests/fixtures/gcp/entries.jsonl");
    format.parse(log.as_bytes(), &Context::default()).items.iter().map(facts::of).collect()
}

#[test]
fn each_entry_says_how_it_ended_and_what_that_proves() {
    for format in [Format::Gcp, Format::Auto] {
        let told: Vec<_> = read_all(format)
            .iter()
            .map(|item| format!("{} {} {} {}", item["kind"], item["platform"], item["outcome"], item["limit_ms"]).replace('"', ""))
            .collect();
        assert_eq!(
            told,
            [
                "invocation_start gcf_gen1 null null",
                "invocation_end gcf_gen1 timeout 120000",
                "app_log null null null",
                "request cloud_run timeout 900000",
                "request cloud_run null null",
                "fault cloud_run out_of_memory null",
                "request gcf_gen2 timeout 60000",
            ]
        );
    }
}

#[test]
fn a_request_begins_at_its_timestamp() {
    let items = read_all(Format::Gcp);
    assert_eq!(
        (&items[3]["started_at"], &items[3]["observed_at"]),
        (&"2026-11-02T09:00:00.250Z".into(), &"2026-11-02T09:15:00.249412Z".into())
    );
    assert_eq!(items[3]["request_id"], items[3]["trace_id_w3c"]);
}

#[test]
fn lines_of_the_service_are_evidence_by_their_trace_alone() {
    let items = read_all(Format::Gcp);
    assert_eq!((&items[2]["fate"], &items[2]["message"]), (&"evidence".into(), &"rendering page 3".into()));
    let plain = r#"{"textPayload":"hello","logName":"projects/p/logs/stdout","timestamp":"2026-11-02T09:00:00Z"}"#;
    let parsed = Format::Gcp.parse(plain.as_bytes(), &Context::default());
    assert!(matches!(&parsed.items[0].fate, Fate::Ignored(claim) if claim.kind == Kind::AppLog && claim.request_id.is_none()));
}

#[test]
fn a_duration_that_fits_no_whole_second_proves_no_limit() {
    assert_eq!(proven(Millis::from_ms(538_405), 100), None);
    assert_eq!(proven(Millis::from_us(299_999_235), 100), Some(Millis::from_ms(300_000)));
    assert_eq!(proven(Millis::from_ms(90), 100), None);
}
