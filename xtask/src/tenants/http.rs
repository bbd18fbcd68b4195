//! One connection to a server, as little of HTTP as that takes.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use crate::failure::Failure;

/// Longer than any answer takes.
const DEADLINE: Duration = Duration::from_secs(120);

/// No answer that is asked for is longer.
const MOST_BYTES: u64 = 256 << 20;

pub(super) struct Connection {
    address: SocketAddr,
    stream: BufReader<TcpStream>,
}

pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: String,
}

impl Connection {
    pub(super) fn open(address: SocketAddr) -> Result<Self, Failure> {
        let failed = |error| Failure::because(format!("connect to {address}"), error);
        let stream = TcpStream::connect(address).map_err(failed)?;
        stream.set_read_timeout(Some(DEADLINE)).map_err(failed)?;
        stream.set_nodelay(true).map_err(failed)?;
        Ok(Self { address, stream: BufReader::new(stream) })
    }

    pub(super) fn request(
        &mut self,
        method: &str,
        path: &str,
        tenant: &str,
        body: &str,
    ) -> Result<Answer, Failure> {
        let tenant = if tenant.is_empty() { String::new() } else { format!("X-Scope-OrgID: {tenant}\r\n") };
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\n{tenant}Content-Type: application/json\r\n\
             Content-Length: {}\r\n\r\n{body}",
            self.address,
            body.len()
        );
        let answered =
            self.stream.get_mut().write_all(request.as_bytes()).and_then(|()| read(&mut self.stream));
        answered.map_err(|error| Failure::because(format!("{method} {path}"), error))
    }
}

fn read(stream: &mut BufReader<TcpStream>) -> std::io::Result<Answer> {
    let invalid = |text: &str| std::io::Error::new(std::io::ErrorKind::InvalidData, text.to_owned());
    let (mut status, mut length, mut is_chunked) = (None, 0, false);
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line)? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        let line = line.trim_end().to_ascii_lowercase();
        if status.is_none() {
            status = line.split(' ').nth(1).and_then(|code| code.parse().ok());
        } else if let Some(value) = line.strip_prefix("content-length:") {
            length = value.trim().parse().map_err(|_| invalid("the answer has no length"))?;
        } else if line.starts_with("transfer-encoding:") {
            is_chunked = line.ends_with("chunked");
        } else if line.is_empty() {
            break;
        }
    }
    let mut body = Vec::new();
    if is_chunked {
        read_chunks(stream, &mut body)?;
    } else {
        stream.by_ref().take(u64::min(length, MOST_BYTES)).read_to_end(&mut body)?;
    }
    let status = status.ok_or_else(|| invalid("the answer has no status"))?;
    Ok(Answer { status, body: String::from_utf8_lossy(&body).into_owned() })
}

fn read_chunks(stream: &mut BufReader<TcpStream>, body: &mut Vec<u8>) -> std::io::Result<()> {
    loop {
        let mut line = String::new();
        stream.read_line(&mut line)?;
        let length = u64::from_str_radix(line.trim(), 16).map_err(std::io::Error::other)?;
        stream.by_ref().take(length.min(MOST_BYTES)).read_to_end(body)?;
        stream.read_line(&mut line)?;
        if length == 0 {
            return Ok(());
        }
    }
}
