//! Other forms of values: `json fromJson toYaml base64 sha256`.

use super::super::budget::Tools;
use super::super::value::Val;
use super::{Outcome, bytes_of, text_of};
use crate::nodes::read_json;

/// Compact JSON.
pub(super) fn json<'a>(tools: &mut Tools<'a>, arguments: &[Val<'a>]) -> Outcome<'a> {
    let text = serde_json::to_string(&arguments[0]).map_err(cannot_write)?;
    tools.work(text.len() / 16)?;
    tools.text(text)
}

pub(super) fn from_json<'a>(tools: &mut Tools<'a>, arguments: &[Val<'a>]) -> Outcome<'a> {
    let text = text_of(&arguments[0])?;
    tools.charge(text.len())?;
    let value = read_json(text.as_bytes()).map_err(|error| format!("the text is no JSON: {error}"))?;
    tools.keep(value)
}

/// YAML in block style, without the new line at its end.
pub(super) fn to_yaml<'a>(tools: &mut Tools<'a>, arguments: &[Val<'a>]) -> Outcome<'a> {
    let text = serde_saphyr::to_string(&arguments[0]).map_err(cannot_write)?;
    tools.work(text.len() / 16)?;
    tools.text(text.trim_end_matches('\n'))
}

/// Standard base64 with padding, of the text's bytes.
pub(super) fn base64<'a>(tools: &mut Tools<'a>, arguments: &[Val<'a>]) -> Outcome<'a> {
    tools.text(data_encoding::BASE64.encode(bytes_of(&arguments[0])?))
}

/// The SHA-256 of the text's bytes in lower-case hexadecimal.
pub(super) fn sha256<'a>(tools: &mut Tools<'a>, arguments: &[Val<'a>]) -> Outcome<'a> {
    let bytes = bytes_of(&arguments[0])?;
    tools.work(bytes.len() / 64)?;
    tools.text(pocket_index::digest::Digest::of(bytes).hex())
}

fn cannot_write(what: impl std::fmt::Display) -> String {
    format!("the value cannot be written: {what}")
}
