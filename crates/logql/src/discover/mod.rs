//! What is found out about a stream or a row when it is pushed: the name of its service, its level, and
//! the names that its metadata may have. Pure functions of what was sent and of the tenant's settings.

mod field;
mod level;
mod name;
mod service;

pub use field::{FieldFinder, fuzz_fields};
pub use level::{LevelDetector, fuzz_level};
pub use name::{InvalidName, normalized_name, readable_value};
pub use service::service_name;
