//! Decimal arithmetic: `addf 0.1 0.2` is `0.3`. Values are read as the shortest decimals that mean them.

use num_bigint::BigInt;

use crate::functions::CallError;
use crate::go::{FloatForm, float_text};

/// Places behind the point that a division keeps.
const DIVISION_PLACES: i64 = 16;

/// Between the exponents of two operands, and of any result. A float has about 300 either way; chains of
/// products go further, and beyond this nothing but work is gained.
const MAX_EXPONENT: i64 = 1_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Op {
    Add,
    Sub,
    Mul,
    Div,
}

/// `digits * 10^exponent`.
#[derive(Debug, Clone)]
struct Decimal {
    digits: BigInt,
    exponent: i64,
}

/// The first value combined with all others, left to right.
pub(super) fn chain(values: impl Iterator<Item = f64>, op: Op) -> Result<f64, CallError> {
    let mut result: Option<Decimal> = None;
    for value in values {
        let value = from_float(value)?;
        let next = match result {
            None => value,
            Some(so_far) => apply(so_far, value, op)?,
        };
        if next.exponent.abs() > MAX_EXPONENT || next.digits.bits() > 4 * MAX_EXPONENT.unsigned_abs() {
            return Err(CallError::from("decimal out of range"));
        }
        result = Some(next);
    }
    Ok(result.map_or(0.0, |decimal| to_float(&decimal)))
}

fn from_float(value: f64) -> Result<Decimal, CallError> {
    if !value.is_finite() {
        let text = float_text(value, FloatForm::General, None);
        return Err(CallError(format!("Cannot create a Decimal from {text}")));
    }
    let text = format!("{value:e}");
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let behind = mantissa.split_once('.').map_or(0, |(_, fraction)| fraction.len());
    let digits: i64 = mantissa.replace('.', "").parse().unwrap_or(0);
    let exponent: i64 = exponent.parse().unwrap_or(0);
    Ok(Decimal { digits: BigInt::from(digits), exponent: exponent - behind as i64 })
}

fn to_float(decimal: &Decimal) -> f64 {
    format!("{}e{}", decimal.digits, decimal.exponent).parse().unwrap_or(0.0)
}

fn apply(a: Decimal, b: Decimal, op: Op) -> Result<Decimal, CallError> {
    match op {
        Op::Mul => Ok(Decimal { digits: a.digits * b.digits, exponent: a.exponent + b.exponent }),
        Op::Div => divide(&a, &b),
        Op::Add | Op::Sub => {
            let exponent = a.exponent.min(b.exponent);
            let a = shifted(a.digits, a.exponent - exponent)?;
            let b = shifted(b.digits, b.exponent - exponent)?;
            Ok(Decimal { digits: if op == Op::Add { a + b } else { a - b }, exponent })
        }
    }
}

fn shifted(digits: BigInt, places: i64) -> Result<BigInt, CallError> {
    match u32::try_from(places) {
        Ok(power) if places <= 2 * MAX_EXPONENT => Ok(digits * BigInt::from(10).pow(power)),
        _ => Err(CallError::from("decimal out of range")),
    }
}

/// Rounded half away from zero at the last place kept.
fn divide(a: &Decimal, b: &Decimal) -> Result<Decimal, CallError> {
    let zero = BigInt::ZERO;
    if b.digits == zero {
        return Err(CallError::from("decimal division by 0"));
    }
    // a/b = quotient * 10^-16 with both sides scaled to integers.
    let scale = a.exponent - b.exponent + DIVISION_PLACES;
    let (dividend, divisor) = if scale >= 0 {
        (shifted(a.digits.clone(), scale)?, b.digits.clone())
    } else {
        (a.digits.clone(), shifted(b.digits.clone(), -scale)?)
    };
    let mut quotient = &dividend / &divisor;
    let rest = &dividend - &quotient * &divisor;
    let twice = BigInt::from(2) * BigInt::from(rest.magnitude().clone());
    if twice >= BigInt::from(divisor.magnitude().clone()) {
        let negative = (dividend < zero) != (divisor < zero);
        quotient += if negative { -1 } else { 1 };
    }
    Ok(Decimal { digits: quotient, exponent: -DIVISION_PLACES })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals() {
        for (values, op, want) in [
            (&[0.1, 0.2][..], Op::Add, 0.3),
            (&[46.41, 0.5], Op::Sub, 45.91),
            (&[45.91, 2.0], Op::Mul, 91.82),
            (&[45.91, 3.0], Op::Div, 15.303_333_333_333_333),
            (&[7.0, 2.0], Op::Div, 3.5),
            (&[-1.0, 3.0], Op::Div, -0.333_333_333_333_333_3),
            (&[2.0, 3.0], Op::Div, 0.666_666_666_666_666_7),
            (&[1.0, 3e10], Op::Div, 3.333_33e-11),
            (&[1e300, 1e-300], Op::Add, 1e300),
            (&[1e300, 1e300], Op::Mul, f64::INFINITY),
            (&[], Op::Add, 0.0),
        ] {
            assert_eq!(chain(values.iter().copied(), op), Ok(want), "{values:?}");
        }
        let failed = |values: &[f64], op: Op| chain(values.iter().copied(), op).unwrap_err().0;
        assert_eq!(failed(&[1.0, 0.0], Op::Div), "decimal division by 0");
        assert_eq!(failed(&[f64::INFINITY], Op::Add), "Cannot create a Decimal from +Inf");
        assert_eq!(failed(&[1e300; 20], Op::Mul), "decimal out of range");
    }
}
