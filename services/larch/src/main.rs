//! All roles of Larch in one process: the default for one machine.

use std::process::ExitCode;

use larch_launch::Program;

/// Returns memory to the system sooner and fragments less than the platform's allocator under many
/// threads.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// In the order in which they start: what is asked stands before what asks.
fn main() -> ExitCode {
    let roles = vec![
        larch_ingester::role(),
        larch_index_gateway::role(),
        larch_distributor::role(),
        larch_querier::role(),
        larch_query_frontend::role(),
        larch_compactor::role(),
        larch_ruler::role(),
    ];
    larch_launch::main(Program { name: "larch", roles })
}
