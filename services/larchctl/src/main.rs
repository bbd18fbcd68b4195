//! The command line: queries, pushes, rules, deletes, checks and backups.
fn main() {}
