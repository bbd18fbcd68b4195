//! Requests before anything is read: tenants, methods, bodies, headers, and in which order mistakes are told.

use axum::body::Body;
use http::Request;

use super::house::{House, Reply, Wanted, done, in_house, in_plain_house, nothing};

const RANGE: &str = "/loki/api/v1/query_range";
const QUERY: &str = r#"{app="x"}"#;

#[track_caller]
fn check_refusal(answer: &super::house::Answer, status: u16, text: &str) {
    assert_eq!((answer.status, answer.text()), (status, text));
    assert_eq!(answer.header("content-type"), "text/plain; charset=utf-8");
    assert_eq!(answer.header("x-content-type-options"), "nosniff");
}

#[test]
fn tenants() {
    in_house(Wanted { config: Default::default(), ..Wanted::default() }, async |house| {
        let none = Request::get(format!("{RANGE}?query=x")).body(Body::empty()).unwrap();
        check_refusal(&house.ask(none).await, 401, "no org id\n");
        for (tenant, text) in [
            ("a/b", "tenant ID 'a/b' contains unsupported character '/'"),
            ("..", "tenant ID is '.' or '..'"),
            (&"x".repeat(151), "tenant ID is too long: max 150 characters"),
            ("a|b", "multiple org IDs present"),
        ] {
            for path in [RANGE, "/loki/api/v1/labels", "/loki/api/v1/drilldown-limits"] {
                check_refusal(&house.get_as(tenant, path, &[("limit", "0")], &[]).await, 400, text);
            }
        }
        house.worker(1, 1, nothing);
        assert_eq!(house.get_as("a|a:note", RANGE, &[("query", QUERY)], &[]).await.status, 200);
    });
}

/// Each mistake is told before all that follow.
#[test]
fn the_order_of_mistakes() {
    in_plain_house(async |house| {
        let mistakes = [
            ("since", "x", "could not parse 'since' parameter"),
            ("end", "x", "could not parse 'end' parameter"),
            ("start", "x", "could not parse 'start' parameter"),
            ("limit", "0", "limit must be a positive value"),
            ("direction", "x", "invalid direction 'x'"),
            ("step", "0", "zero or negative query resolution"),
            ("interval", "-1", "interval must be >= 0"),
            ("query", "{", "parse error at line 1, col 2"),
        ];
        for first in 0..mistakes.len() {
            let parameters: Vec<(&str, &str)> =
                mistakes[first..].iter().map(|(name, value, _)| (*name, *value)).collect();
            let answer = house.get(RANGE, &parameters).await;
            assert_eq!(answer.status, 400);
            assert!(answer.text().starts_with(mistakes[first].2), "{first}: {}", answer.text());
        }
        let limit = [("query", QUERY), ("limit", "5001")];
        let text = "max entries limit per query exceeded, limit > max_entries_limit_per_query (5001 > 5000)";
        check_refusal(&house.get(RANGE, &limit).await, 400, text);
        check_refusal(&house.get(RANGE, &[]).await, 400, "parse error : syntax error: unexpected $end");
    });
}

fn post(path: &str, content_type: &str, body: impl Into<Body>) -> Request<Body> {
    let request = Request::post(path).header("x-scope-orgid", "acme").header("content-type", content_type);
    request.body(body.into()).unwrap()
}

const FORM: &str = "application/x-www-form-urlencoded";

#[test]
fn forms() {
    in_plain_house(async |house| {
        let worker = house.worker(1, 1, nothing);
        let form = format!("query={QUERY}&limit=7");
        let answer = house.ask(post(&format!("{RANGE}?limit=5&direction=forward"), FORM, form.clone())).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        let question = format!("{:?}", worker.pieces()[0].question);
        assert!(question.contains("limit: 7") && question.contains("Forward"), "{question}");
        // Only a form is read.
        let answer = house.ask(post(RANGE, "text/plain", form.clone())).await;
        assert_eq!(answer.text(), "parse error : syntax error: unexpected $end");
        let parameters = format!("{FORM}; charset=UTF-8");
        assert_eq!(house.ask(post(RANGE, &parameters, form)).await.status, 200);
        check_refusal(&house.ask(post(RANGE, FORM, "a=%zz")).await, 400, r#"invalid URL escape "%zz""#);
        check_refusal(
            &house.ask(post(RANGE, FORM, "a;b")).await,
            400,
            "invalid semicolon separator in query",
        );
    });
}

#[test]
fn bodies_are_bounded() {
    let mut wanted = Wanted::default();
    wanted.config.frontend.max_body_size = larch_types::ByteSize::bytes(20);
    in_house(wanted, async |house| {
        for path in [RANGE, "/loki/api/v1/format_query"] {
            let answer = house.ask(post(path, FORM, "x".repeat(21))).await;
            check_refusal(&answer, 413, "http: request body too large");
            assert_eq!(house.ask(post(path, FORM, "x".repeat(20))).await.status, 400);
        }
    });
}

#[test]
fn methods_and_paths() {
    in_plain_house(async |house| {
        house.worker(1, 1, nothing);
        for path in [
            RANGE,
            "/loki/api/v1/query",
            "/loki/api/v1/labels",
            "/loki/api/v1/label",
            "/loki/api/v1/label/app/values",
            "/loki/api/v1/series",
            "/loki/api/v1/format_query",
            "/loki/api/v1/index/stats",
            "/loki/api/v1/index/volume",
            "/loki/api/v1/index/volume_range",
            "/loki/api/v1/index/shards",
            "/loki/api/v1/patterns",
            "/loki/api/v1/detected_labels",
            "/loki/api/v1/detected_fields",
            "/loki/api/v1/detected_field/x/values",
            "/api/prom/query",
            "/api/prom/label",
            "/api/prom/label/app/values",
            "/api/prom/series",
        ] {
            let body = "query=%7Bapp%3D%22x%22%7D&targetBytesPerShard=1MB";
            let answer = house.ask(post(path, FORM, body)).await;
            assert_eq!(answer.status, 200, "{path}: {}", answer.text());
            let json = if path.ends_with("format_query") { "utf-8" } else { "UTF-8" };
            assert_eq!(answer.header("content-type"), format!("application/json; charset={json}"), "{path}");
            assert_eq!(
                house.get(path, &[("query", QUERY), ("targetBytesPerShard", "1MB")]).await.status,
                200
            );
            let put = Request::put(path).body(Body::empty()).unwrap();
            assert_eq!(house.ask(put).await.status, 405, "{path}");
        }
        let unknown = house.get("/loki/api/v1/labels/", &[]).await;
        assert_eq!(unknown.status, 404);
    });
}

#[test]
fn parquet_is_refused() {
    in_plain_house(async |house| {
        let headers = [("accept", "application/vnd.apache.parquet")];
        let answer = house.get_as("acme", RANGE, &[("query", QUERY)], &headers).await;
        let text = "support for Parquet encoded responses is disabled. Enable with \
                    -frontend.support-parquet-encoding=true";
        check_refusal(&answer, 400, text);
    });
}

async fn no_cache(house: &House, header: &str) -> bool {
    let worker = house.worker(1, 1, nothing);
    let headers = [("cache-control", header), ("x-query-tags", "Source=a\"b")];
    assert_eq!(house.get_as("acme", RANGE, &[("query", QUERY)], &headers).await.status, 200);
    let piece = worker.pieces().pop().unwrap();
    assert_eq!(piece.query_tags, "Source=a_b");
    piece.no_cache
}

#[test]
fn headers_go_with_the_piece() {
    for (header, want) in
        [("no-cache", true), (" No-Cache ", true), ("no-store", false), ("no-cache, x", false)]
    {
        in_plain_house(async |house| assert_eq!(no_cache(&house, header).await, want, "{header}"));
    }
}

#[test]
fn large_answers_are_compressed_for_those_who_take_it() {
    in_plain_house(async |house| {
        let names: Vec<String> = (0..300).map(|number| format!("label_{number}")).collect();
        let texts = names.clone();
        house.worker(1, 1, move |_| {
            let texts = larch_proto::TextBatch { texts: texts.clone() };
            Reply::Parts(vec![larch_proto::ResultPart::Texts(texts), done()])
        });
        let path = "/loki/api/v1/labels";
        let plain = house.get(path, &[]).await;
        assert_eq!((plain.header("vary"), plain.header("content-encoding")), ("Accept-Encoding", ""));
        let packed = house.get_as("acme", path, &[], &[("accept-encoding", "gzip")]).await;
        assert_eq!((packed.header("vary"), packed.header("content-encoding")), ("Accept-Encoding", "gzip"));
        let mut unpacked = String::new();
        let mut decoder = flate2::read::GzDecoder::new(&packed.body[..]);
        std::io::Read::read_to_string(&mut decoder, &mut unpacked).unwrap();
        assert_eq!(unpacked, plain.text());
        assert!(packed.body.len() < plain.body.len() / 2);
        let headers = [("accept-encoding", "gzip")];
        let small = house.get_as("acme", "/loki/api/v1/format_query", &[("query", QUERY)], &headers).await;
        assert_eq!((small.header("vary"), small.header("content-encoding")), ("Accept-Encoding", ""));
    });
}

#[test]
fn compression_can_be_off() {
    let mut wanted = Wanted::default();
    wanted.config.frontend.compress_responses = false;
    in_house(wanted, async |house| {
        let query = format!("{{app=\"{}\"}}", "x".repeat(5000));
        let headers = [("accept-encoding", "gzip")];
        let answer = house.get_as("acme", "/loki/api/v1/format_query", &[("query", &query)], &headers).await;
        assert_eq!((answer.status, answer.header("vary")), (200, ""));
        assert_eq!(answer.header("content-encoding"), "");
    });
}
