//! The store as its users meet it: one suite of requests against every kind of store, and what happens when
//! a store, the network to it or the settings are bad.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

mod backends;
mod catalog;
mod conformance;
mod disk_cache;
mod faults;
mod harness;
mod requests;
mod s3;
