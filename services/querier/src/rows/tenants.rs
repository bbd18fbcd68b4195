//! Answers of several tenants: each stream carries its tenant as a label.
//!
//! Selectors in a piece are of streams as they are stored, also where a label of theirs has the name that the
//! tenant's label has: whoever made the piece has chosen the tenants and turned the names.

use larch_proto::PieceTenant;
use larch_types::{InvalidLabels, Labels, Matcher, TenantId};

/// The label that carries the tenant.
pub(crate) const TENANT_LABEL: &str = "__tenant_id__";
/// Where a label that is stored under that name is shown.
pub(crate) const ORIGINAL_TENANT_LABEL: &str = "original___tenant_id__";

/// The labels as an answer of several tenants shows them.
pub(crate) fn with_tenant(stored: &Labels, tenant: &TenantId) -> Result<Labels, InvalidLabels> {
    let moved = stored.get(TENANT_LABEL);
    let mut pairs: Vec<(&str, &str)> = vec![(TENANT_LABEL, tenant.as_str())];
    for label in stored {
        match &*label.name {
            TENANT_LABEL => pairs.push((ORIGINAL_TENANT_LABEL, &label.value)),
            // Hidden by the one that takes its name.
            ORIGINAL_TENANT_LABEL if moved.is_some() => {}
            name => pairs.push((name, &label.value)),
        }
    }
    Labels::from_pairs(pairs)
}

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_show_the_tenant() {
        let tenant: TenantId = "t".parse().unwrap();
        for (stored, shown) in [
            (r#"{a="1"}"#, r#"{__tenant_id__="t", a="1"}"#),
            (r#"{__tenant_id__="x", a="1"}"#, r#"{__tenant_id__="t", a="1", original___tenant_id__="x"}"#),
            (
                r#"{__tenant_id__="x", original___tenant_id__="y"}"#,
                r#"{__tenant_id__="t", original___tenant_id__="x"}"#,
            ),
            (r#"{original___tenant_id__="y"}"#, r#"{__tenant_id__="t", original___tenant_id__="y"}"#),
        ] {
            assert_eq!(with_tenant(&stored.parse().unwrap(), &tenant).unwrap().to_string(), shown);
        }
    }
}
