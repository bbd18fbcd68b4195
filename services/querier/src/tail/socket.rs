//! The two ways of a websocket: frames and pings out, and whatever a client says in.

use std::pin::pin;
use std::time::Duration;

use axum::extract::ws::{Message, WebSocket};
use bytes::Bytes;
use futures_util::future::{Either, select};
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use tokio::sync::mpsc;
use tokio::time::MissedTickBehavior;

/// Clients that watch over tails take a second without a word for a broken connection.
const PING_EVERY: Duration = Duration::from_secs(1);

/// Resolves when the client is gone.
pub(super) async fn drive(
    sink: &mut SplitSink<WebSocket, Message>,
    stream: &mut SplitStream<WebSocket>,
    frames: mpsc::Receiver<String>,
) {
    select(pin!(write(sink, frames)), pin!(read(stream))).await;
}

async fn write(sink: &mut SplitSink<WebSocket, Message>, mut frames: mpsc::Receiver<String>) {
    let mut pings = tokio::time::interval(PING_EVERY);
    pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let message = match select(pin!(frames.recv()), pin!(pings.tick())).await {
            Either::Left((Some(frame), _)) => Message::Text(frame.into()),
            // Whoever made frames says why there are no more.
            Either::Left((None, _)) => std::future::pending().await,
            Either::Right(_) => Message::Ping(Bytes::new()),
        };
        if sink.send(message).await.is_err() {
            return;
        }
    }
}

/// Pings are answered on the way. Other messages mean nothing here.
async fn read(stream: &mut SplitStream<WebSocket>) {
    while let Some(Ok(message)) = stream.next().await {
        if matches!(message, Message::Close(_)) {
            return;
        }
    }
}
