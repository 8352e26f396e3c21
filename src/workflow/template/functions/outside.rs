//! What the run knows beyond the data: `uuid env input output`.

use super::super::budget::Tools;
use super::super::value::Val;
use super::{Outcome, text_of};

/// A random UUID (version 4) from the scope's randomness.
pub(super) fn uuid<'a>(tools: &mut Tools<'a>, _: &[Val<'a>]) -> Outcome<'a> {
    let mut bytes = tools.scope.surroundings.random();
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let hex = data_encoding::HEXLOWER.encode(&bytes);
    tools.text([&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-"))
}

/// An environment variable, if the run may read it.
pub(super) fn env<'a>(tools: &mut Tools<'a>, arguments: &[Val<'a>]) -> Outcome<'a> {
    let value = tools.scope.surroundings.env(&text_of(&arguments[0])?)?;
    tools.text(value)
}

/// The run's input.
pub(super) fn input<'a>(tools: &mut Tools<'a>, _: &[Val<'a>]) -> Outcome<'a> {
    Ok(Val::of(tools.scope.input).settled())
}

/// The output of an earlier node; nothing if it has not run.
pub(super) fn output<'a>(tools: &mut Tools<'a>, arguments: &[Val<'a>]) -> Outcome<'a> {
    let node = text_of(&arguments[0])?;
    Ok(tools.scope.surroundings.output(&node).map_or(Val::Absent, Val::of).settled())
}
