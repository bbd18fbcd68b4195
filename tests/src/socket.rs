//! A websocket as clients of live tails hold it.

use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use larch_testkit::http::{DEADLINE, open};
use serde_json::Value;
use tungstenite::http::Uri;
use tungstenite::protocol::frame::coding::CloseCode;
use tungstenite::{ClientRequestBuilder, Message, WebSocket};

#[derive(Debug)]
pub struct Socket(WebSocket<TcpStream>);

/// What came over it.
#[derive(Debug, Clone, PartialEq)]
pub enum Said {
    Frame(Value),
    Ping,
    Closed {
        code: u16,
        reason: String,
    },
    /// The connection is gone, without a word.
    Gone,
}

impl Socket {
    /// Fails the test if the server refuses.
    pub fn open(address: SocketAddr, target: &str, headers: &[(&str, &str)]) -> Self {
        let uri: Uri = format!("ws://{address}{target}").parse().expect(target);
        let mut request = ClientRequestBuilder::new(uri);
        for (name, value) in headers {
            request = request.with_header(*name, *value);
        }
        let stream = open(address, DEADLINE).expect("a connection");
        let (socket, _) = tungstenite::client(request, stream).expect("an upgrade");
        Self(socket)
    }

    /// How long the server may be silent before the test fails.
    pub fn set_patience(&mut self, patience: Duration) {
        self.0.get_ref().set_read_timeout(Some(patience)).expect("a time");
    }

    /// Whatever comes next. Pings are answered on the way.
    pub fn hear(&mut self) -> Said {
        loop {
            match self.0.read() {
                Ok(Message::Text(text)) => return Said::Frame(serde_json::from_str(&text).expect("JSON")),
                Ok(Message::Ping(_)) => return Said::Ping,
                Ok(Message::Close(frame)) => {
                    let (code, reason) =
                        frame.map_or((CloseCode::Status, String::new()), |f| (f.code, f.reason.to_string()));
                    return Said::Closed { code: code.into(), reason };
                }
                Ok(_) => {}
                Err(tungstenite::Error::Io(error)) => panic!("the server says nothing any more: {error}"),
                Err(_) => return Said::Gone,
            }
        }
    }

    /// The next frame; anything but pings before it fails the test.
    pub fn next_frame(&mut self) -> Value {
        loop {
            match self.hear() {
                Said::Frame(frame) => return frame,
                Said::Ping => {}
                end => panic!("{end:?} where a frame was expected"),
            }
        }
    }

    /// Streams of frames until there are so many; each holds one row.
    pub fn rows(&mut self, count: usize) -> Vec<Value> {
        let mut rows = Vec::new();
        while rows.len() < count {
            let frame = self.next_frame();
            rows.extend(frame["streams"].as_array().expect("streams").iter().cloned());
        }
        rows
    }

    pub fn send(&mut self, message: Message) {
        self.0.send(message).expect("send");
    }

    /// Says goodbye, and waits for the answer.
    pub fn close(mut self) {
        self.0.close(None).expect("say goodbye");
        while !matches!(self.hear(), Said::Closed { .. } | Said::Gone) {}
    }
}
