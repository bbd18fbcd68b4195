//! The nouns of Larch: tenants, labels, streams, entries, times, sizes and the kinds of failure.
//! Every identifier is validated where it is made, so that the rest of the code never asks again.
//!
//! This crate does no IO, reads no clock, draws no randomness and knows no wire format. Domain types
//! here are not serializable on purpose: only settings values (`Span`, `ByteSize`, `Secret`) are.

mod address;
mod caps;
mod entry;
mod error;
mod ids;
mod labels;
mod labels_text;
mod matcher;
mod quote;
mod quote_table;
mod request;
mod secret;
mod setting;
mod size;
mod span;
mod stream;
mod tenant;
mod tenant_label;
mod time;

pub use address::{Address, InvalidAddress};
pub use caps::{MAX_TENANT_ID_BYTES, MAX_TENANTS_PER_REQUEST};
pub use entry::{Entry, Metadata, RowOrder};
pub use error::{ErrorKind, KindRow};
pub use ids::{FactId, InvalidId, NodeId, PushStamp, SegmentId, TombstoneId};
pub use labels::{InvalidLabels, Label, Labels, write_canonical};
pub use labels_text::canonical_pairs;
pub use matcher::{MatchOp, Matcher};
pub use quote::{quote_into, quoted};
pub use request::{InvalidRequestId, InvalidTraceContext, RequestId, TraceContext, fuzz_trace_context};
pub use secret::Secret;
pub use setting::{Fate, InvalidSetting, NamedFile, OldKey, Section, ensure};
pub use size::{ByteSize, InvalidByteSize};
pub use span::{InvalidSpan, Span};
pub use stream::{RingKey, StreamId, StreamOrder, StreamShard, WriteShard};
pub use tenant::{InvalidTenant, TenantId, TenantSet};
pub use tenant_label::{ORIGINAL_TENANT_LABEL, TENANT_LABEL};
pub use time::{Day, InvalidDay, InvalidTimestamp, Monotonic, Timestamp};
