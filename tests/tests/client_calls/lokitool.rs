//! lokitool where no rules are served: every call is answered as by a server whose rules API is off.

use super::{House, SETTINGS};

const HEADERS: [(&str, &str); 2] = [("User-Agent", "lokitool/3.7.0"), ("X-Scope-OrgID", "fake")];

const GROUP: &str = "name: checkout\nrules:\n  - record: a:b\n    expr: sum(rate({app=\"x\"}[1m]))\n";

/// Each command with the calls that it makes, the last of which ends it if the one before is a 404.
#[test]
fn without_rules_nothing_is_found() {
    let off = format!("{SETTINGS}ruler: {{enable_api: false}}\n");
    let house = House::start(&off, &HEADERS);
    for base in ["/loki/api/v1/rules", "/api/prom/rules"] {
        for (method, path, body) in [
            ("GET", String::new(), ""),
            ("GET", "/shop".to_owned(), ""),
            ("GET", "/shop/checkout".to_owned(), ""),
            ("GET", "/a%2Fb/check%20out".to_owned(), ""),
            ("POST", "/shop".to_owned(), GROUP),
            ("DELETE", "/shop/checkout".to_owned(), ""),
            ("DELETE", "/shop".to_owned(), ""),
        ] {
            let answer = house.larch.ask(method, &format!("{base}{path}"), &house.headers, body);
            // It takes a 404 as "there are none", and prints the first line of anything else.
            assert_eq!(
                (answer.status, &*answer.body),
                (404, "404 page not found\n"),
                "{method} {base}{path}"
            );
            assert_eq!(answer.header("content-type"), Some("text/plain; charset=utf-8"));
        }
    }
    for path in ["/prometheus/api/v1/rules", "/prometheus/api/v1/alerts", "/api/v1/alerts"] {
        assert_eq!(house.get(path, &[]).status, 404, "{path}");
    }
    house.stop();
}
