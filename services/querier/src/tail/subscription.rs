//! The rows of one ingester as they arrive, kept open and begun again where they broke off.

use std::time::Duration;

use futures_util::StreamExt;
use larch_proto::{NeedleGroup, Selection, SubscribeRequest, TailEvent, TailStart, WalPoint, WalPosition};
use larch_rpc::{CallContext, CallError, Headed, TenantContext};
use larch_types::{Address, NodeId, Timestamp};
use tokio::sync::mpsc;
use tracing::{debug, warn};

use super::session::Session;
use crate::deps::Deps;
use crate::rows::log_needles;

/// Waits between tries grow from one to the other.
const FIRST_WAIT: Duration = Duration::from_millis(100);
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// What is asked of every ingester.
#[derive(Clone)]
pub(super) struct Subscriber {
    context: TenantContext,
    selection: Selection,
    needles: Vec<NeedleGroup>,
}

/// Rows of one ingester.
pub(super) struct Event {
    pub(super) node: NodeId,
    pub(super) event: TailEvent,
}

pub(super) type Subscribed = Headed<TailStart, TailEvent>;

impl Subscriber {
    pub(super) fn new(session: &Session, call: CallContext) -> Self {
        let query = &session.request.query;
        let any_of = vec![larch_proto::Selector { matchers: query.matchers.clone() }];
        // Rows of any time may arrive.
        let (start, end) = (Timestamp::MIN, Timestamp::MAX);
        Self {
            context: TenantContext { tenant: session.tenant.clone(), call },
            selection: Selection { any_of, policy: None, start, end, shard: None },
            needles: log_needles(query),
        }
    }

    pub(super) async fn subscribe(
        &self,
        deps: &Deps,
        address: &Address,
        from: Option<WalPoint>,
    ) -> Result<Subscribed, CallError> {
        let request =
            SubscribeRequest { selection: self.selection.clone(), needles: self.needles.clone(), from };
        deps.transport.tail(address).subscribe(self.context.clone(), request).await
    }

    /// Sends on what comes, for as long as somebody takes it. What is open already comes first.
    pub(super) async fn follow(
        self,
        deps: &Deps,
        (node, address): (NodeId, Address),
        opened: Option<Subscribed>,
        events: mpsc::Sender<Event>,
    ) {
        let (mut opened, mut last, mut wait) = (opened, None, FIRST_WAIT);
        loop {
            let stream = match opened.take() {
                Some(stream) => Ok(stream),
                None => self.subscribe(deps, &address, last).await,
            };
            match stream {
                Ok(Headed { head, mut body }) => {
                    if let Some(WalPoint { position, .. }) = last
                        && head.position > position
                    {
                        warn!(%node, "rows that came while an ingester was out of reach are not in the tail");
                    }
                    last = Some(WalPoint { node: head.node, position: head.position });
                    let _open = deps.metrics.tailed_ingesters.hold(1);
                    while let Some(event) = body.next().await {
                        let event = match event {
                            Ok(event) => event,
                            Err(error) => {
                                debug!(%node, %error, "lost an ingester");
                                break;
                            }
                        };
                        wait = FIRST_WAIT;
                        last = Some(WalPoint { node: head.node, position: position(&event) });
                        if events.send(Event { node, event }).await.is_err() {
                            return;
                        }
                    }
                }
                Err(error) => debug!(%node, %error, "cannot follow an ingester"),
            }
            deps.env.sleep(deps.env.random.jitter(wait, 0.5)).await;
            wait = (wait * 2).min(LONGEST_WAIT);
        }
    }
}

pub(super) fn position(event: &TailEvent) -> WalPosition {
    match event {
        TailEvent::Rows { position, .. } | TailEvent::Dropped { position, .. } => *position,
    }
}
