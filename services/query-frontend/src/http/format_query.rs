//! Lays a query out for people. It is about no tenant.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::Response;
use http::StatusCode;
use http::header::{CONTENT_TYPE, HeaderValue};
use larch_api::{Pieces, format_answer};
use larch_logql::{parse, pretty};

use super::answer::{json, refusal};
use super::asked::form;
use crate::frontend::Frontend;

/// In lower case, unlike that of the other endpoints.
const JSON: HeaderValue = HeaderValue::from_static("application/json; charset=utf-8");

pub(super) async fn format_query(State(frontend): State<Arc<Frontend>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let max_body = frontend.config.frontend.max_body_size.as_usize();
    let form = match form(&parts.method, &parts.headers, body, parts.uri.query(), max_body).await {
        Ok(form) => form,
        Err(error) => return refusal(&error),
    };
    let (status, body) = match parse(form.get("query")) {
        Ok(expr) => (StatusCode::OK, format_answer(Ok(&pretty(&expr)))),
        Err(error) => (StatusCode::BAD_REQUEST, format_answer(Err(&error.to_string()))),
    };
    let mut response = json(Pieces::whole(body));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, JSON);
    response
}
