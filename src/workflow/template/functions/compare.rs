//! Comparisons: `eq ne lt le gt ge`.
//!
//! As Go's, but numbers compare by value: a whole number equals the fraction with the same value. Go refuses that.

use std::cmp::Ordering;

use super::super::budget::Tools;
use super::super::value::Val;
use super::Outcome;

/// Whether the first equals any of the others.
pub(super) fn eq<'a>(_: &mut Tools<'a>, arguments: &[Val<'a>]) -> Outcome<'a> {
    let (first, others) = (&arguments[0], &arguments[1..]);
    if others.is_empty() {
        return Err("nothing to compare with".to_owned());
    }
    for other in others {
        if equal(first, other)? {
            return Ok(Val::Bool(true));
        }
    }
    Ok(Val::Bool(false))
}

pub(super) fn ne<'a>(_: &mut Tools<'a>, arguments: &[Val<'a>]) -> Outcome<'a> {
    Ok(Val::Bool(!equal(&arguments[0], &arguments[1])?))
}

pub(super) fn lt<'a>(_: &mut Tools<'a>, arguments: &[Val<'a>]) -> Outcome<'a> {
    Ok(Val::Bool(order(&arguments[0], &arguments[1])?.is_lt()))
}

pub(super) fn le<'a>(_: &mut Tools<'a>, arguments: &[Val<'a>]) -> Outcome<'a> {
    Ok(Val::Bool(order(&arguments[0], &arguments[1])?.is_le()))
}

pub(super) fn gt<'a>(_: &mut Tools<'a>, arguments: &[Val<'a>]) -> Outcome<'a> {
    Ok(Val::Bool(order(&arguments[0], &arguments[1])?.is_gt()))
}

pub(super) fn ge<'a>(_: &mut Tools<'a>, arguments: &[Val<'a>]) -> Outcome<'a> {
    Ok(Val::Bool(order(&arguments[0], &arguments[1])?.is_ge()))
}

fn equal(one: &Val<'_>, other: &Val<'_>) -> Result<bool, String> {
    match (one, other) {
        _ if one.is_nil() || other.is_nil() => Ok(one.is_nil() && other.is_nil()),
        (Val::Bool(one), Val::Bool(other)) => Ok(one == other),
        (Val::Complex(real, imaginary), Val::Complex(other, another)) => Ok(real == other && imaginary == another),
        (Val::List(_) | Val::Map(_), Val::List(_) | Val::Map(_)) => {
            Err(format!("{} and {} cannot be compared", one.kind(), other.kind()))
        }
        _ => Ok(order(one, other)?.is_eq()),
    }
}

/// The order of two texts or two numbers.
pub(super) fn order(one: &Val<'_>, other: &Val<'_>) -> Result<Ordering, String> {
    if let (Val::Text(one), Val::Text(other)) = (one, other) {
        return Ok(one.bytes().cmp(other.bytes()));
    }
    match (Number::of(one), Number::of(other)) {
        (Some(one), Some(other)) => Ok(one.cmp(other)),
        _ => Err(format!("{} and {} cannot be compared", one.kind(), other.kind())),
    }
}

#[derive(Clone, Copy)]
enum Number {
    Whole(i128),
    Fraction(f64),
}

impl Number {
    fn of(value: &Val<'_>) -> Option<Self> {
        Some(match *value {
            Val::Int(int) => Number::Whole(int.into()),
            Val::Uint(uint) => Number::Whole(uint.into()),
            Val::Byte(byte) => Number::Whole(byte.into()),
            Val::Float(float, _) => Number::Fraction(float),
            _ => return None,
        })
    }

    fn cmp(self, other: Self) -> Ordering {
        match (self, other) {
            (Number::Whole(one), Number::Whole(other)) => one.cmp(&other),
            (Number::Fraction(one), Number::Fraction(other)) => one.partial_cmp(&other).unwrap_or(Ordering::Equal),
            (Number::Whole(whole), Number::Fraction(fraction)) => cmp_exactly(whole, fraction),
            (Number::Fraction(fraction), Number::Whole(whole)) => cmp_exactly(whole, fraction).reverse(),
        }
    }
}

/// Compares without rounding the whole number to a fraction, which would make 2^53 + 1 equal 2^53.
fn cmp_exactly(whole: i128, fraction: f64) -> Ordering {
    // Whole numbers have 64 bits, so the saturation of `as` is on the right side.
    let floor = fraction.floor();
    whole.cmp(&(floor as i128)).then(if fraction > floor { Ordering::Less } else { Ordering::Equal })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_numbers_and_fractions_compare_by_value_without_rounding() {
        let big = 9_007_199_254_740_993;
        assert_eq!(cmp_exactly(5, 5.0), Ordering::Equal);
        assert_eq!(cmp_exactly(5, 5.5), Ordering::Less);
        assert_eq!(cmp_exactly(-5, -5.5), Ordering::Greater);
        assert_eq!(cmp_exactly(big, big as f64), Ordering::Greater);
        assert_eq!(cmp_exactly(i64::MAX.into(), 1e300), Ordering::Less);
    }
}
