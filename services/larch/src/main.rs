//! All roles of Larch in one process: the default for one machine.
fn main() {}
