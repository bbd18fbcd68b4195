//! The engine answers what the reference evaluator answers, wherever rows are and however often.

mod layout;
mod metrics;
mod rows;
