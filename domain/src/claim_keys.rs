//! Under which keys a claim is found, and which it ties together.

use std::borrow::Cow;

use jiff::{SignedDuration, Timestamp};

use crate::{Claim, Key, Kind, Link, Millis, Product, RequestId};

/// From here on a request may be one that a proxy in front has given up on: below, nobody sets limits.
const SLOW: Millis = Millis::from_ms(1000);

impl Claim {
    /// What may be the request's ID in an access line of a proxy, if another source names a request so.
    fn unnamed_id(&self) -> Option<&str> {
        let of_proxy = self.kind == Kind::GatewayRequest && self.platform.as_ref().is_some_and(Product::is_proxy);
        self.text("unnamed_id").filter(|_| of_proxy)
    }

    /// The narrowest key this claim can be found under. That it is found under a request's does not say that it is of that one.
    #[must_use]
    pub fn key(&self) -> Key {
        if let Some(request_id) = &self.request_id {
            return Key::Request(request_id.clone());
        }
        if let Some(id) = self.unnamed_id() {
            return Key::Request(RequestId::from(id));
        }
        if let Some(gateway_id) = self.gateway_request_id() {
            return Key::Request(RequestId::from(gateway_id));
        }
        if let Some(trace_id) = &self.trace_id {
            return Key::Trace(trace_id.clone());
        }
        if (self.kind == Kind::ProxyError || self.kind == Kind::GatewayRequest && self.is_anomalous())
            && let Some(exchange) = self.observed_at.and_then(|at| self.exchange(at))
        {
            return exchange;
        }
        match (self.pid, &self.instance) {
            // What a server says of itself concerns all its workers.
            (_, Some(instance)) if self.kind.is_of_server() => Key::Instance(instance.clone()),
            (Some(pid), instance) => Key::Worker { instance: instance.clone(), pid },
            (None, Some(instance)) => Key::Instance(instance.clone()),
            (None, None) => Key::Loose(self.id()),
        }
    }

    /// What ties this claim's key to others: a claim with two keys is the only thing that joins them.
    #[must_use]
    pub fn links(&self) -> Vec<Link> {
        let own = self.key();
        let mut others = Vec::new();
        if let (Key::Request(_), Some(trace_id)) = (&own, &self.trace_id) {
            others.push(Key::Trace(trace_id.clone()));
        }
        if matches!(own, Key::Request(_)) && self.kind == Kind::GatewayRequest && self.is_anomalous() {
            // Lines about one end are written at once, and stamped in whole seconds.
            others.extend(self.observed_at.into_iter().flat_map(around).filter_map(|at| self.exchange(at)));
        }
        others.extend(self.arrivals(&own));
        if let Some(gateway_id) = self.gateway_request_id() {
            // A gateway's line that names both IDs ties them both ways; the log that it stood in is nobody's environment.
            let theirs = Key::Request(RequestId::from(gateway_id));
            let both = (own != theirs).then_some([(&own, &theirs), (&theirs, &own)]);
            let traces = others.into_iter().map(|other| Link { from: own.clone(), to: other });
            return traces.chain(both.into_iter().flatten().map(|(from, to)| Link { from: from.clone(), to: to.clone() })).collect();
        }
        // A proxy's own process is nothing that its requests have in common.
        if !matches!(own, Key::Worker { .. } | Key::Exchange { .. })
            && let Some(pid) = self.pid
        {
            others.push(Key::Worker { instance: self.instance.clone(), pid });
        } else if !matches!(own, Key::Instance(_))
            && let Some(instance) = &self.instance
        {
            others.push(Key::Instance(instance.clone()));
        }
        others.into_iter().map(|other| Link { from: own.clone(), to: other }).collect()
    }

    /// The path of the request with its query, as far as it is told: a span's under the names of OpenTelemetry's conventions.
    #[must_use]
    pub fn path(&self) -> Option<Cow<'_, str>> {
        let whole = self.text("path").or_else(|| self.text("http.target")).map(Cow::Borrowed);
        whole.or_else(|| {
            let path = self.text("url.path")?;
            Some(self.text("url.query").map_or(Cow::Borrowed(path), |query| Cow::Owned(format!("{path}?{query}"))))
        })
    }

    /// When the application began to serve the request, by its own account, that of the watchdog inside, or its server's span.
    #[must_use]
    pub fn served_from(&self) -> Option<Timestamp> {
        match self.kind {
            Kind::Request => self.started_at,
            Kind::Span if self.text("span_kind") == Some("server") => self.started_at,
            Kind::WatchdogArmed | Kind::WatchdogNearMiss | Kind::WatchdogFired | Kind::WatchdogClosed => {
                self.started_at.or_else(|| Some(self.elapsed_ms?.before(self.observed_at?)))
            }
            _ => None,
        }
    }

    /// Where a proxy's lines about one request line meet that were written at that second; `None` of lines that name no path.
    fn exchange(&self, at: Timestamp) -> Option<Key> {
        let product = self.platform.as_ref().filter(|product| product.is_proxy())?;
        let path = self.text("path")?;
        // Apache's error lines leave the query out.
        let path = if *product == Product::APACHE { without_query(path) } else { path };
        let request = format!("{} {path}", self.text("method").unwrap_or("-"));
        Some(Key::Exchange { at: whole(at)?, instance: self.instance.clone(), request })
    }

    /// Where a proxy's account of a request that it does not name meets that of the application, which does: in the second in which
    /// the proxy took it, or one beside it.
    fn arrivals(&self, own: &Key) -> Vec<Key> {
        let seconds: Vec<Timestamp> = match own {
            Key::Exchange { .. } => self.started_at.into_iter().collect(),
            Key::Request(_) | Key::Trace(_) if self.is_anomalous() || self.elapsed_ms.is_some_and(|elapsed| elapsed >= SLOW) => {
                self.served_from().into_iter().flat_map(around).collect()
            }
            _ => Vec::new(),
        };
        if seconds.is_empty() {
            return Vec::new();
        }
        let Some(path) = self.path().filter(|path| path.starts_with('/')) else { return Vec::new() };
        let path = without_query(&path);
        seconds.into_iter().filter_map(|at| Some(Key::Arrival { at: whole(at)?, path: path.to_owned() })).collect()
    }
}

fn around(at: Timestamp) -> impl Iterator<Item = Timestamp> {
    [-1, 0, 1].into_iter().filter_map(move |seconds| at.checked_add(SignedDuration::from_secs(seconds)).ok())
}

fn whole(at: Timestamp) -> Option<Timestamp> {
    Timestamp::from_second(at.as_second()).ok()
}

/// The path alone, as some programs log it.
#[must_use]
pub fn without_query(path: &str) -> &str {
    path.split('?').next().unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use crate::{Claim, ClaimedOutcome, Key, Kind, Millis, Product};

    #[test]
    fn a_proxys_lines_of_one_end_meet_within_a_second() {
        let line = |kind: Kind, product: &Product, second: u32, path: &str| {
            let mut claim = Claim::new(kind, "", "").with("method", "GET").with("path", path);
            claim.platform = Some(product.clone());
            claim.observed_at = format!("2026-11-27T22:30:{second}.4Z").parse().ok();
            claim.outcome = Some(ClaimedOutcome::Timeout);
            claim
        };
        let access =
            |product: &Product, path: &str| Claim { request_id: Some("r".into()), ..line(Kind::GatewayRequest, product, 55, path) };
        let meet = |error: &Claim, access: &Claim| access.links().iter().any(|link| link.to == error.key());
        let nginx = Product::NGINX;
        for (second, fits) in [(53, false), (54, true), (55, true), (56, true), (57, false)] {
            assert_eq!(meet(&line(Kind::ProxyError, &nginx, second, "/pay"), &access(&nginx, "/pay")), fits, "{second}");
        }
        assert!(!meet(&line(Kind::ProxyError, &nginx, 55, "/"), &access(&nginx, "/pay")));
        assert!(!meet(&line(Kind::ProxyError, &nginx, 55, "/pay"), &access(&nginx, "/pay?order=7")));
        assert!(
            meet(&line(Kind::ProxyError, &Product::APACHE, 55, "/pay"), &access(&Product::APACHE, "/pay?order=7")),
            "it names no query"
        );
        let answered = Claim { outcome: Some(ClaimedOutcome::Success), ..access(&nginx, "/pay") };
        assert!(answered.links().is_empty(), "an answer wrote no error");
        assert_eq!(line(Kind::ProxyError, &nginx, 55, "/pay").key().to_string(), "exchange/2026-11-27T22:30:55Z//GET /pay");
    }

    #[test]
    fn a_slow_request_meets_what_a_proxy_saw_of_it_where_it_began() {
        let proxys = |start: &str, path: &str| {
            let mut claim = Claim::new(Kind::GatewayRequest, "", "").with("method", "GET").with("path", path);
            claim.platform = Some(Product::HAPROXY);
            claim.started_at = start.parse().ok();
            claim.observed_at = "2026-11-28T01:14:16.235Z".parse().ok();
            claim.outcome = Some(ClaimedOutcome::Timeout);
            claim
        };
        let near_miss = |path: &str| {
            let mut claim = Claim::new(Kind::WatchdogNearMiss, "", "").with("path", path);
            claim.request_id = Some("r".into());
            claim.observed_at = "2026-11-28T01:14:21.235Z".parse().ok();
            claim.elapsed_ms = Some(Millis::from_ms(10_000));
            claim
        };
        let arrivals = |claim: &Claim| -> Vec<Key> {
            claim.links().into_iter().map(|link| link.to).filter(|key| matches!(key, Key::Arrival { .. })).collect()
        };
        let meet = |a: &Claim, b: &Claim| arrivals(a).iter().any(|key| arrivals(b).contains(key));
        for (start, fits) in [("09.9", false), ("10.2", true), ("11.2", true), ("12.9", true), ("13.0", false)] {
            let start = format!("2026-11-28T01:14:{start}Z");
            assert_eq!(meet(&proxys(&start, "/hang?cart=7"), &near_miss("/hang?cart=7")), fits, "{start}");
        }
        let (began, slow) = ("2026-11-28T01:14:11.2Z", near_miss("/hang"));
        assert!(!meet(&proxys(began, "/pay"), &slow));
        let quick = Claim { kind: Kind::Request, started_at: began.parse().ok(), elapsed_ms: Some(Millis::from_ms(40)), ..slow.clone() };
        assert!(arrivals(&quick).is_empty(), "no proxy gives up on that, and there are many");
        let named = Claim { request_id: Some("r".into()), ..proxys(began, "/hang") };
        assert!(arrivals(&named).is_empty(), "its ID joins it");
        assert_eq!(arrivals(&proxys(began, "/hang"))[0].to_string(), "arrival/2026-11-28T01:14:11Z/hang");
    }
}
