// SPDX-License-Identifier: MIT
//! Plugins and filters for sandblock in Rust. `README.md` beside this crate shows how; what everything
//! means is in the specification of the plugin ABI.
//!
//! A plugin is a type that implements [`Plugin`] and, for all that it can do, the traits of
//! [`traits`]; [`plugin!`] or [`filter!`] names them once more and makes the module.

#![no_std]

#[doc(hidden)]
pub extern crate alloc;
#[cfg(feature = "std")]
extern crate std;

pub mod below;
mod error;
pub mod file;
#[doc(hidden)]
pub mod glue;
#[cfg(target_arch = "wasm32")]
mod heap;
pub mod host;
mod info;
mod later;
mod macros;
mod manifest;
pub mod net;
mod parameters;
pub mod raw;
mod request;
pub mod traits;

pub use error::{Errno, Error, Result};
pub use info::{Info, Support};
pub use later::{timer, Call, Timer};
#[doc(hidden)]
pub use manifest::{joined, length};
pub use parameters::{NoParameters, Parameter, Parameters};
pub use request::{
    finish, Answer, Buffer, Extent, ExtentsRequest, Flags, FlushRequest, Handle, IoctlRequest, RangeRequest,
    ReadRequest, Request, Status, WriteRequest, DONE,
};
pub use traits::Plugin;

/// What most plugins need.
pub mod prelude {
    pub use crate::host::{zeroed, Level};
    pub use crate::traits::*;
    pub use crate::{
        below, fail, file, filter, log, net, parameters, plugin, timer, Answer, Buffer, Errno, Error,
        Extent, ExtentsRequest, Flags, FlushRequest, Handle, Info, IoctlRequest, NoParameters,
        RangeRequest, ReadRequest, Request, Result, Status, Support, Timer, WriteRequest, DONE,
    };
    pub use alloc::{boxed::Box, format, string::String, vec, vec::Vec};
}

#[cfg(all(target_arch = "wasm32", not(feature = "std")))]
#[panic_handler]
fn panicked(info: &core::panic::PanicInfo) -> ! {
    host::log(host::Level::Error, &alloc::format!("{info}"));
    core::arch::wasm32::unreachable()
}
