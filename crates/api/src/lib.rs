//! Loki's HTTP shapes: parameters, bodies, errors. The only crate that knows Loki's JSON.
//!
//! No behaviour behind the shapes and no listener.
