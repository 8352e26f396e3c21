//! Looks where a script is, once in a millisecond, for profiles.
//!
//! It comes through the same door as the deadline: from a thread of its own it leaves an interrupt, which Luau calls at the next
//! call, return or loop end, and which takes itself away. A deadline that comes meanwhile is never overwritten.

use std::cell::RefCell;
use std::ffi::{CStr, c_char, c_int};
use std::marker::PhantomData;
use std::mem::MaybeUninit;
use std::time::Instant;

use mlua::{Lua, ffi};

use super::interrupt::Slot;
use crate::engine::sampler::{Sampler, Ticker};

/// 100 functions in each other are shown; what is deeper is left out.
const MAX_DEPTH: c_int = 100;

/// What Pocket's own functions around the script are called.
const OWN: &[u8] = b"prelude";

thread_local! {
    /// Who looks at the script that runs on this thread, and when the last look was.
    static LOOKING: RefCell<Option<(Sampler, Instant)>> = const { RefCell::new(None) };
}

/// A state whose script is looked at until this is dropped.
pub(super) struct Look<'a> {
    slot: Slot,
    ticker: Option<Ticker>,
    _state: PhantomData<&'a Lua>,
}

impl<'a> Look<'a> {
    /// Begins. The script must run on this thread.
    pub(super) fn start(lua: &'a Lua, sampler: &Sampler) -> Self {
        LOOKING.set(Some((sampler.clone(), Instant::now())));
        let slot = Slot::of(lua);
        Self { slot, ticker: Some(Ticker::start(move || slot.offer(look))), _state: PhantomData }
    }
}

impl Drop for Look<'_> {
    fn drop(&mut self) {
        // In this order: the thread could leave one more interrupt.
        drop(self.ticker.take());
        self.slot.take_back(look);
        LOOKING.set(None);
    }
}

/// What Luau calls. It raises nothing.
unsafe extern "C-unwind" fn look(state: *mut ffi::lua_State, gc: c_int) {
    // During a step of the collector the stack may be half moved.
    if gc >= 0 {
        return;
    }
    // SAFETY: Luau calls with a valid state, whose callbacks live as long as it does.
    unsafe { Slot::of_running(state) }.take_back(look);
    LOOKING.with_borrow_mut(|looking| {
        if let Some((sampler, last)) = looking {
            // SAFETY: the same; nothing runs on the state while this function does.
            sampler.saw(unsafe { functions(state) }, last.elapsed());
            *last = Instant::now();
        }
    });
}

/// The functions that are running, from the outermost inwards.
///
/// # Safety
/// The state is valid, and stands still.
unsafe fn functions(state: *mut ffi::lua_State) -> Vec<String> {
    let mut functions = Vec::new();
    for level in 0..MAX_DEPTH {
        let mut found = MaybeUninit::<ffi::lua_Debug>::zeroed();
        // SAFETY: the state is valid, and `sn` fills in texts and numbers, and pushes nothing.
        if unsafe { ffi::lua_getinfo(state, level, c"sn".as_ptr(), found.as_mut_ptr()) } == 0 {
            break;
        }
        // SAFETY: zeroes are a valid value, and Luau has filled in the rest.
        let found = unsafe { found.assume_init() };
        // SAFETY: the texts are null, or end in a zero byte and live until the state goes on.
        let (name, source) = unsafe { (text(found.name), text(found.short_src)) };
        if source.as_bytes() != OWN {
            functions.push(label(&name, &source, found.linedefined));
        }
    }
    functions.reverse();
    functions
}

/// `parse (main.lua:12)`.
fn label(name: &str, source: &str, line: c_int) -> String {
    match (name, line) {
        ("", _) if line < 1 => format!("the script ({source})"),
        (name, line) if line < 1 => name.to_owned(),
        ("", line) => format!("function ({source}:{line})"),
        (name, line) => format!("{name} ({source}:{line})"),
    }
}

/// # Safety
/// The pointer is null, or leads to a text that ends in a zero byte.
unsafe fn text(pointer: *const c_char) -> String {
    if pointer.is_null() {
        return String::new();
    }
    // SAFETY: the caller promises that it ends.
    unsafe { CStr::from_ptr(pointer) }.to_string_lossy().into_owned()
}
