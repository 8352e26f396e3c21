//! What functions work with: the scope, a place for made values, and the meter of the budgets.

use serde_json::Value;

use super::arena::Arena;
use super::format::{Overflow, Printer};
use super::scope::Scope;
use super::value::Val;

/// The means of one rendering.
pub(super) struct Tools<'a> {
    pub(super) scope: &'a Scope<'a>,
    arena: &'a Arena,
    steps: u64,
    scratch_bytes: usize,
    /// What is printed goes here before it is a value.
    buffer: Vec<u8>,
}

impl<'a> Tools<'a> {
    pub(super) fn new(scope: &'a Scope<'a>, arena: &'a Arena) -> Self {
        Self { scope, arena, steps: 0, scratch_bytes: 0, buffer: Vec::new() }
    }

    /// Counts work that was, or is about to be, done.
    pub(super) fn work(&mut self, steps: usize) -> Result<(), String> {
        let limit = self.scope.budgets.steps;
        self.steps = self.steps.saturating_add(steps as u64);
        if self.steps > limit {
            Err(format!("rendering takes more than {limit} steps (limit `steps`)"))
        } else {
            Ok(())
        }
    }

    /// Counts bytes of a value that was made.
    pub(super) fn charge(&mut self, bytes: usize) -> Result<(), String> {
        let limit = self.scope.budgets.scratch_bytes;
        self.scratch_bytes = self.scratch_bytes.saturating_add(bytes);
        if self.scratch_bytes > limit {
            return Err(format!("functions make more than {limit} bytes of values (limit `scratch_bytes`)"));
        }
        Ok(())
    }

    /// A text that was made.
    pub(super) fn text(&mut self, text: impl AsRef<[u8]>) -> Result<Val<'a>, String> {
        self.charge(text.as_ref().len())?;
        Ok(Val::text(text))
    }

    /// A value that was made; lists and maps live until the end of the rendering.
    pub(super) fn keep(&mut self, value: Value) -> Result<Val<'a>, String> {
        let size = self.measure(&value)?;
        self.charge(size)?;
        let arena = self.arena;
        Ok(match value {
            Value::String(text) => Val::text(text),
            other => Val::of(arena.keep(other)).settled(),
        })
    }

    /// Roughly the bytes that a value takes; looking at each part is work.
    fn measure(&mut self, value: &Value) -> Result<usize, String> {
        self.work(1)?;
        let inside = match value {
            Value::Null | Value::Bool(_) | Value::Number(_) => 0,
            Value::String(text) => text.len(),
            Value::Array(items) => items.iter().try_fold(0, |sum, item| Ok::<_, String>(sum + self.measure(item)?))?,
            Value::Object(map) => {
                map.iter().try_fold(0, |sum, (key, item)| Ok::<_, String>(sum + key.len() + self.measure(item)?))?
            }
        };
        Ok(inside + size_of::<Value>())
    }

    /// Prints into a text of its own.
    pub(super) fn printed(&mut self, print: impl FnOnce(&mut Printer<'_>)) -> Result<Val<'a>, String> {
        let mut text = std::mem::take(&mut self.buffer);
        text.clear();
        let printed = self.print_into(&mut text, print).and_then(|()| self.text(&text));
        self.buffer = text;
        printed
    }

    /// Writes bytes behind what is there.
    pub(super) fn write_into(&mut self, out: &mut Vec<u8>, bytes: &[u8]) -> Result<(), String> {
        if self.scope.budgets.output_bytes.saturating_sub(out.len()) < bytes.len() {
            return Err(self.too_long());
        }
        out.extend_from_slice(bytes);
        self.work(bytes.len() / BYTES_A_STEP)
    }

    fn too_long(&self) -> String {
        format!("the text becomes longer than {} bytes (limit `output_bytes`)", self.scope.budgets.output_bytes)
    }

    /// Prints behind what is there.
    pub(super) fn print_into(&mut self, out: &mut Vec<u8>, print: impl FnOnce(&mut Printer<'_>)) -> Result<(), String> {
        let limit = self.scope.budgets.output_bytes;
        let before = out.len();
        let mut printer = Printer::new(out, limit);
        print(&mut printer);
        printer.finish().map_err(|overflow| match overflow {
            Overflow::Length => self.too_long(),
            Overflow::Depth => "the value is nested too deep to be printed".to_owned(),
        })?;
        self.work((out.len() - before) / BYTES_A_STEP)
    }
}

/// So many bytes of text are about as much work as one command.
const BYTES_A_STEP: usize = 64;
