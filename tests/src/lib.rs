//! What the end-to-end tests on the built binaries share: recorded cases with the lists of those that do
//! not agree yet, pushes in every encoding, and websockets.
//!
//! The tests talk to processes over HTTP and link no service; run them with `cargo test --workspace`,
//! which builds the binaries first.

#![expect(clippy::expect_used, reason = "a test that cannot go on says so by panicking")]

mod cases;
mod clock;
mod encode;
mod push;
mod socket;

pub use cases::{check_against_list, ids_in_table, ids_listed, read_cases, text};
pub use clock::{now, time_marks_resolved};
pub use encode::{
    deflate, expand, from_hex, gunzip, gzip, protobuf_field, push_request, snappy_literals, varint,
};
pub use push::{PUSH, push_json, push_protobuf};
pub use socket::{Said, Socket};
