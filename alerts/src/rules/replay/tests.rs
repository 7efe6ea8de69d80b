//! Histories played to rules: what they say is what the worker would say, without a database.

use domain::Incident;
use jiff::SignedDuration;
use store::{ChangeKind, NewSilence};

use super::*;
use crate::testing;

const HOOK: &str =
    "[[action]]\nname = 'hook'\nkind = 'webhook'\nurl = 'https://hooks.example.com/'\nsecret = 'whsec_c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0'\n";

fn rules(lines: &str) -> Rules {
    Rules::parse(&format!("{HOOK}[[rule]]\nname = 'r'\nactions = ['hook']\n{lines}"), "rules.toml")
        .unwrap_or_else(|error| panic!("{error}"))
}

fn at(second: i64) -> Timestamp {
    testing::at("2026-11-20T00:00:00Z") + SignedDuration::from_secs(second)
}

/// The incident of request `number`, which happens and is known at that second.
fn change(id: i64, number: u32, second: i64) -> Change {
    let key = domain::Key::Request(format!("request-{number}").into());
    let incident = Incident {
        id: domain::IncidentId::derive(&domain::StackName::default(), &key, 1),
        ended_at: Some(at(second)),
        ..testing::incident()
    };
    Change { id, at: at(second), kind: ChangeKind::Opened, previous_state: None, problem_event: None, incident }
}

fn play(rules: &Rules, silences: Vec<Silence>, seconds: impl IntoIterator<Item = i64>) -> Replayed {
    let mut replay = Replay::new(rules, silences);
    for (number, second) in seconds.into_iter().enumerate() {
        let number = u32::try_from(number).expect("few");
        replay.take(change(i64::from(number) * 2, number, second));
        // More of the same is no news.
        replay.take(change(i64::from(number) * 2 + 1, number, second));
    }
    replay.end(at(1_000_000))
}

fn said(replayed: &Replayed) -> Vec<(i64, u64)> {
    replayed.told.iter().map(|told| (told.at.duration_since(at(0)).as_secs(), told.more)).collect()
}

#[test]
fn thousands_of_incidents_of_one_problem_are_a_few_messages() {
    let rules = rules("group_by = ['problem']\ngroup_interval = '10s'\nrepeat_interval = '4h'");
    let replayed = play(&rules, Vec::new(), (0..2_000).map(|n| n * 60 / 2_000));
    let said = said(&replayed);
    assert_eq!(said.iter().map(|(second, _)| *second).collect::<Vec<_>>(), [0, 10, 20, 30, 40, 50, 60]);
    assert_eq!(said.iter().map(|(_, more)| more).sum::<u64>(), 1_999);
}

#[test]
fn a_history_is_told_as_the_rule_says() {
    let told = |lines: &str, seconds: &[i64]| said(&play(&rules(lines), Vec::new(), seconds.iter().copied()));
    assert_eq!(told("", &[0, 1, 2]), [(0, 0), (1, 0), (2, 0)]);
    assert_eq!(told("group_by = ['function']", &[0, 1, 2, 14_400]), [(0, 0), (14_400, 3)]);
    assert_eq!(told("group_by = ['function']\ngroup_wait = '1m'", &[0, 1, 2]), [(60, 2)]);
    assert_eq!(told("threshold = { count = 3, window = '10s' }", &[0, 20, 40, 45, 50, 51]), [(50, 0)]);
    assert_eq!(told("on = ['new_problem']", &[0, 1]), []);
    assert_eq!(told("limit_share = 1.1", &[0]), []);
    assert_eq!(told("limit_share = 1.0", &[0]), [(0, 0)]);
    let usual: Vec<i64> = (0..20).map(|hour| hour * 3_600).collect();
    let storm: Vec<i64> = (0..5).map(|n| 20 * 3_600 + n).collect();
    let escalating = "escalating = { factor = 3, window = '1h', at_least = 4 }";
    assert_eq!(told(escalating, &[usual.clone(), storm].concat()), [(20 * 3_600 + 3, 0)]);
    assert_eq!(told(escalating, &usual), []);
}

#[test]
fn what_was_silenced_is_counted_and_not_told() {
    let asked = NewSilence {
        matchers: [("function".to_owned(), "checkout".to_owned())].into(),
        condition: None,
        comment: String::new(),
        created_by: "ada".to_owned(),
        ends_at: Some(at(10)),
    };
    let silence = Silence { id: 3, created_at: at(5), asked };
    let replayed = play(&rules(""), vec![silence], [0, 5, 9, 10]);
    assert_eq!(said(&replayed), [(0, 0), (10, 0)]);
    assert_eq!(replayed.muted, [("silence 3".to_owned(), 2)].into());
}

#[test]
fn each_incident_is_told_or_counted_once_whatever_the_order_and_the_rule() {
    // All histories of five incidents, each up to three seconds after the one before.
    for (lines, is_grouped) in [("", false), ("group_by = ['problem']\ngroup_interval = '2s'\nrepeat_interval = '3s'", true)] {
        let rules = rules(lines);
        for pattern in 0_u32..1 << 8 {
            let mut second = 0;
            let seconds: Vec<i64> = (0..5)
                .map(|n| {
                    second += if n == 0 { 0 } else { i64::from(pattern >> (2 * (n - 1)) & 3) };
                    second
                })
                .collect();
            let said = said(&play(&rules, Vec::new(), seconds.iter().copied()));
            let counted: u64 = said.iter().map(|(_, more)| more).sum();
            let expected = if is_grouped { counted + 1 } else { said.len() as u64 };
            assert_eq!(expected, 5, "{seconds:?} {said:?}");
        }
    }
}

#[test]
fn it_does_not_matter_how_changes_are_put_together_or_in_which_order_they_come() {
    let functions = ["checkout", "cart", "stock"];
    for lines in [
        "",
        "group_by = ['function']\ngroup_interval = '10s'",
        "threshold = { count = 3, window = '10s' }\ngroup_by = ['function']\ngroup_interval = '1s'",
        "group_by = ['function']\n[[inhibit]]\nname = 'i'\nequal = ['diagnosis.cause.target']",
    ] {
        let rules = rules(lines);
        let play = |pieces: &[&[Change]]| {
            let mut replay = Replay::new(&rules, Vec::new());
            for piece in pieces {
                replay.route(piece, at(0));
            }
            let replayed = replay.end(at(1_000_000));
            // Who is told, not by which of equal incidents.
            let mut told: Vec<_> = replayed.told.iter().map(|told| (told.function.clone(), told.at)).collect();
            told.sort();
            (told, replayed.told.iter().map(|told| told.more + 1).sum::<u64>())
        };
        let changes: Vec<Change> = (0..9)
            .map(|n| {
                let mut change = change(i64::from(n), n, i64::from(n) % 4);
                let function = functions[n as usize % functions.len()];
                change.incident.function = Some(function.into());
                change.incident.problem = domain::ProblemId::derive(&[function]);
                change
            })
            .collect();
        let whole = play(&[&changes]);
        for cut in 1..changes.len() {
            let (first, second) = changes.split_at(cut);
            assert_eq!(play(&[first, second]), whole, "{lines} cut at {cut}");
        }
        let is_counting = lines.contains("threshold");
        let singly: Vec<&[Change]> = changes.iter().map(std::slice::from_ref).collect();
        assert_eq!(play(&singly), whole, "{lines}");
        let mut turned = changes.clone();
        turned.reverse();
        let turned = play(&[&turned]);
        if !lines.contains("inhibit") {
            assert_eq!(turned.0, whole.0, "{lines} backwards");
        }
        assert!(is_counting || lines.contains("inhibit") || whole.1 >= 9, "{lines} {whole:?}");
    }
}
