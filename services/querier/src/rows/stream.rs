//! The streams that a question meets, each looked at once.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use larch_rpc::CallError;
use larch_types::{ErrorKind, InvalidLabels, Labels, StreamId, TenantId, canonical_pairs};

use super::budget::Budget;

/// A stored stream as evaluations see it.
#[derive(Debug)]
pub(crate) struct Stream {
    pub(crate) tenant: TenantId,
    /// Canonical, as stored.
    pub(crate) text: Arc<str>,
    /// Of its labels as they are shown, so that streams of two tenants are never one.
    pub(crate) id: StreamId,
    /// As they are shown, once they are asked for: of most streams of a tenant with very many nobody does.
    labels: OnceLock<Labels>,
}

/// What a stream costs beside its labels.
const STREAM_BYTES: usize = 256;

/// Streams by tenant and text, and by id.
#[derive(Debug)]
pub(crate) struct Streams {
    has_several_tenants: bool,
    by_id: HashMap<StreamId, Arc<Stream>>,
}

impl Stream {
    /// With the tenant, if the answer is of several.
    pub(crate) fn labels(&self) -> &Labels {
        // With several tenants they were made at once.
        self.labels.get_or_init(|| labels_of(&self.text).unwrap_or_default())
    }

    /// Its labels, if they were asked for, or are not those of the text.
    pub(crate) fn made_labels(&self) -> Option<&Labels> {
        self.labels.get()
    }
}

fn labels_of(text: &str) -> Result<Labels, InvalidLabels> {
    Labels::from_pairs(canonical_pairs(text)?)
}

/// A stream's id as answers know it, and its labels where they had to be made for that.
pub(crate) fn identify(
    has_several_tenants: bool,
    tenant: &TenantId,
    text: &str,
) -> Result<(StreamId, Option<Labels>), CallError> {
    let read = || -> Result<(StreamId, Option<Labels>), InvalidLabels> {
        if has_several_tenants {
            let labels = text.parse::<Labels>()?.with_tenant(tenant)?;
            return Ok((StreamId::of(&labels), Some(labels)));
        }
        Ok((StreamId::of_canonical(text), None))
    };
    read().map_err(|error| no_stream(&error))
}

/// The labels of a stored stream as answers show them.
pub(crate) fn shown_labels(
    has_several_tenants: bool,
    tenant: &TenantId,
    text: &str,
) -> Result<Labels, CallError> {
    let labels = labels_of(text);
    let labels =
        if has_several_tenants { labels.and_then(|stored| stored.with_tenant(tenant)) } else { labels };
    labels.map_err(|error| no_stream(&error))
}

fn no_stream(error: &InvalidLabels) -> CallError {
    CallError::new(ErrorKind::Internal, format!("an ingester sent a stream that is none: {error}"))
}

impl Streams {
    pub(crate) fn new(has_several_tenants: bool) -> Self {
        Self { has_several_tenants, by_id: HashMap::new() }
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

    /// The stream with this text, which an ingester or a planner sent.
    pub(crate) fn meet(
        &mut self,
        tenant: &TenantId,
        text: &str,
        budget: &mut Budget,
    ) -> Result<Arc<Stream>, CallError> {
        let (id, labels) = identify(self.has_several_tenants, tenant, text)?;
        if let Some(known) = self.by_id.get(&id) {
            return Ok(Arc::clone(known));
        }
        // The text is kept once, and may be once more as labels.
        budget.take(STREAM_BYTES + 2 * text.len())?;
        canonical_pairs(text).map_err(|error| no_stream(&error))?;
        let labels = labels.map(OnceLock::from).unwrap_or_default();
        let stream = Arc::new(Stream { tenant: tenant.clone(), text: text.into(), id, labels });
        self.by_id.insert(id, Arc::clone(&stream));
        Ok(stream)
    }
}
