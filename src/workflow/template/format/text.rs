//! Texts: `%s %q %x %X`, and Go's quoting.

use super::super::unicode::is_print;
use super::super::value::{Val, characters};
use super::{Case, Flags, Printer};

/// Which characters a quoted text keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Charset {
    /// All that can be printed.
    Unicode,
    Ascii,
}

impl Flags {
    /// `%+q` escapes all but ASCII.
    pub(super) fn charset(&self) -> Charset {
        if self.plus { Charset::Ascii } else { Charset::Unicode }
    }
}

impl Printer<'_> {
    pub(super) fn text(&mut self, value: &Val<'_>, text: &[u8], verb: char) {
        match verb {
            'v' if self.flags.go_syntax => self.quoted(text),
            'v' | 's' => self.truncated(text),
            'x' | 'X' => self.hexadecimal(text, Case::of(verb)),
            'q' => self.quoted(text),
            _ => self.bad_verb(value, verb),
        }
    }

    /// Writes as many characters as the precision asks for.
    pub(super) fn truncated(&mut self, text: &[u8]) {
        self.pad(self.truncate(text));
    }

    fn truncate<'t>(&self, text: &'t [u8]) -> &'t [u8] {
        match self.flags.precision {
            None => text,
            Some(precision) => {
                let length = characters(text).take(precision).map(|(_, bytes)| bytes.len()).sum();
                &text[..length]
            }
        }
    }

    fn quoted(&mut self, text: &[u8]) {
        let text = self.truncate(text);
        if self.flags.sharp && can_be_raw(text) {
            self.pad(&[b"`", text, b"`"].concat());
        } else {
            self.pad(&quoted(text, self.flags.charset()));
        }
    }

    /// Two digits a byte; with a space flag apart, with a sharp flag each (or all together) after `0x`.
    fn hexadecimal(&mut self, text: &[u8], case: Case) {
        let flags = self.flags;
        let bytes = &text[..flags.precision.unwrap_or(text.len()).min(text.len())];
        let mut digits = Vec::with_capacity(bytes.len() * 2);
        for (number, byte) in bytes.iter().enumerate() {
            if number > 0 && flags.space {
                digits.push(b' ');
            }
            if flags.sharp && (number == 0 || flags.space) {
                digits.extend([b'0', case.x()]);
            }
            digits.extend([byte >> 4, byte & 15].map(|digit| case.digits()[usize::from(digit)]));
        }
        self.pad(&digits);
    }
}

/// The text in double quotes, with escapes where Go has them.
fn quoted(text: &[u8], charset: Charset) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len() + 2);
    out.push(b'"');
    for (character, bytes) in characters(text) {
        match character {
            Some(c) => escape(&mut out, c, b'"', charset),
            None => out.extend(bytes.iter().flat_map(|byte| format!("\\x{byte:02x}").into_bytes())),
        }
    }
    out.push(b'"');
    out
}

/// One character of a text in these quotes.
pub(super) fn escape(out: &mut Vec<u8>, c: char, quote: u8, charset: Charset) {
    let simple = match c {
        '\x07' => b'a',
        '\x08' => b'b',
        '\x0c' => b'f',
        '\n' => b'n',
        '\r' => b'r',
        '\t' => b't',
        '\x0b' => b'v',
        '\\' => b'\\',
        _ if c == char::from(quote) => quote,
        _ if is_print(c) && (charset == Charset::Unicode || c.is_ascii()) => {
            out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
            return;
        }
        _ => {
            let code = u32::from(c);
            out.extend(match code {
                0..0x20 | 0x7f => format!("\\x{code:02x}").into_bytes(),
                0..0x10000 => format!("\\u{code:04x}").into_bytes(),
                _ => format!("\\U{code:08x}").into_bytes(),
            });
            return;
        }
    };
    out.extend([b'\\', simple]);
}

/// Whether the text can stand in backquotes: whole characters, none of them a control character but tab.
fn can_be_raw(text: &[u8]) -> bool {
    characters(text).all(|(character, _)| match character {
        Some('\t') => true,
        Some(c) => c >= ' ' && c != '`' && c != '\x7f' && c != '\u{feff}',
        None => false,
    })
}
