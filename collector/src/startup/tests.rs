use domain::{Evidence, Remedy, SourceName, StackName};

use super::*;

const BEGIN_S: i64 = 1_795_000_000;

fn evidence(claim: Claim) -> Evidence {
    let received_at = Timestamp::from_second(BEGIN_S).expect("a time");
    Evidence { stack: StackName::default(), source: SourceName::from("test"), received_at, origin: None, claim }
}

/// What Lambda says of a request of `checkout`; `init_ms` of 0 is a warm one.
fn account(id: &str, init_ms: i64, release: &str) -> Evidence {
    let mut claim = Claim::new(Kind::InvocationReport, "lambda_text", id).with("version", release);
    claim.request_id = Some(RequestId::from(id));
    claim.function = Some(FunctionName::from("checkout"));
    claim.elapsed_ms = Some(Millis::from_ms(100 + init_ms));
    let claim = if init_ms > 0 { claim.with("init_duration_ms", Millis::from_ms(init_ms)) } else { claim };
    evidence(claim)
}

/// A section of a request: both of its ends.
fn section(id: &str, name: &str, from_ms: i64, took_ms: i64) -> [Evidence; 2] {
    [("opened", from_ms), ("closed", from_ms + took_ms)].map(|(phase, at_ms)| {
        let mut claim = Claim::new(Kind::WatchdogTracepoint, "tracepoints", phase).with("section", name).with("phase", phase);
        claim.request_id = Some(RequestId::from(id));
        claim.observed_at = Timestamp::from_millisecond(BEGIN_S * 1000 + at_ms).ok();
        evidence(claim)
    })
}

/// Three cold starts and eight warm requests, with sections as given: name, ms when cold, ms when warm.
fn told(sections: &[(&str, i64, i64)]) -> StartOfRelease {
    let mut all = Vec::new();
    for number in 0..11 {
        let (id, is_cold) = (format!("r{number}"), number < 3);
        all.push(account(&id, if is_cold { 2000 } else { 0 }, "7"));
        let mut at = 0;
        for (name, cold, warm) in sections {
            // Cold starts differ a little from one to the next.
            let took = if is_cold { *cold + number * cold / 50 } else { *warm };
            if took > 0 {
                all.extend(section(&id, name, at, took));
                at += took;
            }
        }
    }
    let mut report = report(&all, Some(&FunctionName::from("checkout")));
    assert_eq!(report.releases.len(), 1);
    report.releases.remove(0)
}

fn remedy_of(release: &StartOfRelease, name: &str) -> Option<Remedy> {
    release.sections.iter().find(|section| section.name == name).expect("a section").remedy
}

#[test]
fn cold_stands_beside_warm() {
    let release = told(&[("import pandas", 1500, 0), ("query db", 20, 20)]);
    assert_eq!((release.cold.requests, release.warm.requests, release.unknown), (3, 8, 0));
    assert_eq!((release.init.median_ms, release.release.as_deref()), (Some(Millis::from_ms(2000)), Some("7")));
    let import = &release.sections[0];
    assert_eq!((import.name.as_str(), import.cold.requests, import.warm.requests), ("import pandas", 3, 0));
    assert_eq!(import.cold.median_ms, Some(Millis::from_ms(1530)));
    assert!((import.share_of_start - 0.765).abs() < 1e-9);
}

#[test]
fn what_is_made_ready_every_time_is_to_be_reused() {
    let release = told(&[("connect db", 300, 280), ("query db", 20, 20)]);
    assert_eq!(remedy_of(&release, "connect db"), Some(Remedy::Reuse));
    // The work itself is done every time as well, and is no start.
    assert_eq!(remedy_of(&release, "query db"), None);
    assert_eq!(remedy_of(&told(&[("connect db", 300, 2), ("query db", 20, 20)]), "connect db"), None);
}

#[test]
fn what_few_use_is_to_be_lazy_and_what_none_uses_is_to_go() {
    let release = told(&[("import pandas", 900, 0), ("query db", 20, 20)]);
    assert_eq!(remedy_of(&release, "import pandas"), Some(Remedy::Strip));
    let mut all: Vec<Evidence> = Vec::new();
    for number in 0..12 {
        let id = format!("r{number}");
        all.push(account(&id, if number < 3 { 2000 } else { 0 }, "7"));
        all.extend(section(&id, "handle", 0, 30));
        if number < 3 {
            all.extend(section(&id, "import pandas", 0, 900));
        }
        if number == 5 {
            all.extend(section(&id, "report with pandas", 0, 30));
        }
    }
    let release = report(&all, None).releases.remove(0);
    let import = release.sections.iter().find(|section| section.name == "import pandas").expect("one");
    assert_eq!(
        (import.remedy, import.why.as_str()),
        (Some(Remedy::BeLazy), "takes 900 ms, 45 % of the start, and only 1 of 12 requests use it")
    );
}

#[test]
fn what_dominates_is_to_be_replaced_and_constant_work_to_be_done_before() {
    let release = told(&[("import orm", 1500, 0), ("load model", 450, 0), ("query with orm", 20, 20), ("apply model", 5, 5)]);
    assert_eq!(remedy_of(&release, "import orm"), Some(Remedy::Replace));
    assert_eq!(remedy_of(&release, "load model"), Some(Remedy::Precompute));
}

#[test]
fn nothing_is_said_where_nothing_can_be_told() {
    assert_eq!(report(&[], None).releases, []);
    // One cold start is no pattern; a request without an account is neither cold nor warm.
    let one: Vec<Evidence> = [account("a", 2000, "7")].into_iter().chain(section("a", "import pandas", 0, 900)).collect();
    assert_eq!(remedy_of(&report(&one, None).releases[0], "import pandas"), None);
    let unknown: Vec<Evidence> = section("a", "import pandas", 0, 900).into();
    let release = &report(&unknown, None).releases[0];
    assert_eq!((release.unknown, release.cold.requests, release.warm.requests), (1, 0, 0));
}

#[test]
fn releases_stand_side_by_side_and_order_changes_nothing() {
    let mut all = vec![account("a", 900, "1"), account("b", 0, "1"), account("c", 300, "2")];
    all[2].claim.observed_at = Timestamp::from_second(BEGIN_S + 60).ok();
    let expected = report(&all, None);
    let releases: Vec<_> = expected.releases.iter().map(|release| release.release.as_deref()).collect();
    assert_eq!(releases, [Some("1"), Some("2")]);
    all.reverse();
    all.extend(all.clone());
    assert_eq!(report(&all, None), expected);
}

#[test]
fn sections_of_an_instance_belong_to_its_start() {
    let mut all = vec![account("a", 900, "1")];
    all.extend(section("", "import pandas", 0, 700).map(|mut one| {
        one.claim.request_id = None;
        one.claim.instance = Some("stream".into());
        one
    }));
    let release = &report(&all, None).releases[0];
    assert_eq!((release.sections[0].cold.requests, release.sections[0].cold.median_ms), (1, Some(Millis::from_ms(700))));
}

#[test]
fn sections_of_an_instance_are_of_the_release_that_its_requests_name() {
    let mut all = vec![account("a", 900, "1"), account("b", 800, "2")];
    all[0].claim.instance = Some("one".into());
    all[1].claim.instance = Some("other".into());
    for (instance, ms) in [("one", 700), ("other", 300), ("third", 200)] {
        all.extend(section("", "import pandas", 0, ms).map(|mut one| {
            one.claim.request_id = None;
            one.claim.instance = Some(instance.into());
            one
        }));
    }
    let shown = |releases: &[StartOfRelease]| -> Vec<_> {
        releases.iter().map(|release| release.sections.first().and_then(|section| section.cold.median_ms)).collect()
    };
    assert_eq!(shown(&report(&all, None).releases), [Some(Millis::from_ms(700)), Some(Millis::from_ms(300))]);
    // Whose instance served two of them is of neither.
    all[1].claim.instance = Some("one".into());
    assert_eq!(shown(&report(&all, None).releases), [None, None]);
}

#[test]
fn a_start_is_shown_before_any_request_is_known() {
    let start: Vec<Evidence> = section("none", "import pandas", 0, 1500)
        .into_iter()
        .map(|mut one| {
            one.claim.request_id = None;
            one.claim.instance = Some("web-1".into());
            one
        })
        .collect();
    let report = report(&start, None);
    let sections: Vec<_> = report.releases[0].sections.iter().map(|section| (section.name.as_str(), section.cold.median_ms)).collect();
    assert_eq!(sections, [("import pandas", Some(Millis::from_ms(1500)))]);
}
