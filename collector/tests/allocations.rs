//! Nothing is allocated for a line that no format claims, nor for a report that no claim is made of.

#[path = "../benches/ordinary/bodies.rs"]
mod bodies;

use std::fmt::Write as _;

use collector::parse::{Context, Fate, Format, Item, Unclaimed, Visitor};

/// Lines that were passed over, and reports.
#[derive(Default)]
struct Counted(u64, u64);

impl Visitor for Counted {
    fn item(&mut self, item: Item) {
        match item.fate {
            Fate::Passed(lines) => self.0 += lines,
            Fate::Ignored(_) => {}
            other => panic!("{other:?}"),
        }
    }

    fn report(&mut self, _: &Unclaimed<'_>) {
        self.1 += 1;
    }
}

/// What is counted, and how many allocations were made for it.
fn counted(format: Format, bytes: &[u8]) -> (u64, u64, u64) {
    let mut counted = Counted::default();
    // The table of marks is made once.
    Format::Auto.visit(b"\n", &Context::default(), &mut counted);
    let info = allocation_counter::measure(|| {
        format.visit(bytes, &Context::default(), &mut counted);
    });
    (counted.0, counted.1, info.count_total)
}

/// Of all input together: for what is pending, and for the list of what was read.
const ALLOCATIONS_MAX: u64 = 8;

/// Of every sort: with a moment or none, behind a name, in JSON, going on from the line before.
const NOBODYS: [&str; 10] = [
    "2026-11-22T10:00:00.123Z INFO  [worker-7] served /orders/4711 in 12 ms",
    "2026-11-22 10:00:00,123 [8123] WARNING app.orders: the payment timed out, trying again",
    r#"{"level":"info","ts":1795349786.12,"logger":"shop","msg":"order killed by its owner","took_ms":12}"#,
    r#"{"time":"2026-11-22T10:00:00.123Z","severity":"ERROR","message":"deadline exceeded","pid":7}"#,
    "java.net.SocketTimeoutException: the request timed out after 3000 ms",
    "\tat com.example.shop.OrderService.place(OrderService.java:71)",
    "Nov 22 10:00:00 web-1 kernel: eth0: link is up",
    "web-1  | 10:00:00.123 checkout exceeded its budget",
    "",
    "plain words",
];

#[test]
fn lines_of_nobodys_are_passed_over_without_an_allocation() {
    let text = (NOBODYS.join("\n") + "\n").repeat(2000);
    for format in [Format::Auto, Format::LambdaText, Format::Gunicorn] {
        let (lines, _, allocations) = counted(format, text.as_bytes());
        assert_eq!(lines, 18_000, "one in ten is blank");
        assert!(allocations <= ALLOCATIONS_MAX, "{}: {allocations} allocations", format.name());
    }
}

/// In all of a body that a transport brings: buffers double while they grow.
const BODY_ALLOCATIONS_MAX: u64 = 60;

#[test]
fn nor_do_they_cost_one_in_what_transports_put_around_them() {
    let lines: Vec<String> = NOBODYS.into_iter().filter(|line| !line.is_empty()).cycle().take(9_000).map(str::to_owned).collect();
    let costs = bodies::bodies(&lines).into_iter().map(|body| {
        let (passed, _, allocations) = counted(body.format, &body.bytes);
        (body.name, passed, allocations)
    });
    let dear: Vec<_> = costs.filter(|(_, passed, allocations)| *passed != 9_000 || *allocations > BODY_ALLOCATIONS_MAX).collect();
    assert!(dear.is_empty(), "what carries lines, how many of 9,000 were passed over, with how many allocations: {dear:#?}");
}

#[test]
fn reports_are_read_without_an_allocation() {
    let mut text = String::new();
    for number in 0..20_000 {
        writeln!(text, "REPORT RequestId: {number:08x}\tDuration: {number}.25 ms\tMemory Size: 128 MB\tMax Memory Used: 20 MB\t")
            .expect("memory");
    }
    for format in [Format::Auto, Format::LambdaText] {
        let (_, reports, allocations) = counted(format, text.as_bytes());
        assert_eq!(reports, 20_000);
        assert!(allocations <= ALLOCATIONS_MAX, "{}: {allocations} allocations", format.name());
    }
}
