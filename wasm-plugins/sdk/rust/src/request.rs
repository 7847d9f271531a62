// SPDX-License-Identifier: MIT
//! Requests to a plugin, and how it answers them. Their ranges lie within the size of the export and are whole
//! blocks of it: the host has seen to that.

use crate::{raw, Errno, Error, Result};
use core::marker::PhantomData;
use core::ops::{Deref, DerefMut, Range};

/// What [`crate::traits::Open::open`] gives, 0 or larger; 0 without that trait.
pub type Handle = i32;

/// Whether a request is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    Done,
    /// It is finished later: by [`crate::Call::then`], or by [`Request::finish`].
    Pending,
}

/// What the functions for requests return.
pub type Answer = Result<Status>;

/// The request is done.
pub const DONE: Answer = Ok(Status::Done);

/// Flags of a request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flags(pub i32);

impl Flags {
    pub const NONE: Flags = Flags(0);
    pub const FUA: Flags = Flags(1);
    pub const MAY_TRIM: Flags = Flags(2);
    pub const FAST_ZERO: Flags = Flags(4);
    pub const REQ_ONE: Flags = Flags(8);
    /// For [`crate::below::forward`].
    pub const WHOLE: Flags = Flags(16);

    /// All flags of both.
    pub const fn with(self, other: Flags) -> Flags {
        Flags(self.0 | other.0)
    }
    pub fn contains(self, other: Flags) -> bool {
        self.0 & other.0 == other.0
    }
    /// On stable storage before it is done.
    pub fn fua(self) -> bool {
        self.contains(Flags::FUA)
    }
    /// Zero: the range may become a hole.
    pub fn may_trim(self) -> bool {
        self.contains(Flags::MAY_TRIM)
    }
    /// Zero: fail with EOPNOTSUPP, before anything changes, rather than be slow.
    pub fn fast_zero(self) -> bool {
        self.contains(Flags::FAST_ZERO)
    }
    /// Extents: one is enough.
    pub fn req_one(self) -> bool {
        self.contains(Flags::REQ_ONE)
    }
}

/// What all requests have in common.
pub trait Request {
    /// The number that the host knows it by.
    fn id(&self) -> i32;
    fn handle(&self) -> Handle;
    fn offset(&self) -> u64;
    fn count(&self) -> u64;
    fn flags(&self) -> Flags;

    /// Has a child of a filter answer all of it, from `offset` on there.
    fn pass_to(&self, child: i32, offset: u64) -> Answer {
        answer_of(unsafe {
            raw::next_forward(self.id(), child, 0, self.count(), offset, self.flags().0, 0)
        })
    }

    /// Has the only child answer it as it is.
    fn pass(&self) -> Answer {
        self.pass_to(0, self.offset())
    }

    /// Finishes it, if it is [`Status::Pending`].
    fn finish(&self, result: Result) {
        finish(self.id(), result);
    }
}

/// Finishes the request `id` after its call has returned [`Status::Pending`], and not before: for answers that
/// take several calls of the host, each of which begins with [`crate::Call::detach`].
pub fn finish(id: i32, result: Result) {
    let errno = match result {
        Ok(()) => 0,
        Err(error) => say(error),
    };
    unsafe { raw::complete(id, errno) }
}

/// Tells the host why the running call fails; the error number.
pub(crate) fn say(error: Error) -> i32 {
    if let Some(text) = &error.text {
        unsafe { raw::error_text(text.as_ptr() as usize, text.len()) }
    }
    error.errno.0
}

fn answer_of(status: i32) -> Answer {
    match status {
        0 => DONE,
        -1 => Ok(Status::Pending),
        errno => Err(Errno(errno).into()),
    }
}

macro_rules! request {
    ($name:ident $(<$life:lifetime>)?) => {
        impl $(<$life>)? Request for $name $(<$life>)? {
            fn id(&self) -> i32 {
                self.id
            }
            fn handle(&self) -> Handle {
                self.handle
            }
            fn offset(&self) -> u64 {
                self.offset
            }
            fn count(&self) -> u64 {
                self.count
            }
            fn flags(&self) -> Flags {
                self.flags
            }
        }
    };
}

/// Bytes that the host has lent for an answer. They are sent when the request is done.
pub struct Buffer {
    pointer: *mut u8,
    length: usize,
}

impl Buffer {
    pub(crate) fn pointer(&self) -> usize {
        self.pointer as usize
    }
}

impl Deref for Buffer {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        unsafe { core::slice::from_raw_parts(self.pointer, self.length) }
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [u8] {
        unsafe { core::slice::from_raw_parts_mut(self.pointer, self.length) }
    }
}

/// A read. It is answered piece by piece, from its offset on, until all of it is answered.
pub struct ReadRequest<'a> {
    pub id: i32,
    pub handle: Handle,
    pub offset: u64,
    pub count: u64,
    pub flags: Flags,
    at: u64,
    plugin: PhantomData<&'a ()>,
}
request!(ReadRequest<'a>);

impl<'a> ReadRequest<'a> {
    #[doc(hidden)]
    pub fn new(id: i32, handle: Handle, count: u64, offset: u64, flags: i32) -> Self {
        let flags = Flags(flags);
        ReadRequest { id, handle, offset, count, flags, at: 0, plugin: PhantomData }
    }

    /// The range that is asked for, for slices.
    pub fn range(&self) -> Range<usize> {
        self.offset as usize..(self.offset + self.count) as usize
    }

    /// Bytes that are still to be answered.
    pub fn left(&self) -> u64 {
        self.count - self.at
    }

    /// Answers with bytes of the plugin, which stay as they are until it is called for the next write,
    /// trim or zero. Nobody copies them.
    pub fn stable(&mut self, bytes: &'a [u8]) {
        self.data(bytes, 1);
    }

    /// Answers with bytes that are copied at once.
    pub fn copy(&mut self, bytes: &[u8]) {
        self.data(bytes, 0);
    }

    /// Answers with bytes that are put into a buffer of the host.
    pub fn buffer(&mut self, count: usize) -> Result<Buffer> {
        let pointer = unsafe { raw::reply_buffer(self.id, self.at, count as u64) } as *mut u8;
        self.at += count as u64;
        if pointer.is_null() {
            return Err(Error::new(Errno::ENOMEM, "no memory for the answer".into()));
        }
        Ok(Buffer { pointer, length: count })
    }

    /// Answers with zeroes.
    pub fn zeroes(&mut self, count: u64) {
        unsafe { raw::reply_zero(self.id, self.at, count, 0) }
        self.at += count;
    }

    /// Answers with zeroes that take no space.
    pub fn hole(&mut self, count: u64) {
        unsafe { raw::reply_zero(self.id, self.at, count, 1) }
        self.at += count;
    }

    /// This part cannot be read; the rest can.
    pub fn error(&mut self, count: u64, errno: Errno) {
        unsafe { raw::reply_error(self.id, self.at, count, errno.0) }
        self.at += count;
    }

    /// The same request, to be answered after its call has returned [`Status::Pending`]. What is stable
    /// must be so for ever then.
    pub fn later(self) -> ReadRequest<'static> {
        let ReadRequest { id, handle, offset, count, flags, at, .. } = self;
        ReadRequest { id, handle, offset, count, flags, at, plugin: PhantomData }
    }

    /// Forgets what it was answered with so far, of which nothing may be under way below, and begins again.
    pub fn restart(&mut self) {
        unsafe { raw::reply_restart(self.id) }
        self.at = 0;
    }

    /// Has a child of a filter answer the next `count` bytes, from `offset` on there.
    pub fn part(&mut self, child: i32, count: u64, offset: u64) -> Answer {
        let at = self.at;
        self.at += count;
        answer_of(unsafe { raw::next_forward(self.id, child, at, count, offset, 0, 0) })
    }

    fn data(&mut self, bytes: &[u8], flags: i32) {
        let length = bytes.len() as u64;
        unsafe { raw::reply_data(self.id, self.at, bytes.as_ptr() as usize, length, flags) }
        self.at += length;
    }
}

/// A write.
pub struct WriteRequest<'a> {
    pub id: i32,
    pub handle: Handle,
    pub offset: u64,
    pub count: u64,
    pub flags: Flags,
    /// What is written. Empty for a filter that only passes writes on, and for what is placed.
    pub data: &'a [u8],
    /// The bytes are where [`crate::traits::Place::place`] wanted them: there is nothing to copy.
    pub placed: bool,
}
request!(WriteRequest<'a>);

impl WriteRequest<'_> {
    /// Copies what is written to `to`, where it is not already. Panics unless `to` is as long as it.
    pub fn copy_to(&self, to: &mut [u8]) {
        if !self.placed {
            to.copy_from_slice(self.data);
        }
    }

    /// Copies part of what is written, from `at` on: for a filter that passes writes on, whose `data` is
    /// empty. [`crate::below::payload`] does it until the request is finished.
    pub fn payload(&self, at: u64, to: &mut [u8]) -> Result {
        crate::below::payload(self.id, at, to)
    }

    /// The range that is written, for slices.
    pub fn range(&self) -> Range<usize> {
        self.offset as usize..(self.offset + self.count) as usize
    }
}

/// A trim, zero, cache or secure erase request.
pub struct RangeRequest {
    pub id: i32,
    pub handle: Handle,
    pub offset: u64,
    pub count: u64,
    pub flags: Flags,
}
request!(RangeRequest);

impl RangeRequest {
    /// The range, for slices.
    pub fn range(&self) -> Range<usize> {
        self.offset as usize..(self.offset + self.count) as usize
    }
}

/// A flush; it has no range.
pub struct FlushRequest {
    pub id: i32,
    pub handle: Handle,
    pub offset: u64,
    pub count: u64,
    pub flags: Flags,
}
request!(FlushRequest);

/// A request of the device's own kind; it has no range.
pub struct IoctlRequest<'a> {
    pub id: i32,
    pub handle: Handle,
    pub offset: u64,
    pub count: u64,
    pub flags: Flags,
    /// As Linux encodes it.
    pub number: u32,
    /// What the client has given, and the place of the answer. Empty for a filter that only passes ioctls on.
    pub argument: &'a mut [u8],
}
request!(IoctlRequest<'a>);

impl IoctlRequest<'_> {
    /// The same request, to be answered after its call has returned [`Status::Pending`]: the argument stays
    /// where it is until the request is finished.
    pub fn later(self) -> IoctlRequest<'static> {
        let IoctlRequest { id, handle, offset, count, flags, number, argument } = self;
        let (pointer, length) = (argument.as_mut_ptr(), argument.len());
        let argument = unsafe { core::slice::from_raw_parts_mut(pointer, length) };
        IoctlRequest { id, handle, offset, count, flags, number, argument }
    }
}

/// What is known of the bytes of an extent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    Data = 0,
    /// It takes no space; what it reads as is not said.
    Hole = 1,
    /// It reads as zeroes.
    Zero = 2,
    HoleZero = 3,
}

/// A request for extents. They begin at its offset and follow one another; there must be at least one.
pub struct ExtentsRequest {
    pub id: i32,
    pub handle: Handle,
    pub offset: u64,
    pub count: u64,
    pub flags: Flags,
}
request!(ExtentsRequest);

impl ExtentsRequest {
    /// Reports the next extent, which may reach beyond the request.
    pub fn extent(&self, length: u64, what: Extent) {
        unsafe { raw::extent(self.id, length, what as i32) }
    }

    /// Forgets what was reported so far, and begins again.
    pub fn restart(&self) {
        unsafe { raw::reply_restart(self.id) }
    }
}
