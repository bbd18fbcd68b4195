//! Pages that show who does what: the members of each ring, for people and for programs.
//!
//! Members are those that the process knows. A process that is alone knows its own services, which own all
//! keys together, so that there are no tokens to show.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use axum::routing::get;
use http::header::{ACCEPT, CONTENT_TYPE, HeaderValue, LOCATION};
use http::{HeaderMap, StatusCode};
use larch_membership::{Members, Part};
use larch_runtime::{Env, json, plain};
use larch_types::{Address, Timestamp};
use serde_json::{Value, json};

use crate::program::Program;
use crate::role::Frame;

pub(crate) struct RingPages {
    env: Env,
    members: Members,
    /// Where this process is reached, and since when it runs.
    here: Address,
    started: Timestamp,
    /// The roles of this process, by name.
    roles: Vec<&'static str>,
}

/// Whose ring a page shows.
#[derive(Debug, Clone, Copy)]
enum Ring {
    Of(Part),
    /// Roles that have no service for others: each process that runs one does its own share.
    Role(&'static str),
}

/// A member as the pages show it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Shown {
    id: String,
    address: String,
}

const RINGS: [(&str, &str, Ring); 6] = [
    ("/ring", "Ingester Ring", Ring::Of(Part::Ingester)),
    // Patterns are mined in the ingesters.
    ("/pattern/ring", "Pattern Ingester Ring", Ring::Of(Part::Ingester)),
    ("/scheduler/ring", "Query Scheduler Ring", Ring::Of(Part::WorkQueue)),
    ("/indexgateway/ring", "Index Gateway Ring", Ring::Of(Part::Planner)),
    ("/compactor/ring", "Compactor Ring", Ring::Role("compactor")),
    ("/ruler/ring", "Ruler Ring", Ring::Role("ruler")),
];

impl RingPages {
    pub(crate) fn new(frame: &Frame, program: &Program) -> Self {
        Self {
            env: frame.env.clone(),
            members: frame.members.clone(),
            here: frame.here.clone(),
            started: frame.env.clock.now(),
            roles: program.roles.iter().map(|role| role.name()).collect(),
        }
    }

    pub(crate) fn routes(self) -> Router {
        let mut router = Router::new().route("/memberlist", get(memberlist));
        for (path, title, ring) in RINGS {
            let show = async move |State(pages): State<Arc<Self>>, headers: HeaderMap| {
                pages.page(title, ring, &headers)
            };
            router = router.route(path, get(show).post(forget));
        }
        router.with_state(Arc::new(self))
    }

    fn page(&self, title: &str, ring: Ring, headers: &HeaderMap) -> Response {
        let members = self.shown(ring);
        let now = self.env.clock.now();
        let accept = headers.get(ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default();
        if accept.contains("application/json") {
            return json(StatusCode::OK, &as_json(&members, self.started, now));
        }
        let mut response = Response::new(Body::from(as_html(title, &members, now)));
        let html = HeaderValue::from_static("text/html; charset=utf-8");
        response.headers_mut().insert(CONTENT_TYPE, html);
        response
    }

    fn shown(&self, ring: Ring) -> Vec<Shown> {
        match ring {
            Ring::Of(part) => {
                let view = self.members.view();
                let members = view.of(part);
                let show = |member: &larch_membership::Member| Shown {
                    id: member.node.to_string(),
                    address: member.address.to_string(),
                };
                members.map(show).collect()
            }
            Ring::Role(role) if self.roles.contains(&role) => {
                vec![Shown { id: role.to_owned(), address: self.here.to_string() }]
            }
            Ring::Role(_) => Vec::new(),
        }
    }
}

/// All members that are known are alive, and whoever is alive would be back at once: there is nobody to
/// forget.
async fn forget() -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::FOUND;
    response.headers_mut().insert(LOCATION, HeaderValue::from_static("#"));
    response
}

/// Members are not found by gossip so far.
async fn memberlist() -> Response {
    plain(StatusCode::OK, "This instance doesn't use memberlist.\n")
}

fn as_json(members: &[Shown], started: Timestamp, now: Timestamp) -> Value {
    let show = |member: &Shown| {
        json!({
            "id": member.id,
            "state": "ACTIVE",
            "address": member.address,
            "timestamp": heartbeat(now),
            "registered_timestamp": whole_seconds(started),
            "read_only": false,
            "read_only_updated_timestamp": "",
            "zone": "",
            "tokens": [],
        })
    };
    json!({"shards": members.iter().map(show).collect::<Vec<_>>(), "now": now.to_string()})
}

fn whole_seconds(time: Timestamp) -> String {
    Timestamp::from_secs(time.nanos().div_euclid(1_000_000_000)).to_string()
}

/// As Go prints times.
fn heartbeat(time: Timestamp) -> String {
    whole_seconds(time).replace('T', " ").replace('Z', " +0000 UTC")
}

fn as_html(title: &str, members: &[Shown], now: Timestamp) -> String {
    let mut rows = String::new();
    for Shown { id, address } in members {
        let (id, address) = (escaped(id), escaped(address));
        rows.push_str(&format!("<tr><td>{id}</td><td>ACTIVE</td><td>{address}</td></tr>\n"));
    }
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head><meta charset=\"UTF-8\"><title>{title}</title></head>\n\
         <body>\n<h1>{title}</h1>\n<p>Current time: {}</p>\n\
         <table border=\"1\">\n<tr><th>Instance ID</th><th>State</th><th>Address</th></tr>\n{rows}</table>\n\
         </body>\n</html>\n",
        whole_seconds(now),
    )
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn members() -> Vec<Shown> {
        vec![Shown { id: "a<b>&\"".to_owned(), address: "10.0.0.7:9095".to_owned() }]
    }

    #[test]
    fn for_programs() {
        let at = Timestamp::from_nanos(1_790_812_822_494_853_000);
        let want = r#"{"shards":[{"id":"a<b>&\"","state":"ACTIVE","address":"10.0.0.7:9095","timestamp":"2026-10-01 00:00:22 +0000 UTC","registered_timestamp":"1970-01-01T00:00:00Z","read_only":false,"read_only_updated_timestamp":"","zone":"","tokens":[]}],"now":"2026-10-01T00:00:22.494853Z"}"#;
        assert_eq!(as_json(&members(), Timestamp::EPOCH, at).to_string(), want);
        assert_eq!(as_json(&[], at, at)["shards"], json!([]));
    }

    #[test]
    fn for_people() {
        let html = as_html("Ingester Ring", &members(), Timestamp::EPOCH);
        assert!(html.contains("<h1>Ingester Ring</h1>"), "{html}");
        let row = "<tr><td>a&lt;b&gt;&amp;&quot;</td><td>ACTIVE</td><td>10.0.0.7:9095</td></tr>";
        assert!(html.contains(row), "{html}");
    }
}
