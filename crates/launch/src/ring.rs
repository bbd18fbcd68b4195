//! Pages that show who does what: the members of each ring, for people and for programs.
//!
//! Members are those that the process knows. A process that is alone knows its own services. Only ingesters
//! own keys; of other services any one does, so that they have no tokens to show.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use axum::routing::{any, get};
use http::header::{ACCEPT, CONTENT_TYPE, HeaderValue, LOCATION};
use http::{HeaderMap, StatusCode};
use larch_limits::RateStrategy;
use larch_membership::{Member, Members, Part};
use larch_ring::{Owned, Ring as Placement};
use larch_runtime::{Env, json, plain};
use larch_types::{Address, Timestamp};
use serde_json::{Value, json};

use crate::overrides::TenantLimits;
use crate::program::Program;
use crate::role::Frame;

pub(crate) struct RingPages {
    env: Env,
    limits: TenantLimits,
    members: Members,
    /// Where this process is reached, in which zone, and since when it runs.
    here: Address,
    zone: String,
    started: Timestamp,
    /// The roles of this process, by name.
    roles: Vec<&'static str>,
}

/// Whose ring a page shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ring {
    Of(Part),
    /// Roles that have no service for others: each process that runs one does its own share.
    Role(&'static str),
}

/// A member as the pages show it.
#[derive(Debug, Clone, PartialEq)]
struct Shown {
    id: String,
    address: String,
    /// Rising.
    tokens: Vec<u32>,
    /// Of all keys; `None` where no keys are owned.
    share: Option<f64>,
}

const RINGS: [(&str, &str, Ring); 7] = [
    ("/ring", "Ingester Ring", Ring::Of(Part::Ingester)),
    ("/distributor/ring", "Distributor Ring", Ring::Of(Part::Distributor)),
    // Patterns are mined in the ingesters.
    ("/pattern/ring", "Pattern Ingester Ring", Ring::Of(Part::Ingester)),
    ("/scheduler/ring", "Query Scheduler Ring", Ring::Of(Part::WorkQueue)),
    ("/indexgateway/ring", "Index Gateway Ring", Ring::Of(Part::Planner)),
    ("/compactor/ring", "Compactor Ring", Ring::Role("compactor")),
    ("/ruler/ring", "Ruler Ring", Ring::Role("ruler")),
];

/// In place of the distributors, whatever form was asked for, as in Loki.
const NO_DISTRIBUTORS: &str = "<p>Every distributor grants the whole rate (<code>ingestion_rate_strategy: \
    local</code>), so that they need not know each other, and there is no ring of them.</p>";

impl RingPages {
    pub(crate) fn new(frame: &Frame, program: &Program) -> Self {
        Self {
            env: frame.env.clone(),
            limits: frame.limits.clone(),
            members: frame.members.clone(),
            here: frame.here.clone(),
            zone: frame.settings.common.ring.instance_availability_zone.clone(),
            started: frame.env.clock.now(),
            roles: program.roles.iter().map(|role| role.name()).collect(),
        }
    }

    pub(crate) fn routes(self) -> Router {
        let mut router = Router::new().route("/memberlist", any(memberlist));
        for (path, title, ring) in RINGS {
            let show = async move |State(pages): State<Arc<Self>>, headers: HeaderMap| {
                pages.page(title, ring, &headers)
            };
            router = router.route(path, get(show).post(forget));
        }
        router.with_state(Arc::new(self))
    }

    fn page(&self, title: &str, ring: Ring, headers: &HeaderMap) -> Response {
        let strategy = self.limits.default_limits().ingestion_rate_strategy;
        if ring == Ring::Of(Part::Distributor) && strategy == RateStrategy::Local {
            return html(as_html(title, NO_DISTRIBUTORS));
        }
        let members = self.shown(ring);
        let now = self.env.clock.now();
        let accept = headers.get(ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default();
        if accept.contains("application/json") {
            return json(StatusCode::OK, &as_json(&members, &self.zone, self.started, now));
        }
        html(as_html(title, &table(&members, &self.zone, self.started, now)))
    }

    fn shown(&self, ring: Ring) -> Vec<Shown> {
        match ring {
            Ring::Of(Part::Ingester) => {
                let view = self.members.view();
                let owned = Placement::new(view.of(Part::Ingester).map(|member| member.node)).owned();
                view.of(Part::Ingester).zip(owned).map(|(member, owned)| owner(member, owned)).collect()
            }
            Ring::Of(part) => self.members.view().of(part).map(server).collect(),
            Ring::Role(role) if self.roles.contains(&role) => {
                let (id, address) = (role.to_owned(), self.here.to_string());
                vec![Shown { id, address, tokens: Vec::new(), share: None }]
            }
            Ring::Role(_) => Vec::new(),
        }
    }
}

fn server(member: &Member) -> Shown {
    let (id, address) = (member.node.to_string(), member.address.to_string());
    Shown { id, address, tokens: Vec::new(), share: None }
}

fn owner(member: &Member, owned: Owned) -> Shown {
    Shown { tokens: owned.tokens, share: Some(owned.share), ..server(member) }
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

fn as_json(members: &[Shown], zone: &str, started: Timestamp, now: Timestamp) -> Value {
    let show = |member: &Shown| {
        json!({
            "id": member.id,
            "state": "ACTIVE",
            "address": member.address,
            "timestamp": heartbeat(now),
            "registered_timestamp": whole_seconds(started),
            "read_only": false,
            "read_only_updated_timestamp": "",
            "zone": zone,
            "tokens": member.tokens,
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

/// The columns are those that people know from Loki.
fn table(members: &[Shown], zone: &str, started: Timestamp, now: Timestamp) -> String {
    let mut rows = String::new();
    for Shown { id, address, tokens, share } in members {
        let share = share.map_or_else(|| "-".to_owned(), |share| format!("{:.2}%", share * 100.0));
        rows.push_str(&format!(
            "<tr><td>{}</td><td>{}</td><td>ACTIVE</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td>\
             <td>{share}</td></tr>\n",
            escaped(id),
            escaped(zone),
            escaped(address),
            whole_seconds(started),
            whole_seconds(now),
            tokens.len(),
        ));
    }
    format!(
        "<p>Current time: {}</p>\n<table border=\"1\">\n<tr><th>Instance ID</th><th>Availability Zone</th>\
         <th>State</th><th>Address</th><th>Registered At</th><th>Last Heartbeat</th><th>Tokens</th>\
         <th>Ownership</th></tr>\n{rows}</table>",
        whole_seconds(now),
    )
}

fn as_html(title: &str, content: &str) -> String {
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head><meta charset=\"UTF-8\"><title>{title}</title></head>\n\
         <body>\n<h1>{title}</h1>\n{content}\n</body>\n</html>\n"
    )
}

fn html(page: String) -> Response {
    let mut response = Response::new(Body::from(page));
    let html = HeaderValue::from_static("text/html; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, html);
    response
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn members() -> Vec<Shown> {
        let (id, address) = ("a<b>&\"".to_owned(), "10.0.0.7:9095".to_owned());
        vec![Shown { id, address, tokens: vec![17, 4_294_967], share: Some(1.0 / 3.0) }]
    }

    #[test]
    fn for_programs() {
        let at = Timestamp::from_nanos(1_790_812_822_494_853_000);
        let want = r#"{"shards":[{"id":"a<b>&\"","state":"ACTIVE","address":"10.0.0.7:9095","timestamp":"2026-10-01 00:00:22 +0000 UTC","registered_timestamp":"1970-01-01T00:00:00Z","read_only":false,"read_only_updated_timestamp":"","zone":"a","tokens":[17,4294967]}],"now":"2026-10-01T00:00:22.494853Z"}"#;
        assert_eq!(as_json(&members(), "a", Timestamp::EPOCH, at).to_string(), want);
        assert_eq!(as_json(&[], "", at, at)["shards"], json!([]));
    }

    #[test]
    fn for_people() {
        let start = Timestamp::EPOCH;
        let html = as_html("Ingester Ring", &table(&members(), "z<1>", start, start));
        assert!(html.contains("<h1>Ingester Ring</h1>"), "{html}");
        let row = "<tr><td>a&lt;b&gt;&amp;&quot;</td><td>z&lt;1&gt;</td><td>ACTIVE</td><td>10.0.0.7:9095</td>\
                   <td>1970-01-01T00:00:00Z</td><td>1970-01-01T00:00:00Z</td><td>2</td><td>33.33%</td></tr>";
        assert!(html.contains(row), "{html}");
    }
}
