//! Parameters on the endpoints that are asked.

use larch_testkit::http::with_query;
use rand::rngs::StdRng;
use rand::{Rng, RngExt, SeedableRng};

use crate::Verdict::{Answered, Refused};
use crate::{SEED, Trial};

const QUERY_RANGE: &str = "/loki/api/v1/query_range";

/// Everything that is asked with parameters. What stops a process on demand is not garbage.
const ENDPOINTS: [&str; 28] = [
    QUERY_RANGE,
    "/loki/api/v1/query",
    "/api/prom/query",
    "/loki/api/v1/labels",
    "/loki/api/v1/label",
    "/loki/api/v1/label/app/values",
    "/api/prom/label",
    "/api/prom/label/app/values",
    "/loki/api/v1/series",
    "/api/prom/series",
    "/loki/api/v1/index/stats",
    "/loki/api/v1/index/volume",
    "/loki/api/v1/index/volume_range",
    "/loki/api/v1/index/shards",
    "/loki/api/v1/patterns",
    "/loki/api/v1/detected_labels",
    "/loki/api/v1/detected_fields",
    "/loki/api/v1/detected_field/app/values",
    "/loki/api/v1/tail",
    "/api/prom/tail",
    "/loki/api/v1/format_query",
    "/loki/api/v1/delete",
    "/loki/api/v1/rules",
    "/loki/api/v1/rules/a/b",
    "/prometheus/api/v1/rules",
    "/loki/api/v1/drilldown-limits",
    "/flush/tenant",
    "/config",
];

const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");

/// The tenant that has rows, on which stages are built and run.
const ALIVE: (&str, &str) = ("x-scope-orgid", "alive");

const DEEP: usize = 100_000;

pub(crate) fn run(trial: &mut Trial) {
    random_requests(trial);
    extreme_parameters(trial);
    hostile_queries(trial);
    huge_query_strings(trial);
}

fn random_requests(trial: &mut Trial) {
    let mut random = StdRng::seed_from_u64(SEED);
    for path in ENDPOINTS {
        for method in ["GET", "POST", "PUT", "PATCH", "OPTIONS", "NONSENSE"] {
            let mut body = vec![0; random.random_range(0..2000)];
            random.fill_bytes(&mut body);
            trial.send("random bytes", (method, path), &[FORM], &body, Answered);
            let text = String::from_utf8_lossy(&body).into_owned();
            let target = with_query(path, [("query", text.as_str()), ("match[]", &text), ("start", &text)]);
            trial.send("random parameters", (method, &target), &[], b"", Answered);
        }
        for wrong in ["%zz=%", "query=%ff%fe", "query", "=&=&&&", "query=%7B%00%7D", "%", "?;;?"] {
            trial.send("a query string", ("GET", &format!("{path}?{wrong}")), &[], b"", Answered);
        }
    }
}

/// Numbers at the ends of what a number may be. Whether they make sense is for each endpoint to say.
fn extreme_parameters(trial: &mut Trial) {
    let numbers =
        ["-9223372036854775808", "9223372036854775807", "18446744073709551616", "1e308", "-1", "0", "NaN"];
    for path in ENDPOINTS {
        for name in ["start", "end", "time", "step", "limit", "since", "interval", "line_limit", "delay_for"]
        {
            for number in numbers {
                let target = with_query(path, [("query", "{a=\"b\"}"), (name, number)]);
                trial.send("a number", ("GET", &target), &[], b"", Answered);
            }
        }
    }
    let all_time = [("start", "-9223372036854775808"), ("end", "9223372036854775807")];
    for step in ["1ns", "0.000000001", "1ms", "1", "290y"] {
        let query = ("query", "sum(rate({a=\"b\"}[1ns]))");
        let target = with_query(QUERY_RANGE, all_time.into_iter().chain([query, ("step", step)]));
        trial.send("all of time", ("GET", &target), &[], b"", Answered);
    }
}

fn hostile_queries(trial: &mut Trial) {
    for (what, query) in [
        ("deep parentheses", format!("{}1{}", "(".repeat(DEEP), ")".repeat(DEEP))),
        ("open parentheses", "(".repeat(DEEP)),
        ("open braces", "{".repeat(DEEP)),
        ("a long sum", format!("1{}", "+1".repeat(DEEP))),
        ("signs", format!("{}1", "-".repeat(DEEP))),
        ("many stages", format!("{{app=\"alive\"}}{}", " | json".repeat(20_000))),
        ("many filters", format!("{{app=\"alive\"}}{}", " |= `x`".repeat(20_000))),
        ("many matchers", format!("{{{}}}", "app=\"alive\",".repeat(20_000))),
        ("a deep regex", format!("{{a=~\"{}x{}\"}}", "(".repeat(20_000), ")".repeat(20_000))),
        ("a large regex", "{app=\"alive\"} |~ \"((((a{1000}){1000}){1000}){1000})\"".to_owned()),
        ("a large class", "{app=\"alive\"} |~ `(\\\\pL{1000}){1000}`".to_owned()),
        ("an open template", format!("{{app=\"alive\"}} | line_format `{}`", "{{if .a}}".repeat(10_000))),
        ("an open string", format!("{{a=\"{}", "x".repeat(DEEP))),
        ("beyond the longest", format!("{{a=\"{}\"}}", "x".repeat(1_000_000))),
    ] {
        let form = with_query("", [("query", query.as_str())]);
        for path in
            [QUERY_RANGE, "/loki/api/v1/query", "/loki/api/v1/format_query", "/loki/api/v1/detected_fields"]
        {
            // Some of these make sense, if only just.
            trial.send(what, ("POST", path), &[FORM, ALIVE], &form.as_bytes()[1..], Answered);
        }
    }
    for path in [QUERY_RANGE, "/loki/api/v1/query"] {
        for query in [
            "(".repeat(DEEP),
            "x".repeat(1_000_000),
            "{app=\"alive\"} |~ `((((a{1000}){1000}){1000}){1000})`".to_owned(),
        ] {
            let form = with_query("", [("query", query.as_str())]);
            trial.send("no query", ("POST", path), &[FORM, ALIVE], &form.as_bytes()[1..], Refused);
        }
    }
}

fn huge_query_strings(trial: &mut Trial) {
    let many: Vec<String> = (0..DEEP).map(|number| format!("p{number}=x")).collect();
    for parameters in [format!("query={}", "x".repeat(1024 * 1024)), many.join("&"), "&".repeat(1024 * 1024)]
    {
        for path in ENDPOINTS {
            trial.send("a huge query string", ("GET", &format!("{path}?{parameters}")), &[], b"", Refused);
        }
        let body = format!("{parameters}&query=(");
        for path in [QUERY_RANGE, "/loki/api/v1/series", "/loki/api/v1/format_query"] {
            trial.send("a huge form", ("POST", path), &[FORM], body.as_bytes(), Answered);
        }
    }
    let form = format!("query={}", "x".repeat(20 * 1024 * 1024));
    trial.send("a form beyond its limit", ("POST", QUERY_RANGE), &[FORM], form.as_bytes(), Refused);
}
