//! What a server says of itself, and what the system says of it.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use super::Options;
use super::http::Connection;
use crate::failure::Failure;

/// Of the system's clock that counts what processes use; Linux has no other.
const TICKS_A_SECOND: f64 = 100.0;

/// Operations of the store, as its metrics name them.
const OPERATIONS: [&str; 6] = ["upload", "get", "get_range", "attributes", "iter", "delete"];

pub(super) struct Server {
    pub(super) address: SocketAddr,
    pid: u32,
}

/// At one moment.
pub(super) struct Look {
    cpu: f64,
    resident_mib: f64,
    peak_mib: f64,
    operations: BTreeMap<&'static str, f64>,
}

/// Between two.
pub(super) struct Cost {
    wall: Duration,
    cpu: f64,
    resident_mib: f64,
    peak_mib: f64,
    operations: BTreeMap<&'static str, f64>,
}

impl Cost {
    pub(super) const HEAD: &'static str =
        "  wall s    cpu s  res MiB peak MiB   upload      get get_range     head     list   delete";
}

impl Server {
    pub(super) fn find(options: &Options) -> Result<Self, Failure> {
        let server = Self { address: options.address, pid: options.pid };
        server.look()?;
        Ok(server)
    }

    pub(super) fn metrics(&self) -> Result<String, Failure> {
        let answer = Connection::open(self.address)?.request("GET", "/metrics", "", "")?;
        if answer.status == 200 { Ok(answer.body) } else { Err(Failure::new(answer.body)) }
    }

    /// The peak of memory is that since here, where the system lets others say so.
    pub(super) fn forget_peak(&self) {
        let _is_allowed = std::fs::write(format!("/proc/{}/clear_refs", self.pid), "5");
    }

    pub(super) fn look(&self) -> Result<Look, Failure> {
        let metrics = self.metrics()?;
        let operation = |name: &'static str| {
            let lines = metrics.lines().filter(|line| {
                line.starts_with("loki_objstore_bucket_operations_total")
                    && line.contains(&format!("operation=\"{name}\""))
            });
            (name, lines.filter_map(value).sum())
        };
        let status = self.read("status")?;
        let mib = |key: &str| {
            let line = status.lines().find(|line| line.starts_with(key));
            let kib = line.and_then(|line| line.split_whitespace().nth(1)?.parse::<f64>().ok());
            kib.unwrap_or(0.0) / 1024.0
        };
        Ok(Look {
            cpu: self.cpu()?,
            resident_mib: mib("VmRSS:"),
            peak_mib: mib("VmHWM:"),
            operations: OPERATIONS.into_iter().map(operation).collect(),
        })
    }

    fn cpu(&self) -> Result<f64, Failure> {
        let stat = self.read("stat")?;
        let after_name = stat.rsplit(')').next().unwrap_or_default();
        let fields: Vec<f64> =
            after_name.split_whitespace().skip(11).take(2).filter_map(|field| field.parse().ok()).collect();
        Ok(fields.iter().sum::<f64>() / TICKS_A_SECOND)
    }

    fn read(&self, file: &str) -> Result<String, Failure> {
        let path = format!("/proc/{}/{file}", self.pid);
        std::fs::read_to_string(&path).map_err(|error| Failure::because(format!("read {path}"), error))
    }
}

impl Look {
    pub(super) fn since(self, before: &Self, wall: Duration) -> Cost {
        let more = |(name, count): (&'static str, f64)| {
            (name, count - before.operations.get(name).copied().unwrap_or(0.0))
        };
        Cost {
            wall,
            cpu: self.cpu - before.cpu,
            resident_mib: self.resident_mib,
            peak_mib: self.peak_mib,
            operations: self.operations.into_iter().map(more).collect(),
        }
    }
}

impl fmt::Display for Cost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { wall, cpu, resident_mib, peak_mib, operations } = self;
        write!(f, "{:8.2} {cpu:8.2} {resident_mib:8.0} {peak_mib:8.0}", wall.as_secs_f64())?;
        for name in OPERATIONS {
            write!(f, " {:8.0}", operations.get(name).copied().unwrap_or(0.0))?;
        }
        Ok(())
    }
}

/// Of all samples of a metric.
pub(super) fn sum(metrics: &str, name: &str) -> f64 {
    metrics.lines().filter(|line| line.starts_with(name)).filter_map(value).sum()
}

fn value(line: &str) -> Option<f64> {
    line.rsplit(' ').next()?.parse().ok()
}

/// How many there are, and their bytes.
pub(super) fn count_files(dir: &Path) -> Result<(u64, u64), Failure> {
    let (mut count, mut bytes, mut dirs) = (0, 0, vec![dir.to_owned()]);
    while let Some(dir) = dirs.pop() {
        let failed = |error| Failure::because(format!("look into {}", dir.display()), error);
        for entry in std::fs::read_dir(&dir).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            if entry.file_type().map_err(failed)?.is_dir() {
                dirs.push(entry.path());
            } else {
                count += 1;
                bytes += entry.metadata().map_err(failed)?.len();
            }
        }
    }
    Ok((count, bytes))
}
