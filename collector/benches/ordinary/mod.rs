//! Lines that are nobody's, as many as are asked for: what applications, frameworks and shells write all day, with the words
//! that real incidents are told in. Deterministic, made when needed, never stored.

/// A number that depends on the line alone, spread evenly (the finaliser of `SplitMix64`).
fn spread(seed: u64) -> u64 {
    let mut z = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

const WORDS: [&str; 32] = [
    "timeout",
    "killed",
    "worker",
    "request",
    "memory",
    "order",
    "signal",
    "SIGTERM",
    "pid",
    "retry",
    "deadline",
    "exceeded",
    "upstream",
    "connection",
    "reset",
    "payment",
    "queue",
    "error",
    "context",
    "canceled",
    "shutdown",
    "harakiri",
    "REPORT",
    "duration",
    "exit",
    "status",
    "slow",
    "cache",
    "invoice",
    "GET",
    "checkout",
    "oom",
];

/// A line, without its end.
pub fn line(number: u64) -> String {
    let random = |salt: u64| spread(number.wrapping_mul(131).wrapping_add(salt));
    let word = |salt: u64| WORDS[usize::try_from(random(salt) % 32).expect("small")];
    let prose = || (0..6).map(|salt| word(100 + salt)).collect::<Vec<_>>().join(" ");
    let (ms, pid, port) = (random(1) % 60_000, 2 + random(2) % 60_000, 1024 + random(3) % 60_000);
    let clock = format!("{:02}:{:02}:{:02}.{:03}", random(4) % 24, random(5) % 60, random(6) % 60, random(7) % 1000);
    let id = format!("{:016x}", random(8));
    match random(0) % 24 {
        0 => format!("2026-11-22T{clock}Z INFO  [worker-{}] served /orders/{port} in {ms} ms for {}", pid % 16, prose()),
        1 => format!("2026-11-22 {} [{pid}] WARNING app.orders: {}", clock.replace('.', ","), prose()),
        2 => format!(r#"{{"level":"info","ts":1795{port}.12,"logger":"shop","msg":"{}","took_ms":{ms}}}"#, prose()),
        3 => format!(
            r#"{{"time":"2026-11-22T{clock}Z","severity":"ERROR","message":"{} after {ms} ms","pid":{pid},"trace":"{id}"}}"#,
            prose()
        ),
        4 => format!("\tat com.example.shop.OrderService.place(OrderService.java:{})", pid % 900),
        5 => format!("java.net.SocketTimeoutException: {} timed out after {ms} ms", prose()),
        6 => format!("2026/11/22 {} http: TLS handshake error from 10.0.0.9:{port}: {}", &clock[..8], prose()),
        7 => format!("level=warn ts=2026-11-22T{clock}Z caller=main.go:{} msg=\"{}\" elapsed={ms}ms", pid % 900, prose()),
        8 => format!("Started GET \"/orders/{port}\" for 10.0.0.9 at 2026-11-22 {} +0000", &clock[..8]),
        9 => format!("Completed 200 OK in {ms}ms (Views: 12.1ms | ActiveRecord: {}.4ms)", ms % 90),
        10 => format!("  Order Load ({}.3ms)  SELECT \"orders\".* FROM \"orders\" WHERE \"orders\".\"id\" = {port} LIMIT 1", ms % 90),
        11 => format!("SELECT id, state FROM jobs WHERE killed_at IS NULL AND timeout_ms < {ms} ORDER BY pid LIMIT 50;"),
        12 => format!("[{}] {}: {} ({pid})", &clock[..8], word(30), prose()),
        13 => {
            format!("we saw {} and then the {} was {} by process {pid} (RequestId {id}), which took {ms} ms", word(31), word(32), word(33))
        }
        14 => "Traceback (most recent call last):".to_owned(),
        15 => format!("  File \"/srv/app/orders.py\", line {}, in place", pid % 900),
        16 => format!("TimeoutError: {} within {ms} ms", prose()),
        17 => format!("Nov 22 {} web-1 kernel: eth0: {} {pid}", &clock[..8], prose()),
        18 => format!("10.0.0.9:{port} - \"GET /orders/{pid} HTTP/1.1\" 200 OK {ms}ms"),
        19 => format!("[GIN] 2026/11/22 - {} | 200 | {ms}.1ms | 10.0.0.9 | GET \"/orders/{port}\"", &clock[..8]),
        20 => format!("{} [http-nio-8080-exec-{}] DEBUG c.e.shop.Orders - {}", clock, pid % 32, prose()),
        21 => format!("time=\"2026-11-22T{}Z\" level=error msg=\"{}\" error=\"signal: {}\" pid={pid}", &clock[..8], prose(), word(34)),
        22 => format!("web-1  | {} {}: {id}", clock, prose()),
        _ => format!("{}. {} {}, {} {ms}!", word(35), prose(), word(36), word(37)),
    }
}
