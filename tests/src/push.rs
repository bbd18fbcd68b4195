//! Plain pushes, as most tests send them.

use std::io;

use larch_testkit::http::{Answer, Client};
use serde_json::Value;

pub const PUSH: &str = "/loki/api/v1/push";

/// Pushes streams, each an object of `stream` and `values`. Without a tenant no header names one.
pub fn push_json(client: &mut Client, tenant: Option<&str>, streams: &[Value]) -> io::Result<Answer> {
    let body = serde_json::json!({"streams": streams}).to_string();
    let mut headers = vec![("content-type", "application/json")];
    headers.extend(tenant.map(|tenant| ("x-scope-orgid", tenant)));
    client.post(PUSH, &headers, body.as_bytes())
}
