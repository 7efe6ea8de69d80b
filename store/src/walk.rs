//! The keys that belong together: from one key along links, one generation at a time.
//!
//! - A request leads to its traces, its exchanges with proxies, the arrival of a slow one, its worker, its instance.
//! - An exchange leads to its arrival and its instance.
//! - A trace leads to the requests linked to it, at most [`REQUESTS_PER_TRACE_MAX`], and to the arrivals of its slow servers.
//! - An exchange does not lead to its requests: which of them a line without a name is about, their access lines tell, and what else is
//!   known of them tells nothing. They are looked at from *beside*. So failures on one path, one after the other, are no group.
//! - An arrival with an exchange leads to all that is of it, if that is at most [`PER_ARRIVAL_MAX`]. Slow requests that no proxy gave up
//!   on, one after the other, are so no group either.
//! - A worker or instance leads to what is linked to it near each of its own anomalies, the nearest first.
//! - A worker leads to its instance: what a server says of itself, that it is being stopped above all, concerns its workers.
//!
//! One statement for each of these, and only where there is such a key: with a month of partitions, a table that is named in a
//! statement costs something even if nothing of it is read.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use sqlx::{PgConnection, Row};

use crate::StoreError;
use crate::columns::times;
use crate::group::{as_bigint, is_wide_text};
use crate::watched::{AFTER, BEFORE};

/// Keys in one group at most.
pub(crate) const KEYS_MAX: usize = 256;
/// Requests that one trace leads to at most.
const REQUESTS_PER_TRACE_MAX: usize = 64;
/// Requests of one exchange at most: in its three seconds those of ten failures a second. A line that may be any one of more is no one's.
const PER_EXCHANGE_MAX: usize = 32;
/// A request, its trace, and what a proxy saw of it. More would lead on from second to second while a path is slow.
const PER_ARRIVAL_MAX: usize = 3;

/// A key found, with what decides who comes first when there is no room for all: smaller first.
pub(crate) type Found = BTreeSet<(i64, String)>;

/// The closure while it grows.
pub(crate) struct Walk {
    /// Where it began.
    root: String,
    /// All keys so far, in their stored form.
    pub(crate) keys: BTreeSet<String>,
    /// Requests that share an exchange with these, of which no more is read than their proxy's account.
    pub(crate) beside: BTreeSet<String>,
    /// Those whose links were not followed yet.
    pub(crate) frontier: Vec<String>,
    /// When workers and instances among them had anomalies of their own.
    pub(crate) anomalies: BTreeSet<Timestamp>,
    /// Something was left out because of a limit.
    pub(crate) is_truncated: bool,
}

impl Walk {
    /// Begins at one key.
    pub(crate) fn from(root: &str) -> Self {
        Self {
            root: root.to_owned(),
            keys: BTreeSet::from([root.to_owned()]),
            beside: BTreeSet::new(),
            frontier: vec![root.to_owned()],
            anomalies: BTreeSet::new(),
            is_truncated: false,
        }
    }

    /// The same, where it is known already where that key leads.
    pub(crate) fn beyond(root: &str, leads_to: Found) -> Self {
        let mut walk = Self::from(root);
        walk.frontier.clear();
        walk.take(leads_to);
        walk
    }

    /// All that the root leads to.
    pub(crate) async fn go(&mut self, connection: &mut PgConnection, stack: &str) -> Result<(), StoreError> {
        while !self.frontier.is_empty() {
            self.step(connection, stack).await?;
        }
        // A line that fits one request alone is still not its own if an earlier line was: where those beside met other lines decides
        // about lines of the root.
        if self.root.starts_with("exchange/") && !self.beside.is_empty() {
            let beside: Vec<&str> = self.beside.iter().map(String::as_str).collect();
            let found = follow(connection, stack, &beside).await?.into_iter().filter(|(_, key)| key.starts_with("exchange/")).collect();
            self.take(found);
            let exchanges = std::mem::take(&mut self.frontier);
            self.sharing(connection, stack, &exchanges.iter().map(String::as_str).collect::<Vec<_>>()).await?;
        }
        self.beside.retain(|request| !self.keys.contains(request));
        self.is_truncated |= !self.beside.is_empty();
        Ok(())
    }

    /// Follows the links of the youngest keys.
    async fn step(&mut self, connection: &mut PgConnection, stack: &str) -> Result<(), StoreError> {
        let youngest = std::mem::take(&mut self.frontier);
        let of = |prefixes: &[&str]| -> Vec<&str> {
            youngest.iter().map(String::as_str).filter(|key| prefixes.iter().any(|prefix| key.starts_with(prefix))).collect()
        };
        let (leading, shared) = (of(&["request/", "trace/", "exchange/"]), of(&["trace/", "exchange/", "arrival/"]));
        let wide: Vec<&str> = youngest.iter().map(String::as_str).filter(|key| is_wide_text(key)).collect();
        if !leading.is_empty() {
            let found = follow(connection, stack, &leading).await?;
            self.take(found);
        }
        if !shared.is_empty() {
            let found = self.sharing(connection, stack, &shared).await?;
            self.take(found);
        }
        if !wide.is_empty() {
            let found = self.follow_wide(connection, stack, &wide).await?;
            self.take(found);
            self.take(wide.iter().filter_map(|key| Some((0, instance_of(key)?))).collect());
        }
        Ok(())
    }

    /// The keys that are linked to these.
    async fn sharing(&mut self, connection: &mut PgConnection, stack: &str, shared: &[&str]) -> Result<Found, StoreError> {
        let rows = sqlx::query(
            "select shared, key
             from (
                 select to_key as shared, from_key as key, row_number() over (partition by to_key order by from_key) as number
                 from links_v1
                 where stack = $1 and to_key = any($2) and (from_key like 'request/%' or to_key like 'arrival/%')
                 group by to_key, from_key
             ) as numbered
             where number <= $3",
        )
        .bind(stack)
        .bind(shared)
        .bind(as_bigint(REQUESTS_PER_TRACE_MAX + 1))
        .fetch_all(connection)
        .await?;
        let mut by_key: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for row in &rows {
            by_key.entry(row.try_get("shared")?).or_default().insert(row.try_get("key")?);
        }
        let mut found = Found::new();
        for (shared, keys) in by_key {
            if shared.starts_with("trace/") {
                self.is_truncated |= keys.len() > REQUESTS_PER_TRACE_MAX;
                found.extend(keys.into_iter().take(REQUESTS_PER_TRACE_MAX).map(|key| (0, key)));
                continue;
            }
            if shared.starts_with("exchange/") {
                if keys.len() > PER_EXCHANGE_MAX {
                    self.is_truncated = true;
                    if shared != self.root {
                        self.keys.remove(&shared);
                        continue;
                    }
                }
                self.beside.extend(keys.into_iter().take(PER_EXCHANGE_MAX));
                continue;
            }
            if !keys.iter().any(|key| key.starts_with("exchange/")) {
                continue;
            }
            if keys.len() > PER_ARRIVAL_MAX {
                self.is_truncated = true;
            } else {
                found.extend(keys.into_iter().map(|key| (0, key)));
            }
        }
        Ok(found)
    }

    async fn follow_wide(&mut self, connection: &mut PgConnection, stack: &str, wide: &[&str]) -> Result<Found, StoreError> {
        let rows = sqlx::query(
            "select distinct key, coalesce(observed_at, received_at) as at
             from evidence_v1
             where stack = $1 and key = any($2) and anomalous",
        )
        .bind(stack)
        .bind(wide)
        .fetch_all(&mut *connection)
        .await?;
        if rows.is_empty() {
            return Ok(Found::new());
        }
        let (mut keys, mut moments) = (Vec::<String>::new(), Vec::new());
        for row in &rows {
            keys.push(row.try_get("key")?);
            moments.push(row.try_get::<jiff_sqlx::Timestamp, _>("at")?.to_jiff());
        }
        self.anomalies.extend(&moments);
        let rows = sqlx::query(
            "select links.from_key, min(nearest.distance_us) as distance_us
             from links_v1 as links
             cross join lateral (
                 select min((1000000 * abs(extract(epoch from links.at - anomaly.at)))::bigint) as distance_us
                 from unnest($3::text[], $4::timestamptz[]) as anomaly (key, at)
                 where anomaly.key = links.to_key
                   and links.at between anomaly.at - $5 * interval '1 microsecond' and anomaly.at + $6 * interval '1 microsecond'
             ) as nearest
             where links.stack = $1 and links.to_key = any($2) and nearest.distance_us is not null
             group by links.from_key
             order by distance_us, links.from_key
             limit $7",
        )
        .bind(stack)
        .bind(wide)
        .bind(keys)
        .bind(times(moments))
        .bind(microseconds(BEFORE))
        .bind(microseconds(AFTER))
        .bind(as_bigint(KEYS_MAX + 1))
        .fetch_all(connection)
        .await?;
        rows.iter().map(|row| Ok((row.try_get("distance_us")?, row.try_get("from_key")?))).collect()
    }

    /// Takes keys in while there is room.
    fn take(&mut self, found: Found) {
        for (_, key) in found {
            if self.keys.contains(&key) {
                continue;
            }
            if self.keys.len() == KEYS_MAX {
                self.is_truncated = true;
                return;
            }
            self.keys.insert(key.clone());
            self.frontier.push(key);
        }
    }
}

/// The instance of a worker: `worker/322/web-1` → `instance/web-1`.
fn instance_of(worker: &str) -> Option<String> {
    let (_, instance) = worker.strip_prefix("worker/")?.split_once('/')?;
    (!instance.is_empty()).then(|| format!("instance/{instance}"))
}

/// Where the links of narrow keys lead.
async fn follow(connection: &mut PgConnection, stack: &str, keys: &[&str]) -> Result<Found, StoreError> {
    let rows = sqlx::query(
        "select distinct to_key
         from links_v1
         where stack = $1 and from_key = any($2) and (from_key not like 'trace/%' or to_key like 'arrival/%')
         order by to_key
         limit $3",
    )
    .bind(stack)
    .bind(keys)
    .bind(as_bigint(KEYS_MAX + 1))
    .fetch_all(connection)
    .await?;
    rows.iter().map(|row| Ok((0, row.try_get("to_key")?))).collect()
}

fn microseconds(duration: SignedDuration) -> i64 {
    i64::try_from(duration.as_micros()).expect("minutes fit")
}

#[cfg(test)]
mod tests {
    use domain::{Claim, ClaimedOutcome, Key, Kind, Millis, Product, StackName};
    use sqlx::PgPool;

    use crate::Store;
    use crate::testing::{at, batch};

    fn seconds(count: i64) -> Millis {
        Millis::from_ms(1000 * count)
    }

    /// What an application says of a request that began at that second of minute 0.
    fn slow(second: i64) -> Claim {
        let mut claim = Claim::new(Kind::Request, "", "").with("path", "/report");
        claim.request_id = Some(format!("r{second}").into());
        claim.started_at = Some(seconds(second).after(at(0)));
        claim.elapsed_ms = Some(seconds(3));
        claim
    }

    /// What a proxy that gave up on it says.
    fn given_up(second: i64) -> Claim {
        let mut claim = Claim::new(Kind::GatewayRequest, "", "").with("path", "/report");
        claim.platform = Some(Product::HAPROXY);
        claim.started_at = Some(seconds(second).after(at(0)));
        claim.observed_at = Some(seconds(second + 2).after(at(0)));
        claim.outcome = Some(ClaimedOutcome::Timeout);
        claim
    }

    async fn group_of(pool: PgPool, claims: Vec<Claim>, root: &Claim) -> usize {
        let store = Store::from_pool(pool);
        store.append(&[batch(0, claims)]).await.unwrap();
        store.load_group(&StackName::default(), &root.key()).await.unwrap().len()
    }

    #[sqlx::test(migrator = "crate::MIGRATOR")]
    async fn a_path_that_is_always_slow_is_not_one_group(pool: PgPool) {
        assert_eq!(group_of(pool, (0..30).map(slow).collect(), &slow(15)).await, 1);
    }

    #[sqlx::test(migrator = "crate::MIGRATOR")]
    async fn what_a_proxy_gives_up_on_second_after_second_is_not_one_group(pool: PgPool) {
        let claims = (0..30).flat_map(|second| [slow(second), given_up(second)]).collect();
        assert_eq!(group_of(pool, claims, &slow(15)).await, 1);
    }

    /// What nginx writes of that request, which failed at once: the first line does not name it.
    fn failed(number: i64, second: i64) -> [Claim; 2] {
        let line = |kind| {
            let mut claim = Claim::new(kind, "", "").with("method", "GET").with("path", "/report").with("connection", number.to_string());
            claim.platform = Some(Product::NGINX);
            claim.observed_at = Some(seconds(second).after(at(0)));
            claim.outcome = Some(ClaimedOutcome::GatewayTimeout);
            claim
        };
        [line(Kind::ProxyError), Claim { request_id: Some(format!("r{number}").into()), ..line(Kind::GatewayRequest) }]
    }

    #[sqlx::test(migrator = "crate::MIGRATOR")]
    async fn failures_on_one_path_second_after_second_are_not_one_group(pool: PgPool) {
        let claims: Vec<Claim> = (0..30).flat_map(|second| failed(second, second).into_iter().chain([slow(second)])).collect();
        let [error, access] = failed(15, 15);
        // Its own two, error lines of three seconds, and the access lines that may be meant by these.
        assert_eq!(group_of(pool.clone(), claims.clone(), &access).await, 2 + 3 + 4);
        // Those error lines that may be meant instead, of five seconds, and access lines of seven.
        assert_eq!(group_of(pool, claims, &error).await, 5 + 7);
    }

    #[sqlx::test(migrator = "crate::MIGRATOR")]
    async fn a_line_that_may_be_any_one_of_many_is_no_ones(pool: PgPool) {
        let claims: Vec<Claim> = (0..40).flat_map(|number| failed(number, 0)).collect();
        let [error, access] = failed(15, 0);
        assert_eq!(group_of(pool.clone(), claims.clone(), &access).await, 1);
        assert_eq!(group_of(pool, claims, &error).await, 40 + 32, "that it is no one's is to be seen");
    }

    #[sqlx::test(migrator = "crate::MIGRATOR")]
    async fn a_slow_request_leads_to_what_a_proxy_says_of_it_and_back(pool: PgPool) {
        let claims = vec![slow(5), given_up(5), slow(12)];
        assert!(matches!(given_up(5).key(), Key::Exchange { .. }));
        assert_eq!(group_of(pool.clone(), claims.clone(), &slow(5)).await, 2);
        assert_eq!(group_of(pool, claims, &given_up(5)).await, 2);
    }
}
