//! Arithmetic: `sum min max add sub mul div mod`. Whole numbers stay whole and never overflow in silence.

use super::super::budget::Tools;
use super::super::value::{Origin, Val};
use super::{Outcome, compare};

/// Two numbers brought to one kind.
enum Pair {
    Whole(i64, i64),
    Fraction(f64, f64),
}

/// The sum of a list; 0 of an empty one.
pub(super) fn sum<'a>(tools: &mut Tools<'a>, arguments: &[Val<'a>]) -> Outcome<'a> {
    let Val::List(list) = &arguments[0] else {
        return Err(format!("a list is needed, got {}", arguments[0].kind()));
    };
    tools.work(list.len)?;
    list.items().iter().map(Val::of).try_fold(Val::Int(0), |sum, item| plus(&sum, &item))
}

pub(super) fn min<'a>(tools: &mut Tools<'a>, arguments: &[Val<'a>]) -> Outcome<'a> {
    extreme(tools, arguments, std::cmp::Ordering::Less)
}

pub(super) fn max<'a>(tools: &mut Tools<'a>, arguments: &[Val<'a>]) -> Outcome<'a> {
    extreme(tools, arguments, std::cmp::Ordering::Greater)
}

/// The argument, or the element of the one list given, that stands at this end of the order.
fn extreme<'a>(tools: &mut Tools<'a>, arguments: &[Val<'a>], end: std::cmp::Ordering) -> Outcome<'a> {
    let mut best = Val::Absent;
    let mut consider = |value: Val<'a>| -> Result<(), String> {
        if best.is_nil() {
            // Comparing it with itself refuses what has no order.
            compare::order(&value, &value).map_err(|_| format!("{} has no order", value.kind()))?;
            best = value;
        } else if compare::order(&value, &best)? == end {
            best = value;
        }
        Ok(())
    };
    if let [Val::List(list)] = arguments {
        tools.work(list.len)?;
        list.items().iter().map(Val::of).try_for_each(&mut consider)?;
    } else {
        arguments.iter().cloned().try_for_each(&mut consider)?;
    }
    Ok(best)
}

pub(super) fn add<'a>(_: &mut Tools<'a>, arguments: &[Val<'a>]) -> Outcome<'a> {
    arguments[1..].iter().try_fold(arguments[0].clone(), |sum, value| plus(&sum, value))
}

pub(super) fn mul<'a>(_: &mut Tools<'a>, arguments: &[Val<'a>]) -> Outcome<'a> {
    arguments[1..].iter().try_fold(arguments[0].clone(), |product, value| match pair(&product, value)? {
        Pair::Whole(one, other) => whole(one.checked_mul(other)),
        Pair::Fraction(one, other) => fraction(one * other),
    })
}

pub(super) fn sub<'a>(_: &mut Tools<'a>, arguments: &[Val<'a>]) -> Outcome<'a> {
    match pair(&arguments[0], &arguments[1])? {
        Pair::Whole(one, other) => whole(one.checked_sub(other)),
        Pair::Fraction(one, other) => fraction(one - other),
    }
}

/// Two whole numbers give a whole one, cut towards zero, as in Go.
pub(super) fn div<'a>(_: &mut Tools<'a>, arguments: &[Val<'a>]) -> Outcome<'a> {
    match pair(&arguments[0], &arguments[1])? {
        Pair::Whole(_, 0) | Pair::Fraction(_, 0.0) => Err("division by zero".to_owned()),
        Pair::Whole(one, other) => whole(one.checked_div(other)),
        Pair::Fraction(one, other) => fraction(one / other),
    }
}

/// The remainder has the sign of the first number, as in Go.
pub(super) fn modulo<'a>(_: &mut Tools<'a>, arguments: &[Val<'a>]) -> Outcome<'a> {
    match pair(&arguments[0], &arguments[1])? {
        Pair::Whole(_, 0) | Pair::Fraction(_, 0.0) => Err("division by zero".to_owned()),
        Pair::Whole(one, other) => Ok(Val::Int(one.wrapping_rem(other))),
        Pair::Fraction(one, other) => fraction(one % other),
    }
}

fn plus<'a>(one: &Val<'_>, other: &Val<'_>) -> Outcome<'a> {
    match pair(one, other)? {
        Pair::Whole(one, other) => whole(one.checked_add(other)),
        Pair::Fraction(one, other) => fraction(one + other),
    }
}

fn pair(one: &Val<'_>, other: &Val<'_>) -> Result<Pair, String> {
    if let (Some(one), Some(other)) = (as_whole(one), as_whole(other)) {
        return Ok(Pair::Whole(one, other));
    }
    Ok(Pair::Fraction(as_fraction(one)?, as_fraction(other)?))
}

fn as_whole(value: &Val<'_>) -> Option<i64> {
    match *value {
        Val::Int(int) => Some(int),
        Val::Byte(byte) => Some(byte.into()),
        _ => None,
    }
}

fn as_fraction(value: &Val<'_>) -> Result<f64, String> {
    match *value {
        Val::Int(int) => Ok(int as f64),
        Val::Uint(uint) => Ok(uint as f64),
        Val::Byte(byte) => Ok(byte.into()),
        Val::Float(float, _) => Ok(float),
        ref other => Err(format!("numbers are needed, got {}", other.kind())),
    }
}

fn whole<'a>(result: Option<i64>) -> Outcome<'a> {
    result.map(Val::Int).ok_or_else(|| "the result does not fit a whole number of 64 bits".to_owned())
}

fn fraction<'a>(result: f64) -> Outcome<'a> {
    if !result.is_finite() {
        return Err("the result is too large for a number".to_owned());
    }
    Ok(Val::Float(result, Origin::Data))
}
