//! One tail, from its upgrade to its close.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::ws::{CloseFrame, Message, Utf8Bytes, WebSocket};
use futures_util::future::{Either, select};
use futures_util::{SinkExt, StreamExt};
use larch_api::{TailRequest, TailShape};
use larch_runtime::Scope;
use larch_types::{RequestId, TenantId};
use tokio::sync::mpsc;
use tracing::{Instrument, Span, info};

use super::Tails;
use super::feed::Feed;
use super::socket::drive;

/// Of websockets: the server cannot go on.
const INTERNAL: u16 = 1011;
const GOING_AWAY: u16 = 1001;

/// A control frame holds 125 bytes, two of which are the code.
const MAX_REASON_BYTES: usize = 123;

/// The last word is not waited for any longer.
const LAST_WORD: Duration = Duration::from_secs(1);

pub(super) struct Session {
    pub(super) tails: Arc<Tails>,
    pub(super) tenant: TenantId,
    pub(super) request: TailRequest,
    pub(super) shape: TailShape,
    pub(super) id: RequestId,
    /// Of the request.
    pub(super) span: Span,
}

/// How a tail ends.
enum End {
    /// The client went away.
    Quiet,
    Close(u16, String),
}

impl Session {
    pub(super) async fn serve(self, socket: WebSocket, scope: Scope) {
        let span = self.span.clone();
        self.serve_inside(socket, scope).instrument(span).await;
    }

    async fn serve_inside(self, socket: WebSocket, scope: Scope) {
        let own = scope.child();
        let (mut sink, mut stream) = socket.split();
        let end = match self.tails.admit(&self.tenant) {
            Err(text) => End::Close(INTERNAL, text),
            Ok(_admitted) => {
                // A frame waits while one is written; rows wait in the feed, where they can be counted.
                let (frames, waiting) = mpsc::channel(1);
                let feed = pin!(Feed::new(&self, own.clone(), frames).run());
                let drive = pin!(drive(&mut sink, &mut stream, waiting));
                let lasts =
                    pin!(tokio::time::sleep(self.tails.deps.config.querier.tail_max_duration.to_std()));
                let parts = select(feed, select(drive, lasts));
                match scope.until_cancelled(parts).await {
                    None => End::Close(GOING_AWAY, "the server is stopping".to_owned()),
                    Some(Either::Left((reason, _))) => End::Close(INTERNAL, reason),
                    Some(Either::Right((Either::Left(_), _))) => End::Quiet,
                    Some(Either::Right((Either::Right(_), _))) => {
                        End::Close(INTERNAL, "reached tail max duration limit".to_owned())
                    }
                }
            }
        };
        let last_word = async {
            if let End::Close(code, reason) = &end {
                info!(code, reason, query = %self.request.query, "tail closed");
                let frame = CloseFrame { code: *code, reason: cut(reason) };
                sink.send(Message::Close(Some(frame))).await.ok();
            }
            // Also what is left to say to a client that closes.
            sink.flush().await.ok();
            // What a client said last has to be read: a socket that is closed over it takes back the last word.
            while let Some(Ok(_)) = stream.next().await {}
        };
        tokio::time::timeout(LAST_WORD, last_word).await.ok();
        own.close(LAST_WORD).await.ok();
    }
}

fn cut(reason: &str) -> Utf8Bytes {
    reason[..reason.floor_char_boundary(MAX_REASON_BYTES)].into()
}
