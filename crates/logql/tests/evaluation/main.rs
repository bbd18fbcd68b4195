//! Queries over a few rows each, and what they come to.

#![expect(clippy::expect_used, reason = "a test that cannot read its own data has failed")]

mod examples;
mod limits;
mod progress;
mod rows;

mod splitting;
mod streams;
