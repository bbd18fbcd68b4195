//! Operators on numbers, and on a vector with a number.

use super::Vector;
use crate::ast::{BinaryOp, Side};

/// None: the comparison does not hold. A comparison that holds gives its left operand.
pub(crate) fn calculate(op: BinaryOp, left: f64, right: f64) -> Option<f64> {
    let holds = match op {
        BinaryOp::Equal => left == right,
        BinaryOp::NotEqual => left != right,
        BinaryOp::Less => left < right,
        BinaryOp::LessOrEqual => left <= right,
        BinaryOp::Greater => left > right,
        BinaryOp::GreaterOrEqual => left >= right,
        BinaryOp::Add => return Some(left + right),
        BinaryOp::Subtract => return Some(left - right),
        BinaryOp::Multiply => return Some(left * right),
        BinaryOp::Divide => return Some(if right == 0.0 { f64::NAN } else { left / right }),
        BinaryOp::Modulo => return Some(if right == 0.0 { f64::NAN } else { left % right }),
        BinaryOp::Power => return Some(left.powf(right)),
        // They look at labels, not at values.
        BinaryOp::Or | BinaryOp::And | BinaryOp::Unless => return Some(left),
    };
    holds.then_some(left)
}

/// `literal` stands on the given side. A comparison keeps the series' own value, whichever side it is on.
pub(crate) fn with_literal(
    op: BinaryOp,
    return_bool: bool,
    literal: f64,
    side: Side,
    mut vector: Vector,
) -> Vector {
    vector.retain_mut(|sample| {
        let found = match side {
            Side::Left => calculate(op, literal, sample.value),
            Side::Right => calculate(op, sample.value, literal),
        };
        if !op.is_comparison() {
            sample.value = found.unwrap_or(f64::NAN);
            return true;
        }
        if return_bool {
            sample.value = if found.is_some() { 1.0 } else { 0.0 };
        }
        return_bool || found.is_some()
    });
    vector
}
