//! HTTP as a test speaks it: a connection that is kept, plain bytes, and the answer as it came.

use std::fmt;
use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// Longer than anything here takes on a slow machine.
pub const DEADLINE: Duration = Duration::from_secs(60);

/// No answer that a test looks at is larger.
const MAX_BODY: u64 = 256 * 1024 * 1024;
const MAX_HEAD: u64 = 1024 * 1024;

/// An answer over HTTP.
#[derive(Clone, PartialEq, Eq)]
pub struct Answer {
    pub status: u16,
    pub head: String,
    /// What is not UTF-8 in it is replaced.
    pub body: String,
    /// The body as it came.
    pub bytes: Vec<u8>,
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { status, head, body, bytes: _ } = self;
        f.debug_struct("Answer").field("status", status).field("head", head).field("body", body).finish()
    }
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }
}

/// One connection to a server, opened when it is needed and kept while the server keeps it.
#[derive(Debug)]
pub struct Client {
    address: SocketAddr,
    timeout: Duration,
    connection: Option<BufReader<TcpStream>>,
}

impl Client {
    pub fn new(address: SocketAddr) -> Self {
        Self { address, timeout: DEADLINE, connection: None }
    }

    /// How long the server may be silent before a request fails.
    #[must_use]
    pub fn with_timeout(self, timeout: Duration) -> Self {
        Self { timeout, ..self }
    }

    pub fn get(&mut self, path: &str, headers: &[(&str, &str)]) -> io::Result<Answer> {
        self.send("GET", path, headers, b"")
    }

    pub fn post(&mut self, path: &str, headers: &[(&str, &str)], body: &[u8]) -> io::Result<Answer> {
        self.send("POST", path, headers, body)
    }

    /// One request with its length. After a failure the connection is given up; the request is not sent
    /// again.
    pub fn send(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> io::Result<Answer> {
        let mut head = format!("{method} {path} HTTP/1.1\r\nhost: {}\r\n", self.address);
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str(&format!("content-length: {}\r\n\r\n", body.len()));
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => BufReader::new(open(self.address, self.timeout)?),
        };
        let sent = send(connection.get_mut(), head.as_bytes(), body);
        // A server may answer before it has read everything; that answer is what is wanted.
        match (sent, read_answer(&mut connection)) {
            (Ok(()), Ok((answer, is_kept))) => {
                self.connection = is_kept.then_some(connection);
                Ok(answer)
            }
            (Err(_), Ok((answer, _))) => Ok(answer),
            (Ok(()), Err(error)) | (Err(error), Err(_)) => Err(error),
        }
    }
}

/// A connection on which a test writes what it likes.
pub fn open(address: SocketAddr, timeout: Duration) -> io::Result<TcpStream> {
    let stream = TcpStream::connect_timeout(&address, timeout)?;
    stream.set_read_timeout(Some(timeout))?;
    stream.set_write_timeout(Some(timeout))?;
    // A request is written in two pieces, and the second must not wait for the first to be acknowledged.
    stream.set_nodelay(true)?;
    Ok(stream)
}

fn send(stream: &mut TcpStream, head: &[u8], body: &[u8]) -> io::Result<()> {
    stream.write_all(head)?;
    stream.write_all(body)
}

/// The next answer on a connection, and whether another request may follow on it.
pub fn read_answer(connection: &mut impl BufRead) -> io::Result<(Answer, bool)> {
    let mut head = read_head(connection)?;
    while status(&head)? == 100 {
        head = read_head(connection)?;
    }
    let mut answer = Answer { status: status(&head)?, head, body: String::new(), bytes: Vec::new() };
    let mut is_kept = !answer.header("connection").is_some_and(|value| value.eq_ignore_ascii_case("close"));
    let bytes = if matches!(answer.status, 101 | 204 | 304) {
        Vec::new()
    } else if answer.header("transfer-encoding").is_some_and(|value| value.eq_ignore_ascii_case("chunked")) {
        read_chunks(connection)?
    } else if let Some(length) = answer.header("content-length") {
        read_exactly(connection, length.parse().map_err(|_| malformed("a length that is no number"))?)?
    } else {
        is_kept = false;
        let mut bytes = Vec::new();
        connection.take(MAX_BODY).read_to_end(&mut bytes)?;
        bytes
    };
    answer.body = String::from_utf8_lossy(&bytes).into_owned();
    answer.bytes = bytes;
    Ok((answer, is_kept))
}

fn read_head(connection: &mut impl BufRead) -> io::Result<String> {
    let mut head = String::new();
    let mut limited = connection.take(MAX_HEAD);
    loop {
        let before = head.len();
        if limited.read_line(&mut head)? == 0 {
            return Err(io::Error::new(ErrorKind::UnexpectedEof, "closed before the end of the head"));
        }
        if head[before..].trim_end().is_empty() {
            head.truncate(before);
            return Ok(head);
        }
    }
}

fn status(head: &str) -> io::Result<u16> {
    let code = head.split(' ').nth(1).and_then(|code| code.parse().ok());
    code.filter(|_| head.starts_with("HTTP/1.")).ok_or_else(|| malformed("no status line"))
}

fn read_chunks(connection: &mut impl BufRead) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    loop {
        let size = read_line(connection)?;
        let size = size.split(';').next().unwrap_or_default().trim();
        let size = u64::from_str_radix(size, 16).map_err(|_| malformed("a chunk without a size"))?;
        if size == 0 {
            while !read_line(connection)?.is_empty() {}
            return Ok(bytes);
        }
        bytes.extend(read_exactly(connection, size)?);
        if !read_line(connection)?.is_empty() {
            return Err(malformed("a chunk that goes on after its end"));
        }
    }
}

fn read_line(connection: &mut impl BufRead) -> io::Result<String> {
    let mut line = String::new();
    if connection.take(MAX_HEAD).read_line(&mut line)? == 0 {
        return Err(io::Error::new(ErrorKind::UnexpectedEof, "closed within the body"));
    }
    Ok(line.trim_end().to_owned())
}

fn read_exactly(connection: &mut impl BufRead, size: u64) -> io::Result<Vec<u8>> {
    if size > MAX_BODY {
        return Err(malformed("a body that is larger than any test wants"));
    }
    let mut bytes = vec![0; usize::try_from(size).map_err(|_| malformed("a body beyond memory"))?];
    connection.read_exact(&mut bytes)?;
    Ok(bytes)
}

fn malformed(what: &str) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, what)
}

/// A text as it stands in a query string.
pub fn percent_encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

/// A path with its parameters.
pub fn with_query<'a>(path: &str, parameters: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    let mut target = path.to_owned();
    for (name, value) in parameters {
        target.push(if target.len() == path.len() { '?' } else { '&' });
        target.push_str(&format!("{}={}", percent_encode(name), percent_encode(value)));
    }
    target
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, status: u16, body: &str, is_kept: bool) {
        let (answer, kept) = read_answer(&mut BufReader::new(text.as_bytes())).expect(text);
        assert_eq!((answer.status, answer.body.as_str(), kept), (status, body, is_kept), "{text:?}");
    }

    #[test]
    fn bodies_end_where_the_head_says() {
        check("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhello", 200, "he", true);
        check("HTTP/1.1 204 No Content\r\n\r\nnext", 204, "", true);
        check(
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 413 Large\r\nconnection: close\r\n\r\nx",
            413,
            "x",
            false,
        );
        check("HTTP/1.1 200 OK\r\n\r\nto the end", 200, "to the end", false);
        let chunked = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\nA;x=y\r\n0123456789\r\n0\r\n\r\n";
        check(chunked, 200, "abc0123456789", true);
    }

    #[test]
    fn answers_that_are_cut_or_wrong_are_errors() {
        for text in [
            "",
            "HTTP/1.1 200 OK\r\n",
            "HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nab",
            "HTTP/1.1 200 OK\r\ncontent-length: many\r\n\r\nab",
            "HTTP/1.1 200 OK\r\ncontent-length: 99999999999\r\n\r\nab",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabcd\r\n0\r\n\r\n",
            "SSH-2.0-OpenSSH 200\r\n\r\n",
        ] {
            assert!(read_answer(&mut BufReader::new(text.as_bytes())).is_err(), "{text:?}");
        }
    }

    #[test]
    fn parameters_are_encoded() {
        assert_eq!(with_query("/p", []), "/p");
        assert_eq!(
            with_query("/p", [("query", "{a=\"b c\"}"), ("é", "&")]),
            "/p?query=%7Ba%3D%22b%20c%22%7D&%C3%A9=%26"
        );
    }
}
