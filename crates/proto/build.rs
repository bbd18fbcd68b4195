//! Compiles the files below `proto/` without `protoc`.

use std::error::Error;

const ROOT: &str = "../../proto";

const FILES: [&str; 6] = [
    "larch/types/v1/types.proto",
    "larch/ring/v1/ring.proto",
    "larch/ingest/v1/ingest.proto",
    "larch/ingest/v1/tail.proto",
    "larch/plan/v1/plan.proto",
    "larch/query/v1/query.proto",
];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed={ROOT}");
    let files = protox::compile(FILES, [ROOT])?;
    tonic_prost_build::configure()
        // A line is a piece of the message that it came in, not a copy.
        .bytes(".")
        .include_file("larch.rs")
        .compile_fds(files)?;
    Ok(())
}
