//! Mails to the people whose requests overran: who gets one, and what is said of those who do not.

use serde_json::json;

use super::*;
use crate::testing::mail_server::{self, MailServer};

/// An incident whose input names somebody.
fn of(number: u32, email: &str) -> Incident {
    let event = domain::Value::from(json!({ "body": json!({ "email": email }).to_string() }));
    Incident { original_event: Some(event), ..another(number) }
}

/// Rules that write to everybody; `more` goes into the table.
fn rules(server: &MailServer, more: &str) -> Arc<Rules> {
    let rules = format!(
        "[[rule]]\nname = 'r'\nactions = ['sorry']\nstates = ['suspected', 'confirmed', 'survived', 'lost']\n\
         [[action]]\nname = 'sorry'\nkind = 'email'\n\
         [action.recipient_from_event]\npointer = '/body/email'\ndomains = ['example.org']\nsubject = 'Sorry'\ntext_file = 'sorry.txt'\n{more}\n\
         {}",
        mail_server::smtp(server.port)
    );
    Arc::new(Rules::parse_with(&rules, "rules.toml", &|_| Ok("It took too long.".to_owned())).unwrap_or_else(|error| panic!("{error}")))
}

/// A stage with such rules, and the server that takes the mails.
async fn set(pool: PgPool, more: &str, rcpt: fn(&str) -> &'static str) -> (Stage, MailServer) {
    let (stage, server) = (Stage::set(pool, "").await, MailServer::start(rcpt).await);
    stage.rules.send_replace(rules(&server, more));
    (stage, server)
}

impl Stage {
    /// What is said of the delivery of an incident with this index, once it is at an end.
    async fn said(&self, incident: &Incident, index: usize) -> String {
        let (delivery, attempts) = self.attempts(incident, index, 1).await;
        format!("{}: {}", delivery.state.as_str(), attempts.last().expect("one").detail)
    }
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_person_is_written_to_once_about_a_request(pool: PgPool) {
    let (stage, server) = set(pool, "", |_| "250 ok").await;
    let daemon = stage.daemon(options());
    let mut incident = of(1, "ada@example.org");
    incident.state = IncidentState::Suspected;
    stage.change(&incident).await;
    assert_eq!(stage.said(&incident, 0).await, "delivered: accepted for 1");
    for (index, state) in [IncidentState::Confirmed, IncidentState::Survived].into_iter().enumerate() {
        incident.state = state;
        stage.change(&incident).await;
        assert_eq!(stage.said(&incident, index + 1).await, "declined: the person was written to about this request already");
    }
    daemon.stop().await;
    let mails = server.mails();
    assert_eq!((mails.len(), mails[0].to.join(" ").as_str()), (1, "ada@example.org"));
    assert!(mails[0].text.trim_end().ends_with("\n\nIt took too long."), "{}", mails[0].text);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn caps_hold_and_are_said(pool: PgPool) {
    let (stage, server) = set(pool, "per_recipient_max = 1\nper_hour_max = 2", |_| "250 ok").await;
    let daemon = stage.daemon(options());
    let mut said = Vec::new();
    for (number, email) in
        ["ada@example.org", "Ada+2@example.org", "bob@example.org", "eve@example.org", "x@evil.example"].into_iter().enumerate()
    {
        let incident = of(u32::try_from(number).expect("few"), email);
        stage.change(&incident).await;
        said.push(stage.said(&incident, 0).await);
    }
    daemon.stop().await;
    insta::assert_snapshot!(said.join("\n"), @r##"
    delivered: accepted for 1
    declined: the person was written to once within 24 h
    delivered: accepted for 1
    declined: the action wrote to people 2 times within an hour
    declined: its original event has an address at `/body/email` that is not of the domains allowed
    "##);
    assert_eq!(server.mails().len(), 2);
    assert!(stage.metrics().contains(r#"overrun_alerts_deliveries_total{action_kind="email",outcome="declined"} 3"#));
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn an_input_that_comes_late_is_waited_for_and_one_that_never_comes_is_not(pool: PgPool) {
    let (stage, server) = set(pool, "", |_| "250 ok").await;
    let daemon = stage.daemon(options());
    let (late, never, survivor) = (another(1), another(2), another(3));
    for incident in [&late, &never, &survivor] {
        stage.change(incident).await;
    }
    let waits = async || {
        let waiting = stage.store.deliveries(10).await.expect("read");
        (waiting.iter().filter(|delivery| delivery.last_error.is_some()).count() == 3).then_some(waiting)
    };
    let waiting = until_some(waits).await;
    assert_eq!((waiting[0].attempts, waiting[0].last_error.as_deref()), (0, Some("its original event may still come")));
    stage.change(&of(1, "ada@example.org")).await;
    let survivor = Incident { state: IncidentState::Survived, ..of(3, "bob@example.org") };
    stage.change(&survivor).await;
    stage.clock.advance(SignedDuration::from_secs(30));
    assert_eq!(stage.said(&late, 0).await, "delivered: accepted for 1");
    assert_eq!(stage.said(&never, 0).await, "declined: its original event is not known: a watchdog in the function would send it");
    // A rule that asks for those that finished after all gets them, and no one is told first that theirs did not.
    assert_eq!(stage.said(&survivor, 0).await, "declined: the request finished after all");
    assert_eq!(stage.said(&survivor, 1).await, "delivered: accepted for 1");
    daemon.stop().await;
    assert_eq!(server.mails().len(), 2);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_server_that_wants_to_be_asked_again_gets_the_same_mail_within_the_same_cap(pool: PgPool) {
    static ASKED: AtomicU32 = AtomicU32::new(0);
    let greylist = |_: &str| if ASKED.fetch_add(1, Ordering::Relaxed) == 0 { "451 4.7.1 come again" } else { "250 ok" };
    let (stage, server) = set(pool, "per_recipient_max = 1\nper_hour_max = 1", greylist).await;
    let daemon = stage.daemon(options());
    let incident = of(1, "ada@example.org");
    stage.change(&incident).await;
    stage.attempts(&incident, 0, 1).await;
    stage.clock.advance(SignedDuration::from_mins(1));
    let (delivery, attempts) = stage.attempts(&incident, 0, 2).await;
    assert_eq!((delivery.state, attempts[1].detail.as_str()), (DeliveryState::Delivered, "accepted for 1"));
    daemon.stop().await;
    assert_eq!(server.mails().len(), 1);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn nobody_is_written_to_about_what_is_silenced(pool: PgPool) {
    let (stage, server) = set(pool, "", |_| "250 ok").await;
    let daemon = stage.daemon(options());
    let now = stage.clock.now();
    let asked = store::NewSilence {
        matchers: [("function".to_owned(), "checkout".to_owned())].into(),
        condition: None,
        comment: "deploy".to_owned(),
        created_by: "ada".to_owned(),
        ends_at: Some(now + SignedDuration::from_hours(1)),
    };
    stage.store.add_silence(&asked, now).await.expect("written").expect("room");
    stage.change(&of(1, "ada@example.org")).await;
    assert_eq!(stage.deliveries_when_routed().await, 0);
    let other = Incident { function: Some("cart".into()), ..of(2, "bob@example.org") };
    stage.change(&other).await;
    assert_eq!(stage.said(&other, 0).await, "delivered: accepted for 1");
    daemon.stop().await;
    assert_eq!(server.mails().len(), 1);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_mail_to_a_person_is_kept_quiet_by_a_page_and_keeps_no_page_quiet(pool: PgPool) {
    let inhibit = "[[inhibit]]\nname = 'one page'\nequal = ['diagnosis.cause.target']";
    let (stage, server) = set(pool, inhibit, |_| "250 ok").await;
    let daemon = stage.daemon(options());
    let of_function = |number, name: &str, email| Incident {
        function: Some(name.into()),
        problem: domain::ProblemId::derive(&[name]),
        ..of(number, email)
    };
    for (number, name) in [(1, "cart"), (2, "search")] {
        let incident = of_function(number, name, "ada@example.org");
        stage.change(&incident).await;
        assert_eq!(stage.said(&incident, 0).await, "delivered: accepted for 1", "nobody on call has heard of the dependency yet");
    }
    let page = format!("{inhibit}\n[[rule]]\nname = 'page'\nactions = ['hook']\n{}", stage.receiver.action("hook"));
    stage.rules.send_replace(rules(&server, &page));
    stage.change(&of_function(3, "checkout", "bob@example.org")).await;
    stage.requests(1).await;
    let muted = of_function(4, "cart", "eve@example.org");
    stage.change(&muted).await;
    assert_eq!(stage.deliveries_when_routed().await, 4);
    let matches = stage.store.matches_of(muted.id.as_str()).await.expect("read");
    assert!(matches.len() == 2 && matches.iter().all(|one| one.muted_by.as_deref() == Some("inhibit one page")), "{matches:?}");
    daemon.stop().await;
    assert_eq!((server.mails().len(), stage.receiver.received().len()), (3, 1));
}
