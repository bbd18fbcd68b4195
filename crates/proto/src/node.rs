//! What is asked of an ingester as a node and not for a tenant.

use larch_types::TenantId;

use crate::check::{list, required, tenant, to_list};
use crate::{InvalidMessage, Member, Selector, WalPosition, wire};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FlushRequest {
    /// `None`: every tenant.
    pub tenant: Option<TenantId>,
    /// Streams of that tenant; all of them, if there is none.
    pub any_of: Vec<Selector>,
    /// Whether to answer only when the segments are announced.
    pub wait_for_upload: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FlushResponse {
    /// Everything before it is cut.
    pub wal_position: WalPosition,
    pub segments: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StateRequest;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateResponse {
    pub member: Member,
    /// The last record that is applied.
    pub wal_position: WalPosition,
    pub wal_bytes: u64,
    /// Still reading its WAL after a start.
    pub replaying: bool,
    pub tenants: u64,
    pub streams: u64,
    /// Rows that are not announced yet.
    pub rows: u64,
    pub raw_bytes: u64,
    pub uploads_waiting: u64,
}

// === conversions ===

impl From<FlushRequest> for wire::ingest::FlushRequest {
    fn from(request: FlushRequest) -> Self {
        Self {
            tenant: request.tenant.map(|tenant| tenant.as_str().to_owned()).unwrap_or_default(),
            any_of: to_list(request.any_of),
            wait_for_upload: request.wait_for_upload,
        }
    }
}

impl TryFrom<wire::ingest::FlushRequest> for FlushRequest {
    type Error = InvalidMessage;

    fn try_from(request: wire::ingest::FlushRequest) -> Result<Self, InvalidMessage> {
        let tenant = match request.tenant.as_str() {
            "" if !request.any_of.is_empty() => {
                return Err(InvalidMessage::new("tenant", "missing, but streams are selected"));
            }
            "" => None,
            text => Some(tenant("tenant", text)?),
        };
        let any_of = list("any_of", request.any_of)?;
        Ok(Self { tenant, any_of, wait_for_upload: request.wait_for_upload })
    }
}

impl From<FlushResponse> for wire::ingest::FlushResponse {
    fn from(response: FlushResponse) -> Self {
        Self { wal_position: response.wal_position.0, segments: response.segments }
    }
}

impl From<wire::ingest::FlushResponse> for FlushResponse {
    fn from(response: wire::ingest::FlushResponse) -> Self {
        Self { wal_position: WalPosition(response.wal_position), segments: response.segments }
    }
}

impl From<StateRequest> for wire::ingest::StateRequest {
    fn from(_: StateRequest) -> Self {
        Self {}
    }
}

impl From<wire::ingest::StateRequest> for StateRequest {
    fn from(_: wire::ingest::StateRequest) -> Self {
        Self
    }
}

impl From<StateResponse> for wire::ingest::StateResponse {
    fn from(state: StateResponse) -> Self {
        Self {
            member: Some(state.member.into()),
            wal_position: state.wal_position.0,
            wal_bytes: state.wal_bytes,
            replaying: state.replaying,
            tenants: state.tenants,
            streams: state.streams,
            rows: state.rows,
            raw_bytes: state.raw_bytes,
            uploads_waiting: state.uploads_waiting,
        }
    }
}

impl TryFrom<wire::ingest::StateResponse> for StateResponse {
    type Error = InvalidMessage;

    fn try_from(state: wire::ingest::StateResponse) -> Result<Self, InvalidMessage> {
        Ok(Self {
            member: required("member", state.member)?,
            wal_position: WalPosition(state.wal_position),
            wal_bytes: state.wal_bytes,
            replaying: state.replaying,
            tenants: state.tenants,
            streams: state.streams,
            rows: state.rows,
            raw_bytes: state.raw_bytes,
            uploads_waiting: state.uploads_waiting,
        })
    }
}
