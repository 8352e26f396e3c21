//! A WebAssembly file: what it imports and exports.

use super::{Checked, Code};

/// Looks at what it needs and offers; nothing of it runs.
pub fn look(checked: &mut Checked, code: &Code<'_>) {
    if !code.bytes.starts_with(b"\0asm") {
        checked.problem("it is no WebAssembly: it does not start with `\\0asm`", None);
    }
}
