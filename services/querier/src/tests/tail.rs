//! The tail over a real socket, with a client that is somebody else's.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use futures_util::stream::unfold;
use futures_util::{SinkExt, StreamExt};
use larch_api::Tenancy;
use larch_limits::LimitsSettings;
use larch_membership::Part;
use larch_proto::{DroppedRow, RingDigest, SubscribeRequest, TailEvent, TailStart, WalPosition};
use larch_rpc::{CallError, Headed, Tail, TenantContext};
use larch_runtime::Scope;
use larch_types::{ErrorKind, NodeId, Span, Timestamp};
use serde_json::Value;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

use super::fakes::{FakeIngester, Stored, batch_of};
use super::setting::Setting;
use crate::role::Config;
use crate::tail::Tails;

/// The live rows of a fake ingester: what was pushed is in its list too, and each row is a record.
struct FakeTail {
    ingester: Arc<FakeIngester>,
    subscribers: Mutex<Vec<mpsc::Sender<TailEvent>>>,
    pub(super) requests: Mutex<Vec<SubscribeRequest>>,
    subscribed: watch::Sender<u64>,
    /// Rows that arrive after the read and before the subscription.
    between: Mutex<Vec<Stored>>,
    /// Keeps nothing of its log.
    forgets: AtomicBool,
}

impl FakeTail {
    fn new(ingester: Arc<FakeIngester>) -> Arc<Self> {
        Arc::new(Self {
            ingester,
            subscribers: Mutex::default(),
            requests: Mutex::default(),
            subscribed: watch::Sender::default(),
            between: Mutex::default(),
            forgets: AtomicBool::new(false),
        })
    }

    fn rows_after(&self, position: u64) -> Vec<TailEvent> {
        let rows = self.ingester.rows.lock().unwrap();
        let event = |index: usize| TailEvent::Rows {
            batch: batch_of(&rows[index..=index]),
            position: WalPosition(index as u64 + 1),
        };
        (position as usize..rows.len()).map(event).collect()
    }

    async fn push(&self, row: Stored) {
        let position = {
            let mut rows = self.ingester.rows.lock().unwrap();
            rows.push(row.clone());
            WalPosition(rows.len() as u64)
        };
        self.send(TailEvent::Rows { batch: batch_of(&[row]), position }).await;
    }

    async fn send(&self, event: TailEvent) {
        let subscribers = self.subscribers.lock().unwrap().clone();
        for subscriber in subscribers {
            subscriber.send(event.clone()).await.ok();
        }
    }

    /// Ends all subscriptions.
    fn hang_up(&self) {
        self.subscribers.lock().unwrap().clear();
    }

    async fn wait_subscribed(&self, count: u64) {
        self.subscribed.subscribe().wait_for(|subscribed| *subscribed >= count).await.unwrap();
    }
}

#[async_trait]
impl Tail for FakeTail {
    async fn subscribe(
        &self,
        _: TenantContext,
        request: SubscribeRequest,
    ) -> Result<Headed<TailStart, TailEvent>, CallError> {
        let between = std::mem::take(&mut *self.between.lock().unwrap());
        let held = {
            let mut rows = self.ingester.rows.lock().unwrap();
            rows.extend(between);
            rows.len() as u64
        };
        let asked = request.from.map_or(held, |from| from.position.0);
        let position = if self.forgets.load(Ordering::Relaxed) { held } else { asked };
        let (sender, receiver) = mpsc::channel(64);
        self.subscribers.lock().unwrap().push(sender);
        self.requests.lock().unwrap().push(request);
        let missed = self.rows_after(position);
        let live =
            unfold(receiver, |mut receiver| async { receiver.recv().await.map(|next| (next, receiver)) });
        self.subscribed.send_modify(|subscribed| *subscribed += 1);
        let head = TailStart {
            node: self.ingester.node,
            position: WalPosition(position),
            ring_digest: RingDigest(0),
        };
        Ok(Headed { head, body: futures_util::stream::iter(missed).chain(live).map(Ok).boxed() })
    }
}

struct Tailing {
    setting: Setting,
    tails: Vec<Arc<FakeTail>>,
    address: String,
    service: Arc<Tails>,
    scope: Scope,
}

impl Tailing {
    async fn start(ingesters: Vec<FakeIngester>, config: Config, limits: LimitsSettings) -> Self {
        let setting = Setting::with(ingesters, config, limits);
        let mut tails = Vec::new();
        for (index, ingester) in setting.ingesters.iter().enumerate() {
            let tail = FakeTail::new(ingester.clone());
            setting.local.add_tail(format!("ingester-{index}:1").parse().unwrap(), tail.clone());
            tails.push(tail);
        }
        let tenancy = Tenancy::new(true, "fake").unwrap();
        let service = Tails::new(setting.deps.clone(), tenancy);
        let scope = Scope::default();
        service.start(&scope);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let router = service.routes();
        let stop = scope.clone();
        scope.spawn("server", async move {
            let stopped = async move { stop.cancelled().await };
            axum::serve(listener, router).with_graceful_shutdown(stopped).await.unwrap();
        });
        Self { setting, tails, address, service, scope }
    }

    async fn one(rows: Vec<Stored>) -> Self {
        Self::start(vec![FakeIngester::new(1, rows)], Config::default(), LimitsSettings::default()).await
    }

    async fn try_connect(&self, path: &str, headers: &[(&'static str, &str)]) -> Result<Client, Error> {
        let mut request = format!("ws://{}{path}", self.address).into_client_request().unwrap();
        for (name, value) in headers {
            request.headers_mut().insert(*name, value.parse().unwrap());
        }
        let (socket, _) = tokio_tungstenite::connect_async(request).await?;
        Ok(Client { socket, pings: 0 })
    }

    async fn connect(&self, parameters: &str) -> Client {
        let path = format!("/loki/api/v1/tail?{parameters}");
        self.try_connect(&path, &[("x-scope-orgid", "t")]).await.expect("a socket")
    }

    async fn stop(self) {
        self.service.stop();
        self.scope.close(std::time::Duration::from_secs(60)).await.expect("tails stop");
        self.setting.stop().await;
    }
}

struct Client {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    pings: u64,
}

impl Client {
    async fn frame(&mut self) -> Value {
        loop {
            match self.socket.next().await.expect("more frames").expect("a frame") {
                Message::Text(text) => return serde_json::from_str(&text).expect("JSON"),
                Message::Ping(_) => self.pings += 1,
                other => panic!("{other:?}"),
            }
        }
    }

    /// So many lines, with whatever was dropped.
    async fn lines(&mut self, count: usize) -> Vec<String> {
        let mut lines = Vec::new();
        while lines.len() < count {
            let frame = self.frame().await;
            for stream in frame["streams"].as_array().expect("streams") {
                lines.push(stream["values"][0][1].as_str().expect("a line").to_owned());
            }
        }
        lines
    }

    async fn close_reason(&mut self) -> (u16, String) {
        loop {
            match self.socket.next().await.expect("a close frame").expect("a message") {
                Message::Close(Some(frame)) => return (frame.code.into(), frame.reason.to_string()),
                Message::Ping(_) | Message::Text(_) => {}
                other => panic!("{other:?}"),
            }
        }
    }
}

/// Rows of now, so that they are in the hour before.
fn row(number: i64) -> Stored {
    let now = crate::tests::setting::now().nanos() / 1_000_000_000;
    Stored::new("t", r#"{app="a"}"#, now - 100 + number, &format!("line {number}"))
}

fn numbers(range: std::ops::Range<i64>) -> Vec<String> {
    range.map(|number| format!("line {number}")).collect()
}

const QUERY: &str = "query=%7Bapp%3D%22a%22%7D";

#[tokio::test]
async fn rows_from_before_then_live_ones() {
    let tailing = Tailing::one((0..20).map(row).collect()).await;
    let mut client = tailing.connect(&format!("{QUERY}&limit=5")).await;
    assert_eq!(client.lines(5).await, numbers(15..20), "the newest, oldest first");
    for number in 20..23 {
        tailing.tails[0].push(row(number)).await;
    }
    assert_eq!(client.lines(3).await, numbers(20..23));
    // What was asked of the ingester goes on where the read ended.
    let from = tailing.tails[0].requests.lock().unwrap()[0].from.unwrap();
    assert_eq!((from.node, from.position), (NodeId::from_u128(1), WalPosition(20)));
    assert_eq!(tailing.setting.deps.metrics.tails.get(), 1);
    client.socket.close(None).await.unwrap();
    while client.socket.next().await.is_some() {}
    tailing.stop().await;
}

/// Rows arrive between the read and the subscription. Whether the ingester still has them in its log or not,
/// each row comes once.
#[tokio::test]
async fn nothing_falls_between_before_and_live() {
    for forgets in [false, true] {
        let tailing = Tailing::one((0..10).map(row).collect()).await;
        tailing.tails[0].forgets.store(forgets, Ordering::Relaxed);
        *tailing.tails[0].between.lock().unwrap() = (10..13).map(row).collect();
        let mut client = tailing.connect(QUERY).await;
        assert_eq!(client.lines(13).await, numbers(0..13), "forgets: {forgets}");
        tailing.tails[0].push(row(13)).await;
        assert_eq!(client.lines(1).await, numbers(13..14), "forgets: {forgets}");
        let reads = *tailing.setting.ingesters[0].begun.subscribe().borrow();
        assert_eq!(reads, if forgets { 2 } else { 1 });
        tailing.stop().await;
    }
}

/// A merge took the place of a segment that the plan still names, and its object is gone.
#[tokio::test]
async fn rows_from_before_of_a_replaced_segment() {
    let tailing = Tailing::one(Vec::new()).await;
    let planner = &tailing.setting.planner;
    let rows: Vec<Stored> = (0..5).map(row).collect();
    let gone = planner.announce(1, &rows).await;
    planner.replace("t", &gone, None).await;
    let mut client = tailing.connect(QUERY).await;
    let (code, reason) = client.close_reason().await;
    assert!(
        code == 1011 && reason.contains("a segment that the catalog names cannot be found"),
        "{code} {reason}"
    );
    let merged = planner.write(2, &rows).await;
    *planner.fresh.lock().unwrap() = Some(BTreeMap::from([("t".parse().unwrap(), vec![merged])]));
    let mut client = tailing.connect(QUERY).await;
    assert_eq!(client.lines(5).await, numbers(0..5));
    tailing.stop().await;
}

#[tokio::test]
async fn copies_come_once() {
    let ingesters = vec![
        FakeIngester::new(1, (0..3).map(row).collect()),
        FakeIngester::new(2, (0..3).map(row).collect()),
    ];
    let tailing = Tailing::start(ingesters, Config::default(), LimitsSettings::default()).await;
    let mut client = tailing.connect(QUERY).await;
    assert_eq!(client.lines(3).await, numbers(0..3));
    for tail in &tailing.tails {
        // The last row from before arrives late here, as a retry may.
        tail.push(row(2)).await;
        tail.push(row(3)).await;
    }
    tailing.tails[0].push(row(4)).await;
    assert_eq!(client.lines(2).await, numbers(3..5));
    // One that goes leaves the other.
    tailing.setting.members.leave(Part::Ingester, NodeId::from_u128(2));
    tailing.tails[0].push(row(5)).await;
    assert_eq!(client.lines(1).await, numbers(5..6));
    tailing.setting.members.leave(Part::Ingester, NodeId::from_u128(1));
    assert_eq!(client.close_reason().await, (1011, "all ingesters closed the connection".to_owned()));
    tailing.stop().await;
}

#[tokio::test]
async fn a_broken_subscription_goes_on_where_it_broke() {
    let tailing = Tailing::one(Vec::new()).await;
    let mut client = tailing.connect(QUERY).await;
    tailing.tails[0].wait_subscribed(1).await;
    tailing.tails[0].push(row(0)).await;
    assert_eq!(client.lines(1).await, numbers(0..1));
    tailing.tails[0].hang_up();
    tailing.tails[0].push(row(1)).await;
    assert_eq!(client.lines(1).await, numbers(1..2));
    let positions: Vec<_> = tailing.tails[0]
        .requests
        .lock()
        .unwrap()
        .iter()
        .map(|request| request.from.map(|from| from.position.0))
        .collect();
    assert_eq!(positions, [Some(0), Some(1)]);
    tailing.stop().await;
}

#[tokio::test]
async fn the_pipeline_and_the_shape_are_those_that_were_asked_for() {
    let mut rows: Vec<Stored> = (0..3).map(row).collect();
    rows[1].metadata = vec![("trace".to_owned(), "7".to_owned())];
    rows[1].level = Some("info");
    let tailing = Tailing::one(rows).await;
    let query = "query=%7Bapp%3D%22a%22%7D%20%7C%3D%20%221%22%20%7C%20pattern%20%22line%20%3Cn%3E%22";
    let flags = [("x-scope-orgid", "t"), ("x-loki-response-encoding-flags", "categorize-labels")];
    let path = format!("/loki/api/v1/tail?{query}");
    let mut client = tailing.try_connect(&path, &flags).await.unwrap();
    let mut frame = client.frame().await;
    let time = frame["streams"][0]["values"][0][0].take();
    assert!(time.as_str().unwrap().parse::<i64>().unwrap() > 0);
    let want = r#"{"streams":[{"stream":{"app":"a"},"values":[[null,"line 1",{"structuredMetadata":{"detected_level":"info","trace":"7"},"parsed":{"n":"1"}}]]}],"encodingFlags":["categorize-labels"]}"#;
    assert_eq!(frame.to_string(), want);
    for number in [20, 21] {
        tailing.tails[0].push(row(number)).await;
    }
    let frame = client.frame().await;
    assert_eq!(frame["streams"][0]["values"][0][2]["parsed"]["n"], "21");
    let mut legacy = tailing
        .try_connect(&format!("/api/prom/tail?{query}&regexp=e+1%24"), &[("x-scope-orgid", "t")])
        .await
        .unwrap();
    let frame = legacy.frame().await;
    assert_eq!(frame["streams"].as_array().unwrap().len(), 1, "{frame}");
    assert_eq!(frame["streams"][0]["entries"][0]["line"], "line 1");
    tailing.stop().await;
}

#[tokio::test]
async fn what_an_ingester_dropped_is_said() {
    let tailing = Tailing::one(Vec::new()).await;
    let mut client = tailing.connect(QUERY).await;
    tailing.tails[0].wait_subscribed(1).await;
    let example = DroppedRow { labels: r#"{app="a"}"#.to_owned(), timestamp: Timestamp::from_nanos(7) };
    let dropped = TailEvent::Dropped { rows: 9, examples: vec![example], position: WalPosition(1) };
    tailing.tails[0].send(dropped).await;
    tailing.tails[0].push(row(0)).await;
    tailing.tails[0].push(row(1)).await;
    let frame = client.frame().await;
    assert_eq!(frame["dropped_entries"].to_string(), r#"[{"timestamp":"7","labels":{"app":"a"}}]"#);
    tailing.stop().await;
}

#[tokio::test]
async fn refused_before_the_upgrade() {
    let tailing = Tailing::one(Vec::new()).await;
    let mut checked = 0;
    for (path, tenant, status, text) in [
        (format!("/loki/api/v1/tail?{QUERY}"), None, 401, "no org id\n"),
        (format!("/loki/api/v1/tail?{QUERY}"), Some("a|b"), 400, "multiple org IDs present"),
        ("/loki/api/v1/tail".to_owned(), Some("t"), 400, "parse error : syntax error: unexpected $end"),
        (
            format!("/loki/api/v1/tail?{QUERY}&delay_for=6"),
            Some("t"),
            400,
            "delay_for can't be greater than 5",
        ),
        (format!("/loki/api/v1/tail?{QUERY}&limit=0"), Some("t"), 400, "limit must be a positive value"),
        (
            "/loki/api/v1/tail?query=%7B__pattern__%3D%22a%22%7D".to_owned(),
            Some("t"),
            400,
            "internal streams can only be queried from Logs Drilldown",
        ),
        (
            "/api/prom/tail?query=rate(%7Ba%3D%22b%22%7D%5B1m%5D)".to_owned(),
            Some("t"),
            400,
            "only log selector is supported",
        ),
    ] {
        let headers: Vec<(&'static str, &str)> =
            tenant.map(|tenant| ("x-scope-orgid", tenant)).into_iter().collect();
        let Err(Error::Http(response)) = tailing.try_connect(&path, &headers).await else {
            panic!("{path}: not refused")
        };
        let body = String::from_utf8(response.body().clone().unwrap()).unwrap();
        assert_eq!((response.status().as_u16(), body.as_str()), (status, text), "{path}");
        assert_eq!(response.headers()["content-type"], "text/plain; charset=utf-8");
        checked += 1;
    }
    assert_eq!(checked, 7);
    // No websocket at all.
    let stream = TcpStream::connect(&tailing.address).await.unwrap();
    let path = format!("/loki/api/v1/tail?{QUERY}");
    let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nX-Scope-OrgID: t\r\nConnection: close\r\n\r\n");
    let answer = exchange(stream, &request).await;
    assert!(answer.starts_with("HTTP/1.1 400 Bad Request\r\n"), "{answer}");
    assert!(answer.ends_with("\r\n\r\nBad Request\n"), "{answer}");
    tailing.stop().await;
}

async fn exchange(mut stream: TcpStream, request: &str) -> String {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test]
async fn closed_with_the_reason() {
    let limits = LimitsSettings {
        max_concurrent_tail_requests: 1,
        max_entries_limit_per_query: 100,
        max_query_length: Span::from_hours(2),
        ..LimitsSettings::default()
    };
    let mut config = Config::default();
    config.querier.tail_max_duration = Span::from_millis(1);
    let tailing = Tailing::start(vec![FakeIngester::new(1, Vec::new())], config, limits.clone()).await;
    let mut client = tailing.connect(QUERY).await;
    assert_eq!(client.close_reason().await, (1011, "reached tail max duration limit".to_owned()));
    tailing.stop().await;

    let tailing = Tailing::start(vec![FakeIngester::new(1, Vec::new())], Config::default(), limits).await;
    let first = tailing.connect(QUERY).await;
    tailing.tails[0].wait_subscribed(1).await;
    let reason = tailing.connect(QUERY).await.close_reason().await;
    let text = "max concurrent tail requests limit exceeded, count > limit (2 > 1)";
    assert_eq!(reason, (1011, text.to_owned()));
    drop(first);
    // As soon as the first is gone, there is room. The limits of the query itself are told in the same way.
    for (parameters, start) in [
        (
            "&limit=101",
            "max entries limit per query exceeded, limit > max_entries_limit_per_query (101 > 100)",
        ),
        ("&start=1000", "the query time range exceeds the limit (query length: "),
    ] {
        let reason = loop {
            let (_, reason) = tailing.connect(&format!("{QUERY}{parameters}")).await.close_reason().await;
            if !reason.starts_with("max concurrent") {
                break reason;
            }
        };
        assert!(reason.starts_with(start), "{reason}");
    }
    // At the end, everybody is told.
    let mut last = loop {
        let mut client = tailing.connect(QUERY).await;
        tailing.tails[0].push(row(0)).await;
        match client.socket.next().await {
            Some(Ok(Message::Close(_))) => {}
            _ => break client,
        }
    };
    tailing.service.stop();
    assert_eq!(last.close_reason().await.0, 1001);
    tailing.stop().await;
}

#[tokio::test]
async fn failures_close_the_tail() {
    let mut failing = FakeIngester::new(1, Vec::new());
    failing.fails = Some(CallError::new(ErrorKind::Unavailable, "x".repeat(300)));
    let tailing = Tailing::start(vec![failing], Config::default(), LimitsSettings::default()).await;
    let reason = tailing.connect(QUERY).await.close_reason().await;
    assert_eq!(reason, (1011, "x".repeat(123)));
    tailing.stop().await;
    let nobody = Tailing::start(Vec::new(), Config::default(), LimitsSettings::default()).await;
    let (_, reason) = nobody.connect(QUERY).await.close_reason().await;
    assert_eq!(reason, "empty ring: there is no ingester to ask");
    nobody.stop().await;
}

/// A client that does not read loses rows, which it is told of once it reads again; the process keeps a
/// bounded number of them.
#[tokio::test]
async fn a_slow_client_loses_rows_and_is_told() {
    let tailing = Tailing::one(Vec::new()).await;
    let mut client = tailing.connect(QUERY).await;
    tailing.tails[0].wait_subscribed(1).await;
    let filling = "x".repeat(64 << 10);
    let mut pushed = 0;
    // Until a frame does not go out any more and the buffer is full: sockets take some megabytes.
    let bytes = &tailing.setting.deps.metrics.tail_bytes;
    let mut stuck = 0;
    while stuck < 400 {
        let before = bytes.get();
        let mut row = row(0);
        row.timestamp = Timestamp::from_nanos(row.timestamp.nanos() + pushed);
        row.line = filling.clone().into();
        tailing.tails[0]
            .send(TailEvent::Rows { batch: batch_of(&[row]), position: WalPosition(pushed as u64 + 1) })
            .await;
        pushed += 1;
        stuck = if bytes.get() == before { stuck + 1 } else { 0 };
    }
    let (mut shown, mut dropped) = (0, 0);
    let mut known = BTreeMap::new();
    while dropped == 0 {
        let frame = client.frame().await;
        for stream in frame["streams"].as_array().unwrap() {
            shown += 1;
            known.insert(stream["values"][0][0].as_str().unwrap().to_owned(), ());
        }
        dropped += frame["dropped_entries"].as_array().map_or(0, Vec::len);
    }
    assert_eq!(known.len(), shown, "none twice");
    assert!((shown + dropped) as i64 <= pushed, "{shown} {dropped} {pushed}");
    client.socket.send(Message::Ping("still there".into())).await.unwrap();
    loop {
        match client.socket.next().await.unwrap().unwrap() {
            Message::Pong(text) => break assert_eq!(&text[..], b"still there"),
            Message::Ping(_) | Message::Text(_) => {}
            other => panic!("{other:?}"),
        }
    }
    tailing.stop().await;
}
