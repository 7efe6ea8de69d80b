//! Proxies in a row: the one whose timer ran out is told from the one that it left.

use domain::{Layer, Product};
use jiff::Timestamp;

use crate::correlate::Knowledge;
use crate::explain::{Input, explain};
use crate::parse::Format;

/// Who is said to have acted, with which setting.
fn verdicts(lines: &[&str]) -> Vec<(Option<Layer>, Option<Product>, String)> {
    let now = Timestamp::from_second(1_900_000_000).expect("a moment");
    let text = lines.join("\n");
    let report = explain(&[Input { name: "app.log", bytes: text.as_bytes() }], Format::Auto, &Knowledge::default(), now);
    let told = report.incidents.into_iter().map(|incident| {
        let diagnosis = incident.diagnosis;
        let setting = diagnosis.limit.map_or(String::new(), |limit| limit.setting);
        (diagnosis.layer, diagnosis.product, setting)
    });
    told.collect()
}

const NGINX_LEFT: &str = r#"127.0.0.1 - - [27/Nov/2026:15:25:45 +0000] "GET /report HTTP/1.1" 499 0 "-" "-" rid=873910c5-ffd3-4aae-888e-2e44f82654bc rt=1.001 uct=0.000 uht=- urt=1.002 us=-"#;

fn haproxy(total_ms: u32, began: &str) -> String {
    format!(
        r#"127.0.0.1:56914 [27/Nov/2026:15:25:{began}] fe be/s1 0/0/0/-1/{total_ms} 504 198 - - sH-- 1/1/0/0/0 0/0 {{873910c5-ffd3-4aae-888e-2e44f82654bc}} "GET /report HTTP/1.1""#
    )
}

/// HAProxy 2.6.12 in front of nginx 1.22.1, whose access line is stamped in whole seconds and so seems to be the earlier one.
#[test]
fn the_client_that_left_a_proxy_is_the_proxy_in_front_whose_timer_ran_out() {
    let found = verdicts(&[NGINX_LEFT, &haproxy(1000, "44.300")]);
    assert_eq!(found, [(Some(Layer::Router), Some(Product::HAPROXY), "timeout server".to_owned())]);
}

#[test]
fn a_client_that_left_earlier_than_a_timer_ran_out_is_still_the_client() {
    let found = verdicts(&[NGINX_LEFT, &haproxy(1800, "44.300")]);
    assert_eq!(found[0].0, Some(Layer::Client));
}
