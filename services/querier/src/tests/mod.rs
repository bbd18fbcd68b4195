//! The role from outside: a queue that hands out pieces, ingesters that hold rows, and what comes back.

mod cancellation;
mod copies;
mod counted;
mod fakes;
mod kept;
mod planner;
mod questions;
mod recorded;
mod refusals;
mod segments;
mod setting;
mod tail;
