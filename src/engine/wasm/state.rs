//! What belongs to one instance, and to the call that it runs.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use wasmtime::ResourceLimiter;

use super::preview1::Surroundings;
use super::sockets::Found;
use super::wasi::World;
use crate::engine::access::{HttpClient, KeyValues};
use crate::engine::error::CallError;
use crate::engine::plugin::Border;

/// 64 KiB of what a call prints are kept; it cannot fill the memory of the host.
pub(super) const MAX_PRINTED_BYTES: usize = 64 << 10;

/// A table entry is a pointer and its type.
const TABLE_ENTRY_BYTES: usize = 16;

/// What belongs to one instance.
pub(super) struct State {
    pub(super) memory: MemoryLimit,
    /// When the call that runs must have ended.
    pub(super) deadline: Instant,
    /// When the instance was made.
    pub(super) started: Instant,
    pub(super) printed: Printed,
    pub(super) surroundings: Surroundings,
    pub(super) border: Arc<Border>,
    /// There for a component that imports WASI 0.2.
    pub(super) world: Option<World>,
    /// What the call was refused first.
    pub(super) refusal: Refusal,
    /// The names whose addresses the plugin looked up.
    pub(super) found: Found,
    /// What all instances of the plugin remember.
    pub(super) texts: KeyValues,
    pub(super) http: HttpClient,
}

/// Why a call was ended by its host.
#[derive(Debug, thiserror::Error)]
pub(super) enum Ended {
    /// The call's time is up.
    #[error("the call's time is up")]
    TimeIsUp,
    /// Something that the call is told as it is.
    #[error("{0}")]
    Because(CallError),
}

/// What a call was refused first: the reason of what goes wrong afterwards. Shared with what checks connections.
#[derive(Debug, Clone, Default)]
pub(super) struct Refusal(Arc<Mutex<Option<CallError>>>);

impl Refusal {
    /// Keeps the first one.
    pub(super) fn note(&self, error: CallError) {
        self.lock().get_or_insert(error);
    }

    /// Takes it out, for the next call.
    pub(super) fn take(&self) -> Option<CallError> {
        self.lock().take()
    }

    fn lock(&self) -> MutexGuard<'_, Option<CallError>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a call printed. Shared with the streams that WASI writes to.
#[derive(Debug, Clone, Default)]
pub(super) struct Printed(Arc<Mutex<Vec<u8>>>);

impl Printed {
    /// Keeps as much of `text` as there is room for.
    pub(super) fn append(&self, text: &[u8]) {
        let mut printed = self.lock();
        let room = MAX_PRINTED_BYTES - printed.len();
        printed.extend_from_slice(&text[..text.len().min(room)]);
    }

    /// Takes it out, for the next call.
    pub(super) fn take(&self) -> String {
        let bytes = std::mem::take(&mut *self.lock());
        String::from_utf8_lossy(&bytes).into_owned()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<u8>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Counts the memory of all parts of an instance together.
pub(super) struct MemoryLimit {
    limit: usize,
    pub(super) used: usize,
    /// Whether growth was refused: a crash that follows is one for want of memory.
    pub(super) refused: bool,
}

impl MemoryLimit {
    pub(super) fn new(limit: u64) -> Self {
        Self { limit: usize::try_from(limit).unwrap_or(usize::MAX), used: 0, refused: false }
    }

    /// Whether more than half of the limit is in use.
    pub(super) fn is_half_used(&self) -> bool {
        self.used > self.limit / 2
    }

    fn grow(&mut self, bytes: usize) -> bool {
        let used = self.used.checked_add(bytes).filter(|used| *used <= self.limit);
        self.used = used.unwrap_or(self.used);
        self.refused |= used.is_none();
        used.is_some()
    }
}

impl ResourceLimiter for MemoryLimit {
    fn memory_growing(&mut self, current: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        Ok(self.grow(desired.saturating_sub(current)))
    }

    fn table_growing(&mut self, current: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        Ok(self.grow(desired.saturating_sub(current).saturating_mul(TABLE_ENTRY_BYTES)))
    }
}
