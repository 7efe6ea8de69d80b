//! Listeners for syslog, over TCP in both framings (RFC 6587) and over UDP (RFC 5426); off unless they have an address.
//!
//! syslog knows no answer. Over TCP a sender is held up by not being read from while its messages are stored; over UDP what
//! there is no room for is dropped and counted. Messages are stored in batches: what came within [`LINGER`] of the first.

mod split;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::io::AsyncReadExt as _;
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::sync::{Semaphore, mpsc};
use tokio::time::{Duration, Instant, sleep, timeout_at};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::budget::Reservation;
use super::parts::{Arrival, Items};
use super::{Receiver, Refusal, Sender};
use crate::parse::syslog::FORMAT;
use crate::parse::{Fate, Format, Item, Reject};
use split::Splitter;

const TCP: &str = "syslog_tcp";
const UDP: &str = "syslog_udp";

/// How long more is waited for before a batch is stored: lines of one traceback come one by one.
const LINGER: Duration = Duration::from_millis(100);
/// A batch is stored when it is this large.
const BATCH_BYTES_MAX: usize = 256 << 10;
/// How much is read at once; the largest datagram fits.
const CHUNK_BYTES: usize = 64 << 10;

/// Takes connections until `stop`, then stores what has come in.
///
/// # Errors
///
/// When the socket fails.
pub async fn listen_tcp(receiver: Receiver, listener: TcpListener, stop: CancellationToken) -> std::io::Result<()> {
    let free = Arc::new(Semaphore::new(receiver.options.syslog.connections_max));
    let connections = TaskTracker::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stop.cancelled() => break,
        };
        let Ok((stream, peer)) = accepted else {
            // Out of file descriptors, or a connection that has gone again.
            sleep(LINGER).await;
            continue;
        };
        let Ok(permit) = Arc::clone(&free).try_acquire_owned() else {
            receiver.count(TCP, "5xx");
            continue;
        };
        let (receiver, stop) = (receiver.clone(), stop.clone());
        connections.spawn(async move {
            connection(&receiver, stream, peer.ip(), &stop).await;
            drop(permit);
        });
    }
    connections.close();
    connections.wait().await;
    Ok(())
}

async fn connection(receiver: &Receiver, mut stream: TcpStream, peer: IpAddr, stop: &CancellationToken) {
    let mut split = Splitter::new(receiver.options.syslog.message_bytes_max);
    let mut chunk = vec![0; CHUNK_BYTES];
    let mut is_open = true;
    while is_open {
        // Nothing waits for its commit yet, so there is no hurry.
        let mut until = None;
        while is_open && split.whole_bytes() < BATCH_BYTES_MAX {
            let read = stream.read(&mut chunk);
            let read = tokio::select! {
                read = async { match until { Some(until) => timeout_at(until, read).await, None => Ok(read.await) } } => read,
                () = stop.cancelled() => Ok(Ok(0)),
            };
            match read {
                Ok(Ok(length @ 1..)) => split.feed(&chunk[..length]),
                Ok(Ok(0) | Err(_)) => is_open = false,
                Err(_) => break,
            }
            if until.is_none() && split.whole_bytes() > 0 {
                until = Some(Instant::now() + LINGER);
            }
        }
        let (bytes, rejects) = if is_open { split.take_whole() } else { split.take_all() };
        is_open &= store(receiver, TCP, peer, bytes, rejects, stop).await;
    }
}

/// A message over UDP, with the memory that it takes.
struct Datagram {
    peer: IpAddr,
    bytes: Vec<u8>,
    _reservation: Reservation,
}

/// Takes datagrams until `stop`, then stores what has come in.
///
/// # Errors
///
/// When the socket fails.
pub async fn listen_udp(receiver: Receiver, socket: UdpSocket, stop: CancellationToken) -> std::io::Result<()> {
    let (waiting, taken) = mpsc::channel(receiver.options.syslog.waiting_max.max(1));
    let storing = tokio::spawn(store_datagrams(receiver.clone(), taken, stop.clone()));
    let mut chunk = vec![0; CHUNK_BYTES];
    loop {
        let datagram = tokio::select! {
            datagram = socket.recv_from(&mut chunk) => datagram,
            () = stop.cancelled() => break,
        };
        // An earlier answer of ours that found nobody is no fault of this socket.
        let Ok((length, peer)) = datagram else { continue };
        let mut reservation = receiver.budget.reservation();
        let fits = length <= receiver.options.syslog.message_bytes_max && reservation.grow(length).is_ok();
        let datagram = Datagram { peer: peer.ip(), bytes: chunk[..length].to_vec(), _reservation: reservation };
        if !fits || waiting.try_send(datagram).is_err() {
            receiver.count(UDP, "5xx");
        }
    }
    drop(waiting);
    let _ = storing.await;
    Ok(())
}

async fn store_datagrams(receiver: Receiver, mut taken: mpsc::Receiver<Datagram>, stop: CancellationToken) {
    while let Some(first) = taken.recv().await {
        let mut by_peer: BTreeMap<IpAddr, Vec<u8>> = BTreeMap::new();
        let (mut bytes, mut held, until) = (0, Vec::new(), Instant::now() + LINGER);
        let mut next = Some(first);
        while let Some(datagram) = next {
            bytes += datagram.bytes.len();
            add(by_peer.entry(datagram.peer).or_default(), &datagram.bytes);
            held.push(datagram);
            next = if bytes < BATCH_BYTES_MAX { timeout_at(until, taken.recv()).await.ok().flatten() } else { None };
        }
        for (peer, bytes) in by_peer {
            store(&receiver, UDP, peer, bytes, Vec::new(), &stop).await;
        }
    }
}

/// Appends a datagram to a stream: in octet counting, so that it may have several lines.
fn add(stream: &mut Vec<u8>, datagram: &[u8]) {
    if datagram.starts_with(b"<") {
        stream.extend_from_slice(format!("{} ", datagram.len()).as_bytes());
        stream.extend_from_slice(datagram);
    } else {
        stream.extend_from_slice(datagram.trim_ascii_end());
        stream.push(b'\n');
    }
}

/// Stores messages, again and again while that may succeed later. False when it cannot any more.
async fn store(
    receiver: &Receiver,
    transport: &'static str,
    peer: IpAddr,
    bytes: Vec<u8>,
    rejects: Vec<Reject>,
    stop: &CancellationToken,
) -> bool {
    /// Equal messages at different times are different ones.
    static BATCHES: AtomicU64 = AtomicU64::new(0);
    if bytes.is_empty() && rejects.is_empty() {
        return true;
    }
    let received_at = receiver.pipeline.clock().now();
    let mut identity = blake3::Hasher::new();
    identity.update(&received_at.as_nanosecond().to_le_bytes()).update(&BATCHES.fetch_add(1, Ordering::Relaxed).to_le_bytes());
    let identity = identity.finalize();
    let sender = Sender::at(peer, transport);
    let context = sender.context(&axum::http::HeaderMap::new());
    loop {
        let arrival = Arrival { sender: sender.clone(), format: FORMAT, received_at, bytes: bytes.len() as u64 };
        let (context, rejects) = (context.clone(), rejects.clone());
        let parse = move |bytes: Vec<u8>| {
            let too_long = rejects.into_iter().map(|reject| Item { line: 0, fate: Fate::Rejected(reject) });
            Box::new(crate::parse::items(Format::Syslog, bytes, context).chain(too_long)) as Items
        };
        let mut reservation = receiver.budget.reservation();
        let taken = match reservation.grow(bytes.len()) {
            Ok(()) => receiver.take_bytes(transport, arrival, (bytes.clone(), reservation), identity, parse).await,
            Err(busy) => Err(busy),
        };
        match taken {
            Ok(_) => {
                receiver.count(transport, "2xx");
                return true;
            }
            Err(refusal) => {
                receiver.count(transport, "5xx");
                if !may_succeed(&refusal) || stop.is_cancelled() {
                    return false;
                }
            }
        }
        let wait = Duration::from_secs(u64::from(receiver.options.retry_after_seconds).max(1));
        tokio::select! {
            () = sleep(wait) => {}
            () = stop.cancelled() => {}
        }
    }
}

fn may_succeed(refusal: &Refusal) -> bool {
    refusal.is_passing() && !matches!(refusal, Refusal::NotTaken(crate::pipeline::NotTaken::Stopping))
}
