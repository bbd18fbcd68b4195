//! Numbers that are not for computing.

/// What a node's view of members and tokens hashes to. Nodes that agree on it place alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RingDigest(pub u64);

/// A place in one node's WAL. Later records have larger ones, all above 0; those of two nodes cannot be
/// compared.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct WalPosition(pub u64);

/// One piece of work, as the queue that handed it out knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PieceId(pub u64);
