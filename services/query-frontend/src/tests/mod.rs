//! The frontend as its clients and its workers see it.

mod answers;
mod cuts;
mod house;
mod keeping;
mod limits;
mod pieces;
mod queueing;
mod recorded;
mod requests;
mod streaming;
