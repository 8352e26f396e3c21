//! Escaping: `html js urlquery`.

use super::super::budget::Tools;
use super::super::unicode::is_print;
use super::super::value::{Text, Val, characters};
use super::Outcome;

pub(super) fn html<'a>(tools: &mut Tools<'a>, arguments: &[Val<'a>]) -> Outcome<'a> {
    escaped(tools, arguments, |text, out| {
        for &byte in text {
            match byte {
                0 => out.extend("\u{fffd}".bytes()),
                b'"' => out.extend(b"&#34;"),
                b'\'' => out.extend(b"&#39;"),
                b'&' => out.extend(b"&amp;"),
                b'<' => out.extend(b"&lt;"),
                b'>' => out.extend(b"&gt;"),
                _ => out.push(byte),
            }
        }
    })
}

pub(super) fn js<'a>(tools: &mut Tools<'a>, arguments: &[Val<'a>]) -> Outcome<'a> {
    escaped(tools, arguments, |text, out| {
        for (character, bytes) in characters(text) {
            match character {
                Some(c @ ('\\' | '\'' | '"')) => out.extend([b'\\', c as u8]),
                Some(c) if c < ' ' || matches!(c, '<' | '>' | '&' | '=') || !c.is_ascii() && !is_print(c) => {
                    out.extend(format!("\\u{:04X}", c as u32).bytes());
                }
                _ => out.extend_from_slice(bytes),
            }
        }
    })
}

pub(super) fn urlquery<'a>(tools: &mut Tools<'a>, arguments: &[Val<'a>]) -> Outcome<'a> {
    escaped(tools, arguments, |text, out| {
        for &byte in text {
            match byte {
                b' ' => out.push(b'+'),
                b'-' | b'_' | b'.' | b'~' => out.push(byte),
                _ if byte.is_ascii_alphanumeric() => out.push(byte),
                _ => out.extend(format!("%{byte:02X}").bytes()),
            }
        }
    })
}

/// Prints the arguments, nothing as `<no value>`, and escapes the text.
fn escaped<'a>(tools: &mut Tools<'a>, arguments: &[Val<'a>], escape: impl Fn(&[u8], &mut Vec<u8>)) -> Outcome<'a> {
    let arguments: Vec<_> = arguments
        .iter()
        .map(|value| if value.is_nil() { Val::Text(Text::Borrowed(b"<no value>")) } else { value.clone() })
        .collect();
    let mut text = Vec::new();
    tools.print_into(&mut text, |printer| printer.print(&arguments))?;
    tools.charge(text.len())?;
    let mut out = Vec::with_capacity(text.len() + text.len() / 8);
    escape(&text, &mut out);
    tools.text(out)
}
