//! End-to-end tests on the built binaries. They talk to processes over HTTP and gRPC and link no
//! service; run them with `cargo test --workspace`, which builds the binaries first.
