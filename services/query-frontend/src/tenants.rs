//! Which tenants a read is about, if its request names several.
//!
//! Their rows carry the tenant as a label. Matchers on that label choose among the tenants of the request;
//! they are evaluated here and taken out, because no stored stream has the label.

use larch_logql::{Expr, LabelMatcher, Meaningless, ParseError, parse};
use larch_proto::{AccessPolicy, PieceTenant};
use larch_types::{Matcher, ORIGINAL_TENANT_LABEL, TENANT_LABEL, TenantId, TenantSet};

use crate::error::ReadError;
use crate::selectors::change_selectors;

/// The tenants that a query selects, and the query for their storage.
pub(crate) struct Selected {
    /// Empty: none of those that the request names.
    pub(crate) tenants: Vec<PieceTenant>,
    pub(crate) expr: Expr,
    pub(crate) query: String,
}

/// For queries; `text` is what `expr` was made of.
pub(crate) fn select(tenants: &TenantSet, mut expr: Expr, text: &str) -> Result<Selected, ReadError> {
    if tenants.single().is_ok() {
        return Ok(Selected { tenants: visible(tenants, tenants.as_slice()), expr, query: text.to_owned() });
    }
    let mut chosen: Option<Vec<TenantId>> = None;
    let mut changed = false;
    change_selectors(&mut expr, &mut |matchers| {
        let before = matchers.clone();
        let here = choose(tenants, matchers)?;
        changed |= before != *matchers;
        if chosen.as_ref().is_some_and(|known| *known != here) {
            return Err(ReadError::TenantsDiffer);
        }
        chosen = Some(here);
        Ok(())
    })?;
    let chosen = chosen.unwrap_or_else(|| tenants.as_slice().to_vec());
    let query = if changed { expr.to_string() } else { text.to_owned() };
    if changed {
        // Without the tenant a selector may select everything, which is not allowed either.
        parse(&query)?;
    }
    Ok(Selected { tenants: visible(tenants, &chosen), expr, query })
}

/// For selectors that stand alone. One that was only about tenants selects all their streams.
pub(crate) fn select_all(
    tenants: &TenantSet,
    selectors: &mut [Vec<Matcher>],
) -> Result<Vec<PieceTenant>, ReadError> {
    if tenants.single().is_ok() {
        return Ok(visible(tenants, tenants.as_slice()));
    }
    let mut chosen: Option<Vec<TenantId>> = None;
    for matchers in selectors {
        let here = choose(tenants, matchers)?;
        if chosen.as_ref().is_some_and(|known| *known != here) {
            return Err(ReadError::TenantsDiffer);
        }
        chosen = Some(here);
    }
    let chosen = chosen.unwrap_or_else(|| tenants.as_slice().to_vec());
    Ok(visible(tenants, &chosen))
}

/// The tenants for which all matchers on the tenant hold. Those matchers are taken out, and those on the
/// stored label of the same name get its stored name.
fn choose(tenants: &TenantSet, matchers: &mut Vec<Matcher>) -> Result<Vec<TenantId>, ReadError> {
    let mut chosen = tenants.as_slice().to_vec();
    for matcher in matchers.iter().filter(|matcher| matcher.name == TENANT_LABEL) {
        let compiled = LabelMatcher::new(matcher)
            .map_err(|error| ParseError::Meaning(Meaningless::Regex(error.to_string())))?;
        chosen.retain(|tenant| compiled.matches(tenant.as_str().as_bytes()));
    }
    matchers.retain(|matcher| matcher.name != TENANT_LABEL);
    for matcher in matchers.iter_mut().filter(|matcher| matcher.name == ORIGINAL_TENANT_LABEL) {
        matcher.name = TENANT_LABEL.to_owned();
    }
    Ok(chosen)
}

/// The tenants of a piece. Workers show the tenant of a row if the piece names several, so one that is left
/// alone of several is joined by another of which nothing may be seen.
fn visible(named: &TenantSet, chosen: &[TenantId]) -> Vec<PieceTenant> {
    let mut tenants: Vec<PieceTenant> =
        chosen.iter().map(|tenant| PieceTenant { tenant: tenant.clone(), policy: None }).collect();
    if let [alone] = chosen
        && let Some(other) = named.as_slice().iter().find(|tenant| *tenant != alone)
    {
        let nothing = AccessPolicy { any_of: Vec::new() };
        tenants.push(PieceTenant { tenant: other.clone(), policy: Some(nothing) });
    }
    tenants
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The tenants with a star at those of which nothing may be seen, and the query; or the error.
    fn selected(header: &str, query: &str) -> Result<(String, String), String> {
        let tenants: TenantSet = header.parse().unwrap();
        let selected = select(&tenants, parse(query).unwrap(), query).map_err(|error| error.to_string())?;
        let names: Vec<String> = selected
            .tenants
            .iter()
            .map(|tenant| format!("{}{}", tenant.tenant, if tenant.policy.is_some() { "*" } else { "" }))
            .collect();
        Ok((names.join(" "), selected.query))
    }

    #[track_caller]
    fn check(header: &str, query: &str, tenants: &str, stored: &str) {
        assert_eq!(selected(header, query), Ok((tenants.to_owned(), stored.to_owned())), "{header} {query}");
    }

    #[test]
    fn matchers_on_the_tenant_choose() {
        check("a|b|c", r#"{x="1"}"#, "a b c", r#"{x="1"}"#);
        check("a|b|c", r#"{x="1",   y="2"}"#, "a b c", r#"{x="1",   y="2"}"#);
        check("a|b|c", r#"{x="1", __tenant_id__!="b"}"#, "a c", r#"{x="1"}"#);
        check("a|b|c", r#"{x="1", __tenant_id__=~"a|z"}"#, "a b*", r#"{x="1"}"#);
        check("a|b|c", r#"{x="1", __tenant_id__=~".", __tenant_id__="c"}"#, "c a*", r#"{x="1"}"#);
        check("a|b", r#"{x="1", __tenant_id__="z"}"#, "", r#"{x="1"}"#);
        check("a|b", r#"{original___tenant_id__="s"}"#, "a b", r#"{__tenant_id__="s"}"#);
        check("a", r#"{__tenant_id__="s"}"#, "a", r#"{__tenant_id__="s"}"#);
        check("a|b", "vector(1)", "a b", "vector(1)");
    }

    #[test]
    fn all_parts_of_a_query_choose_the_same() {
        let leg = |tenant: &str| format!(r#"rate({{x="1", __tenant_id__="{tenant}"}}[1m])"#);
        let same = format!("{} / {}", leg("a"), leg("a"));
        check("a|b", &same, "a b*", r#"(rate({x="1"}[1m]) / rate({x="1"}[1m]))"#);
        let differ = format!("{} / {}", leg("a"), leg("b"));
        assert_eq!(
            selected("a|b", &differ).unwrap_err(),
            "the parts of a query cannot select different tenants"
        );
    }

    #[test]
    fn without_the_tenant_something_must_be_left() {
        let error = selected("a|b", r#"{__tenant_id__="a"}"#).unwrap_err();
        assert!(error.starts_with("parse error : queries require at least one regexp"), "{error}");
        let mut alone = [larch_logql::parse_selector(r#"{__tenant_id__="a"}"#).unwrap()];
        let tenants = select_all(&"a|b".parse().unwrap(), &mut alone).unwrap();
        assert_eq!((tenants.len(), alone[0].len()), (2, 0));
        assert!(tenants[0].policy.is_none() && tenants[1].policy.is_some());
    }
}
