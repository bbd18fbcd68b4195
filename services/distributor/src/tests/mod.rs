//! Pushes as clients send them, against a router with an ingester that keeps what it gets.

mod answers;
mod extras;
mod grpc;
mod house;
mod limits;
mod otlp;
mod recorded;
mod replicas;
pub(crate) mod wire;

pub(crate) use wire::{mutations, snappy_block};
