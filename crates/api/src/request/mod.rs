//! What the read endpoints are asked for. Parameters are looked at in the order in which Loki does, because
//! a client is told of the first mistake only.

mod error;
mod flags;
mod form;
mod metadata;
mod query;
mod tags;
mod values;

pub(crate) use query::{limit, number_or, timestamp_or};

pub use error::ParamError;
pub use flags::EncodingFlags;
pub use form::{Form, InvalidForm};
pub use metadata::{
    Aggregation, DetectedFieldsRequest, PatternsRequest, SelectorRequest, SeriesRequest, ShardsRequest,
    VolumeRequest,
};
pub use query::{Bounds, InstantRequest, RangeRequest};
pub use tags::QueryTags;
pub use values::{InvalidDuration, InvalidNumber};
