//! Queries and workers that do not go as they should, and how work is shared.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use futures_util::future::{join_all, select};
use futures_util::{StreamExt, stream};
use larch_limits::LimitsSettings;
use larch_membership::Part;
use larch_proto::{Assignment, Piece, PullRequest, Question, ReportHead, ResultPart};
use larch_rpc::{CallError, WorkQueue};
use larch_runtime::Stage;
use larch_types::{ErrorKind, NodeId, Span};

use super::answers::entries;
use super::house::{House, Reply, Wanted, context, done, in_house, in_plain_house, nothing, settle};

const RANGE: &str = "/loki/api/v1/query_range";
const LOGS: &str = r#"{app="x"}"#;

async fn ask(house: &House) -> (u16, String) {
    ask_as(house, "acme").await
}

async fn ask_as(house: &House, tenant: &str) -> (u16, String) {
    // No two are alike, or one answer would do for both.
    static ASKED: AtomicU32 = AtomicU32::new(0);
    let query = format!(r#"{{app="x", n!="{}"}}"#, ASKED.fetch_add(1, Ordering::Relaxed));
    let answer = house.get_as(tenant, RANGE, &[("query", &query)], &[]).await;
    (answer.status, answer.text().to_owned())
}

const TIMED_OUT: &str = "request timed out, decrease the duration of the request or add more label matchers \
                         (prefer exact match over regex match) to reduce the amount of data processed";

#[test]
fn a_query_that_takes_too_long() {
    let limits = LimitsSettings { query_timeout: Span::from_secs(5), ..LimitsSettings::default() };
    in_house(Wanted { limits, ..Wanted::default() }, async |house| {
        let began = tokio::time::Instant::now();
        assert_eq!(ask(&house).await, (504, TIMED_OUT.to_owned()), "nobody pulls");
        assert_eq!(began.elapsed().as_secs(), 5);
        let worker = house.worker(1, 1, |_| Reply::Silence);
        assert_eq!(ask(&house).await, (504, TIMED_OUT.to_owned()), "nobody answers");
        settle().await;
        let seen = worker.seen(|seen| (seen.pieces.len(), seen.cancelled.clone(), seen.pieces[0].id));
        assert_eq!(seen, (1, vec![seen.2], seen.2), "the worker is told, and the piece before was let go");
        assert!(house.metric("loki_query_frontend_queue_length{").is_empty());
    });
}

#[test]
fn a_worker_whose_clock_runs_out_first() {
    in_plain_house(async |house| {
        let error = CallError::new(ErrorKind::Timeout, "deadline exceeded");
        house.worker(1, 1, move |_| Reply::Failure(error.clone()));
        assert_eq!(ask(&house).await, (504, TIMED_OUT.to_owned()));
    });
}

#[test]
fn a_client_that_goes_away() {
    in_plain_house(async |house| {
        let worker = house.worker(1, 1, |_| Reply::Silence);
        for gone in 1..=2 {
            let asking = tokio::time::timeout(Duration::from_millis(10), ask(&house)).await;
            assert!(asking.is_err(), "answered: {asking:?}");
            settle().await;
            let seen = worker.seen(|seen| (seen.pieces.len(), seen.cancelled.len()));
            assert_eq!(seen, (gone, gone), "it is told, and then takes the next");
        }
        let gone = "loki_query_frontend_queries_total{op=\"query_range\",user=\"acme\",status_code=\"499\"}";
        assert_eq!(house.metric(gone), [format!("{gone} 2")]);
        assert_eq!(
            house.metric("loki_query_frontend_queries_in_progress"),
            ["loki_query_frontend_queries_in_progress 0"]
        );
    });
}

#[test]
fn a_worker_that_dies_is_replaced() {
    in_plain_house(async |house| {
        house.worker(1, 1, |_| Reply::Death);
        settle().await;
        let asking = ask(&house);
        let helping = async {
            settle().await;
            house.worker(2, 1, |_| Reply::Parts(vec![entries(&[(1, "line")]), done()]))
        };
        let ((status, text), helper) = futures_util::future::join(asking, helping).await;
        assert_eq!(status, 200);
        assert!(text.contains("line"));
        assert_eq!(helper.pieces().len(), 1);
        let retried = house.metric("loki_query_frontend_retries_sum");
        assert_eq!(retried, ["loki_query_frontend_retries_sum 1.0"]);
    });
}

#[test]
fn a_piece_that_kills_its_workers_is_given_up() {
    in_plain_house(async |house| {
        for node in 1..=9 {
            house.worker(node, 1, |_| Reply::Death);
        }
        settle().await;
        let text = "no querier answered a piece of the query, which was tried 5 times";
        assert_eq!(ask(&house).await, (503, text.to_owned()));
    });
}

#[test]
fn half_an_answer_is_none() {
    in_plain_house(async |house| {
        let tries = AtomicU32::new(0);
        let worker = house.worker(1, 1, move |_| {
            let is_first = tries.fetch_add(1, Ordering::Relaxed) == 0;
            let mut parts = vec![entries(&[(1, "line")])];
            if !is_first {
                parts.push(done());
            }
            Reply::Parts(parts)
        });
        let answer = house.get(RANGE, &[("query", LOGS)]).await.json();
        assert_eq!(answer["data"]["result"][0]["values"].as_array().unwrap().len(), 1, "not twice");
        assert_eq!(worker.pieces().len(), 2);
    });
}

#[test]
fn what_is_unavailable_is_tried_again() {
    in_plain_house(async |house| {
        let tries = AtomicU32::new(0);
        let worker = house.worker(1, 1, move |_| match tries.fetch_add(1, Ordering::Relaxed) {
            0 | 1 => Reply::Failure(CallError::new(ErrorKind::Unavailable, "no ingester is there")),
            _ => Reply::Parts(vec![done()]),
        });
        let began = tokio::time::Instant::now();
        assert_eq!(ask(&house).await.0, 200);
        assert_eq!(worker.pieces().len(), 3);
        assert_eq!(began.elapsed().as_millis(), 750, "a quarter of a second, then half of one");
    });
    in_plain_house(async |house| {
        let worker = house.worker(1, 1, |_| Reply::Failure(CallError::new(ErrorKind::Internal, "broken")));
        assert_eq!(ask(&house).await, (500, "broken".to_owned()));
        assert_eq!(worker.pieces().len(), 1, "another try would break too");
    });
}

#[test]
fn lines_are_bounded() {
    let mut wanted = Wanted::default();
    wanted.config.frontend.max_outstanding_per_tenant = 2;
    in_house(wanted, async |house| {
        let asking = join_all((0..4).map(|_| ask(&house)));
        let helping = async {
            settle().await;
            house.worker(1, 1, nothing);
        };
        let (answers, ()) = futures_util::future::join(asking, helping).await;
        let statuses: Vec<u16> = answers.iter().map(|(status, _)| *status).collect();
        assert_eq!(statuses, [200, 200, 429, 429]);
        assert_eq!(answers[3].1, "too many outstanding requests");
        assert_eq!(
            house.metric("loki_query_frontend_discarded_requests_total{"),
            ["loki_query_frontend_discarded_requests_total{user=\"acme\"} 2"]
        );
        assert_eq!(ask_as(&house, "other").await.0, 200);
    });
}

#[test]
fn tenants_take_turns() {
    in_plain_house(async |house| {
        let order = ["a", "a", "a", "a", "b", "a", "b", "c"];
        let asking = join_all(order.map(|tenant| ask_as(&house, tenant)));
        let helping = async {
            settle().await;
            house.worker(1, 1, nothing)
        };
        let (_, worker) = futures_util::future::join(asking, helping).await;
        let served: Vec<String> =
            worker.pieces().iter().map(|piece| piece.tenants[0].tenant.to_string()).collect();
        assert_eq!(served, ["a", "b", "c", "a", "b", "a", "a", "a"]);
    });
}

#[test]
fn no_worker_has_more_than_it_takes() {
    in_plain_house(async |house| {
        let worker = house.worker(1, 3, |_| Reply::Silence);
        let limits = join_all((0..10).map(|_| ask(&house)));
        let looking = async {
            settle().await;
            assert_eq!(worker.pieces().len(), 3);
            let lengths = house.metric("loki_query_frontend_queue_length{");
            assert_eq!(lengths, ["loki_query_frontend_queue_length{user=\"acme\"} 7"]);
            let clients = house.metric("loki_query_frontend_connected_clients");
            assert_eq!(clients, ["loki_query_frontend_connected_clients 1"]);
        };
        drop(select(std::pin::pin!(limits), std::pin::pin!(looking)).await);
    });
}

/// One tenant has all places but one as long as somebody else may come.
#[test]
fn one_place_is_for_others() {
    in_plain_house(async |house| {
        let worker = house.worker(1, 4, |piece| match piece.tenants[0].tenant.as_str() {
            "small" => Reply::Parts(vec![done()]),
            _ => Reply::Silence,
        });
        let held =
            || worker.pieces().iter().filter(|piece| piece.tenants[0].tenant.as_str() == "large").count();
        let large = join_all((0..9).map(|_| ask_as(&house, "large")));
        let looking = async {
            settle().await;
            assert_eq!(held(), 4, "nobody else is there");
        };
        drop(select(std::pin::pin!(large), std::pin::pin!(looking)).await);
        settle().await;
        assert_eq!(ask_as(&house, "small").await.0, 200);
        worker.seen(|seen| seen.pieces.clear());
        let large = join_all((0..9).map(|_| ask_as(&house, "large")));
        let looking = async {
            settle().await;
            assert_eq!(held(), 3);
            assert_eq!(ask_as(&house, "small").await.0, 200, "it need not wait");
            assert_eq!(held(), 3);
            tokio::time::sleep(Duration::from_secs(12)).await;
            assert_eq!(held(), 4, "nobody has come for a while");
        };
        drop(select(std::pin::pin!(large), std::pin::pin!(looking)).await);
    });
}

/// A tenant with a worker of its own is worked for by no other, not even when that one has vanished.
#[test]
fn a_tenant_may_have_some_workers_only() {
    let mut wanted = Wanted::default();
    wanted.limits.max_queriers_per_tenant = 1;
    wanted.limits.query_timeout = Span::from_secs(40);
    wanted.config.frontend.querier_forget_delay = Span::from_secs(20);
    in_house(wanted, async |house| {
        let mut workers: Vec<_> = (1..=3).map(|node| house.worker(node, 1, nothing)).collect();
        settle().await;
        for tenant in ["a", "a", "a", "b", "c", "d", "e", "f"] {
            assert_eq!(ask_as(&house, tenant).await.0, 200);
        }
        let served = |worker: &Arc<super::house::Worker>, tenant: &str| {
            worker.pieces().iter().filter(|piece| piece.tenants[0].tenant.as_str() == tenant).count()
        };
        let mut of_a: Vec<usize> = workers.iter().map(|worker| served(worker, "a")).collect();
        of_a.sort_unstable();
        assert_eq!(of_a, [0, 0, 3]);
        let busy = workers.iter().filter(|worker| !worker.pieces().is_empty()).count();
        assert!(busy > 1, "tenants differ");
        workers.clear();
    });
    in_house(
        Wanted {
            limits: LimitsSettings { max_query_capacity: 0.5, ..LimitsSettings::default() },
            ..Wanted::default()
        },
        async |house| {
            let worker = house.worker(1, 1, nothing);
            assert_eq!(ask(&house).await.0, 200, "half of one is one");
            assert_eq!(worker.pieces().len(), 1);
        },
    );
}

#[test]
fn who_vanished_is_not_replaced_at_once() {
    for (forget, took) in [(0, 0), (20, 20)] {
        let mut wanted = Wanted::default();
        wanted.limits.max_queriers_per_tenant = 1;
        wanted.config.frontend.querier_forget_delay = Span::from_secs(forget);
        in_house(wanted, async |house| {
            house.worker(1, 1, |_| Reply::Death);
            house.worker(2, 1, nothing);
            settle().await;
            // One of them is worked for by the first, which dies of it.
            let mut longest = 0;
            for tenant in ["a", "b", "c", "d", "e", "f", "g", "h"] {
                let began = tokio::time::Instant::now();
                assert_eq!(ask_as(&house, tenant).await.0, 200);
                longest = longest.max(began.elapsed().as_secs());
            }
            assert!(longest == took || longest == took + 1, "{forget}: {longest}");
        });
    }
}

/// One assignment, for a test that is the worker itself.
async fn next_piece(assignments: &mut larch_rpc::CallStream<Assignment>) -> Piece {
    match assignments.next().await {
        Some(Ok(Assignment::Piece(piece))) => *piece,
        other => panic!("no piece: {other:?}"),
    }
}

async fn report(queue: &dyn WorkQueue, head: ReportHead, parts: Vec<ResultPart>) -> bool {
    let parts = stream::iter(parts.into_iter().map(Ok)).boxed();
    queue.report(context(60), head, parts).await.expect("an answer").wanted
}

#[test]
fn a_pull_that_ends_at_its_deadline_is_begun_anew() {
    in_plain_house(async |house| {
        let queue = house.queue();
        let request = PullRequest { worker: NodeId::from_u128(1), concurrency: 1 };
        let working = async {
            let mut first = queue.pull(context(2), request).await.unwrap();
            let piece = next_piece(&mut first).await;
            let ended = first.next().await;
            assert!(matches!(&ended, Some(Err(error)) if error.kind() == ErrorKind::Timeout), "{ended:?}");
            drop(first);
            tokio::time::sleep(Duration::from_secs(5)).await;
            let second = queue.pull(context(60), request).await.unwrap();
            let head = ReportHead { piece: piece.id, worker: request.worker };
            assert!(report(&*queue, head, vec![done()]).await, "it is still its own");
            drop(second);
        };
        let (answer, ()) = futures_util::future::join(ask(&house), working).await;
        assert_eq!(answer.0, 200);
    });
}

#[test]
fn a_worker_that_does_not_come_back_loses_its_pieces() {
    in_plain_house(async |house| {
        let queue = house.queue();
        let request = PullRequest { worker: NodeId::from_u128(1), concurrency: 1 };
        let working = async {
            let mut first = queue.pull(context(2), request).await.unwrap();
            let piece = next_piece(&mut first).await;
            first.next().await;
            drop(first);
            let helper = house.worker(2, 1, nothing);
            tokio::time::sleep(Duration::from_secs(20)).await;
            assert_eq!(helper.pieces().len(), 1);
            let head = ReportHead { piece: piece.id, worker: request.worker };
            assert!(!report(&*queue, head, vec![done()]).await, "somebody else has answered");
        };
        let (answer, ()) = futures_util::future::join(ask(&house), working).await;
        assert_eq!(answer.0, 200);
    });
}

#[test]
fn reports_of_strangers_are_not_wanted() {
    in_plain_house(async |house| {
        let queue = house.queue();
        let request = PullRequest { worker: NodeId::from_u128(1), concurrency: 1 };
        let working = async {
            let mut pull = queue.pull(context(60), request).await.unwrap();
            let piece = next_piece(&mut pull).await;
            let stranger = ReportHead { piece: piece.id, worker: NodeId::from_u128(2) };
            assert!(!report(&*queue, stranger, vec![done()]).await);
            let unknown = ReportHead { piece: larch_proto::PieceId(999), worker: request.worker };
            assert!(!report(&*queue, unknown, vec![done()]).await);
            let head = ReportHead { piece: piece.id, worker: request.worker };
            assert!(report(&*queue, head, vec![done()]).await);
            assert!(!report(&*queue, head, vec![done()]).await, "answered is answered");
        };
        let (answer, ()) = futures_util::future::join(ask(&house), working).await;
        assert_eq!(answer.0, 200);
    });
}

#[test]
fn a_second_pull_takes_the_place_of_the_first() {
    in_plain_house(async |house| {
        let queue = house.queue();
        let request = PullRequest { worker: NodeId::from_u128(1), concurrency: 1 };
        let mut first = queue.pull(context(60), request).await.unwrap();
        let mut second = queue.pull(context(60), request).await.unwrap();
        assert!(first.next().await.is_none());
        drop(first);
        let working = async {
            let piece = next_piece(&mut second).await;
            let head = ReportHead { piece: piece.id, worker: request.worker };
            assert!(report(&*queue, head, vec![done()]).await);
        };
        let (answer, ()) = futures_util::future::join(ask(&house), working).await;
        assert_eq!(answer.0, 200);
    });
}

#[test]
fn a_query_that_has_enough_lets_go() {
    in_plain_house(async |house| {
        let worker = house.worker(1, 1, |_| {
            let rows: Vec<(i64, &str)> = (0..100).map(|number| (-number, "line")).collect();
            Reply::Parts(rows.chunks(2).map(entries).chain([done()]).collect())
        });
        let parameters = [("query", LOGS), ("interval", "1s"), ("limit", "3")];
        assert_eq!(house.get(RANGE, &parameters).await.status, 200);
        settle().await;
        assert_eq!(worker.seen(|seen| seen.wanted.clone()), [false]);
        assert_eq!(ask(&house).await.0, 200, "the worker takes the next piece");
    });
}

#[test]
fn the_queue_is_found_while_it_runs() {
    in_plain_house(async |house| {
        house.worker(1, 1, nothing);
        assert_eq!(ask(&house).await.0, 200);
        let address = house.address();
        for stage in Stage::ALL {
            for module in &house.modules {
                module.stop(stage).await;
            }
            let is_found = house.frame.members.view().of(Part::WorkQueue).count() == 1;
            assert_eq!(is_found, stage < Stage::Leave, "{stage:?}");
        }
        assert_eq!(ask(&house).await, (503, "the query frontend is stopping".to_owned()));
        let request = PullRequest { worker: NodeId::from_u128(1), concurrency: 1 };
        let gone = house.frame.transport.work_queue(&address).pull(context(1), request).await;
        assert_eq!(gone.err().map(|error| error.kind()), Some(ErrorKind::Unavailable));
    });
}

#[test]
fn queries_are_counted_and_measured() {
    in_plain_house(async |house| {
        let rows = Arc::new(AtomicU32::new(0));
        let counted = Arc::clone(&rows);
        house.worker(1, 1, move |piece: &Piece| {
            counted.fetch_add(1, Ordering::Relaxed);
            assert!(matches!(piece.question, Question::Logs { .. }));
            nothing(piece)
        });
        assert_eq!(ask(&house).await.0, 200);
        house.get(RANGE, &[("query", "{")]).await;
        let mut queries = house.metric("loki_query_frontend_queries_total{");
        queries.sort();
        let line = |status| {
            format!(
                "loki_query_frontend_queries_total{{op=\"query_range\",user=\"acme\",status_code=\"{status}\"}} 1"
            )
        };
        assert_eq!(queries, [line(200), line(400)]);
        let latency = "loki_logql_querystats_latency_seconds_count";
        let labels = "{status_code=\"200\",type=\"limited\",range=\"range\"}";
        assert_eq!(house.metric(latency), [format!("{latency}{labels} 1")]);
        assert_eq!(
            house.metric("loki_query_scheduler_enqueue_count{"),
            ["loki_query_scheduler_enqueue_count{user=\"acme\",level=\"\"} 1"]
        );
        assert_eq!(rows.load(Ordering::Relaxed), 1);
    });
}

/// The lines about queries, as a process would log them.
fn query_lines(trace: &larch_testkit::sim::Trace) -> Vec<String> {
    let is_query = |line: &&String| line.contains("metrics.go") || line.contains("slow query");
    trace.lines().iter().filter(is_query).cloned().collect()
}

#[test]
fn each_query_is_one_line() {
    let trace = in_plain_house(async |house| {
        house.worker(1, 1, nothing);
        let parameters =
            [("query", r#"{app="x"} |= "y""#), ("start", "100"), ("end", "3700"), ("limit", "7")];
        let headers = [("x-query-tags", "Source=logcli")];
        house.get_as("a|b", RANGE, &parameters, &headers).await;
        house.get(RANGE, &[("query", "{")]).await;
    });
    let lines = query_lines(&trace);
    assert_eq!(lines.len(), 1, "a query that is none is not worth a line: {lines:#?}");
    for field in [
        "component=\"frontend\"",
        "org_id=\"a|b\"",
        "latency=\"fast\"",
        "query_type=\"filter\"",
        "range_type=\"range\"",
        "length=\"1h0m0s\"",
        "status=200",
        "limit=7",
        "total_bytes=\"0B\"",
        "source=\"logcli\"",
    ] {
        assert!(lines[0].contains(field), "{field} is not in {}", lines[0]);
    }
}

#[test]
fn times_and_headers_are_told_if_wanted() {
    let headers = [("X-Grafana-User", "ann"), ("authorization", "secret")];
    for tells in [false, true] {
        let mut wanted = Wanted::default();
        wanted.config.frontend.query_stats_enabled = tells;
        wanted.config.frontend.log_queries_longer_than = Span::from_secs(-1);
        wanted.config.frontend.log_query_request_headers = vec!["X-Grafana-User".to_owned()];
        let trace = in_house(wanted, async |house| {
            house.worker(1, 1, nothing);
            let answer = house.get_as("acme", RANGE, &[("query", LOGS)], &headers).await;
            let timing = answer.header("server-timing");
            if tells {
                assert!(timing.starts_with("querier_wall_time;dur=0, response_time;dur="), "{timing}");
            } else {
                assert_eq!(timing, "");
            }
        });
        let told = |text: &str| {
            trace.lines().iter().any(|line| line.contains(text) && line.contains("x-grafana-user=ann"))
        };
        assert!(told("slow query detected"), "{:#?}", trace.lines());
        assert_eq!(told("query stats"), tells);
        assert!(!trace.lines().iter().any(|line| line.contains("secret")));
    }
}

#[test]
fn slow_queries_are_told_once_more() {
    for (threshold, told) in [(0, false), (-1, true), (3, true), (10, false)] {
        let mut wanted = Wanted::default();
        wanted.limits.query_timeout = Span::from_secs(5);
        wanted.config.frontend.log_queries_longer_than = Span::from_secs(threshold);
        let trace = in_house(wanted, async |house| assert_eq!(ask(&house).await.0, 504));
        let lines = query_lines(&trace);
        assert_eq!(lines.iter().any(|line| line.contains("slow query detected")), told, "{lines:#?}");
    }
}
