//! Ends a script at its deadline, wherever it is.
//!
//! Luau calls an interrupt at every call, return, loop end and step of a pattern match. One that is always set makes code that
//! calls much 2.4 times slower, so it is set only when the time is up, from the timer's thread: Luau promises that this one
//! field may be written while a script runs. There is no safe way to it: `mlua` sets interrupts under a lock that the running
//! script holds. This and `look.rs`, which shares the slot, are unsafe places outside `engine/native`.

use std::cell::Cell;
use std::ffi::{CStr, c_int};
use std::marker::PhantomData;
use std::sync::atomic::{AtomicPtr, Ordering};
use std::time::Instant;

use mlua::{Lua, ffi};

use crate::engine::budget::Limits;
use crate::engine::timer::Alarm;

/// What Luau itself raises where its stack ends.
const TOO_DEEP: &CStr = c"stack overflow";

/// How much deeper calls may nest once an error was raised for their depth: whoever handles it calls functions too.
const HANDLING: c_int = 64;

thread_local! {
    /// How deep calls may nest in the state that runs on this thread, and how much deeper just now.
    static CALL_DEPTH: Cell<(c_int, c_int)> = const { Cell::new((c_int::MAX, 0)) };
}

/// Luau's own texts end in no such way.
const MESSAGE: &CStr = c"the script's time is up";

pub(super) type InterruptFunction = unsafe extern "C-unwind" fn(*mut ffi::lua_State, c_int);

/// A state whose script is ended at a deadline. Dropping it takes the interrupt away.
pub(super) struct Interrupt<'a> {
    slot: Slot,
    alarm: Option<Alarm>,
    _state: PhantomData<&'a Lua>,
}

/// Where a state keeps its interrupt.
#[derive(Clone, Copy)]
pub(super) struct Slot(*const AtomicPtr<()>);

// SAFETY: the slot is written atomically, and `Interrupt` sees to it that the state outlives every use.
unsafe impl Send for Slot {}

impl Slot {
    pub(super) fn of(lua: &Lua) -> Self {
        let mut slot = std::ptr::null();
        // SAFETY: the closure does not touch Lua's stack. `lua_callbacks` gives a valid pointer that lives as long as the state;
        // an optional function pointer has the size and the alignment of a pointer, and null stands for `None`.
        let found = unsafe {
            lua.exec_raw::<()>((), |state| slot = (&raw const (*ffi::lua_callbacks(state)).interrupt).cast())
        };
        found.expect("nothing in the closure raises an error");
        Self(slot)
    }

    /// The same from within an interrupt.
    ///
    /// # Safety
    /// Luau has called an interrupt with this state, which has not returned.
    pub(super) unsafe fn of_running(state: *mut ffi::lua_State) -> Self {
        // SAFETY: the state is valid, and so are its callbacks.
        Self(unsafe { (&raw const (*ffi::lua_callbacks(state)).interrupt).cast() })
    }

    /// Leaves an interrupt where there is none.
    pub(super) fn offer(self, interrupt: InterruptFunction) {
        self.exchange(std::ptr::null_mut(), interrupt as *mut ());
    }

    /// Takes this interrupt away, and leaves another one.
    pub(super) fn take_back(self, interrupt: InterruptFunction) {
        self.exchange(interrupt as *mut (), std::ptr::null_mut());
    }

    fn exchange(self, expected: *mut (), new: *mut ()) {
        // SAFETY: the state is alive: whoever has a slot borrows it, or is called by it.
        let slot = unsafe { &*self.0 };
        // Whatever else stands there stays.
        let _ = slot.compare_exchange(expected, new, Ordering::Relaxed, Ordering::Relaxed);
    }

    fn set(self, interrupt: Option<InterruptFunction>) {
        let pointer = interrupt.map_or(std::ptr::null_mut(), |function| function as *mut ());
        // SAFETY: the state is alive: `Interrupt` borrows it, and the alarm's ring does not run after the alarm's drop.
        unsafe { (*self.0).store(pointer, Ordering::Relaxed) };
    }
}

impl<'a> Interrupt<'a> {
    /// Ends the state's script at `deadline`. Calls that nest deeper than `call_depth` fail; Luau's own stack ends at
    /// [`Limits::MOST_CALL_DEPTH`], and only a smaller number costs the time of looking.
    pub(super) fn at(deadline: Instant, call_depth: u32, lua: &'a Lua) -> Self {
        let slot = Slot::of(lua);
        if call_depth < Limits::MOST_CALL_DEPTH {
            CALL_DEPTH.set((c_int::try_from(call_depth).unwrap_or(c_int::MAX), 0));
            slot.set(Some(calls_are_counted));
        }
        let alarm = Alarm::at(deadline, move || slot.set(Some(time_is_up)));
        Self { slot, alarm: Some(alarm), _state: PhantomData }
    }
}

impl Drop for Interrupt<'_> {
    fn drop(&mut self) {
        // In this order: an alarm that rang in between would leave its interrupt to the next call.
        drop(self.alarm.take());
        self.slot.set(None);
    }
}

/// What Luau calls at every call of a script whose depth is limited further than Luau does.
unsafe extern "C-unwind" fn calls_are_counted(state: *mut ffi::lua_State, gc: c_int) {
    // During a step of the collector no error may be raised.
    if gc < 0 {
        // SAFETY: Luau calls with a valid state.
        let depth = unsafe { ffi::lua_stackdepth(state) };
        if is_too_deep(depth) {
            // SAFETY: Luau lets interrupts raise errors; no Rust value is alive in this frame.
            unsafe { ffi::luaL_error(state, TOO_DEEP.as_ptr()) };
        }
    }
}

fn is_too_deep(depth: c_int) -> bool {
    let (most, handling) = CALL_DEPTH.get();
    let is_too_deep = depth > most.saturating_add(handling);
    CALL_DEPTH.set((
        most,
        if is_too_deep {
            HANDLING
        } else if depth <= most {
            0
        } else {
            handling
        },
    ));
    is_too_deep
}

/// What Luau calls. It raises an error until the script has returned: one that catches it is interrupted again.
unsafe extern "C-unwind" fn time_is_up(state: *mut ffi::lua_State, gc: c_int) {
    // During a step of the collector no error may be raised.
    if gc < 0 {
        // SAFETY: Luau calls with a valid state and lets interrupts raise errors; no Rust value is alive in this frame.
        unsafe { ffi::luaL_error(state, MESSAGE.as_ptr()) };
    }
}
