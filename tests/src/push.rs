//! Plain pushes, as most tests send them.

use std::io;

use larch_testkit::http::{Answer, Client};
use serde_json::Value;

use crate::encode::{push_request, snappy_literals};

pub const PUSH: &str = "/loki/api/v1/push";

/// Pushes streams, each an object of `stream` and `values`. Without a tenant no header names one.
pub fn push_json(client: &mut Client, tenant: Option<&str>, streams: &[Value]) -> io::Result<Answer> {
    let body = serde_json::json!({"streams": streams}).to_string();
    let mut headers = vec![("content-type", "application/json")];
    headers.extend(tenant.map(|tenant| ("x-scope-orgid", tenant)));
    client.post(PUSH, &headers, body.as_bytes())
}

/// Pushes streams, each an object of `labels` and `entries`, as Promtail and its kind do.
pub fn push_protobuf(client: &mut Client, headers: &[(&str, &str)], streams: &[Value]) -> io::Result<Answer> {
    let body = snappy_literals(&push_request(&serde_json::json!({"streams": streams})));
    let mut all = vec![("content-type", "application/x-protobuf")];
    all.extend_from_slice(headers);
    client.post(PUSH, &all, &body)
}
