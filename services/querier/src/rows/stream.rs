//! The streams that a question meets, each read once from its text.

use std::collections::HashMap;
use std::sync::Arc;

use larch_rpc::CallError;
use larch_types::{ErrorKind, InvalidLabels, Labels, StreamId, TenantId};

use super::budget::Budget;

/// A stored stream as evaluations see it.
#[derive(Debug)]
pub(crate) struct Stream {
    pub(crate) tenant: TenantId,
    /// Canonical, as stored.
    pub(crate) text: String,
    /// With the tenant, if the answer is of several.
    pub(crate) labels: Labels,
    /// Of `labels`, so that streams of two tenants are never one.
    pub(crate) id: StreamId,
}

/// What a stream costs beside its labels.
const STREAM_BYTES: usize = 256;

/// Streams by tenant and text, and by id.
#[derive(Debug)]
pub(crate) struct Streams {
    has_several_tenants: bool,
    by_text: HashMap<TenantId, HashMap<String, Arc<Stream>>>,
    by_id: HashMap<StreamId, Arc<Stream>>,
}

impl Streams {
    pub(crate) fn new(has_several_tenants: bool) -> Self {
        Self { has_several_tenants, by_text: HashMap::new(), by_id: HashMap::new() }
    }

    pub(crate) fn len(&self) -> usize {
        self.by_id.len()
    }

    pub(crate) fn ids(&self) -> impl Iterator<Item = StreamId> {
        self.by_id.keys().copied()
    }

    pub(crate) fn find(&self, id: StreamId) -> Option<&Arc<Stream>> {
        self.by_id.get(&id)
    }

    /// The stream with this text, which an ingester sent.
    pub(crate) fn meet(
        &mut self,
        tenant: &TenantId,
        text: &str,
        budget: &mut Budget,
    ) -> Result<Arc<Stream>, CallError> {
        if let Some(known) = self.by_text.get(tenant).and_then(|streams| streams.get(text)) {
            return Ok(Arc::clone(known));
        }
        // The text is kept twice and the labels once.
        budget.take(STREAM_BYTES + 3 * text.len())?;
        let stream = Arc::new(self.read(tenant, text).map_err(|error| {
            CallError::new(ErrorKind::Internal, format!("an ingester sent a stream that is none: {error}"))
        })?);
        let streams = self.by_text.entry(tenant.clone()).or_default();
        streams.insert(text.to_owned(), Arc::clone(&stream));
        self.by_id.insert(stream.id, Arc::clone(&stream));
        Ok(stream)
    }

    fn read(&self, tenant: &TenantId, text: &str) -> Result<Stream, InvalidLabels> {
        let stored: Labels = text.parse()?;
        let labels = if self.has_several_tenants { stored.with_tenant(tenant)? } else { stored };
        let id = StreamId::of(&labels);
        Ok(Stream { tenant: tenant.clone(), text: text.to_owned(), labels, id })
    }
}
