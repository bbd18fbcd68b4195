//! Loads a running server with many small tenants or with one tenant of many streams, hour by hour, and shows what that
//! costs: requests to the store by kind, objects, memory, time.

#![expect(clippy::disallowed_methods, reason = "it measures a real server by the real clock")]

mod http;
mod options;
mod server;

use std::fmt::Write as _;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::failure::Failure;
use http::Connection;
use server::{Cost, Server};

pub(crate) use options::{Options, parse};

/// Connections that push at a time.
const CLIENTS: u64 = 8;

/// Streams of a push: as many as a client that sends every second may have.
const STREAMS_A_PUSH: u64 = 1000;

/// An hour's rows are pushed so many together: a tenant that sends little does so now and then.
const PUSHES_A_TENANT: u64 = 2;

/// For a server to put all that it has into its store.
const UPLOADS_LAST: Duration = Duration::from_secs(600);

const SECONDS_AN_HOUR: u64 = 3600;

/// One push.
struct Push {
    tenant: String,
    body: String,
}

/// Whether all was taken.
pub(crate) fn run(options: &Options) -> Result<bool, Failure> {
    let server = Server::find(options)?;
    println!("{:24} {}", "what", Cost::HEAD);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    if let Some(first) = options.asks_since {
        ask_all(&server, options, (first, first + options.rounds * SECONDS_AN_HOUR))?;
        return Ok(true);
    }
    // Hours that have passed, so that no row is of the future.
    let first = now.saturating_sub(options.rounds * SECONDS_AN_HOUR);
    println!("the first row is of second {first}");
    for round in 0..options.rounds {
        let begin = first + round * SECONDS_AN_HOUR;
        let count = options.pushes();
        measure(&server, &format!("push, round {}", round + 1), || push_all(&server, options, count, begin))?;
        if round + 1 == options.rounds {
            // Of rows in memory, and of those in files and in the store.
            ask_all(&server, options, (first, now))?;
        }
        measure(&server, &format!("flush, round {}", round + 1), || flush(&server))?;
    }
    ask_all(&server, options, (first, now))?;
    let (objects, bytes) = server::count_files(&options.data)?;
    println!("objects in {}: {objects}, with {bytes} bytes", options.data.display());
    Ok(true)
}

fn ask_all(server: &Server, options: &Options, range: (u64, u64)) -> Result<(), Failure> {
    for (name, path) in questions(range) {
        measure(server, name, || ask(server, options, &path))?;
    }
    Ok(())
}

fn measure(server: &Server, name: &str, work: impl FnOnce() -> Result<(), Failure>) -> Result<(), Failure> {
    server.forget_peak();
    let (before, begun) = (server.look()?, Instant::now());
    work()?;
    let cost = server.look()?.since(&before, begun.elapsed());
    println!("{name:24} {cost}");
    Ok(())
}

impl Options {
    fn pushes(&self) -> u64 {
        match self.streams {
            0 => self.tenants * PUSHES_A_TENANT,
            streams => streams.div_ceil(STREAMS_A_PUSH),
        }
    }

    fn push(&self, number: u64, begin: u64) -> Push {
        let mut body = String::from("{\"streams\":[");
        if self.streams > 0 {
            let streams = number * STREAMS_A_PUSH..self.streams.min((number + 1) * STREAMS_A_PUSH);
            for stream in streams {
                let labels = format!(r#""app":"app-{}","pod":"pod-{stream}""#, stream % 200);
                put_stream(&mut body, &labels, [row(begin + stream % SECONDS_AN_HOUR, stream)]);
            }
            body.push_str("]}");
            return Push { tenant: "wide".to_owned(), body };
        }
        let (tenant, part) = (number % self.tenants, number / self.tenants);
        let lines = self.lines.div_ceil(PUSHES_A_TENANT);
        let spread = SECONDS_AN_HOUR / (lines * PUSHES_A_TENANT).max(1);
        let rows = (part * lines..(part + 1) * lines).map(|line| row(begin + line * spread, line));
        put_stream(&mut body, r#""app":"shop","env":"prod""#, rows);
        body.push_str("]}");
        Push { tenant: format!("tenant-{tenant:05}"), body }
    }

    /// The tenants that are asked: some of many.
    fn asked(&self) -> Vec<String> {
        match self.streams {
            0 => (0..self.tenants.min(100)).map(|tenant| format!("tenant-{tenant:05}")).collect(),
            _ => vec!["wide".to_owned()],
        }
    }
}

fn put_stream(body: &mut String, labels: &str, rows: impl IntoIterator<Item = String>) {
    if body.ends_with('}') {
        body.push(',');
    }
    // Writing to a text takes whatever is written.
    let _always_ok = write!(body, "{{\"stream\":{{{labels}}},\"values\":[");
    for (place, row) in rows.into_iter().enumerate() {
        if place > 0 {
            body.push(',');
        }
        body.push_str(&row);
    }
    body.push_str("]}");
}

fn row(second: u64, number: u64) -> String {
    format!(
        "[\"{second}000000000\",\"level=info request {number} of user {} took {} ms\"]",
        number * 7919 % 10_007,
        number * 31 % 997
    )
}

fn push_all(server: &Server, options: &Options, count: u64, begin: u64) -> Result<(), Failure> {
    let next = AtomicU64::new(0);
    let failure = Mutex::new(None);
    std::thread::scope(|scope| {
        for _ in 0..CLIENTS {
            scope.spawn(|| {
                if let Err(problem) = push_some(server, options, &next, count, begin)
                    && let Ok(mut failure) = failure.lock()
                {
                    failure.get_or_insert(problem);
                }
            });
        }
    });
    failure.into_inner().ok().flatten().map_or(Ok(()), Err)
}

fn push_some(
    server: &Server,
    options: &Options,
    next: &AtomicU64,
    count: u64,
    begin: u64,
) -> Result<(), Failure> {
    let mut connection = Connection::open(server.address)?;
    loop {
        let number = next.fetch_add(1, Ordering::Relaxed);
        if number >= count {
            return Ok(());
        }
        let Push { tenant, body } = options.push(number, begin);
        let answer = connection.request("POST", "/loki/api/v1/push", &tenant, &body)?;
        if answer.status != 204 {
            return Err(Failure::new(format!("a push got {}: {}", answer.status, answer.body)));
        }
    }
}

/// Until nothing is in memory or waits for its upload.
fn flush(server: &Server) -> Result<(), Failure> {
    let mut connection = Connection::open(server.address)?;
    connection.request("POST", "/flush", "", "")?;
    let begun = Instant::now();
    loop {
        let metrics = server.metrics()?;
        let streams = server::sum(&metrics, "loki_ingester_memory_chunks");
        let bytes = server::sum(&metrics, "larch_ingester_segment_file_bytes{state=\"waiting\"}");
        if streams == 0.0 && bytes == 0.0 {
            return Ok(());
        }
        if begun.elapsed() > UPLOADS_LAST {
            return Err(Failure::new(format!(
                "{streams} streams are in memory, and {bytes} bytes wait for their upload"
            )));
        }
        // What a server says of ten thousand tenants is megabytes: to ask is a part of what is measured.
        std::thread::sleep(Duration::from_secs(2));
    }
}

fn questions((first, now): (u64, u64)) -> Vec<(&'static str, String)> {
    let range = format!("start={first}&end={now}");
    let metric = "sum%20by%20%28app%29%20%28count_over_time%28%7Bapp%3D%22shop%22%7D%5B5m%5D%29%29";
    vec![
        ("query: labels", format!("/loki/api/v1/labels?{range}")),
        ("query: series", format!("/loki/api/v1/series?{range}&match[]=%7Bapp%3D%22app-7%22%7D")),
        (
            "query: newest rows",
            format!("/loki/api/v1/query_range?{range}&query=%7Bapp%3D~%22.%2B%22%7D&limit=100"),
        ),
        (
            "query: one stream",
            format!("/loki/api/v1/query_range?{range}&query=%7Bpod%3D%22pod-77%22%7D&limit=100"),
        ),
        (
            "query: a word",
            format!(
                "/loki/api/v1/query_range?{range}&query=%7Bapp%3D~%22.%2B%22%7D%7C%3D%22user%207919%20%22&limit=100"
            ),
        ),
        ("query: count", format!("/loki/api/v1/query_range?{range}&step=300&query={metric}")),
        ("query: volume", format!("/loki/api/v1/index/volume?{range}&query=%7Bapp%3D~%22.%2B%22%7D")),
        ("query: stats", format!("/loki/api/v1/index/stats?{range}&query=%7Bapp%3D~%22.%2B%22%7D")),
        // Once more, with all that is cached.
        (
            "query: newest again",
            format!("/loki/api/v1/query_range?{range}&query=%7Bapp%3D~%22.%2B%22%7D&limit=100"),
        ),
    ]
}

fn ask(server: &Server, options: &Options, path: &str) -> Result<(), Failure> {
    let mut connection = Connection::open(server.address)?;
    for tenant in options.asked() {
        let answer = connection.request("GET", path, &tenant, "")?;
        if answer.status != 200 {
            return Err(Failure::new(format!("{path} got {}: {}", answer.status, answer.body)));
        }
    }
    Ok(())
}
