//! The captured traffic, and how it is played in: over HTTP, as its senders would.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use domain::Clock as _;
use jiff::{SignedDuration, Timestamp};

use super::shift;
use crate::clock::SystemClock;
use crate::serve::Addresses;

/// One request or process, as it was recorded: the bodies that tell of it, moved to the present together.
struct Recording {
    /// How many minutes ago it is to have ended.
    minutes_ago: i64,
    bodies: &'static [Body],
}

struct Body {
    path: &'static str,
    content_type: &'static str,
    /// The function and the instance that the sender would name.
    function: &'static str,
    instance: &'static str,
    text: &'static str,
}

const TEXT: &str = "text/plain; charset=utf-8";

/// A gunicorn log, as `overrun ship --function … --instance …` sends it.
macro_rules! gunicorn {
    ($minutes_ago:literal, $function:literal, $instance:literal, $file:literal) => {
        Recording {
            minutes_ago: $minutes_ago,
            bodies: &[Body {
                path: "/v1/push/auto",
                content_type: TEXT,
                function: $function,
                instance: $instance,
                text: include_str!(concat!("../../tests/fixtures/gunicorn/", $file)),
            }],
        }
    };
}

const RECORDINGS: [Recording; 9] = [
    Recording {
        minutes_ago: 0,
        bodies: &[
            Body {
                path: "/v1/watchdog",
                content_type: "application/x-ndjson",
                function: "checkout",
                instance: "",
                text: include_str!("../../tests/fixtures/lambda_rie/watchdog.jsonl"),
            },
            Body {
                path: "/v1/push/auto",
                content_type: "application/json",
                function: "checkout",
                instance: "",
                text: include_str!("../../tests/fixtures/lambda_rie/traces.jsonl"),
            },
            Body {
                path: "/v1/push/lambda_text",
                content_type: TEXT,
                function: "checkout",
                instance: "",
                text: include_str!("../../tests/fixtures/lambda_rie/function.log"),
            },
        ],
    },
    Recording {
        minutes_ago: 55,
        bodies: &[Body {
            path: "/v1/push/auto",
            content_type: TEXT,
            function: "seed",
            instance: "",
            text: include_str!("../../tests/fixtures/lambda_text/born.log"),
        }],
    },
    gunicorn!(41, "shop", "xyz", "fly-21.2.0.log"),
    gunicorn!(34, "reports", "web-1", "23.0.0-sync.log"),
    gunicorn!(27, "reports", "web-2", "27.0.1-sync-merged-request-id.log"),
    gunicorn!(19, "pdf", "web-3", "21.2.0-sync-native-lock.log"),
    gunicorn!(12, "pdf", "web-3", "23.0.0-gthread-native-gil-many-in-flight.log"),
    gunicorn!(8, "reports", "web-4", "21.2.0-killed-from-outside.log"),
    gunicorn!(4, "reports", "web-5", "23.0.0-graceful-timeout-sync.log"),
];

/// Sends everything; returns how many bodies there were.
pub async fn play(addresses: &Addresses) -> anyhow::Result<usize> {
    let client = reqwest::Client::builder().timeout(Duration::from_secs(30)).build().context("no HTTP client")?;
    let now = SystemClock.now();
    let mut sent = 0;
    for recording in &RECORDINGS {
        let by = moved(recording, now);
        for body in recording.bodies {
            let url = format!("http://{}{}", addresses.ingest_http, body.path);
            let request = client.post(&url).header("content-type", body.content_type).header("overrun-function", body.function);
            let request = if body.instance.is_empty() { request } else { request.header("overrun-instance", body.instance) };
            let response = request.body(shift::shift(body.text, by)).send().await.with_context(|| format!("`{url}`"))?;
            ensure!(response.status().is_success(), "`{url}` answered {}: {}", response.status(), response.text().await?);
            sent += 1;
        }
    }
    Ok(sent)
}

/// By how much a recording is moved: its last moment to so many minutes ago.
fn moved(recording: &Recording, now: Timestamp) -> SignedDuration {
    let end = now.saturating_sub(SignedDuration::from_mins(recording.minutes_ago)).unwrap_or(now);
    recording
        .bodies
        .iter()
        .map(|body| shift::until(body.text, end))
        .min_by_key(|by| if by.is_zero() { SignedDuration::MAX } else { *by })
        .unwrap_or_default()
}
