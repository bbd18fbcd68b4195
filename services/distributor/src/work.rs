//! What is done with the bytes of a push before anything is sent: it waits for nothing, and may take a
//! while.

use std::sync::Arc;

use bytes::Bytes;
use larch_limits::OperationalSettings;
use larch_runtime::BufferPool;
use larch_types::{Monotonic, TenantId, Timestamp};

use crate::check::{Against, Checked, Unreadable, check};
use crate::decode::{
    DecodeError, Mapping, ResourceLogs, read_json, read_otlp_json, read_otlp_protobuf, read_protobuf,
    streams_of,
};
use crate::decompress::{SizeBound, deflate, gzip, lz4, snappy, zstd};
use crate::error::PushError;
use crate::head::{Form, Head, Wrapping};
use crate::inflight::HeldBytes;
use crate::label_rules::{LabelFixes, LabelValues};
use crate::labels::{SERVICE_NAME, StreamLabels};
use crate::metrics::{Metrics, Stage};
use crate::push_log::{labels_hash, log_discovery};
use crate::pushed::{PushedEntry, PushedLabels, PushedStream};
use crate::rules::Rules;
use crate::usage::UsageBook;

type Labelled = (StreamLabels, Vec<PushedEntry>);

/// One push on its way.
pub(crate) struct Work {
    pub(crate) tenant: TenantId,
    pub(crate) head: Head,
    pub(crate) rules: Arc<Rules>,
    /// Counts the bytes that the push holds until its answer is made.
    pub(crate) held: HeldBytes,
    /// When it arrived.
    pub(crate) now: Timestamp,
    pub(crate) monotonic: Monotonic,
    pub(crate) metrics: Metrics,
    /// For what comes out of snappy.
    pub(crate) buffers: BufferPool,
    pub(crate) usage: Arc<UsageBook>,
    pub(crate) label_values: Arc<LabelValues>,
    pub(crate) operational: Arc<OperationalSettings>,
    /// Of the sender, if it is logged.
    pub(crate) address: String,
    /// Of all labels, if it is logged.
    pub(crate) labels_hash: Option<String>,
}

impl Work {
    /// Decompresses, decodes and checks.
    pub(crate) fn run(mut self, body: Bytes, bound: SizeBound) -> Result<(Self, Checked), PushError> {
        let streams = self.decode(body, bound)?;
        if streams.is_empty() {
            self.metrics.without_streams(&self.tenant, Stage::BeforeCheck);
            return Err(PushError::NoStreams);
        }
        let (streams, unreadable) = self.label(streams)?;
        self.metrics.parsed(&self.tenant, &self.head);
        if self.operational.log_hash_of_labels {
            self.labels_hash = Some(labels_hash(streams.iter().map(|(labels, _)| labels.text.as_str())));
        }
        let Self { tenant, head, rules, now, metrics, usage, .. } = &self;
        let against = Against { tenant, rules, head, now: *now, metrics, usage };
        let checked = check(&against, streams, &unreadable)?;
        if checked.streams.is_empty() {
            metrics.without_streams(tenant, Stage::AfterCheck);
        }
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
            body = snappy(&body, bound, held, &self.buffers)?;
        }
        self.metrics.expanded(&self.tenant, self.head.protocol, body.len() as u64);
        let streams = match self.head.form {
            Form::Json(dialect) => read_json(&body, dialect)?,
            Form::Protobuf | Form::Message => read_protobuf(&body)?,
            Form::OtlpJson => self.streams_of(read_otlp_json(&body)?)?,
            Form::OtlpProtobuf => self.streams_of(read_otlp_protobuf(&body)?)?,
        };
        Ok(streams)
    }

    fn streams_of(&self, logs: Vec<ResourceLogs>) -> Result<Vec<PushedStream>, DecodeError> {
        let discover = &self.rules.limits.discover_service_name;
        let watched = self.operational.log_service_name_discovery.then_some(&self.tenant);
        streams_of(logs, Mapping { rules: &self.rules.otlp, discover, now: self.now, watched })
    }

    /// One stream whose labels cannot be read refuses the push, but for gRPC: there only the stream.
    fn label(&self, streams: Vec<PushedStream>) -> Result<(Vec<Labelled>, Vec<Unreadable>), PushError> {
        let limits = &self.rules.limits;
        let rules = &limits.label_rules;
        let (tenant, values, now) = (&self.tenant, &*self.label_values, self.monotonic);
        let fixes = rules.is_active().then_some(LabelFixes { tenant, rules, values, now });
        let backfill = self.head.backfill.as_deref();
        let (mut labelled, mut unreadable) = (Vec::with_capacity(streams.len()), Vec::new());
        for PushedStream { labels, entries } in streams {
            let text = match (&labels, self.head.form) {
                (PushedLabels::Text(text), Form::Message) => Some(text.clone()),
                _ => None,
            };
            match (StreamLabels::new(labels, &limits.discover_service_name, backfill, fixes), text) {
                (Ok(labels), _) => {
                    self.note_discovery(&labels);
                    labelled.push((labels, entries));
                }
                (Err(PushError::Labels(error)), Some(text)) => unreadable.push(Unreadable {
                    text: String::from_utf8_lossy(&text).into_owned(),
                    error: error.reason(),
                    entries,
                }),
                (Err(error), _) => return Err(error),
            }
        }
        Ok((labelled, unreadable))
    }

    fn note_discovery(&self, labels: &StreamLabels) {
        if labels.is_discovered && self.operational.log_service_name_discovery {
            let service = labels.labels.get(SERVICE_NAME).unwrap_or_default();
            let candidates = &self.rules.limits.discover_service_name;
            log_discovery(&self.tenant, &labels.labels, candidates, service);
        }
    }
}
