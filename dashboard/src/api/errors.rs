//! The errors node: every error of a stack, in order, to any number of subscribers.
//!
//! `GET /api/overrun/v1/errors/stream` speaks server-sent events (WHATWG HTML, "Server-sent events", read 2026-11-22): a
//! subscriber that was away says in `Last-Event-ID` what it saw last and gets everything since from the database. Each reads at
//! its own pace: nothing is kept for it in memory. `GET /api/overrun/v1/errors` is the same as a list.
//!
//! ```text
//! id: 42
//! event: overrun.error
//! data: {"specversion":"1.0","type":"dev.overrun.error.v1","sequence":"0000000000000000042","data":{…}}
//! ```

use std::collections::VecDeque;
use std::convert::Infallible;
use std::time::Duration;

use axum::Json;
use axum::extract::{Query, State};
use axum::http::header::{CACHE_CONTROL, RETRY_AFTER};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream::unfold;
use serde::Serialize;
use serde_json::{Value, json};
use store::StackError;
use tokio::sync::OwnedSemaphorePermit;

use super::answer;
use crate::App;
use crate::error::Failure;
use crate::feed::{Feed, News, SUBSCRIBERS_MAX};
use crate::query::{self, BadParameter};

/// Errors read at once.
const PAGE_MAX: u32 = 100;

/// How often a comment is sent, so that nobody between takes the connection for dead.
const COMMENT_EVERY: Duration = Duration::from_secs(15);

/// How long subscribers wait before they connect again.
const RECONNECT_AFTER: Duration = Duration::from_secs(2);

/// How often is looked without having been woken.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// What is asked for.
struct Wanted {
    stack: String,
    /// After this one; `None`: those that are to come.
    after: Option<i64>,
    limit: u32,
}

#[derive(Serialize)]
struct Page {
    errors: Vec<Value>,
    /// To be given as `after` for those after these.
    last: i64,
}

/// `GET /api/overrun/v1/errors`
pub async fn list(State(app): State<App>, Query(pairs): Query<Vec<(String, String)>>) -> Response {
    let found = async {
        let wanted = read(&pairs, &HeaderMap::new())?;
        let after = wanted.after.unwrap_or(0);
        let errors = app.store.errors_after(&wanted.stack, after, wanted.limit).await?;
        let last = errors.last().map_or(after, |error| error.sequence);
        Ok::<_, Failure>(Page { errors: errors.iter().map(|error| event(&app, error)).collect(), last })
    };
    answer(found.await)
}

/// `GET /api/overrun/v1/errors/stream`
pub async fn stream(State(app): State<App>, headers: HeaderMap, Query(pairs): Query<Vec<(String, String)>>) -> Response {
    let Some((news, room)) = app.feed.subscribe() else {
        let text = format!("{SUBSCRIBERS_MAX} subscribers are connected, which is as many as may be");
        return (StatusCode::SERVICE_UNAVAILABLE, [(RETRY_AFTER, "5")], Json(json!({ "error": text }))).into_response();
    };
    let begun = async {
        let wanted = read(&pairs, &headers)?;
        let span = app.store.error_span(&wanted.stack).await?;
        Ok::<_, Failure>(Subscription::new(app.clone(), wanted, span, news, room))
    };
    let subscription = match begun.await {
        Ok(subscription) => subscription,
        Err(failure) => return failure.into_json(),
    };
    let events = unfold(subscription, |mut subscription| async {
        let event = subscription.next().await?;
        Some((Ok::<_, Infallible>(event), subscription))
    });
    let mut response = Sse::new(events).keep_alive(KeepAlive::new().interval(COMMENT_EVERY)).into_response();
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    // nginx would gather what is to arrive at once.
    headers.insert(HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
    response
}

/// Reads what is asked for; what a subscriber saw last goes before what its address says, which it keeps when it comes back.
fn read(pairs: &[(String, String)], headers: &HeaderMap) -> Result<Wanted, BadParameter> {
    let mut wanted = Wanted { stack: domain::StackName::default().to_string(), after: None, limit: PAGE_MAX };
    let number = |name: &str, value: &str| {
        let read = value.trim().parse::<i64>().ok().filter(|number| *number >= 0);
        read.ok_or_else(|| BadParameter::new(name, "the number of an error, as `id` gave it", value))
    };
    for (name, value) in pairs.iter().filter(|(_, value)| !value.trim().is_empty()) {
        match name.as_str() {
            "stack" => wanted.stack.clone_from(value),
            "after" => wanted.after = Some(number("after", value)?),
            "limit" => wanted.limit = query::limit(value)?.min(PAGE_MAX),
            other => return Err(BadParameter::new(other, "one of stack, after, limit".to_owned(), other)),
        }
    }
    if let Some(last) = headers.get("last-event-id").filter(|last| !last.is_empty()) {
        wanted.after = Some(number("Last-Event-ID", &String::from_utf8_lossy(last.as_bytes()))?);
    }
    Ok(wanted)
}

fn event(app: &App, error: &StackError) -> Value {
    let link = format!("{}/incidents/{}", app.public_url.trim_end_matches('/'), error.incident.id);
    error.incident.error_event(&link, error.sequence, error.at)
}

/// One subscriber.
struct Subscription {
    app: App,
    stack: String,
    /// The number of the last error that it was sent.
    after: i64,
    read: VecDeque<StackError>,
    first: VecDeque<Event>,
    news: News,
    _room: OwnedSemaphorePermit,
}

impl Subscription {
    fn new(app: App, wanted: Wanted, span: Option<(i64, i64)>, news: News, room: OwnedSemaphorePermit) -> Self {
        let (kept_from, last) = span.unwrap_or((1, 0));
        let mut first = VecDeque::from([Event::default().retry(RECONNECT_AFTER).comment("errors, in order")]);
        let after = match wanted.after {
            None => last,
            // What is no longer kept is said and not silently left out; nor is a number that this database never gave.
            Some(after) if after + 1 < kept_from || after > last => {
                let gap = json!({ "after": after, "kept_from": kept_from, "last": last });
                first.push_back(Event::default().event("overrun.gap").data(gap.to_string()));
                if after > last { last } else { kept_from - 1 }
            }
            Some(after) => after,
        };
        Self { app, stack: wanted.stack, after, read: VecDeque::new(), first, news, _room: room }
    }

    /// Waits for what is sent next; `None` when the daemon stops.
    async fn next(&mut self) -> Option<Event> {
        if let Some(event) = self.first.pop_front() {
            return Some(event);
        }
        loop {
            if let Some(error) = self.read.pop_front() {
                self.after = error.sequence;
                let data = event(&self.app, &error).to_string();
                return Some(Event::default().id(error.sequence.to_string()).event("overrun.error").data(data));
            }
            match self.app.store.errors_after(&self.stack, self.after, PAGE_MAX).await {
                Ok(errors) if !errors.is_empty() => self.read = errors.into(),
                // A database that is away is waited for, as everywhere.
                _ => self.news.wait(LOOK_EVERY).await?,
            }
        }
    }
}

impl Feed {
    /// A place among the subscribers.
    fn subscribe(&self) -> Option<(News, OwnedSemaphorePermit)> {
        Some((self.news(), self.room()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(query: &[(&str, &str)], last: Option<&str>) -> Result<(String, Option<i64>), String> {
        let pairs: Vec<_> = query.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let headers = last.map(|last| ("last-event-id".parse().expect("a name"), last.parse().expect("a value")));
        let wanted = read(&pairs, &headers.into_iter().collect()).map_err(|error| error.to_string())?;
        Ok((wanted.stack, wanted.after))
    }

    #[test]
    fn what_was_seen_last_goes_before_where_it_began() {
        assert_eq!(check(&[], None), Ok(("default".to_owned(), None)));
        assert_eq!(check(&[("stack", "shop"), ("after", "3")], None), Ok(("shop".to_owned(), Some(3))));
        assert_eq!(check(&[("after", "3")], Some("7")), Ok(("default".to_owned(), Some(7))));
        assert!(check(&[], Some("x")).is_err() && check(&[("after", "-1")], None).is_err() && check(&[("stak", "x")], None).is_err());
    }
}
