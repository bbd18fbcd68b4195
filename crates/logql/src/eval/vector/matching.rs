//! Operators on two vectors: which series belong together, and what comes of a pair.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::{Vector, calculate};
use crate::ast::{BinaryOp, Side, VectorMatching};
use crate::eval::{EvalError, LabelSet, Sample};

/// Without a clause all labels must be equal.
pub(crate) fn combine(
    op: BinaryOp,
    return_bool: bool,
    matching: Option<&VectorMatching>,
    left: Vector,
    right: Vector,
) -> Result<Vector, EvalError> {
    match op {
        BinaryOp::And => Ok(filtered(matching, left, &right, true)),
        BinaryOp::Unless => Ok(filtered(matching, left, &right, false)),
        BinaryOp::Or => {
            let mut out = left;
            let added = filtered(matching, right, &out, false);
            out.extend(added);
            Ok(out)
        }
        _ => pairs(op, return_bool, matching, left, right),
    }
}

/// What two series must have in common. Empty values are as good as none.
fn key(matching: Option<&VectorMatching>, labels: &LabelSet) -> LabelSet {
    labels.only(|label| {
        let is_named = |matching: &VectorMatching| matching.labels.iter().any(|name| **name == *label.name);
        let counts = matching.is_none_or(|matching| is_named(matching) == matching.on);
        counts && !label.value.is_empty()
    })
}

/// The series that have a partner on the other side, or those that have none.
fn filtered(
    matching: Option<&VectorMatching>,
    series: Vector,
    others: &[Sample],
    with_partner: bool,
) -> Vector {
    let others: HashSet<LabelSet> = others.iter().map(|sample| key(matching, &sample.labels)).collect();
    let mut kept = series;
    kept.retain(|sample| others.contains(&key(matching, &sample.labels)) == with_partner);
    kept
}

fn pairs(
    op: BinaryOp,
    return_bool: bool,
    matching: Option<&VectorMatching>,
    left: Vector,
    right: Vector,
) -> Result<Vector, EvalError> {
    let many_side = matching.and_then(|matching| matching.group.as_ref()).map(|group| group.many);
    let (many, one, one_side) = match many_side {
        Some(Side::Right) => (right, left, Side::Left),
        Some(Side::Left) | None => (left, right, Side::Right),
    };
    let mut partners: HashMap<LabelSet, Sample> = HashMap::with_capacity(one.len());
    for sample in one {
        if partners.insert(key(matching, &sample.labels), sample).is_some() {
            return Err(EvalError::ManyToMany(one_side));
        }
    }
    // The labels that have come out for each key.
    let mut matched: HashMap<LabelSet, HashSet<LabelSet>> = HashMap::new();
    let mut out = Vec::with_capacity(many.len());
    for sample in many {
        let key = key(matching, &sample.labels);
        let Some(partner) = partners.get(&key) else { continue };
        let labels = result_labels(matching, &sample.labels, &partner.labels);
        let seen = matched.entry(key).or_default();
        if many_side.is_none() && !seen.is_empty() {
            return Err(EvalError::ManyToOne);
        }
        if !seen.insert(labels.clone()) {
            return Err(EvalError::GroupingNotUnique);
        }
        let (left, right) = match one_side {
            Side::Left => (partner.value, sample.value),
            Side::Right => (sample.value, partner.value),
        };
        let found = calculate(op, left, right);
        let value = if op.is_comparison() && return_bool {
            Some(if found.is_some() { 1.0 } else { 0.0 })
        } else {
            found
        };
        if let Some(value) = value {
            out.push(Sample { labels: Arc::new(labels), value });
        }
    }
    Ok(out)
}

fn result_labels(matching: Option<&VectorMatching>, many: &LabelSet, one: &LabelSet) -> LabelSet {
    let Some(matching) = matching else { return many.only(|label| !label.value.is_empty()) };
    let Some(group) = &matching.group else {
        // The labels that both sides agree on, or all but those that do not count.
        return many.only(|label| {
            let is_named = matching.labels.iter().any(|name| **name == *label.name);
            is_named == matching.on && !label.value.is_empty()
        });
    };
    let mut labels = many.only(|label| !label.value.is_empty());
    for name in &group.include {
        labels = labels.with(name, one.get(name).unwrap_or(""));
    }
    labels
}
