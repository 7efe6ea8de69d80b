use std::collections::BTreeSet;

use super::*;

#[test]
fn every_entry_is_whole() {
    let mut seen = BTreeSet::new();
    for entry in all() {
        let name = format!("{} {} {}", entry.product, entry.variant.as_deref().unwrap_or_default(), entry.setting);
        assert!(seen.insert(name.clone()), "{name} is there twice");
        for text in [&entry.place, &entry.starts, &entry.ends, &entry.source] {
            assert!(!text.is_empty(), "{name} leaves something out");
        }
        let within = |value: i64| entry.min_ms.is_none_or(|min| min <= value) && entry.max_ms.is_none_or(|max| value <= max);
        // 0 switches off, and may lie below the least that counts.
        assert!(entry.default_ms.is_none_or(|value| value == 0 || within(value)), "{name}: the default is not allowed");
        for other in entry.within.iter().chain(&entry.instead_of) {
            assert!(limit(&entry.product, other).is_some(), "{name} names `{other}`, which is not there");
        }
        assert!(entry.verified || entry.source.contains("memory") || entry.source.contains("forum"), "{name}: who says so?");
    }
    assert!(seen.len() > 100);
}

#[test]
fn kinds_of_a_product_are_told_apart_and_spellings_are_not() {
    let timeout = |kind| variant("api_gateway", kind, "TimeoutInMillis").and_then(Documented::default);
    assert_eq!((timeout("REST"), timeout("HTTP")), (Some(Millis::from_ms(29_000)), Some(Millis::from_ms(30_000))));
    assert_eq!(limit("gunicorn", "timeout").map(|entry| entry.setting.as_str()), Some("--timeout"));
    assert!(limit("gunicorn", "harakiri").is_none());
}

#[test]
fn a_default_of_no_limit_makes_no_limit() {
    assert!(limit("knative", "idleTimeoutSeconds").and_then(Documented::as_default).is_none());
    assert!(limit("uwsgi", "harakiri").and_then(Documented::as_default).is_none());
    let known_from = limit("gunicorn", "--timeout").and_then(Documented::as_default).map(|limit| limit.known_from);
    assert_eq!(known_from, Some(KnownFrom::Default));
}

#[test]
fn values_stand_in_the_advice() {
    let advice = limit("aws_lambda", "Timeout").and_then(Documented::advice).expect("it has advice");
    assert!(advice.contains("at most 900 s"), "{advice}");
    assert!(all().iter().filter_map(Documented::advice).all(|advice| !advice.contains('{')));
}
