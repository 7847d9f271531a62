// SPDX-License-Identifier: MIT
//! What a plugin may be able to do. A plugin implements what it can and names it in
//! [`plugin!`](crate::plugin) or [`filter!`](crate::filter); what is not named is not there for clients.

use crate::{
    Answer, ExtentsRequest, FlushRequest, Handle, Info, IoctlRequest, Parameters, RangeRequest,
    ReadRequest, Result, WriteRequest,
};
use alloc::string::String;

/// What every plugin and filter has.
pub trait Plugin: Sized {
    /// From `parameters!`, or `NoParameters`.
    type Options: Parameters;
    /// All parameters are there.
    fn new(options: Self::Options) -> Result<Self>;
}

/// Every plugin needs this. A filter has the size of its first child without it.
pub trait Size {
    /// Size of an export in bytes.
    fn size(&mut self, handle: Handle) -> Result<u64>;
}

/// Without it there is one export, whose name is empty.
pub trait Open {
    /// Opens an export; fails with ENOENT where there is none of that name.
    fn open(&mut self, name: &str, read_only: bool) -> Result<Handle>;
    fn close(&mut self, _handle: Handle) {}
}

/// Every plugin needs this.
pub trait Read {
    fn read<'a>(&'a mut self, request: ReadRequest<'a>) -> Answer;
}

pub trait Write {
    fn write(&mut self, request: WriteRequest) -> Answer;
}

/// For plugins that keep the data of large writes in memory: saves a copy.
pub trait Place: Write {
    /// Where these bytes of the export lie, all in one piece, which are changed from now on; or nothing.
    /// What arrives there comes to [`Write::write`] with `placed`.
    fn place(&mut self, handle: Handle, offset: u64, count: u64) -> Option<&mut [u8]>;
}

pub trait Flush {
    /// What was written before, through any handle, is on stable storage when this is done.
    fn flush(&mut self, request: FlushRequest) -> Answer;
}

pub trait Trim {
    /// What is in the range does not matter any more.
    fn trim(&mut self, request: RangeRequest) -> Answer;
}

pub trait Zero {
    /// The range reads as zeroes from now on. EOPNOTSUPP lets the host write them.
    fn zero(&mut self, request: RangeRequest) -> Answer;
}

pub trait Cache {
    /// The range is going to be read soon.
    fn cache(&mut self, request: RangeRequest) -> Answer;
}

pub trait Extents {
    /// Says what is allocated.
    fn extents(&mut self, request: ExtentsRequest) -> Answer;
}

pub trait SecureErase {
    /// Nothing of what was in the range can be had back by any means when this is done.
    fn secure_erase(&mut self, request: RangeRequest) -> Answer;
}

pub trait Ioctl {
    /// Answers in the place of the argument. ENOTTY for numbers that are not known.
    fn ioctl(&mut self, request: IoctlRequest) -> Answer;
}

pub trait Capabilities {
    /// Changes what the host assumes that the export can do.
    fn capabilities(&mut self, handle: Handle, info: &mut Info) -> Result;
}

pub trait List {
    /// Calls `add` with the name and the description of each export.
    fn list(&mut self, add: &mut dyn FnMut(&str, &str)) -> Result;
    /// The export that clients get who name none.
    fn default_export(&mut self) -> Result<Option<String>> {
        Ok(None)
    }
}

pub trait Describe {
    /// What an open export is, in one line.
    fn describe(&mut self, handle: Handle) -> Result<String>;
}

pub trait Connect {
    /// A client comes: `tcp:192.0.2.1:4321`. An error refuses it.
    fn connect(&mut self, peer: &str) -> Result;
}

pub trait Finish {
    /// Nothing is open and nothing will be: brings below what is still to be brought there.
    fn finish(&mut self);
}

pub trait Stop {
    /// The last call.
    fn stop(&mut self);
}
