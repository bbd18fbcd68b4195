//! From files, environment and flags to settings: merging, refusing unknown keys with their place,
//! old keys, secrets, printing.
//!
//! The steps, in order: [`parse_arguments`] and [`Environment`] bring raw values, [`parse_yaml`] a tree
//! whose every node knows its line, [`Tree::merge`] puts them over one another, old keys are mapped,
//! and a [`Reader`] turns each block into the type that its owner declared in the [`Schema`].
//!
//! Mechanism only: it knows no section. Each crate owns its own as an implementation of
//! `larch_types::Section`. Values of settings appear in messages only where they fail to parse, and
//! secrets never do.

mod arguments;
mod de;
mod environment;
mod expand;
mod nearest;
mod node;
mod old_keys;
mod origin;
mod overlay;
mod print;
mod problem;
mod reader;
mod schema;
mod tree;
mod yaml;

pub use arguments::{Arguments, FlagSpec, parse_arguments};
pub use environment::Environment;
pub use expand::expand_environment;
pub use node::Node;
pub use origin::Origin;
pub use overlay::{overlay, overlay_levels};
pub use print::{difference, to_yaml};
pub use problem::{Problem, Problems};
pub use reader::{Effective, Reader, read_node};
pub use schema::Schema;
pub use tree::{Input, Tree};
pub use yaml::{MAX_DEPTH, MAX_DOCUMENT_BYTES, MAX_NODES, parse_yaml};
