//! A process as it describes itself to the others.

use larch_types::{Address, NodeId, Timestamp};

use crate::check::{address, missing, node_id, to_id};
use crate::wire::ring::Load;
use crate::{InvalidMessage, RingDigest, wire};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Role {
    Distributor,
    Ingester,
    QueryFrontend,
    Querier,
    IndexGateway,
    Compactor,
    Ruler,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum MemberState {
    /// Read from, not written to.
    Joining,
    Active,
    /// Its disk is too slow to take writes.
    Stalled,
    /// Flushes what it holds and takes no writes.
    Leaving,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    pub node: NodeId,
    /// Never empty.
    pub roles: Vec<Role>,
    pub grpc_address: Option<Address>,
    pub http_address: Option<Address>,
    /// Empty if zones are not used.
    pub zone: String,
    pub state: MemberState,
    /// Ascending, each once.
    pub tokens: Vec<u32>,
    pub load: Load,
    pub ring_digest: RingDigest,
    /// When this run of the process began.
    pub started: Timestamp,
    /// When the node first joined.
    pub registered: Timestamp,
    pub version: String,
}

// === conversions ===

fn role(role: i32) -> Option<Role> {
    use wire::ring::Role as Wire;
    match Wire::try_from(role) {
        Ok(Wire::Distributor) => Some(Role::Distributor),
        Ok(Wire::Ingester) => Some(Role::Ingester),
        Ok(Wire::QueryFrontend) => Some(Role::QueryFrontend),
        Ok(Wire::Querier) => Some(Role::Querier),
        Ok(Wire::IndexGateway) => Some(Role::IndexGateway),
        Ok(Wire::Compactor) => Some(Role::Compactor),
        Ok(Wire::Ruler) => Some(Role::Ruler),
        Ok(Wire::Unspecified) | Err(_) => None,
    }
}

fn to_role(role: Role) -> i32 {
    use wire::ring::Role as Wire;
    let role = match role {
        Role::Distributor => Wire::Distributor,
        Role::Ingester => Wire::Ingester,
        Role::QueryFrontend => Wire::QueryFrontend,
        Role::Querier => Wire::Querier,
        Role::IndexGateway => Wire::IndexGateway,
        Role::Compactor => Wire::Compactor,
        Role::Ruler => Wire::Ruler,
    };
    role.into()
}

fn state(state: i32) -> Result<MemberState, InvalidMessage> {
    use wire::ring::MemberState as Wire;
    match Wire::try_from(state) {
        Ok(Wire::Joining) => Ok(MemberState::Joining),
        Ok(Wire::Active) => Ok(MemberState::Active),
        Ok(Wire::Stalled) => Ok(MemberState::Stalled),
        Ok(Wire::Leaving) => Ok(MemberState::Leaving),
        Ok(Wire::Unspecified) | Err(_) => Err(missing("state")),
    }
}

fn to_state(state: MemberState) -> i32 {
    use wire::ring::MemberState as Wire;
    let state = match state {
        MemberState::Joining => Wire::Joining,
        MemberState::Active => Wire::Active,
        MemberState::Stalled => Wire::Stalled,
        MemberState::Leaving => Wire::Leaving,
    };
    state.into()
}

fn to_address(address: Option<&Address>) -> String {
    address.map(Address::as_str).unwrap_or_default().to_owned()
}

impl From<Member> for wire::ring::Member {
    fn from(member: Member) -> Self {
        Self {
            node_id: to_id(member.node.as_u128()),
            roles: member.roles.into_iter().map(to_role).collect(),
            grpc_address: to_address(member.grpc_address.as_ref()),
            http_address: to_address(member.http_address.as_ref()),
            zone: member.zone,
            state: to_state(member.state),
            tokens: member.tokens,
            load: Some(member.load),
            ring_digest: member.ring_digest.0,
            started_ns: member.started.nanos(),
            registered_ns: member.registered.nanos(),
            version: member.version,
        }
    }
}

impl TryFrom<wire::ring::Member> for Member {
    type Error = InvalidMessage;

    fn try_from(member: wire::ring::Member) -> Result<Self, InvalidMessage> {
        // A role that a later version added is no reason not to see the others.
        let roles: Vec<Role> = member.roles.iter().filter_map(|one| role(*one)).collect();
        if roles.is_empty() {
            return Err(missing("roles"));
        }
        if !member.tokens.is_sorted_by(|a, b| a < b) {
            return Err(InvalidMessage::new("tokens", "not ascending"));
        }
        Ok(Self {
            node: node_id("node_id", &member.node_id)?,
            roles,
            grpc_address: address("grpc_address", &member.grpc_address)?,
            http_address: address("http_address", &member.http_address)?,
            zone: member.zone,
            state: state(member.state)?,
            tokens: member.tokens,
            load: member.load.unwrap_or_default(),
            ring_digest: RingDigest(member.ring_digest),
            started: Timestamp::from_nanos(member.started_ns),
            registered: Timestamp::from_nanos(member.registered_ns),
            version: member.version,
        })
    }
}
