//! Answers of several tenants: each stream carries its tenant as a label.
//!
//! Selectors in a piece are of streams as they are stored, also where a label of theirs has the name that the
//! tenant's label has: whoever made the piece has chosen the tenants and turned the names.

use larch_proto::PieceTenant;
use larch_types::{Matcher, ORIGINAL_TENANT_LABEL, TENANT_LABEL};

/// A selector of stored streams, as one of streams that show their tenant.
pub(crate) fn turn_selector(matchers: &mut [Matcher]) {
    for matcher in matchers {
        if matcher.name == TENANT_LABEL {
            ORIGINAL_TENANT_LABEL.clone_into(&mut matcher.name);
        }
    }
}

/// False for a tenant that is named only so that answers show tenants.
pub(crate) fn may_be_seen(tenant: &PieceTenant) -> bool {
    tenant.policy.as_ref().is_none_or(|policy| !policy.any_of.is_empty())
}
