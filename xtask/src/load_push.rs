//! Many small pushes from many clients against a server that runs, and how long the answers took.
//!
//! Each push is of one stream: protobuf in a snappy block, as agents send it, with lines of a hundred bytes.
//! Streams come round-robin, so that all of them stay active.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::failure::Failure;

/// What a client waits for one answer at most.
const ANSWER_BUDGET: Duration = Duration::from_secs(30);

/// Bytes of a line.
const LINE_BYTES: usize = 100;

/// Of the text of a refusal.
const MOST_TEXT_BYTES: u64 = 1024;

/// Nobody means more by these, and each client is a thread.
const MOST_CLIENTS: usize = 1024;
const MOST_PUSHES: u64 = 100_000_000;
const MOST_BYTES: usize = 1 << 20;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Options {
    address: SocketAddr,
    clients: usize,
    streams: u64,
    pushes: u64,
    /// Of lines in a push.
    bytes: usize,
    tenant: String,
}

/// What one client saw.
#[derive(Default)]
struct Seen {
    took: Vec<Duration>,
    refused: u64,
    /// What the first refusal said.
    refusal: Option<String>,
}

pub(crate) fn parse(args: &[String]) -> Result<Options, Failure> {
    let mut options = Options {
        address: SocketAddr::from(([127, 0, 0, 1], 3100)),
        clients: 64,
        streams: 10_000,
        pushes: 100_000,
        bytes: 1000,
        tenant: "load".to_owned(),
    };
    for pair in args.chunks(2) {
        let [name, value] = pair else {
            return Err(Failure::new(format!("`{}` needs a value", pair[0])));
        };
        let wrong = || Failure::new(format!("`{value}` is nothing that {name} can be"));
        match name.as_str() {
            "--address" => options.address = value.parse().map_err(|_| wrong())?,
            "--clients" => options.clients = value.parse().map_err(|_| wrong())?,
            "--streams" => options.streams = value.parse().map_err(|_| wrong())?,
            "--pushes" => options.pushes = value.parse().map_err(|_| wrong())?,
            "--bytes" => options.bytes = value.parse().map_err(|_| wrong())?,
            "--tenant" if value.bytes().all(|byte| byte.is_ascii_alphanumeric()) => {
                options.tenant.clone_from(value);
            }
            _ => return Err(Failure::new(format!("`load-push` does not know `{name} {value}`"))),
        }
    }
    let Options { clients, streams, pushes, bytes, .. } = options;
    let bounded = (1..=MOST_CLIENTS).contains(&clients)
        && streams > 0
        && (1..=MOST_PUSHES).contains(&pushes)
        && (1..=MOST_BYTES).contains(&bytes);
    if !bounded {
        return Err(Failure::new(format!(
            "at least one client, stream, push and byte; at most {MOST_CLIENTS} clients, {MOST_PUSHES} pushes of \
             {MOST_BYTES} bytes"
        )));
    }
    Ok(options)
}

/// Whether all pushes were taken.
#[expect(clippy::disallowed_methods, reason = "measures real time, in a tool")]
pub(crate) fn run(options: &Options) -> Result<bool, Failure> {
    let next = AtomicU64::new(0);
    let started = Instant::now();
    let mut all = Seen::default();
    std::thread::scope(|scope| {
        let clients: Vec<_> = (0..options.clients).map(|_| scope.spawn(|| client(options, &next))).collect();
        for client in clients {
            let seen = client.join().map_err(|_| Failure::new("a client panicked"))??;
            all.took.extend(seen.took);
            all.refused += seen.refused;
            all.refusal = all.refusal.take().or(seen.refusal);
        }
        Ok::<(), Failure>(())
    })?;
    let wall = started.elapsed();
    all.took.sort_unstable();
    let at = |share: f64| {
        let place = (all.took.len() as f64 * share) as usize;
        all.took.get(place.min(all.took.len().saturating_sub(1))).map_or(0.0, |took| took.as_secs_f64() * 1e3)
    };
    println!(
        "{} pushes of {} bytes, {} streams, {} clients: {:.1} s, {:.0} pushes a second; \
         p50 {:.1} ms, p99 {:.1} ms, longest {:.1} ms; {} refused",
        all.took.len(),
        options.bytes,
        options.streams,
        options.clients,
        wall.as_secs_f64(),
        all.took.len() as f64 / wall.as_secs_f64(),
        at(0.5),
        at(0.99),
        at(1.0),
        all.refused
    );
    if let Some(refusal) = &all.refusal {
        println!("the first refusal: {refusal}");
    }
    Ok(all.refused == 0)
}

/// Pushes until all clients together have pushed enough. One connection, as agents keep one.
#[expect(clippy::disallowed_methods, reason = "measures real time, in a tool")]
fn client(options: &Options, next: &AtomicU64) -> Result<Seen, Failure> {
    let failed = |error| Failure::because(format!("push to {}", options.address), error);
    let mut stream = TcpStream::connect_timeout(&options.address, ANSWER_BUDGET).map_err(failed)?;
    stream.set_nodelay(true).map_err(failed)?;
    stream.set_read_timeout(Some(ANSWER_BUDGET)).map_err(failed)?;
    stream.set_write_timeout(Some(ANSWER_BUDGET)).map_err(failed)?;
    let mut answers = BufReader::new(stream.try_clone().map_err(failed)?);
    let mut seen = Seen::default();
    loop {
        let number = next.fetch_add(1, Ordering::Relaxed);
        if number >= options.pushes {
            return Ok(seen);
        }
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let request = request(options, number, now);
        let sent = Instant::now();
        stream.write_all(&request).map_err(failed)?;
        let (status, text) = read_answer(&mut answers).map_err(failed)?;
        seen.took.push(sent.elapsed());
        if status / 100 != 2 {
            seen.refused += 1;
            seen.refusal.get_or_insert_with(|| format!("{status} {}", text.trim_end()));
        }
    }
}

fn request(options: &Options, number: u64, now: Duration) -> Vec<u8> {
    let body = snappy_block(&push(options, number, now));
    let mut request = format!(
        "POST /loki/api/v1/push HTTP/1.1\r\nHost: {}\r\nContent-Type: application/x-protobuf\r\n\
         X-Scope-OrgID: {}\r\nContent-Length: {}\r\n\r\n",
        options.address,
        options.tenant,
        body.len()
    )
    .into_bytes();
    request.extend_from_slice(&body);
    request
}

fn push(options: &Options, number: u64, now: Duration) -> Vec<u8> {
    let place = number % options.streams;
    let labels = format!("{{app=\"load\", pod=\"load-{place}\"}}");
    let mut stream = Vec::new();
    put_bytes(&mut stream, 1, labels.as_bytes());
    for row in 0..options.bytes.div_ceil(LINE_BYTES) {
        let length = LINE_BYTES.min(options.bytes - row * LINE_BYTES);
        let mut line =
            format!("level=info push={number} row={row} msg=\"request served\" path=/api/v1/orders ");
        while line.len() < length {
            line.push('x');
        }
        line.truncate(length);
        let mut time = Vec::new();
        put_number(&mut time, 1, now.as_secs());
        put_number(&mut time, 2, u64::from(now.subsec_nanos()));
        let mut entry = Vec::new();
        put_bytes(&mut entry, 1, &time);
        put_bytes(&mut entry, 2, line.as_bytes());
        put_bytes(&mut stream, 2, &entry);
    }
    let mut push = Vec::new();
    put_bytes(&mut push, 1, &stream);
    push
}

/// One literal: a block that is as long as what is in it.
fn snappy_block(bytes: &[u8]) -> Vec<u8> {
    let mut block = Vec::with_capacity(bytes.len() + 8);
    put_varint(&mut block, bytes.len() as u64);
    // Literal whose length less one follows in four bytes.
    block.push(63 << 2);
    block.extend_from_slice(&(bytes.len() as u32 - 1).to_le_bytes());
    block.extend_from_slice(bytes);
    block
}

fn put_bytes(out: &mut Vec<u8>, field: u8, bytes: &[u8]) {
    out.push(field << 3 | 2);
    put_varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

fn put_number(out: &mut Vec<u8>, field: u8, number: u64) {
    out.push(field << 3);
    put_varint(out, number);
}

fn put_varint(out: &mut Vec<u8>, mut number: u64) {
    while number > 127 {
        out.push(number as u8 | 128);
        number >>= 7;
    }
    out.push(number as u8);
}

/// The status and the first bytes of the text.
fn read_answer(answers: &mut impl BufRead) -> std::io::Result<(u16, String)> {
    let invalid = || std::io::Error::from(std::io::ErrorKind::InvalidData);
    let mut line = String::new();
    answers.read_line(&mut line)?;
    let status = line.split(' ').nth(1).and_then(|status| status.parse().ok()).ok_or_else(invalid)?;
    let mut length = 0;
    loop {
        line.clear();
        if answers.read_line(&mut line)? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        let line = line.trim_end();
        if line.is_empty() {
            break;
        }
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse().map_err(|_| invalid())?;
        }
    }
    let mut text = Vec::new();
    answers.take(length.min(MOST_TEXT_BYTES)).read_to_end(&mut text)?;
    std::io::copy(&mut answers.take(length.saturating_sub(MOST_TEXT_BYTES)), &mut std::io::sink())?;
    Ok((status, String::from_utf8_lossy(&text).into_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(args: &[&str]) -> Option<Options> {
        parse(&args.iter().map(|arg| (*arg).to_owned()).collect::<Vec<_>>()).ok()
    }

    #[test]
    fn arguments() {
        let usual = parsed(&[]).unwrap();
        assert_eq!((usual.clients, usual.streams, usual.bytes), (64, 10_000, 1000));
        let own = parsed(&["--address", "127.0.0.1:9", "--pushes", "7", "--tenant", "a1"]).unwrap();
        assert_eq!((own.address.port(), own.pushes, own.tenant.as_str()), (9, 7, "a1"));
        for wrong in [
            &["--pushes"][..],
            &["--pushes", "x"],
            &["--clients", "0"],
            &["--bytes", "9999999"],
            &["--tenant", "a b"],
            &["x", "y"],
        ] {
            assert_eq!(parsed(wrong), None, "{wrong:?}");
        }
    }

    #[test]
    fn a_push_has_the_bytes_that_were_asked_for() {
        let options = Options { bytes: 250, streams: 3, ..parsed(&[]).unwrap() };
        let body = push(&options, 7, Duration::new(5, 6));
        let text = String::from_utf8_lossy(&body);
        assert!(text.contains("pod=\"load-1\""), "{text}");
        assert_eq!(text.matches("push=7").count(), 3);
        let block = snappy_block(&body);
        assert!(block.ends_with(&body) && block.len() <= body.len() + 8);
    }

    #[test]
    fn answers_are_read_one_by_one() {
        let mut answers =
            "HTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 429 Too Many\r\nContent-Length: 3\r\n\r\nnoHTTP"
                .replace("noHTTP", "no\n")
                .into_bytes();
        answers.extend_from_slice(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
        let mut answers = std::io::Cursor::new(answers);
        let mut next = || read_answer(&mut answers).ok();
        let answer = |status, text: &str| Some((status, text.to_owned()));
        assert_eq!(
            [next(), next(), next(), next()],
            [answer(204, ""), answer(429, "no\n"), answer(200, ""), None]
        );
    }
}
