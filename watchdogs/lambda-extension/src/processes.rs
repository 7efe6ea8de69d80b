//! What the other processes of this environment have used, from `/proc`: whether a stuck function computes or waits.

use std::collections::BTreeMap;
use std::fs;

/// Clock ticks a second in `/proc/*/stat`: `USER_HZ`, 100 on every Linux that Lambda runs.
const TICK_MS: u64 = 10;
/// Pages in `/proc/*/stat` are of this size on x86-64 and on Lambda's arm64.
const PAGE_BYTES: u64 = 4096;

/// What was used so far.
#[derive(Clone, Debug, Default)]
pub struct Used {
    /// CPU time of each process, in milliseconds.
    cpu_ms: BTreeMap<u32, u64>,
    /// Resident memory of all of them.
    pub memory_bytes: u64,
}

impl Used {
    /// CPU time used since then. That of processes which have ended in between is not known and not counted.
    pub fn cpu_ms_since(&self, before: &Self) -> u64 {
        self.cpu_ms.iter().map(|(pid, now)| now.saturating_sub(before.cpu_ms.get(pid).copied().unwrap_or(0))).sum()
    }
}

/// Looks at all processes but this one. `None` where `/proc` cannot be read.
pub fn used() -> Option<Used> {
    let own = std::process::id();
    let pids = fs::read_dir("/proc").ok()?.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let mut used = Used::default();
    for pid in pids.filter(|pid| *pid != own) {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok();
        if let Some((cpu_ms, memory_bytes)) = stat.as_deref().and_then(read) {
            used.cpu_ms.insert(pid, cpu_ms);
            used.memory_bytes += memory_bytes;
        }
    }
    Some(used)
}

/// One line of `/proc/PID/stat` (proc(5)); the name in parentheses may hold anything.
fn read(stat: &str) -> Option<(u64, u64)> {
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let field = |number: usize| fields.get(number - 3)?.parse::<u64>().ok();
    Some(((field(14)? + field(15)?) * TICK_MS, field(24)? * PAGE_BYTES))
}
