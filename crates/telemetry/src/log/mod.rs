//! Log lines of Larch itself: one event, one line, one write.

mod fields;
mod layer;
mod level;
mod line;
mod queue;
#[cfg(test)]
mod tests;
mod throttle;

pub(crate) use layer::LogLayer;
pub use layer::{Clock, LogFormat, LogOptions, UnknownLogFormat, subscriber_over};
pub use level::{LevelHandle, LogLevel, UnknownLogLevel};
pub(crate) use queue::Queue;
pub use throttle::Throttle;
