//! The rules file as a whole: what it means, and what is said when it means nothing.

use std::io;
use std::path::Path;

use domain::Incident;
use domain::IncidentState::{self, Confirmed, Lost, Survived, Suspected};
use jiff::Timestamp;
use store::{Change, ChangeKind, Known, NewDelivery, Plan};

use super::*;
use crate::testing;

/// The sample of design.md §9, with a mail server.
const SAMPLE: &str = r#"
[[rule]]
name = "checkout overran"
when = 'incident.function.startsWith("checkout") && incident.state in ["confirmed", "lost"]'
group_by = ["problem"]
group_wait = "0s"
repeat_interval = "4h"
actions = ["oncall", "stack-errors"]

[[action]]
name = "oncall"
kind = "email"
to = ["oncall@example.com"]

[[action]]
name = "stack-errors"
kind = "webhook"
url = "https://hooks.example.com/T0/secret-path?key=k"
secret_file = "secrets/webhook"

[smtp]
host = "smtp.example.com"
username = "overrun"
password_file = "/run/secrets/smtp-password"
from = "Overrun <overrun@example.com>"
"#;

/// An action for rules that need one.
const HOOK: &str = r#"
[[action]]
name = "hook"
kind = "webhook"
url = "https://hooks.example.com/"
secret = "whsec_c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0"
"#;

fn files(path: &Path) -> io::Result<String> {
    match path.to_str() {
        Some("/etc/overrun/secrets/webhook") => Ok("whsec_c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0\n".to_owned()),
        Some("/run/secrets/smtp-password") => Ok("hunter2\n".to_owned()),
        _ => Err(io::ErrorKind::NotFound.into()),
    }
}

fn parse(text: &str) -> Rules {
    Rules::parse_with(text, "/etc/overrun/rules.toml", &files).unwrap_or_else(|error| panic!("{error}"))
}

fn refused(text: &str) -> String {
    Rules::parse_with(text, "rules.toml", &files).expect_err(text).to_string()
}

/// A rule with these further lines, and an action for it.
fn rule(lines: &str) -> String {
    format!("{HOOK}\n[[rule]]\nname = \"r\"\nactions = [\"hook\"]\n{lines}\n")
}

fn change(kind: ChangeKind, previous_state: Option<IncidentState>, incident: Incident) -> Change {
    Change { id: 1, at: testing::at("2026-11-20T22:23:33Z"), kind, previous_state, problem_event: None, incident }
}

fn in_state(state: IncidentState) -> Change {
    let mut incident = testing::incident();
    incident.state = state;
    change(ChangeKind::Opened, None, incident)
}

fn routed(rules: &Rules, change: &Change) -> Vec<NewDelivery> {
    let (plan, faults) = planned(rules, change, Known::default(), testing::at("2026-11-20T22:23:33Z"));
    assert_eq!(faults, Vec::new());
    plan.deliveries.into_iter().map(|(_, delivery)| delivery).collect()
}

fn planned(rules: &Rules, change: &Change, known: Known, now: Timestamp) -> (Plan, Vec<(String, String)>) {
    let changes = std::slice::from_ref(change);
    let (_, matched) = rules.look(changes);
    (rules.plan(changes, &matched, known, &[], now), matched.faults)
}

#[test]
fn the_sample_says_what_it_means() {
    insta::assert_snapshot!(parse(SAMPLE).summary(), @r##"
    1 rule, 2 actions
    rule `checkout overran`
      when     incident.function.startsWith("checkout") && incident.state in ["confirmed", "lost"]
      states   suspected, confirmed, survived, lost
      groups   by problem, each told at once, anew after 4h
      actions  oncall, stack-errors
    action `oncall`: email to 1 recipient through smtp.example.com:587 (starttls)
    action `stack-errors`: webhook to https://hooks.example.com
    "##);
    insta::assert_snapshot!(Rules::default().summary(), @"0 rules, 0 actions");
}

#[test]
fn a_match_goes_to_each_action_of_the_rule() {
    let deliveries = routed(&parse(SAMPLE), &in_state(Confirmed));
    let targets: Vec<_> = deliveries.iter().map(|delivery| (delivery.rule.as_str(), delivery.action.as_str())).collect();
    assert_eq!(targets, [("checkout overran", "oncall"), ("checkout overran", "stack-errors")]);
    assert_ne!(deliveries[0].id, deliveries[1].id);
    assert!(deliveries.iter().all(|delivery| delivery.id.len() == 32 && !delivery.id.contains('.')));
    assert_ne!(deliveries[0].group, deliveries[1].group);
}

#[test]
fn nobody_is_told_of_a_suspicion_unless_a_rule_asks_for_it() {
    let told = |lines: &str, state| !routed(&parse(&rule(lines)), &in_state(state)).is_empty();
    for (lines, expected) in [
        ("", [Confirmed, Lost].as_slice()),
        (r#"when = 'incident.stack == "default"'"#, &[Confirmed, Lost]),
        (r#"when = 'incident.state == "suspected"'"#, &[Suspected]),
        (r#"when = 'incident.state != "lost"'"#, &[Suspected, Confirmed, Survived]),
        (r#"states = ["suspected", "survived"]"#, &[Suspected, Survived]),
        ("states = [\"lost\"]\nwhen = 'incident.state != \"confirmed\"'", &[Lost]),
    ] {
        for state in IncidentState::ALL {
            assert_eq!(told(lines, state), expected.contains(&state), "{lines} {state:?}");
        }
    }
}

#[test]
fn the_same_thing_has_the_same_identity_however_often_it_changes() {
    let rules = parse(&rule(r#"states = ["suspected", "confirmed", "lost", "survived"]"#));
    let id = |change: &Change| routed(&rules, change).remove(0).id;
    let opened = in_state(Confirmed);
    let mut updated = opened.clone();
    (updated.id, updated.kind) = (2, ChangeKind::Updated);
    updated.incident.summary = "more is known".to_owned();
    let mut lost = in_state(Lost);
    (lost.kind, lost.previous_state) = (ChangeKind::StateChanged, Some(Confirmed));
    assert_eq!(id(&opened), id(&updated));
    assert_eq!(id(&opened), id(&lost));
    assert_ne!(id(&opened), id(&in_state(Suspected)));
    assert_ne!(id(&opened), id(&in_state(Survived)));
    let mut other = opened.clone();
    other.incident.id = testing::bare_incident().id;
    assert_ne!(id(&opened), id(&other));
}

#[test]
fn late_evidence_can_be_what_makes_a_rule_match() {
    let rules = parse(&rule(r#"when = 'incident.function == "checkout"'"#));
    let mut early = in_state(Confirmed);
    early.incident.function = None;
    assert_eq!(routed(&rules, &early), Vec::new());
    let late = change(ChangeKind::Updated, None, testing::incident());
    assert_eq!(routed(&rules, &late).len(), 1);
}

#[test]
fn groups_are_what_agrees_in_the_named_fields() {
    let rules = parse(&rule(r#"group_by = ["function", "diagnosis.layer"]"#));
    let group = |incident| routed(&rules, &change(ChangeKind::Opened, None, incident)).remove(0).group.expect("grouped");
    let (mut other_request, mut other_function) = (testing::incident(), testing::incident());
    other_request.request_id = Some("another".into());
    other_function.function = Some("cart".into());
    assert_eq!(group(testing::incident()), group(other_request));
    assert_ne!(group(testing::incident()), group(other_function));
    assert_eq!(routed(&parse(&rule("")), &in_state(Lost))[0].group, None);
}

#[test]
fn a_condition_that_cannot_be_evaluated_is_a_fault_and_no_match() {
    let rules = parse(&rule("when = 'incident.attempt / (incident.pid - 322) == 0'"));
    let (plan, faults) = planned(&rules, &in_state(Confirmed), Known::default(), testing::at("2026-11-20T22:23:33Z"));
    assert_eq!(plan, Plan::default());
    assert_eq!(faults.len(), 1);
    assert_eq!(faults[0].0, "r");
}

#[test]
fn a_fault_in_the_toml_is_found() {
    insta::assert_snapshot!(refused("[[rule]\nname = 'x'"), @"rules.toml:1: unclosed array table, expected `]`");
    insta::assert_snapshot!(refused("[[rules]]\nname = 'x'"), @"rules.toml:1: unknown key `rules` (did you mean `rule`?), expected one of `rule`, `action`, `smtp`, `inhibit`, `time_interval`");
    insta::assert_snapshot!(refused("rule = 3"), @"rules.toml:1: `rule`: expected `[[rule]]` tables, found integer");
    insta::assert_snapshot!(refused(&rule("gruop_by = ['problem']")), @"rules.toml:11: unknown key `gruop_by`, expected one of `name`, `when`, `on`, `states`, `limit_share`, `threshold`, `escalating`, `group_by`, `group_wait`, `group_interval`, `repeat_interval`, `severity`, `active`, `mute`, `actions` (did you mean `group_by`?)");
    insta::assert_snapshot!(refused(&rule("name = 'twice'")), @"rules.toml:11: duplicate key `name`");
    insta::assert_snapshot!(refused("[[rule]]\nactions = []"), @"rules.toml:1: expected `name`, which is missing");
    insta::assert_snapshot!(refused(&rule("when = 3")), @"rules.toml:11: `when`: expected a text, found integer `3`");
    insta::assert_snapshot!(refused("\n\n[[rule]]\nname = ''\nactions = ['hook']"), @"rules.toml:4: `name`: expected a name of 1 to 100 bytes on one line, found ``");
}

#[test]
fn a_fault_in_a_rule_is_found() {
    insta::assert_snapshot!(refused(&rule("when = 'incident.funktion == \"\"'")), @"rules.toml:11: `when`: unknown field `incident.funktion` (did you mean `function`?), expected one of id, problem, request_id, attempt, trace_id, stack, function, platform, instance, pid, outcome, state, elapsed_ms, summary, diagnosis");
    insta::assert_snapshot!(refused(&rule("when = '''\nincident.function ==\n  '''")), @"rules.toml:11: `when`: expected a CEL condition, found a fault at 1:21: mismatched input '<EOF>'");
    insta::assert_snapshot!(refused(&rule("states = ['confirmd']")), @"rules.toml:11: `states`: unknown word `confirmd`, expected one of `suspected`, `confirmed`, `survived`, `lost` (did you mean `confirmed`?)");
    insta::assert_snapshot!(refused(&rule("states = []")), @"rules.toml:11: `states`: expected at least one state, found none");
    insta::assert_snapshot!(refused(&rule("group_wait = '30s'")), @"rules.toml:11: `group_wait`: expected `group_by` beside it: what is to wait?");
    insta::assert_snapshot!(refused(&rule("group_interval = '5m'")), @"rules.toml:11: `group_interval`: expected `group_by` beside it: what is summed up?");
    insta::assert_snapshot!(refused(&rule("repeat_interval = '4h'")), @"rules.toml:11: `repeat_interval`: expected `group_by` beside it: what is not to be repeated?");
    insta::assert_snapshot!(refused(&rule("group_by = ['problem']\nrepeat_interval = 'soon'")), @r##"rules.toml:12: `repeat_interval`: expected a duration such as "4h", "30m" or "90s", found "soon""##);
    insta::assert_snapshot!(refused(&rule("group_by = ['problem']\nrepeat_interval = '30d'")), @r##"rules.toml:12: `repeat_interval`: expected at least 1s and at most 168h, found "30d""##);
    insta::assert_snapshot!(refused(&rule("group_by = ['problem']\nrepeat_interval = '0s'")), @r##"rules.toml:12: `repeat_interval`: expected at least 1s and at most 168h, found "0s""##);
    insta::assert_snapshot!(refused(&rule("group_by = ['problem']\ngroup_interval = '2h'\nrepeat_interval = '1h'")), @r##"rules.toml:12: `group_interval`: expected at most the `repeat_interval` of 1h, found "2h""##);
    insta::assert_snapshot!(refused(&rule("on = ['new']")), @"rules.toml:11: `on`: unknown word `new`, expected one of `incident`, `new_problem`, `regressed`, `resolved` (did you mean `new_problem`?)");
    insta::assert_snapshot!(refused(&rule("on = []")), @"rules.toml:11: `on`: expected at least one of `incident`, `new_problem`, `regressed`, `resolved`, found none");
    insta::assert_snapshot!(refused(&rule("limit_share = 0.0")), @"rules.toml:11: `limit_share`: expected a share of the limit such as 0.8 for 80 %, found 0");
    insta::assert_snapshot!(refused(&rule("limit_share = 90")), @"rules.toml:11: `limit_share`: expected a share of the limit such as 0.8 for 80 %, found 90");
    insta::assert_snapshot!(refused(&rule("threshold = { count = 1, window = '10m' }")), @"rules.toml:11: `count`: expected 2 to 1000 incidents, found 1");
    insta::assert_snapshot!(refused(&rule("threshold = { count = 5, windw = '10m' }")), @"rules.toml:11: unknown key `windw`, expected `count` or `window` (did you mean `window`?)");
    insta::assert_snapshot!(refused(&rule("escalating = { factor = 1.0, window = '1h' }")), @"rules.toml:11: `factor`: expected a factor of 1.1 to 1000, found 1");
    insta::assert_snapshot!(refused(&rule("escalating = { factor = 3, window = '7h' }")), @r##"rules.toml:11: `window`: expected at least 1 s and at most 6h, found "7h""##);
    insta::assert_snapshot!(refused(&rule("severity = 'page me'")), @"rules.toml:11: `severity`: expected a word such as `page`, `warning` or `info`, found `page me`");
    insta::assert_snapshot!(refused(&rule("active = ['office hours']")), @"rules.toml:11: `active`: expected the name of a `[[time_interval]]`, found `office hours`; there is none");
    insta::assert_snapshot!(refused(&(rule("mute = ['office hour']") + "[[time_interval]]\nname = 'office hours'")), @"rules.toml:11: `mute`: expected the name of a `[[time_interval]]`, found `office hour` (did you mean `office hours`?); there are `office hours`");
    insta::assert_snapshot!(refused("[[inhibit]]\nname = 'i'\nequal = []"), @"rules.toml:3: `equal`: expected at least one field, found none");
    insta::assert_snapshot!(refused("[[inhibit]]\nname = 'i'\nequal = ['diagnosis.cause.tarjet']"), @"rules.toml:3: `equal`: unknown field `diagnosis.cause.tarjet` (did you mean `diagnosis.cause.target`?), expected one of id, problem, request_id, trace_id, stack, function, platform, instance, outcome, state, summary, diagnosis.layer, diagnosis.product, diagnosis.confidence, diagnosis.limit.setting, diagnosis.limit.known_from, diagnosis.cause.id, diagnosis.cause.operation, diagnosis.cause.target");
    insta::assert_snapshot!(refused("[[inhibit]]\nname = 'i'\nequal = ['stack']\nsource = 'incident.stat == \"\"'"), @"rules.toml:4: `source`: unknown field `incident.stat` (did you mean `state`?), expected one of id, problem, request_id, attempt, trace_id, stack, function, platform, instance, pid, outcome, state, elapsed_ms, summary, diagnosis");
    insta::assert_snapshot!(refused("[[inhibit]]\nname = 'i'\nequal = ['stack']\nlasts = '2d'"), @r##"rules.toml:4: `lasts`: expected more than 0 s and at most 24h, found "2d""##);
    insta::assert_snapshot!(refused(&rule("group_by = ['elapsed_ms']")), @"rules.toml:11: `group_by`: unknown field `elapsed_ms`, expected one of id, problem, request_id, trace_id, stack, function, platform, instance, outcome, state, summary, diagnosis.layer, diagnosis.product, diagnosis.confidence, diagnosis.limit.setting, diagnosis.limit.known_from, diagnosis.cause.id, diagnosis.cause.operation, diagnosis.cause.target");
    insta::assert_snapshot!(refused(&rule("group_by = ['funct']")), @"rules.toml:11: `group_by`: unknown field `funct` (did you mean `function`?), expected one of id, problem, request_id, trace_id, stack, function, platform, instance, outcome, state, summary, diagnosis.layer, diagnosis.product, diagnosis.confidence, diagnosis.limit.setting, diagnosis.limit.known_from, diagnosis.cause.id, diagnosis.cause.operation, diagnosis.cause.target");
    insta::assert_snapshot!(refused(&rule("group_by = []")), @"rules.toml:11: `group_by`: expected at least one field, found none");
    insta::assert_snapshot!(refused(&(HOOK.to_owned() + "[[rule]]\nname = 'by hand'\nactions = ['hook']")), @"rules.toml:8: `name`: expected another name, found `by hand`: that is what stands for a person who asks");
    insta::assert_snapshot!(refused(&(rule("") + "[[rule]]\nname = 'r'\nactions = ['hook']")), @"rules.toml:13: `name`: expected a name that is used once, found `r` again");
    insta::assert_snapshot!(refused(&(HOOK.to_owned() + "[[rule]]\nname = 'r'\nactions = ['hok']")), @"rules.toml:9: `actions`: expected the name of an `[[action]]`, found `hok` (did you mean `hook`?); there are `hook`");
    insta::assert_snapshot!(refused("[[rule]]\nname = 'r'\nactions = ['hook']"), @"rules.toml:3: `actions`: expected the name of an `[[action]]`, found `hook`; there is none");
    insta::assert_snapshot!(refused(&(HOOK.to_owned() + "[[rule]]\nname = 'r'\nactions = ['hook', 'hook']")), @"rules.toml:9: `actions`: expected each action once, found `hook` again");
    insta::assert_snapshot!(refused(&(HOOK.to_owned() + "[[rule]]\nname = 'r'\nactions = []")), @"rules.toml:9: `actions`: expected the name of at least one action, found none");
}

#[test]
fn a_fault_in_an_action_is_found_and_no_secret_is_repeated() {
    let hook = |lines: &str| refused(&format!("[[action]]\nname = 'a'\nkind = 'webhook'\n{lines}"));
    insta::assert_snapshot!(refused("[[action]]\nname = 'a'\nkind = 'webhok'"), @"rules.toml:3: `kind`: unknown action `webhok` (did you mean `webhook`?), expected one of email, sentry, webhook, alertmanager, retry, errors_node");
    insta::assert_snapshot!(refused("[[action]]\nname = 'a'"), @"rules.toml:1: expected `kind`, which is missing");
    insta::assert_snapshot!(refused(&(HOOK.to_owned() + HOOK)), @"rules.toml:9: `name`: expected a name that is used once, found `hook` again");
    insta::assert_snapshot!(hook("url = 'https://a.example'"), @"rules.toml:4: `url`: expected `secret` or `secret_file` beside it; `echo whsec_$(openssl rand -base64 32)` makes one");
    insta::assert_snapshot!(hook("url = 'https://a.example'\nbody = 'slak'"), @"rules.toml:5: `body`: unknown word `slak`, expected one of `cloudevents`, `alertmanager`, `slack`, `pagerduty`, `discord`, `teams`, `template` (did you mean `slack`?)");
    insta::assert_snapshot!(hook("url = 'https://a.example'\nbody = 'pagerduty'"), @"rules.toml:5: `body`: expected `routing_key` or `routing_key_file` beside it: which service of PagerDuty's?");
    insta::assert_snapshot!(hook("url = 'https://a.example'\nbody = 'slack'\nrouting_key = 'hunter2'"), @r##"rules.toml:6: `routing_key`: `routing_key` belongs to `body = "pagerduty"` only"##);
    insta::assert_snapshot!(hook("url = 'https://a.example'\nbody = 'template'"), @"rules.toml:5: `body`: expected `template_file` beside it: a file with the body's template");
    insta::assert_snapshot!(hook("url = 'ftp://a.example'"), @"rules.toml:4: `url`: expected a URL that begins with https:// or http://, not ftp:");
    insta::assert_snapshot!(refused("[[action]]\nname = 'm'\nkind = 'slack'"), @r#"rules.toml:3: `kind`: unknown action `slack` (did you mean `webhook` with `body = "slack"`?), expected one of email, sentry, webhook, alertmanager, retry, errors_node"#);
    insta::assert_snapshot!(hook("url = 'hooks.example.com/secret'"), @"rules.toml:4: `url`: expected a URL that begins with https:// or http://: relative URL without a base");
    insta::assert_snapshot!(hook("url = 'http://localhost:9000/hook'"), @"rules.toml:4: `url`: expected a public address, not `localhost` (loopback); `allow_private = true` in the action permits it");
    insta::assert_snapshot!(hook("url = 'http://169.254.169.254/latest'"), @"rules.toml:4: `url`: expected a public address, not `169.254.169.254` (link-local, cloud metadata); `allow_private = true` in the action permits it");
    insta::assert_snapshot!(hook("url = 'https://a.example'\nsecret = 'whsec_dG9vIHNob3J0'"), @"rules.toml:5: `secret`: expected `whsec_` and 24 to 64 bytes in base64; `echo whsec_$(openssl rand -base64 32)` makes one");
    insta::assert_snapshot!(hook("url = 'https://a.example'\nsecret = 'correct horse battery staple'"), @"rules.toml:5: `secret`: expected `whsec_` and 24 to 64 bytes in base64; `echo whsec_$(openssl rand -base64 32)` makes one");
    insta::assert_snapshot!(hook("url = 'https://a.example'\nsecret = 12345"), @"rules.toml:5: `secret`: expected a text");
    insta::assert_snapshot!(hook("url = 'https://a.example'\nsecret_file = 'nowhere'"), @"rules.toml:5: `secret_file`: expected a readable file, found `nowhere`: entity not found");
    insta::assert_snapshot!(hook("url = 'https://a.example'\nsecret = 'x'\nsecret_file = 'x'"), @"rules.toml:6: `secret_file`: expected either `secret` or `secret_file`, found both");
    insta::assert_snapshot!(hook("url = 'https://a.example'\nheaders = {}"), @"rules.toml:5: unknown key `headers`, expected one of `url`, `body`, `secret`, `secret_file`, `routing_key`, `routing_key_file`, `template_file`, `content_type`, `allow_private`");
}

#[test]
fn a_fault_in_mail_settings_is_found() {
    let mail = |lines: &str| refused(&format!("[smtp]\nhost = 'h'\nfrom = 'a@example.com'\n{lines}"));
    let to = |to: &str| mail(&format!("[[action]]\nname = 'm'\nkind = 'email'\nto = {to}"));
    insta::assert_snapshot!(refused("[[action]]\nname = 'm'\nkind = 'email'\nto = ['a@example.com']"), @"rules.toml:3: `kind`: expected an `[smtp]` table in this file that names the mail server, found none");
    insta::assert_snapshot!(to("[]"), @"rules.toml:7: `to`: expected 1 to 50 addresses, found 0");
    insta::assert_snapshot!(to("['nobody']"), @"rules.toml:7: `to`: expected a mail address, found `nobody`");
    insta::assert_snapshot!(to(r#"["a@example.com\r\nBcc: b@example.com"]"#), @r##"rules.toml:7: `to`: expected a mail address, found `a@example.com\r\nBcc: b@example.com`"##);
    insta::assert_snapshot!(mail("tls = 'ssl'"), @"rules.toml:4: `tls`: unknown word `ssl`, expected one of `starttls`, `tls`, `none`");
    insta::assert_snapshot!(mail("username = 'u'"), @"rules.toml:4: `username`: expected `password` or `password_file` beside it");
    insta::assert_snapshot!(mail("password = 'hunter2'"), @"rules.toml:4: `password`: expected `username` beside it");
    insta::assert_snapshot!(mail("username = 'u'\npassword = 'hunter2'\ntls = 'none'"), @r##"rules.toml:4: `username`: expected `tls = "starttls"` or `tls = "tls"` beside it: without TLS anybody on the way reads the password"##);
    insta::assert_snapshot!(mail("ca_file = '/run/secrets/smtp-password'"), @"rules.toml:4: `ca_file`: expected a certificate in PEM form in `/run/secrets/smtp-password`");
    insta::assert_snapshot!(mail("port = 70000"), @"rules.toml:4: `port`: expected a number from 0 to 65535, found integer `70000`");
    insta::assert_snapshot!(refused("[smtp]\nhost = 'h x'\nfrom = 'a@example.com'"), @"rules.toml:2: `host`: expected the name of a mail server, found `h x`");
}

#[test]
fn nothing_that_is_printed_holds_a_secret() {
    let rules = parse(SAMPLE);
    let shown = format!("{rules:?} {}", rules.summary());
    for secret in ["hunter2", "c2VjcmV0", "secret-path", "key=k"] {
        assert!(!shown.contains(secret), "{secret}");
    }
}
