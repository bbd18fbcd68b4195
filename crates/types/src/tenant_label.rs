//! The label that tells the rows of several tenants apart in one answer.

use crate::{InvalidLabels, Labels, TenantId};

/// The label that carries the tenant. No stored stream has it from its tenant.
pub const TENANT_LABEL: &str = "__tenant_id__";
/// Where a label that is stored under that name is shown.
pub const ORIGINAL_TENANT_LABEL: &str = "original___tenant_id__";

impl Labels {
    /// The labels of a stored stream as an answer of several tenants shows them.
    pub fn with_tenant(&self, tenant: &TenantId) -> Result<Self, InvalidLabels> {
        let moved = self.get(TENANT_LABEL);
        let mut pairs: Vec<(&str, &str)> = vec![(TENANT_LABEL, tenant.as_str())];
        for label in self {
            match &*label.name {
                TENANT_LABEL => pairs.push((ORIGINAL_TENANT_LABEL, &label.value)),
                // Hidden by the one that takes its name.
                ORIGINAL_TENANT_LABEL if moved.is_some() => {}
                name => pairs.push((name, &label.value)),
            }
        }
        Self::from_pairs(pairs)
    }
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
            let stored: Labels = stored.parse().unwrap();
            assert_eq!(stored.with_tenant(&tenant).unwrap().to_string(), shown);
        }
    }
}
