// SPDX-License-Identifier: MIT
//! What ends later: timers, calls on files and connections, requests to what is below a filter.

use crate::request::finish;
use crate::{raw, Answer, Errno, Result, Status};
use alloc::boxed::Box;
use alloc::rc::Rc;
use alloc::vec::Vec;
use core::cell::Cell;
use core::time::Duration;

type Next = Box<dyn FnOnce(Result)>;

/// What goes on when a token is done. Token 0 is not used: it has a meaning of its own in the ABI.
static mut WAITING: Vec<Option<Next>> = Vec::new();
static mut IDLE: Vec<i32> = Vec::new();

fn waiting() -> &'static mut Vec<Option<Next>> {
    // Nothing here runs at the same time as anything else.
    unsafe { &mut *core::ptr::addr_of_mut!(WAITING) }
}

fn idle() -> &'static mut Vec<i32> {
    unsafe { &mut *core::ptr::addr_of_mut!(IDLE) }
}

fn take_token() -> i32 {
    idle().pop().unwrap_or_else(|| {
        waiting().push(None);
        waiting().len() as i32
    })
}

/// The host's way back.
pub fn done(token: i32, result: i32) {
    let next = waiting().get_mut(token as usize - 1).and_then(Option::take);
    idle().push(token);
    if let Some(next) = next {
        next(Errno::check(result));
    }
}

/// Something that ends later, perhaps. It begins with [`Call::then`] or [`Call::detach`], and has what
/// it works with until it has ended.
#[must_use = "nothing begins without `then`, `detach` or `wait`"]
pub struct Call<T, F: FnOnce(&mut T, i32) -> i32> {
    value: T,
    start: F,
}

impl<T: 'static, F: FnOnce(&mut T, i32) -> i32> Call<T, F> {
    pub(crate) fn new(value: T, start: F) -> Self {
        Call { value, start }
    }

    /// Begins, and answers the request `id` with what `next` makes of the outcome: now, or later.
    pub fn then(self, id: i32, next: impl FnOnce(Result<T>) -> Result + 'static) -> Answer {
        self.and_then(id, move |result| next(result).map(|()| Status::Done))
    }

    /// The same where `next` begins something more: it returns what `then` or `and_then` of that does.
    pub fn and_then(self, id: i32, next: impl FnOnce(Result<T>) -> Answer + 'static) -> Answer {
        let Call { mut value, start } = self;
        let token = take_token();
        let status = start(&mut value, token);
        if status != PENDING {
            idle().push(token);
            return next(Errno::check(status).map(|()| value));
        }
        waiting()[token as usize - 1] = Some(Box::new(move |result| {
            match next(result.map(|()| value)) {
                Ok(Status::Pending) => {}
                Ok(Status::Done) => finish(id, Ok(())),
                Err(error) => finish(id, Err(error)),
            }
        }));
        Ok(Status::Pending)
    }

    /// Begins, and returns when it has ended: for plugins whose `can` names `Blocking`, and for calls on files
    /// that are not made for a request. Not for `timer`, which [`crate::host::sleep`] is in place of.
    pub fn wait(self) -> Result<T> {
        let Call { mut value, start } = self;
        Errno::check(start(&mut value, NOW)).map(|()| value)
    }

    /// Begins, for no request; `next` gets the outcome, now or later.
    pub fn detach(self, next: impl FnOnce(Result<T>) + 'static) {
        let Call { mut value, start } = self;
        let token = take_token();
        let status = start(&mut value, token);
        if status == PENDING {
            waiting()[token as usize - 1] = Some(Box::new(move |result| next(result.map(|()| value))));
            return;
        }
        idle().push(token);
        next(Errno::check(status).map(|()| value));
    }
}

/// The token with which they wait.
pub(crate) const NOW: i32 = 0;

/// What functions of the host say about what ends later.
pub(crate) const PENDING: i32 = -1;

/// Ends when `after` has passed.
pub fn timer(after: Duration) -> Call<(), impl FnOnce(&mut (), i32) -> i32> {
    Call::new((), move |_, token| match set_timer(after, token) {
        0 => PENDING,
        errno => errno,
    })
}

fn set_timer(after: Duration, token: i32) -> i32 {
    unsafe { raw::timer(after.as_nanos() as u64, token) }
}

/// A timer that can be taken back.
pub struct Timer {
    token: i32,
    fired: Rc<Cell<bool>>,
}

impl Timer {
    /// Has `next` called when `after` has passed, unless it is cancelled. Dropping it changes nothing.
    pub fn start(after: Duration, next: impl FnOnce() + 'static) -> Result<Timer> {
        let token = take_token();
        if let Err(error) = Errno::check(set_timer(after, token)) {
            idle().push(token);
            return Err(error);
        }
        let fired = Rc::new(Cell::new(false));
        let told = fired.clone();
        waiting()[token as usize - 1] = Some(Box::new(move |_| {
            told.set(true);
            next();
        }));
        Ok(Timer { token, fired })
    }

    /// Takes it back. False: it has fired already.
    pub fn cancel(self) -> bool {
        // Its token may be that of something else by now.
        if self.fired.get() || unsafe { raw::cancel(self.token) } == 0 {
            return false;
        }
        waiting()[self.token as usize - 1] = None;
        idle().push(self.token);
        true
    }
}
