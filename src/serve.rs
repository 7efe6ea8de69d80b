//! `overrun serve`: the wiring, top to bottom.
//!
//! It stops in the order of the flow: receivers refuse, queues drain, evidence is stored, running attempts finish or are put
//! back, readers are let go, the database is closed, telemetry is flushed.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use axum::Router;
use collector::Pipeline;
use collector::receive;
use domain::Clock;
use prometheus::Registry;
use secrecy::{ExposeSecret as _, SecretString};
use store::{ClusterError, PrivateCluster, Store, StoreOptions};
use tokio::net::{TcpListener, UdpSocket};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::clock::SystemClock;
use crate::config::{Config, Ingest};
use crate::limits::Configured;
use crate::maintenance;
use crate::reload;
use crate::retry;
use crate::shutdown::{self, STOP_MAX};
use crate::telemetry;

/// How long connections may take to close: to a database that has vanished they never do.
const CLOSE_MAX: Duration = Duration::from_secs(5);

/// Where the daemon can be reached once it is ready.
#[derive(Clone, Debug)]
pub struct Addresses {
    /// OTLP/HTTP, watchdog events, log pushes.
    pub ingest_http: SocketAddr,
    /// OTLP/gRPC.
    pub ingest_grpc: SocketAddr,
    /// Pages and API.
    pub dashboard: SocketAddr,
    /// syslog over TCP and over UDP, where it is listened to.
    pub syslog: [Option<SocketAddr>; 2],
}

/// Runs the daemon until a signal stops it.
pub async fn run(config: Config) -> anyhow::Result<()> {
    let telemetry = telemetry::start(&config.telemetry)?;
    let stop = shutdown::on_signal()?;
    let (ready, addresses) = oneshot::channel();
    tokio::spawn(async move {
        if let Ok(addresses) = addresses.await {
            announce(&addresses);
        }
    });
    let outcome = until(config, Arc::new(SystemClock), stop, ready).await;
    tokio::task::spawn_blocking(|| telemetry.flush()).await?;
    outcome
}

/// Says where everything is, in a form that scripts can read.
fn announce(addresses: &Addresses) {
    println!("dashboard   http://{}", addresses.dashboard);
    println!("ingest      http://{}", addresses.ingest_http);
    println!("ingest grpc http://{}", addresses.ingest_grpc);
    for (transport, address) in ["tcp", "udp"].into_iter().zip(addresses.syslog) {
        if let Some(address) = address {
            println!("syslog {transport}  {address}");
        }
    }
}

/// Runs the daemon until `stop`; tells `ready` where it can be reached.
pub async fn until(
    config: Config,
    clock: Arc<dyn Clock>,
    stop: CancellationToken,
    ready: oneshot::Sender<Addresses>,
) -> anyhow::Result<()> {
    let [http, grpc, pages] = config.listeners()?;
    let receive_options = config.receive()?;
    let limits = Configured::read(&config.limits)?;
    let rules = reload::Rules::load(config.alerts.rules_file.as_deref())?;
    let (http, grpc, pages) = (bind("ingest.http", http).await?, bind("ingest.grpc", grpc).await?, bind("dashboard.http", pages).await?);
    let syslog = Syslog::bind(&config.ingest).await?;
    let addresses = Addresses {
        ingest_http: http.local_addr()?,
        ingest_grpc: grpc.local_addr()?,
        dashboard: pages.local_addr()?,
        syslog: syslog.addresses()?,
    };
    let registry = Registry::new();
    registry.register(Box::new(prometheus::process_collector::ProcessCollector::for_self()))?;

    let database = Database::open(&config).await?;
    let store = &database.store;
    let (stop_alerts, stop_pages) = (CancellationToken::new(), CancellationToken::new());
    let pipeline = Pipeline::start(
        store.clone(),
        Arc::clone(&clock),
        config.pipeline,
        &registry,
        move |evidence, at| limits.fold(evidence, at),
        stop.clone(),
    )?;
    let receiver = receive::Receiver::new(pipeline.clone(), receive_options);
    let mut receivers =
        vec![listen(http, receive::http_router(&receiver), stop.clone()), listen(grpc, receive::grpc_router(&receiver), stop.clone())];
    receivers.extend(syslog.listen(&receiver, &stop));
    let watched = rules.watch(stop_alerts.clone())?;
    let dashboard = dashboard::Dashboard {
        store: store.clone(),
        clock: Arc::clone(&clock),
        registry: registry.clone(),
        ingest_url: format!("http://{}", addresses.ingest_http),
        propose: collector::estimate::advice,
        startup: collector::startup::report,
        check_silence: alerts::check_silence,
        retrying: retry::retrying(store, &watched, &clock),
        stop: stop_pages.clone(),
        public_url: config.alerts.public_url.clone(),
    };
    let readers = listen(pages, dashboard::router(dashboard), stop_pages.clone());
    let alerts = {
        let (store, clock, stop) = (store.clone(), Arc::clone(&clock), stop_alerts.clone());
        tokio::spawn(async move { alerts::run(store, watched, clock, config.alerts, &registry, stop).await })
    };
    let kept = maintenance::Kept { evidence_days: config.database.evidence_days, deliveries_days: config.database.deliveries_days };
    let upkeep = tokio::spawn(maintenance::run(store.clone(), clock, kept, stop_alerts.clone()));
    tracing::info!(dashboard = %addresses.dashboard, ingest = %addresses.ingest_http, "ready");
    // Nobody may be waiting for it.
    let _ = ready.send(addresses);

    stop.cancelled().await;
    let orderly = async {
        for receiver in receivers {
            receiver.await??;
        }
        pipeline.finished().await;
        stop_alerts.cancel();
        alerts.await??;
        upkeep.await?;
        stop_pages.cancel();
        readers.await??;
        anyhow::Ok(())
    };
    match tokio::time::timeout(STOP_MAX, orderly).await {
        Ok(outcome) => outcome?,
        Err(_) => tracing::warn!("the orderly stop took too long and was cut short; nothing acknowledged is lost by that"),
    }
    database.close().await
}

async fn bind(key: &str, address: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).await.with_context(|| format!("`{key}`: `{address}` cannot be listened on"))
}

fn listen(listener: TcpListener, router: Router, stop: CancellationToken) -> JoinHandle<std::io::Result<()>> {
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    tokio::spawn(async move { axum::serve(listener, service).with_graceful_shutdown(stop.cancelled_owned()).await })
}

/// The listeners for syslog, where there are any.
struct Syslog {
    tcp: Option<TcpListener>,
    udp: Option<UdpSocket>,
}

impl Syslog {
    async fn bind(ingest: &Ingest) -> anyhow::Result<Self> {
        let tcp = match ingest.syslog_tcp {
            Some(address) => Some(bind("ingest.syslog_tcp", address).await?),
            None => None,
        };
        let udp = match ingest.syslog_udp {
            Some(address) => {
                let bound = UdpSocket::bind(address).await;
                Some(bound.with_context(|| format!("`ingest.syslog_udp`: `{address}` cannot be listened on"))?)
            }
            None => None,
        };
        Ok(Self { tcp, udp })
    }

    fn addresses(&self) -> std::io::Result<[Option<SocketAddr>; 2]> {
        let tcp = self.tcp.as_ref().map(TcpListener::local_addr).transpose()?;
        Ok([tcp, self.udp.as_ref().map(UdpSocket::local_addr).transpose()?])
    }

    fn listen(self, receiver: &receive::Receiver, stop: &CancellationToken) -> impl Iterator<Item = JoinHandle<std::io::Result<()>>> {
        let tcp = self.tcp.map(|listener| tokio::spawn(receive::listen_tcp(receiver.clone(), listener, stop.clone())));
        let udp = self.udp.map(|socket| tokio::spawn(receive::listen_udp(receiver.clone(), socket, stop.clone())));
        tcp.into_iter().chain(udp)
    }
}

/// The store, and the private Postgres below it where there is one.
pub struct Database {
    /// What everything is kept in, its schema up to date.
    pub store: Store,
    url: SecretString,
    cluster: Option<PrivateCluster>,
}

impl Database {
    /// Connects to the configured server, or starts a private one, and brings the schema up to date.
    pub async fn open(config: &Config) -> anyhow::Result<Self> {
        let (url, cluster) = match config.database_url()? {
            Some(url) => (url, None),
            None => {
                let dir = config.data_dir()?;
                let cluster = PrivateCluster::start(&dir).await.with_context(|| format!("no private Postgres in `{}`", dir.display()))?;
                (SecretString::from(cluster.url()), Some(cluster))
            }
        };
        Self::connect(config, url, cluster).await
    }

    /// The same for a command that may run beside the daemon: a private Postgres that the daemon runs is used too.
    pub async fn open_beside(config: &Config) -> anyhow::Result<Self> {
        match Self::open(config).await {
            Err(error) if matches!(error.downcast_ref(), Some(ClusterError::InUse { .. })) => {
                let url = PrivateCluster::url_of(&config.data_dir()?)?;
                Self::connect(config, SecretString::from(url), None).await
            }
            opened => opened,
        }
    }

    async fn connect(config: &Config, url: SecretString, cluster: Option<PrivateCluster>) -> anyhow::Result<Self> {
        let options = StoreOptions { url: url.clone(), connections_max: config.database.connections_max };
        let store = match Store::connect(&options).await {
            Ok(store) => store,
            Err(error) => {
                stop_cluster(cluster).await?;
                return Err(error).context("the database cannot be reached");
            }
        };
        let database = Self { store, url, cluster };
        if let Err(error) = database.store.migrate().await {
            database.close().await?;
            return Err(error).context("the schema cannot be brought up to date");
        }
        Ok(database)
    }

    /// Where it is, for a second connection to the same.
    pub fn url(&self) -> String {
        self.url.expose_secret().to_owned()
    }

    /// Closes the connections, and stops the private Postgres.
    pub async fn close(self) -> anyhow::Result<()> {
        if tokio::time::timeout(CLOSE_MAX, self.store.close()).await.is_err() {
            tracing::warn!("connections to the database did not close in time; it notices by itself");
        }
        stop_cluster(self.cluster).await
    }
}

async fn stop_cluster(cluster: Option<PrivateCluster>) -> anyhow::Result<()> {
    match cluster {
        Some(cluster) => cluster.stop().await.context("the private Postgres did not stop"),
        None => Ok(()),
    }
}
