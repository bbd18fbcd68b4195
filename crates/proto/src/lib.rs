//! The messages between Larch's processes, compiled from `proto/` at build time.
//!
//! No transport and no behaviour: `larch-rpc` sends what is declared here.
