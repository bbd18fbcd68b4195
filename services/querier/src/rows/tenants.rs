//! Answers of several tenants: each stream carries its tenant as a label, and selectors may ask for it.

use larch_logql::LabelMatcher;
use larch_proto::Selector;
use larch_rpc::CallError;
use larch_types::{ErrorKind, InvalidLabels, Labels, Matcher, TenantId};

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

/// What the selectors, which see streams as the answer shows them, ask of the stored streams of one tenant.
/// None: nothing of this tenant can match.
pub(crate) fn of_tenant(
    selectors: &[Selector],
    tenant: &TenantId,
) -> Result<Option<Vec<Selector>>, CallError> {
    if selectors.is_empty() {
        return Ok(Some(Vec::new()));
    }
    let mut stored = Vec::with_capacity(selectors.len());
    for selector in selectors {
        stored.extend(selector_of_tenant(selector, tenant)?);
    }
    Ok((!stored.is_empty()).then_some(stored))
}

fn selector_of_tenant(selector: &Selector, tenant: &TenantId) -> Result<Option<Selector>, CallError> {
    let mut matchers = Vec::with_capacity(selector.matchers.len());
    for matcher in &selector.matchers {
        match matcher.name.as_str() {
            TENANT_LABEL => {
                let compiled = LabelMatcher::new(matcher)
                    .map_err(|error| CallError::new(ErrorKind::Invalid, error.to_string()))?;
                if !compiled.matches(tenant.as_str().as_bytes()) {
                    return Ok(None);
                }
            }
            ORIGINAL_TENANT_LABEL => {
                matchers.push(Matcher { name: TENANT_LABEL.to_owned(), ..matcher.clone() });
            }
            _ => matchers.push(matcher.clone()),
        }
    }
    Ok(Some(Selector { matchers }))
}

#[cfg(test)]
mod tests {
    use larch_logql::parse_any_selector;

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

    #[test]
    fn selectors_ask_for_tenants() {
        let check = |selectors: &[&str], want: Option<&[&str]>| {
            let read = |text: &&str| Selector { matchers: parse_any_selector(text).unwrap() };
            let selectors: Vec<Selector> = selectors.iter().map(read).collect();
            let stored = of_tenant(&selectors, &"t".parse().unwrap()).unwrap();
            assert_eq!(stored, want.map(|want| want.iter().map(read).collect()), "{selectors:?}");
        };
        check(&[], Some(&[]));
        check(&[r#"{a="1"}"#], Some(&[r#"{a="1"}"#]));
        check(&[r#"{a="1", __tenant_id__=~"t|u"}"#], Some(&[r#"{a="1"}"#]));
        check(&[r#"{a="1", __tenant_id__!="t"}"#], None);
        check(
            &[r#"{__tenant_id__="u"}"#, r#"{original___tenant_id__="u"}"#],
            Some(&[r#"{__tenant_id__="u"}"#]),
        );
    }
}
