//! What the operating system knows of this process, read from `/proc` at every scrape. Where a file is
//! missing or says something unknown, as on systems other than Linux, its metrics are not shown.

use std::fs;

use super::callback::Sample;
use super::registry::Registry;
use super::spec::Spec;

/// The kernel reports times to programs in hundredths of a second whatever its own tick is.
const TICKS_PER_SECOND: f64 = 100.0;

pub fn register_process_metrics(registry: &Registry) {
    registry
        .counter_fn(spec("process_cpu_seconds_total", "User and system CPU time spent in seconds."), || {
            sample(read("/proc/self/stat").as_deref().and_then(cpu_seconds))
        });
    registry.gauge_fn(spec("process_resident_memory_bytes", "Resident memory size in bytes."), || {
        sample(read("/proc/self/status").and_then(|status| status_bytes(&status, "VmRSS:")))
    });
    registry.gauge_fn(spec("process_virtual_memory_bytes", "Virtual memory size in bytes."), || {
        sample(read("/proc/self/status").and_then(|status| status_bytes(&status, "VmSize:")))
    });
    registry.gauge_fn(spec("process_open_fds", "Number of open file descriptors."), || sample(open_files()));
    registry.gauge_fn(spec("process_max_fds", "Maximum number of open file descriptors."), || {
        sample(read("/proc/self/limits").as_deref().and_then(max_open_files))
    });
    let started = started_at();
    registry.gauge_fn(
        spec("process_start_time_seconds", "Start time of the process in seconds since 1970."),
        move || sample(started),
    );
}

fn spec(name: &'static str, help: &'static str) -> Spec<0> {
    Spec { name, help, labels: [] }
}

fn sample(value: Option<f64>) -> Vec<Sample<0>> {
    value.map(|value| ([], value)).into_iter().collect()
}

fn read(path: &str) -> Option<String> {
    // The kernel shows names of programs as they are, which need not be UTF-8.
    fs::read(path).ok().map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
}

fn cpu_seconds(stat: &str) -> Option<f64> {
    Some((stat_field(stat, 14)? + stat_field(stat, 15)?) / TICKS_PER_SECOND)
}

/// When the process started: ticks after the boot, whose time is in whole seconds.
fn started_at() -> Option<f64> {
    let boot = boot_time(&read("/proc/stat")?)?;
    Some(boot + stat_field(&read("/proc/self/stat")?, 22)? / TICKS_PER_SECOND)
}

/// A field of `/proc/self/stat`, counted from 1. The second one is the program's name in parentheses,
/// which may hold anything, so the count begins behind its end.
fn stat_field(stat: &str, number: usize) -> Option<f64> {
    let (_, rest) = stat.rsplit_once(')')?;
    rest.split_ascii_whitespace().nth(number.checked_sub(3)?)?.parse().ok()
}

fn boot_time(stat: &str) -> Option<f64> {
    let line = stat.lines().find_map(|line| line.strip_prefix("btime "))?;
    line.trim().parse().ok()
}

fn status_bytes(status: &str, name: &str) -> Option<f64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    let kib: f64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kib * 1024.0)
}

/// The soft limit, which is the one that calls run into.
fn max_open_files(limits: &str) -> Option<f64> {
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    match line.split_ascii_whitespace().next()? {
        "unlimited" => Some(f64::INFINITY),
        number => number.parse().ok(),
    }
}

fn open_files() -> Option<f64> {
    // The directory itself is open while it is read.
    let count = fs::read_dir("/proc/self/fd").ok()?.count().saturating_sub(1);
    Some(count as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_the_kernel_writes() {
        let stat = "7 (a) b (c) S 1 7 7 0 -1 4194304 1 0 0 0 250 50 0 0 20 0 9 0 12345 1000 200 0";
        assert_eq!(cpu_seconds(stat), Some(3.0));
        assert_eq!(stat_field(stat, 22), Some(12_345.0));
        assert_eq!(boot_time("cpu 1 2\nbtime 1700000000\n"), Some(1_700_000_000.0));
        assert_eq!(status_bytes("Name:\tx\nVmRSS:\t    12 kB\n", "VmRSS:"), Some(12_288.0));
        let limits = "Max processes 1 2 p\nMax open files            1024      4096      files\n";
        assert_eq!(max_open_files(limits), Some(1024.0));
        assert_eq!(max_open_files("Max open files unlimited unlimited files"), Some(f64::INFINITY));
    }

    #[test]
    fn shows_nothing_rather_than_nonsense() {
        for text in ["", ")", "7 (x", "7 (x) S", "7 (x) S a b c d e f g h i j k l", "btime x", "VmRSS: 12"] {
            assert_eq!(cpu_seconds(text), None, "{text}");
            assert_eq!(boot_time(text), None, "{text}");
            assert_eq!(status_bytes(text, "VmRSS:"), None, "{text}");
            assert_eq!(max_open_files(text), None, "{text}");
        }
    }
}
