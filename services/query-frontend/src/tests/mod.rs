//! The frontend as its clients and its workers see it.

mod answers;
mod house;
mod limits;
mod pieces;
mod queueing;
mod recorded;
mod requests;
