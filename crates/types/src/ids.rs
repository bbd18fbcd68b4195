//! Ids that name things for ever, and the stamp that orders pushes.

use std::fmt;
use std::str::FromStr;

use ulid::Ulid;

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a valid {what} id: {}", crate::quoted(.text))]
pub struct InvalidId {
    what: &'static str,
    text: String,
}

/// Declares one kind of id. A macro, because a generic type would let ids of two kinds share methods
/// that only one of them should have, and the text of errors names the kind.
macro_rules! ulid_type {
    ($(#[$doc:meta])* $name:ident, $what:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(Ulid);

        impl $name {
            /// Time and randomness are the caller's, so that a simulation can make the same ids again.
            pub const fn new(unix_millis: u64, random: u128) -> Self {
                Self(Ulid::from_parts(unix_millis, random))
            }

            pub const fn as_u128(self) -> u128 {
                self.0.0
            }

            pub const fn from_u128(value: u128) -> Self {
                Self(Ulid(value))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0)
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            /// Only the one canonical text, so that two names never mean one thing.
            fn from_str(text: &str) -> Result<Self, InvalidId> {
                let invalid = || InvalidId { what: $what, text: text.to_owned() };
                let id = Ulid::from_string(text).map_err(|_| invalid())?;
                if id.to_string() != text {
                    return Err(invalid());
                }
                Ok(Self(id))
            }
        }
    };
}

ulid_type! {
    /// A process with a WAL directory, named when that directory is made: an empty disk is a new node.
    NodeId, "node"
}
ulid_type! {
    /// One segment object. Nobody else can choose its name.
    SegmentId, "segment"
}
ulid_type! {
    /// One immutable object of the catalog.
    FactId, "fact"
}

ulid_type! {
    /// One accepted delete request.
    TombstoneId, "tombstone"
}

/// Set once per push by the distributor that took it, before replication. Orders rows of a stream that
/// share a timestamp.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PushStamp(pub u128);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_comes_back_and_sorts_by_time() {
        let early = SegmentId::new(1_700_000_000_000, u128::MAX);
        let late = SegmentId::new(1_700_000_000_001, 0);
        assert!(early < late);
        assert!(early.to_string() < late.to_string());
        assert_eq!(early.to_string().parse(), Ok(early));
        assert_eq!(SegmentId::from_u128(early.as_u128()), early);
    }

    #[test]
    fn only_the_canonical_text_is_taken() {
        let text = NodeId::new(1_700_000_000_000, u128::MAX).to_string();
        assert!(text.to_lowercase().parse::<NodeId>().is_err());
        let error = "../x".parse::<SegmentId>().unwrap_err();
        assert_eq!(error.to_string(), r#"not a valid segment id: "../x""#);
    }
}
