//! The read endpoints.

mod answer;
mod asked;
mod compress;
mod detected;
mod format_query;
mod index;
mod labels;
mod query;
mod read;
mod routes;

pub(crate) use routes::routes;
