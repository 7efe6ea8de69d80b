//! `overrun silence`: keeps incidents from being told for a while, by the daemon's API.

use std::collections::BTreeMap;

use anyhow::{Context as _, bail};
use clap::{Args, Subcommand};
use reqwest::{Method, RequestBuilder};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::explain::visible;

/// The path of silences below the dashboard's address.
const PATH: &str = "/api/overrun/v1/silences";

#[derive(Debug, Subcommand)]
pub enum SilenceCommand {
    /// Begin a silence: `overrun silence add function=checkout --for 4h --comment "deploy"`
    Add(AddArgs),
    /// Show the silences that hold
    List {
        /// Print one JSON object
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        daemon: DaemonArgs,
    },
    /// End a silence now
    End {
        /// Its number
        id: i64,
        #[command(flatten)]
        daemon: DaemonArgs,
    },
}

#[derive(Debug, Args)]
pub struct AddArgs {
    /// Fields of the incident that must have these values, as `function=checkout`
    #[arg(value_name = "FIELD=VALUE", value_parser = matcher)]
    matchers: Vec<(String, String)>,
    /// A condition that must hold as well, as in the rules file
    #[arg(long, value_name = "CONDITION")]
    when: Option<String>,
    /// How long it lasts, such as 4h
    #[arg(long = "for", value_name = "DURATION", required_unless_present_any = ["until", "until_resolved"], conflicts_with_all = ["until", "until_resolved"])]
    lasts: Option<String>,
    /// When it ends (RFC 3339)
    #[arg(long, value_name = "TIME", conflicts_with = "until_resolved")]
    until: Option<String>,
    /// Until the problem that it names is resolved
    #[arg(long)]
    until_resolved: bool,
    /// Why
    #[arg(long, default_value = "")]
    comment: String,
    /// Who [default: your user name]
    #[arg(long, visible_alias = "author", env = "USER", hide_env = true)]
    by: Option<String>,
    #[command(flatten)]
    daemon: DaemonArgs,
}

#[derive(Debug, Args)]
pub struct DaemonArgs {
    /// Where the dashboard is
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:4319")]
    to: String,
}

/// One as the API shows it.
#[derive(Debug, Deserialize, Serialize)]
struct Silence {
    id: i64,
    matchers: BTreeMap<String, String>,
    condition: Option<String>,
    comment: String,
    created_by: String,
    ends_at: Option<String>,
}

pub async fn run(command: SilenceCommand) -> anyhow::Result<()> {
    match command {
        SilenceCommand::Add(args) => {
            let body = json!({
                "matchers": args.matchers.into_iter().collect::<BTreeMap<_, _>>(),
                "condition": args.when,
                "lasts": args.lasts,
                "ends_at": args.until,
                "until_resolved": args.until_resolved,
                "comment": args.comment,
                "created_by": args.by.filter(|name| !name.trim().is_empty()).unwrap_or_else(user),
            });
            let request = args.daemon.request(Method::POST, "")?.header("content-type", "application/json").body(body.to_string());
            println!("{}", line(&serde_json::from_value(answer(request).await?)?));
        }
        SilenceCommand::List { json, daemon } => {
            let found = answer(daemon.request(Method::GET, "")?).await?;
            if json {
                println!("{found:#}");
                return Ok(());
            }
            let silences: Vec<Silence> = serde_json::from_value(found["silences"].clone())?;
            if silences.is_empty() {
                println!("nothing is silenced");
            }
            for silence in &silences {
                println!("{}", line(silence));
            }
        }
        SilenceCommand::End { id, daemon } => {
            answer(daemon.request(Method::DELETE, &format!("/{id}"))?).await?;
            println!("silence {id} has ended");
        }
    }
    Ok(())
}

/// Who runs this, where the environment does not say: in containers and timers.
fn user() -> String {
    let name = uzers::get_current_username().map(|name| name.to_string_lossy().into_owned());
    name.unwrap_or_else(|| format!("user {}", uzers::get_current_uid()))
}

impl DaemonArgs {
    fn request(&self, method: Method, below: &str) -> anyhow::Result<RequestBuilder> {
        let url = format!("{}{PATH}{below}", self.to.trim_end_matches('/'));
        Ok(reqwest::Client::builder().build()?.request(method, url))
    }
}

/// What the daemon says.
async fn answer(request: RequestBuilder) -> anyhow::Result<Value> {
    let response = request.send().await.context("the dashboard does not answer; `--to URL` says where it is")?;
    let status = response.status();
    let body: Value = serde_json::from_slice(&response.bytes().await?).context("expected JSON from the dashboard")?;
    match body["error"].as_str() {
        None if status.is_success() => Ok(body),
        error => bail!("{}", visible(error.unwrap_or(status.as_str()))),
    }
}

/// `7  function = checkout  until 2026-11-27T16:00:00Z  by ada: deploy`
fn line(silence: &Silence) -> String {
    let fields = silence.matchers.iter().map(|(name, value)| format!("{name} = {value}"));
    let what = fields.chain(silence.condition.clone()).collect::<Vec<_>>().join(", and ");
    let until = silence.ends_at.as_deref().unwrap_or("its problem is resolved");
    let comment = if silence.comment.is_empty() { String::new() } else { format!(": {}", silence.comment) };
    visible(&format!("{}  {what}  until {until}  by {}{comment}", silence.id, silence.created_by))
}

/// `function=checkout`
fn matcher(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or_else(|| format!("expected `field=value`, found `{text}`"))?;
    Ok((name.trim().to_owned(), value.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_silence_is_one_line_whatever_it_holds() {
        let silence = Silence {
            id: 7,
            matchers: [("function".to_owned(), "checkout\u{1b}[2J".to_owned())].into(),
            condition: Some("incident.attempt == 1".to_owned()),
            comment: "deploy".to_owned(),
            created_by: "ada".to_owned(),
            ends_at: None,
        };
        let said = line(&silence);
        assert!(said.ends_with(", and incident.attempt == 1  until its problem is resolved  by ada: deploy"), "{said}");
        assert!(!said.contains('\u{1b}'), "{said}");
        assert_eq!(matcher("a=b=c"), Ok(("a".to_owned(), "b=c".to_owned())));
        assert!(matcher("a").is_err());
    }
}
