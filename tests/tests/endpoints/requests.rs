//! Who asks, by which method, at which path.

use super::*;

const READS: [&str; 17] = [
    "/loki/api/v1/query_range",
    "/loki/api/v1/query",
    "/loki/api/v1/labels",
    "/loki/api/v1/label",
    "/loki/api/v1/label/app/values",
    "/loki/api/v1/series",
    "/loki/api/v1/index/stats",
    "/loki/api/v1/index/volume",
    "/loki/api/v1/index/volume_range",
    "/loki/api/v1/index/shards",
    "/loki/api/v1/detected_labels",
    "/loki/api/v1/detected_fields",
    "/loki/api/v1/detected_field/x/values",
    "/api/prom/query",
    "/api/prom/label",
    "/api/prom/label/app/values",
    "/api/prom/series",
];

const NOT_FOUND: Case<'_> =
    Case { status: 404, content_type: TEXT, body: Body::Is("404 page not found\n"), ..GET };

#[test]
fn who_asks() {
    let house = House::start(SETTINGS);
    for path in READS {
        let by = |headers: &'static [(&'static str, &'static str)], status: u16, text: &'static str| Case {
            headers,
            status,
            ..bad(path, text)
        };
        house.check(&[
            by(&[], 401, "no org id\n"),
            by(&[("x-scope-orgid", "")], 401, "no org id\n"),
            by(&[("x-scope-orgid", "a|b")], 400, "multiple org IDs present"),
            by(&[("x-scope-orgid", "a/b")], 400, "tenant ID 'a/b' contains unsupported character '/'"),
            by(&[("x-scope-orgid", "..")], 400, "tenant ID is '.' or '..'"),
        ]);
    }
    let names = "{\"status\":\"success\",\"data\":[\"app\",\"env\",\"service_name\"]}\n";
    for tenant in ["acme", "acme|acme", "acme:team=7"] {
        let headers = [("x-scope-orgid", tenant), ("authorization", "Bearer nobody-looks-at-it")];
        house.check(&[Case { headers: &headers, ..ok("/loki/api/v1/labels", names) }]);
    }
    let other = [("x-scope-orgid", "other")];
    house.check(&[Case { headers: &other, ..ok("/loki/api/v1/labels", "{\"status\":\"success\"}\n") }]);
    house.larch.stop();
}

#[test]
fn by_which_method() {
    let house = House::start(SETTINGS);
    for path in READS {
        for method in ["PUT", "DELETE", "HEAD"] {
            house.check(&[Case {
                method,
                status: 405,
                content_type: "",
                body: Body::Is(""),
                target: path,
                ..GET
            }]);
        }
    }
    for (path, allowed) in
        [(READS[0], "GET, POST"), ("/loki/api/v1/drilldown-limits", "GET"), ("/loki/api/v1/push", "POST")]
    {
        let answer = house.larch.ask("PATCH", path, &[], "");
        assert_eq!((answer.status, answer.header("allow")), (405, Some(allowed)), "{path}");
    }
    let form = r#"query={app="shop"}&match[]={app="shop"}&targetBytesPerShard=1MB"#;
    for path in READS {
        house.check(&[Case { method: "POST", form, target: path, ..GET }]);
    }
    house.check(&[
        Case { target: "/loki/api/v1/nothing", ..NOT_FOUND },
        Case { target: "/loki/api/v1/labels/", ..NOT_FOUND },
        Case { target: "//loki/api/v1//labels?x=1", status: 301, content_type: "", ..GET },
    ]);
    house.larch.stop();
}

#[test]
fn answers_are_packed_for_those_who_take_it() {
    let house = House::start(SETTINGS);
    let target = larch_testkit::http::with_query("/loki/api/v1/query_range", [("query", r#"{app="shop"}"#)]);
    for (accepts, packed) in
        [("gzip", true), ("deflate, gzip;q=0.5", true), ("br, zstd", false), ("gzip;q=0", false)]
    {
        let headers = [("x-scope-orgid", "acme"), ("accept-encoding", accepts)];
        let answer = house.larch.ask("GET", &target, &headers, "");
        assert_eq!(answer.header("vary"), Some("Accept-Encoding"));
        assert_eq!(answer.header("content-encoding"), packed.then_some("gzip"), "{accepts}");
        if packed {
            assert!(larch_tests::gunzip(&answer.bytes).starts_with(b"{\"status\":\"success\""));
        }
    }
    let small = house.larch.ask(
        "GET",
        "/loki/api/v1/labels",
        &[("x-scope-orgid", "acme"), ("accept-encoding", "gzip")],
        "",
    );
    assert_eq!((small.header("vary"), small.header("content-encoding")), (Some("Accept-Encoding"), None));
    house.larch.stop();
}
