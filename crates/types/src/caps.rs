//! Protocol maxima that no setting can lift. Per-tenant limits may only be tighter.

/// Loki's bound; longer ids would not fit object keys of stores with a 1 KiB key limit once encoded.
pub const MAX_TENANT_ID_BYTES: usize = 150;

/// A read names its tenants in one header; a header line is bounded to 8 KiB, this bounds the fan-out.
pub const MAX_TENANTS_PER_REQUEST: usize = 1000;
