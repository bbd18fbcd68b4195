//! What is done with the bytes of a push before anything is sent: it waits for nothing, and may take a
//! while.

use std::sync::Arc;

use bytes::Bytes;
use larch_types::{TenantId, Timestamp};

use crate::check::{Against, Checked, check};
use crate::decode::{
    DecodeError, Mapping, ResourceLogs, read_json, read_otlp_json, read_otlp_protobuf, read_protobuf,
    streams_of,
};
use crate::decompress::{SizeBound, deflate, gzip, lz4, snappy, zstd};
use crate::error::PushError;
use crate::head::{Form, Head, Wrapping};
use crate::inflight::HeldBytes;
use crate::labels::StreamLabels;
use crate::metrics::Metrics;
use crate::pushed::{PushedEntry, PushedStream};
use crate::rules::Rules;

/// One push on its way.
pub(crate) struct Work {
    pub(crate) tenant: TenantId,
    pub(crate) head: Head,
    pub(crate) rules: Arc<Rules>,
    /// Counts the bytes that the push holds until its answer is made.
    pub(crate) held: HeldBytes,
    /// When it arrived.
    pub(crate) now: Timestamp,
    pub(crate) metrics: Metrics,
}

impl Work {
    /// Decompresses, decodes and checks.
    pub(crate) fn run(mut self, body: Bytes, bound: SizeBound) -> Result<(Self, Checked), PushError> {
        let streams = self.decode(body, bound)?;
        if streams.is_empty() {
            return Err(PushError::NoStreams);
        }
        let streams = self.label(streams)?;
        let Self { tenant, head, rules, now, metrics, .. } = &self;
        let checked = check(&Against { tenant, rules, head, now: *now, metrics }, streams)?;
        Ok((self, checked))
    }

    fn decode(&mut self, mut body: Bytes, bound: SizeBound) -> Result<Vec<PushedStream>, PushError> {
        let held = &mut self.held;
        match self.head.wrapping {
            Wrapping::None => {}
            Wrapping::Gzip => body = gzip(&body, bound, held)?,
            Wrapping::Deflate => body = deflate(&body, bound, held)?,
            Wrapping::Zstd => body = zstd(&body, bound, held)?,
            Wrapping::Lz4 => body = lz4(&body, bound, held)?,
        }
        if self.head.form == Form::Protobuf {
            body = snappy(&body, bound, held)?;
        }
        self.metrics.expanded(&self.tenant, self.head.protocol, body.len() as u64);
        let streams = match self.head.form {
            Form::Json(dialect) => read_json(&body, dialect)?,
            Form::Protobuf => read_protobuf(&body)?,
            Form::OtlpJson => self.streams_of(read_otlp_json(&body)?)?,
            Form::OtlpProtobuf => self.streams_of(read_otlp_protobuf(&body)?)?,
        };
        Ok(streams)
    }

    fn streams_of(&self, logs: Vec<ResourceLogs>) -> Result<Vec<PushedStream>, DecodeError> {
        let discover = &self.rules.limits.discover_service_name;
        streams_of(logs, Mapping { rules: &self.rules.otlp, discover, now: self.now })
    }

    /// One stream whose labels cannot be read refuses the push.
    fn label(&self, streams: Vec<PushedStream>) -> Result<Vec<(StreamLabels, Vec<PushedEntry>)>, PushError> {
        let discover = &self.rules.limits.discover_service_name;
        let backfill = self.head.backfill.as_deref();
        let mut labelled = Vec::with_capacity(streams.len());
        for stream in streams {
            labelled.push((StreamLabels::new(stream.labels, discover, backfill)?, stream.entries));
        }
        Ok(labelled)
    }
}
