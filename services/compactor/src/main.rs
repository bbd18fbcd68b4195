//! The compactor as a process of its own.

use std::process::ExitCode;

use larch_launch::Program;

/// Returns memory to the system sooner and fragments less than the platform's allocator under many
/// threads.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    larch_launch::main(Program { name: "larch-compactor", roles: vec![larch_compactor::role()] })
}
