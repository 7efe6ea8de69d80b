//! What the other processes of this environment have used, from `/proc`: whether a stuck function computes or waits.

use std::fs;

/// Clock ticks a second in `/proc/*/stat`: `USER_HZ`, 100 on every Linux that Lambda runs.
const TICK_MS: u64 = 10;
/// Pages in `/proc/*/stat` are of this size on x86-64 and on Lambda's arm64.
const PAGE_BYTES: u64 = 4096;

/// What was used so far.
#[derive(Clone, Copy, Debug, Default)]
pub struct Used {
    /// CPU time.
    pub cpu_ms: u64,
    /// Resident memory.
    pub memory_bytes: u64,
}

/// Adds up all processes but this one. `None` where `/proc` cannot be read.
pub fn used() -> Option<Used> {
    let own = std::process::id().to_string();
    let numbers = fs::read_dir("/proc").ok()?.flatten().filter_map(|entry| entry.file_name().into_string().ok());
    let others = numbers.filter(|name| name.bytes().all(|b| b.is_ascii_digit()) && *name != own);
    let stats = others.filter_map(|pid| of(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?));
    Some(
        stats.fold(Used::default(), |sum, one| Used { cpu_ms: sum.cpu_ms + one.cpu_ms, memory_bytes: sum.memory_bytes + one.memory_bytes }),
    )
}

/// One line of `/proc/PID/stat` (proc(5)); the name in parentheses may hold anything.
fn of(stat: &str) -> Option<Used> {
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let field = |number: usize| fields.get(number - 3)?.parse::<u64>().ok();
    Some(Used { cpu_ms: (field(14)? + field(15)?) * TICK_MS, memory_bytes: field(24)? * PAGE_BYTES })
}
