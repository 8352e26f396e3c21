//! What a script raised, as a [`CallError`].

use mlua::Value as LuaValue;
use serde_json::Value;

use super::capabilities::host_error;
use super::encode::{self, Room};
use crate::engine::envelope;
use crate::engine::error::{CallError, CallErrorKind};

/// What Luau raises when its memory limit is reached.
const NOT_ENOUGH_MEMORY: &str = "not enough memory";

/// Details above this size are left out.
const DETAILS: Room = Room { text: 64 << 10, memory: 1 << 20 };

/// How the texts end that Luau raises when calls nest too deep.
const TOO_DEEP: &[u8] = b"stack overflow";

/// Why a script did not end well.
#[derive(Debug)]
pub(super) enum Failure {
    /// It needed more memory than its limit.
    Memory,
    /// Its calls nested too deep.
    Depth,
    /// Its output has more bytes than it may.
    TooLarge,
    /// It raised something.
    Raised(CallError),
}

impl From<CallError> for Failure {
    fn from(error: CallError) -> Self {
        Self::Raised(error)
    }
}

impl From<mlua::Error> for Failure {
    fn from(error: mlua::Error) -> Self {
        match root(&error) {
            mlua::Error::MemoryError(_) => Self::Memory,
            mlua::Error::RuntimeError(text) if text == NOT_ENOUGH_MEMORY => Self::Memory,
            mlua::Error::RuntimeError(text) if is_too_deep(text.as_bytes()) => Self::Depth,
            mlua::Error::RuntimeError(text) => Self::Raised(CallError::new(CallErrorKind::Failed, text)),
            other => Self::Raised(CallError::new(CallErrorKind::Failed, other.to_string())),
        }
    }
}

/// Reads a raised value. No code of the script runs for it: a hostile `__tostring` or `__index` is not asked.
pub(super) fn of_raised(raised: &LuaValue, place: Option<&str>) -> Failure {
    if let Some(error) = raised.as_userdata().and_then(host_error) {
        return Failure::Raised(CallError { message: placed(error.message, place), ..error });
    }
    match raised {
        LuaValue::Table(table) => Failure::Raised(of_table(table, place)),
        LuaValue::Error(error) => match Failure::from((**error).clone()) {
            Failure::Raised(error) => Failure::Raised(CallError { message: placed(error.message, place), ..error }),
            limit => limit,
        },

        LuaValue::String(text) if text.as_bytes() == NOT_ENOUGH_MEMORY.as_bytes() => Failure::Memory,
        LuaValue::String(text) if is_too_deep(&text.as_bytes()) => Failure::Depth,
        LuaValue::String(text) => Failure::Raised(envelope::error_of(None, text.to_string_lossy(), None)),
        other => {
            let message = match encode::with_reasons(other, DETAILS) {
                Ok(value) => format!("the script raised {value}"),
                Err(_) => format!("the script raised a {}", other.type_name()),
            };
            Failure::Raised(envelope::error_of(None, placed(message, place), None))
        }
    }
}

fn is_too_deep(text: &[u8]) -> bool {
    text.ends_with(TOO_DEEP)
}

/// `{kind=, message=, details=}`.
fn of_table(table: &mlua::Table, place: Option<&str>) -> CallError {
    let field = |name: &str| table.raw_get::<LuaValue>(name).unwrap_or(LuaValue::Nil);
    let text = |name: &str| field(name).as_string().map(|text| text.to_string_lossy());
    let details: Option<Value> = encode::with_reasons(&field("details"), DETAILS).ok();
    let message = text("message").unwrap_or_else(|| "the script raised a table without a `message`".to_owned());
    envelope::error_of(text("kind").as_deref(), placed(message, place), details)
}

fn placed(message: String, place: Option<&str>) -> String {
    match place {
        Some(place) => format!("{message} (at {place})"),
        None => message,
    }
}

/// The error below what was wrapped around it on its way through Lua.
fn root(error: &mlua::Error) -> &mlua::Error {
    match error {
        mlua::Error::CallbackError { cause, .. } | mlua::Error::WithContext { cause, .. } => root(cause),
        other => other,
    }
}
