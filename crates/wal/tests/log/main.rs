//! The log as its users see it, on the hostile directory and on the real one.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

mod damage;
mod faults;
mod gate;
mod golden;
mod group;
mod power;
mod replay;
mod support;
