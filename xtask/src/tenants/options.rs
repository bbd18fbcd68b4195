//! What is loaded, and where the server is.

use std::net::SocketAddr;
use std::path::PathBuf;

use crate::failure::Failure;

pub(crate) struct Options {
    pub(crate) address: SocketAddr,
    pub(crate) pid: u32,
    /// Where the server keeps its objects.
    pub(crate) data: PathBuf,
    pub(crate) tenants: u64,
    /// Of a tenant in an hour.
    pub(crate) lines: u64,
    /// Of one tenant, in place of many tenants; 0 means many tenants.
    pub(crate) streams: u64,
    /// Hours.
    pub(crate) rounds: u64,
    /// Asks of the rows that an earlier run has pushed from this second on, and pushes nothing.
    pub(crate) asks_since: Option<u64>,
}

pub(crate) fn parse(args: &[String]) -> Result<Options, Failure> {
    let (mut address, mut pid, mut data) = (None, None, None);
    let (mut tenants, mut lines, mut streams, mut rounds) = (10_000, 10, 0, 3);
    let mut asks_since = None;
    for pair in args.chunks(2) {
        let [name, value] = pair else {
            return Err(Failure::new(format!("`{}` needs a value", pair.join(" "))));
        };
        match name.as_str() {
            "--address" => address = Some(read(name, value)?),
            "--pid" => pid = Some(read(name, value)?),
            "--data" => data = Some(PathBuf::from(value)),
            "--tenants" => tenants = read(name, value)?,
            "--lines" => lines = read(name, value)?,
            "--streams" => streams = read(name, value)?,
            "--rounds" => rounds = read(name, value)?,
            "--asks-since" => asks_since = Some(read(name, value)?),
            _ => return Err(Failure::new(format!("`{name}` is not an option"))),
        }
    }
    let missing = |name: &str| Failure::new(format!("`{name}` is missing"));
    if tenants == 0 || lines == 0 || rounds == 0 {
        return Err(Failure::new("there must be something to push".to_owned()));
    }
    Ok(Options {
        address: address.ok_or_else(|| missing("--address"))?,
        pid: pid.ok_or_else(|| missing("--pid"))?,
        data: data.ok_or_else(|| missing("--data"))?,
        tenants,
        lines,
        streams,
        rounds,
        asks_since,
    })
}

fn read<T: std::str::FromStr>(name: &str, value: &str) -> Result<T, Failure> {
    value.parse().map_err(|_| Failure::new(format!("`{name} {value}` cannot be meant")))
}
