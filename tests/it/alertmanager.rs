//! An alert in Alertmanager: open while its problem goes on, gone when somebody resolves it.
//!
//! Python's and npm's registries have no Alertmanager, so `make test` has a stand-in of its API. With the real one, by hand:
//!
//! ```text
//! OVERRUN_TEST_ALERTMANAGER=/usr/bin/prometheus-alertmanager scripts/with-postgres cargo test --test it alertmanager
//! ```

use std::process::Command;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{Daemon, Database, Launch, Peer, Process, client, closed_port, eventually, fired, report, request_id, send};

/// A running Alertmanager, or what stands for one.
struct Alertmanager {
    url: String,
    _running: Running,
}

#[expect(dead_code, reason = "held so that it runs")]
enum Running {
    Real(Process, TempDir),
    StandIn(Peer),
}

impl Alertmanager {
    async fn start() -> Self {
        let port = closed_port();
        let running = match std::env::var("OVERRUN_TEST_ALERTMANAGER") {
            Ok(program) => Self::real(&program, port),
            Err(_) => Running::StandIn(Peer::python("alertmanager.py", &json!({ "port": port }))),
        };
        let this = Self { url: format!("http://127.0.0.1:{port}"), _running: running };
        let ready = async || send(client().get(format!("{}/-/ready", this.url))).await.ok().filter(|answer| answer.status == 200);
        eventually("Alertmanager", ready).await;
        this
    }

    fn real(program: &str, port: u16) -> Running {
        let dir = tempfile::tempdir().expect("a directory");
        let config = dir.path().join("alertmanager.yml");
        std::fs::write(&config, "route: {receiver: nobody}\nreceivers: [{name: nobody}]\n").expect("written");
        let mut command = Command::new(program);
        command.arg("--config.file").arg(config).arg("--storage.path").arg(dir.path().join("storage"));
        command.arg(format!("--web.listen-address=127.0.0.1:{port}")).arg("--cluster.listen-address=");
        Running::Real(Process::spawn(program, &mut command), dir)
    }

    /// The alerts that are open.
    async fn alerts(&self) -> Vec<Value> {
        let answer = send(client().get(format!("{}/api/v2/alerts", self.url))).await.expect("an answer").expect(200).json();
        answer.as_array().expect("a list").clone()
    }
}

async fn overran(daemon: &Daemon, id: &str) -> Value {
    daemon.watchdog(&fired(id)).await;
    daemon.push("lambda_text", &report(id)).await;
    daemon.incident(id, |incident| incident["state"] == "confirmed").await
}

#[tokio::test]
async fn an_alert_is_open_while_its_problem_goes_on_and_ends_when_that_is_resolved() {
    let alertmanager = Alertmanager::start().await;
    let rules = tempfile::NamedTempFile::new().expect("a file");
    let text = format!(
        "[[rule]]\nname = 'page'\non = ['incident', 'resolved']\nseverity = 'page'\nactions = ['am']\n\
         [[action]]\nname = 'am'\nkind = 'alertmanager'\nurls = ['{}']\nallow_private = true\n",
        alertmanager.url
    );
    std::fs::write(rules.path(), text).expect("written");
    let database = Database::create().await;
    let daemon = Launch::on(&database).rules(rules.path()).start().await;

    for number in [161, 162] {
        let id = request_id(number);
        let incident = overran(&daemon, &id).await;
        let told = async || Some(alertmanager.alerts().await).filter(|alerts| alerts.iter().any(|a| a["annotations"]["request_id"] == id));
        let open = eventually("an alert that tells of the request", told).await;
        assert_eq!(open.len(), 1, "incidents of one problem are one alert: {open:#?}");
        let (alert, labels) = (&open[0], &open[0]["labels"]);
        assert_eq!(alert["status"]["state"], "active", "{alert:#}");
        assert_eq!(alert["annotations"]["summary"], format!("checkout: {}", incident["summary"].as_str().expect("a verdict")));
        assert_eq!((&labels["alertname"], &labels["function"]), (&"OverrunIncident".into(), &"checkout".into()), "{alert:#}");
        assert_eq!((&labels["problem"], &labels["severity"]), (&incident["problem"], &"page".into()), "{alert:#}");
        let link = format!("/incidents/{}", incident["id"].as_str().expect("text"));
        assert!(alert["generatorURL"].as_str().is_some_and(|url| url.ends_with(&link)), "{alert:#}");
    }

    let problem = daemon.api("/problems").await["problems"][0]["id"].as_str().expect("text").to_owned();
    daemon.ask("POST", &format!("/api/overrun/v1/problems/{problem}/resolve")).await.expect(200);
    eventually("no open alert", async || alertmanager.alerts().await.is_empty().then_some(())).await;
    daemon.stop().await;
}
