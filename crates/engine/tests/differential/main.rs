//! The engine answers what the reference evaluator answers, wherever rows are and however often.

#![expect(clippy::expect_used, reason = "a test that cannot go on says so by panicking")]

mod forms;
mod layout;
mod logs;
mod metrics;
mod rows;
