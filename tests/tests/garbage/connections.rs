//! Connections that are not spoken to as HTTP wants it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;

use larch_testkit::http::{open, read_answer, with_query};
use larch_testkit::process::Running;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use crate::{PATIENCE, SEED, Trial, Verdict, is_silence, judge};

const SLOW_CLIENTS: usize = 50;

/// A server may have pinged, every second, and explain itself before it closes; then it closes.
const MOST_READS: usize = 10;

/// Half a request each, and nothing more.
pub(crate) fn slow_clients(larch: &Running) -> Vec<TcpStream> {
    let push = "POST /loki/api/v1/push HTTP/1.1\r\nhost: x\r\nx-scope-orgid: slow\r\n";
    let halves = [
        String::new(),
        "GET /loki/api/v1/lab".to_owned(),
        format!("{push}content-type: application/js"),
        format!("{push}content-type: application/json\r\ncontent-length: 100\r\n\r\n{{\"streams\":["),
        format!("{push}content-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n400\r\n{{"),
    ];
    let mut slow = Vec::new();
    for number in 0..SLOW_CLIENTS {
        let mut stream = open(larch.address(), PATIENCE).expect("connect");
        stream.write_all(halves[number % halves.len()].as_bytes()).expect("send half a request");
        slow.push(stream);
    }
    slow
}

/// Whoever has begun a request is cut off when its time is over. Whoever has said nothing is only idle.
pub(crate) fn check_cut_off(slow: Vec<TcpStream>) {
    for (number, mut stream) in slow.into_iter().enumerate() {
        if number % 5 == 0 {
            continue;
        }
        let mut rest = Vec::new();
        let ended = stream.read_to_end(&mut rest);
        let is_cut_off = !ended.as_ref().is_err_and(is_silence);
        assert!(is_cut_off, "client {number} is waited for: {ended:?}, {:?}", String::from_utf8_lossy(&rest));
    }
}

pub(crate) fn run(trial: &mut Trial) {
    for (what, bytes) in requests() {
        exchange(trial, what, &bytes, Verdict::Refused);
    }
    let climbing = b"GET /../../../etc/passwd HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    exchange(trial, "a path out of its root", climbing, Verdict::Answered);
    websockets(trial);
}

fn requests() -> Vec<(&'static str, Vec<u8>)> {
    let mut random = StdRng::seed_from_u64(SEED);
    let mut noise = vec![0; 10_000];
    random.fill_bytes(&mut noise);
    let push = "POST /loki/api/v1/push HTTP/1.1\r\nhost: x\r\nx-scope-orgid: a\r\n";
    let get = "GET /loki/api/v1/labels HTTP/1.1\r\nhost: x\r\nx-scope-orgid: a\r\n";
    let mut many = String::new();
    for number in 0..10_000 {
        many.push_str(&format!("x-{number}: y\r\n"));
    }
    let chunked = format!("{push}content-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n");
    let mut requests = vec![
        ("noise", noise),
        ("TLS", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n".to_vec()),
        (
            "HTTP/2 without frames",
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\xff\xff\xff\xff\xff\xff\xff\xff\xff".to_vec(),
        ),
    ];
    for (what, text) in [
        ("no request", "\u{0}\u{0}\u{0}\r\n\r\n".to_owned()),
        ("no version", "GET /loki/api/v1/labels\r\n\r\n".to_owned()),
        ("a later version", "GET / HTTP/9.9\r\n\r\n".to_owned()),
        ("no path", "GET  HTTP/1.1\r\nhost: x\r\n\r\n".to_owned()),
        ("a long method", format!("{} / HTTP/1.1\r\nhost: x\r\n\r\n", "G".repeat(100_000))),
        ("a zero in a path", "GET /loki/%00 HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n".to_owned()),
        (
            "a broken escape",
            "GET /loki/api/v1/label/%zz/v HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n".to_owned(),
        ),
        ("a long header", format!("{get}x-y: {}\r\n\r\n", "z".repeat(2_000_000))),
        ("many headers", format!("{get}{many}\r\n")),
        ("a header without a name", format!("{get}: y\r\n\r\n")),
        ("two lengths", format!("{push}content-length: 2\r\ncontent-length: 3\r\n\r\n{{}}")),
        ("a negative length", format!("{push}content-length: -1\r\n\r\n{{}}")),
        ("an endless length", format!("{push}content-length: 99999999999999999999999\r\n\r\n{{}}")),
        (
            "a huge length",
            format!("{push}content-type: application/json\r\ncontent-length: 1099511627776\r\n\r\n{{}}"),
        ),
        ("a chunk without a size", format!("{chunked}zz\r\n{{}}\r\n0\r\n\r\n")),
        ("an endless chunk", format!("{chunked}ffffffffffffffff\r\n{{}}\r\n")),
        ("no tenant", "GET /loki/api/v1/labels HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n".to_owned()),
        (
            "a tenant that is a path",
            "GET /loki/api/v1/labels HTTP/1.1\r\nhost: x\r\nx-scope-orgid: ../a\r\nconnection: close\r\n\r\n"
                .to_owned(),
        ),
    ] {
        requests.push((what, text.into_bytes()));
    }
    requests
}

/// Upgrades that lack something, and frames that no client may send.
fn websockets(trial: &mut Trial) {
    let path = with_query("/loki/api/v1/tail", [("query", "{app=\"alive\"}")]);
    let key = "sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    let upgrade = |headers: &str| {
        format!("GET {path} HTTP/1.1\r\nhost: x\r\nx-scope-orgid: alive\r\n{headers}\r\n").into_bytes()
    };
    let asks = "connection: Upgrade\r\nupgrade: websocket\r\n";
    for (what, headers) in [
        ("no upgrade", "connection: close\r\n".to_owned()),
        ("no key", format!("{asks}sec-websocket-version: 13\r\n")),
        ("no version", format!("{asks}{key}")),
        ("an old version", format!("{asks}{key}sec-websocket-version: 8\r\n")),
        (
            "another protocol",
            format!("connection: Upgrade\r\nupgrade: h2c\r\n{key}sec-websocket-version: 13\r\n"),
        ),
    ] {
        exchange(trial, what, &upgrade(&headers), Verdict::Refused);
    }
    let good = upgrade(&format!("{asks}{key}sec-websocket-version: 13\r\n"));
    let mut random = StdRng::seed_from_u64(SEED);
    let mut noise = vec![0; 10_000];
    random.fill_bytes(&mut noise);
    for (what, frames) in [
        ("a frame without a mask", b"\x81\x05hello".to_vec()),
        ("an unknown kind of frame", b"\x8f\x80\0\0\0\0".to_vec()),
        ("reserved bits", b"\xf1\x80\0\0\0\0".to_vec()),
        ("a frame of 2^63 bytes", b"\x82\xff\xff\xff\xff\xff\xff\xff\xff\xff\0\0\0\0".to_vec()),
        ("a frame of a gibibyte", b"\x82\xff\0\0\0\0\x40\0\0\0\0\0\0\0".to_vec()),
        ("a continuation of nothing", b"\x80\x80\0\0\0\0".to_vec()),
        ("a long ping", [&b"\x89\xfe\x00\xff\0\0\0\0"[..], &[0; 255]].concat()),
        ("a close of one byte", b"\x88\x81\0\0\0\0\x03".to_vec()),
        ("noise", noise),
    ] {
        trial.requests += 1;
        if let Err(problem) = misuse(&trial.larch, &good, &frames) {
            trial.report(&format!("websocket, {what}: {problem}"));
        }
    }
}

/// Opens a websocket, sends what breaks it, and waits until the server has closed it.
fn misuse(larch: &Running, upgrade: &[u8], frames: &[u8]) -> Result<(), String> {
    let mut stream = open(larch.address(), PATIENCE).map_err(|error| error.to_string())?;
    stream.write_all(upgrade).map_err(|error| error.to_string())?;
    let mut connection = BufReader::new(stream);
    let (answer, _) = read_answer(&mut connection).map_err(|error| error.to_string())?;
    if answer.status != 101 {
        return Err(format!("a websocket in order was refused: {answer:?}"));
    }
    // The server may close it before it has read everything.
    connection.get_mut().write_all(frames).ok();
    for _ in 0..MOST_READS {
        match connection.fill_buf() {
            Ok([]) => return Ok(()),
            Ok(bytes) => {
                let read = bytes.len();
                connection.consume(read);
            }
            Err(error) if is_silence(&error) => return Err("left open, and silent".to_owned()),
            Err(_) => return Ok(()),
        }
    }
    Err("left open".to_owned())
}

fn exchange(trial: &mut Trial, what: &str, bytes: &[u8], verdict: Verdict) {
    trial.requests += 1;
    let answer = open(trial.larch.address(), PATIENCE).and_then(|mut stream| {
        let sent = stream.write_all(bytes);
        let answer = read_answer(&mut BufReader::new(stream));
        sent.and_then(|()| answer.map(|(answer, _)| answer))
    });
    if let Err(problem) = judge(&answer, verdict) {
        trial.report(&format!("{what}: {problem}"));
    }
}
