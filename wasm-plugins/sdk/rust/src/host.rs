// SPDX-License-Identifier: MIT
//! What the host does for a plugin outside of requests: memory, log, numbers, time.

use crate::{raw, Errno, Error, Result};
use alloc::alloc::{alloc_zeroed, Layout};
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

/// Levels of log lines.
#[derive(Clone, Copy)]
pub enum Level {
    Error = 0,
    Warning = 1,
    Info = 2,
    Debug = 3,
}

/// Logs one line; `log!` takes a format.
pub fn log(level: Level, text: &str) {
    unsafe { raw::log(level as i32, text.as_ptr() as usize, text.len()) }
}

/// A line for the log: `log!(Info, "{} blocks", count);`
#[macro_export]
macro_rules! log {
    ($level:ident, $($text:tt)*) => {
        $crate::host::log($crate::host::Level::$level, &$crate::alloc::format!($($text)*))
    };
}

/// `length` zero bytes, which take physical memory only where they are written. Fails with ENOMEM where
/// there is not so much memory, of which a plugin can address 2 GiB in one piece.
pub fn zeroed(length: u64) -> Result<Vec<u8>> {
    let none = || Error::new(Errno::ENOMEM, alloc::format!("no memory for {length} bytes"));
    if length == 0 {
        return Ok(Vec::new());
    }
    let size = usize::try_from(length).map_err(|_| none())?;
    let layout = Layout::array::<u8>(size).map_err(|_| none())?;
    let pointer = unsafe { alloc_zeroed(layout) };
    if pointer.is_null() {
        return Err(none());
    }
    Ok(unsafe { Vec::from_raw_parts(pointer, size, size) })
}

/// Makes bytes zero, and gives whole pages among them back to the system.
pub fn release(bytes: &mut [u8]) {
    unsafe { raw::release(bytes.as_mut_ptr() as usize, bytes.len()) }
}

/// Who opens the export, while it is opened: `unix:pid=12,uid=0,gid=0`.
pub fn peer() -> String {
    let mut text = alloc::vec![0; 256];
    let length = unsafe { raw::peer(text.as_mut_ptr() as usize, text.len()) };
    if length > text.len() {
        text.resize(length, 0);
        unsafe { raw::peer(text.as_mut_ptr() as usize, text.len()) };
    }
    text.truncate(length);
    String::from_utf8_lossy(&text).into_owned()
}

/// Sets a counter or gauge, or adds an observation to a histogram, by its position in the manifest.
pub fn metric(index: i32, value: i64) {
    unsafe { raw::metric(index, value as u64) }
}

/// Gives an open export another size, for clients that open it from now on.
pub fn resize(handle: i32, size: u64) -> Result {
    Errno::check(unsafe { raw::resize(handle, size) })
}

/// Whether the host has a feature, or the user has granted a capability.
pub fn has_feature(name: &str) -> bool {
    unsafe { raw::feature(name.as_ptr() as usize, name.len()) == 1 }
}

/// Nanoseconds since 1970. Fails without the capability `clock`.
pub fn real_time() -> Result<u64> {
    time(0)
}

/// Nanoseconds since some time. Fails without the capability `clock`.
pub fn monotonic() -> Result<u64> {
    time(1)
}

fn time(which: i32) -> Result<u64> {
    let time = unsafe { raw::clock(which) };
    Errno::check_size(time)
}

/// Waits, in plugins whose `can` names `Blocking`.
pub fn sleep(time: Duration) -> Result {
    Errno::check(unsafe { raw::sleep(time.as_nanos() as u64) })
}

/// Fills in random bytes. Fails without the capability `random`.
pub fn random(bytes: &mut [u8]) -> Result {
    for piece in bytes.chunks_mut(RANDOM_MAX) {
        Errno::check(unsafe { raw::random(piece.as_mut_ptr() as usize, piece.len()) })?;
    }
    Ok(())
}

/// Bytes that the host gives at once.
const RANDOM_MAX: usize = 65536;
