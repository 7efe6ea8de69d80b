//! Rules through the whole program: how often is told, what is kept quiet, and what a person says.

use serde_json::{Value, json};

use crate::support::{Daemon, Database, Launch, Receivers, eventually, overrun, report, request_id};

/// Requests `from..to`, each killed at its limit, in one body.
async fn overran(daemon: &Daemon, from: u32, to: u32) {
    let lines: String = (from..to).map(|number| report(&request_id(number))).collect();
    daemon.push("lambda_text", &lines).await;
}

/// The problem that there is.
async fn problem(daemon: &Daemon) -> String {
    let found = eventually("the problem", async || daemon.api("/problems").await["problems"][0]["id"].as_str().map(str::to_owned));
    found.await
}

fn alert(said: &Value) -> &Value {
    &said["event"]["data"]["alert"]
}

#[tokio::test]
async fn incidents_of_one_problem_are_told_together_silenced_resolved_and_told_when_it_is_back() {
    let (database, receivers) = (Database::create().await, Receivers::plain());
    let mut webhook = receivers.open_webhook(&json!([])).await;
    let rules = receivers.webhook_rules(
        "on = ['incident', 'resolved']\nseverity = 'page'\ngroup_by = ['problem']\ngroup_wait = '1s'\ngroup_interval = '2s'\nrepeat_interval = '4h'",
    );
    let daemon = Launch::on(&database).rules(&rules).start().await;
    overran(&daemon, 1, 4).await;
    let first = webhook.next().await;
    assert_eq!(alert(&first)["severity"], "page");
    overran(&daemon, 4, 9).await;
    // The first message shows one and counts those that came while it waited; those after it count the others.
    let mut told = 1 + alert(&first)["more"].as_u64().unwrap_or(0);
    while told < 8 {
        let said = webhook.next().await;
        told += alert(&said)["more"].as_u64().expect("a number");
        assert_ne!(first["headers"]["webhook-id"], said["headers"]["webhook-id"]);
    }
    assert_eq!(told, 8);

    // Somebody works on it. What comes is shown and not told.
    let problem = problem(&daemon).await;
    let command = |arguments: &[&str]| {
        let said = overrun(&[&["silence"], arguments, &["--to", &daemon.dashboard]].concat()).output().expect("it runs");
        (said.status.success(), String::from_utf8_lossy(&said.stdout).into_owned() + &String::from_utf8_lossy(&said.stderr))
    };
    let (done, said) = command(&["add", &format!("problem={problem}"), "--until-resolved", "--comment", "on it", "--by", "ada"]);
    assert!(done && said.ends_with("until its problem is resolved  by ada: on it\n"), "{said}");
    let (_, said) = command(&["list"]);
    assert!(said.contains(&problem), "{said}");
    overran(&daemon, 20, 23).await;
    for number in 20..23 {
        let silenced = daemon.incident(&request_id(number), |_| true).await;
        let id = silenced["id"].as_str().expect("text").to_owned();
        let looked_at = "select count(*) from incident_changes where routed_at is null";
        let pool = database.pool().await;
        eventually("all that was looked at", async || {
            (sqlx::query_scalar::<_, i64>(looked_at).fetch_one(&pool).await.expect("a number") == 0).then_some(())
        })
        .await;
        let shown = daemon.api(&format!("/incidents/{id}")).await;
        assert_eq!(shown["silences"][0]["created_by"], "ada");
        daemon.page(&format!("/incidents/{id}")).await.expect(200).body.find("Silenced").expect("it says so");
    }

    // That it is mended is told, ends the silence, and that it is back is told at once.
    let resolve = daemon.ask("POST", &format!("/api/overrun/v1/problems/{problem}/resolve")).await.expect(200).json();
    assert_eq!(resolve["state"], "resolved");
    let resolved = webhook.next().await;
    assert_eq!(alert(&resolved)["event"], "resolved");
    let (_, said) = command(&["list"]);
    assert_eq!(said, "nothing is silenced\n");
    overran(&daemon, 30, 32).await;
    assert_eq!(alert(&webhook.next().await)["event"], "regressed");
    let (done, said) = command(&["end", "999"]);
    assert!(!done && said.contains("no such silence"), "{said}");

    // The same rules over the same incidents would have said as much.
    let said = overrun(&["rules", "replay", "--since", "1h", "--rules"])
        .arg(&rules)
        .env("DATABASE_URL", database.url())
        .output()
        .expect("it runs");
    let said = String::from_utf8_lossy(&said.stdout);
    assert!(said.contains("rule `r` → `inbox`: ") && said.ends_with("nothing was sent\n"), "{said}");
    let said = overrun(&["rules", "test", "r", "--action", "inbox", "--rules"]).arg(&rules).output().expect("it runs");
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    let sample =
        eventually("the sample", async || Some(webhook.next().await).filter(|said| said["event"]["subject"] == "overrun-test")).await;
    assert_eq!(sample["event"]["data"]["summary"], "This is a test of Overrun. Nothing overran");
    daemon.stop().await;
}

/// How many incidents the storm has. By hand: `OVERRUN_STORM=10000`.
fn storm() -> u32 {
    std::env::var("OVERRUN_STORM").ok().and_then(|number| number.parse().ok()).unwrap_or(1_000)
}

#[tokio::test]
async fn a_storm_of_one_problem_is_one_message_at_once_and_then_sums() {
    const BATCH: u32 = 250;
    let (database, receivers, storm) = (Database::create().await, Receivers::plain(), storm());
    let mut webhook = receivers.open_webhook(&json!([])).await;
    let rules = receivers.webhook_rules("group_by = ['problem']\ngroup_interval = '5s'\nrepeat_interval = '4h'");
    let daemon = Launch::on(&database).rules(&rules).start().await;
    for from in (1..=storm).step_by(BATCH as usize) {
        overran(&daemon, from, (from + BATCH).min(storm + 1)).await;
    }
    let first = webhook.next().await;
    assert_eq!(alert(&first)["more"], Value::Null, "the first is told at once");
    let (mut told, mut messages) = (1, 1);
    while told < u64::from(storm) {
        let said = webhook.next().await;
        let more = alert(&said)["more"].as_u64().expect("a number");
        told += more;
        messages += 1;
    }
    assert_eq!(told, u64::from(storm), "each is told or counted once");
    let pool = database.pool().await;
    let number = async |sql: &'static str| sqlx::query_scalar::<_, i64>(sql).fetch_one(&pool).await.expect("a number");
    assert_eq!(number("select count(*) from deliveries").await, messages);
    assert_eq!(number("select count(*) from alert_groups").await, 1);
    eventually("an empty queue", async || {
        let left = "select (select count(*) from deliveries where state = 'pending') + (select count(*) from incident_changes where routed_at is null)";
        (number(left).await == 0).then_some(())
    })
    .await;
    println!("{storm} incidents: {messages} messages, at most {} MiB", daemon.peak_memory_mib());
    assert!(daemon.peak_memory_mib() < 256, "{} MiB", daemon.peak_memory_mib());
    daemon.stop().await;
}
