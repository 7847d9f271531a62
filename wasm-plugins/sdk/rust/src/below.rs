// SPDX-License-Identifier: MIT
//! What a filter stands on (plugin ABI, section 15). Its children are numbered from 0.

use crate::{raw, Buffer, Call, Errno, Extent, Flags, Handle, Info, Result};
use alloc::string::String;
use alloc::vec::Vec;

/// Number of children.
pub fn count() -> i32 {
    unsafe { raw::next_count() }
}

/// Size of a child in bytes.
pub fn size(handle: Handle, child: i32) -> Result<u64> {
    Errno::check_size(unsafe { raw::next_size(handle, child) })
}

/// What a child can do.
pub fn info(handle: Handle, child: i32) -> Result<Info> {
    let mut info = Info::empty();
    let pointer = core::ptr::addr_of_mut!(info) as usize;
    Errno::check(unsafe { raw::next_info(handle, child, pointer) })?;
    Ok(info)
}

/// Opens the export `name` of all children for the filter itself. Fails with an error number.
pub fn open(name: &str, read_only: bool) -> Result<Handle> {
    let handle = unsafe { raw::next_open(name.as_ptr() as usize, name.len(), read_only as i32) };
    if handle < 0 {
        return Err(Errno(-handle).into());
    }
    Ok(handle)
}

/// Closes what `open` has opened.
pub fn close(handle: Handle) {
    unsafe { raw::next_close(handle) }
}

/// Opens what `handle` stands for again, of a client or of `open`, and closes what was open.
pub fn reopen(handle: Handle, read_only: bool) -> Result {
    Errno::check(unsafe { raw::next_reopen(handle, read_only as i32) })
}

/// Names and descriptions of the exports of a child; none where they cannot be listed.
pub fn list(child: i32) -> Vec<(String, String)> {
    let mut list = Vec::new();
    loop {
        let (pointer, room) = (list.as_mut_ptr() as usize, list.len());
        let length = unsafe { raw::next_list(child, pointer, room) };
        if length <= room {
            list.truncate(length);
            return exports_in(&list).unwrap_or_default();
        }
        list.resize(length, 0);
    }
}

fn exports_in(mut list: &[u8]) -> Option<Vec<(String, String)>> {
    let count = take_number(&mut list)?;
    let mut exports = Vec::new();
    for _ in 0..count {
        let (name, description) = (take_number(&mut list)?, take_number(&mut list)?);
        exports.push((take_text(&mut list, name)?, take_text(&mut list, description)?));
    }
    Some(exports)
}

fn take_number(list: &mut &[u8]) -> Option<usize> {
    let bytes = take(list, 4)?;
    Some(u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]) as usize)
}

fn take_text(list: &mut &[u8], length: usize) -> Option<String> {
    Some(String::from_utf8_lossy(take(list, length)?).into_owned())
}

fn take<'a>(list: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let taken = list.get(..length)?;
    *list = &list[length..];
    Some(taken)
}

/// The name of a child's default export. Fails with ENOENT where there is none.
pub fn default_export(child: i32) -> Result<String> {
    let mut name = alloc::vec![0; NAME_MAX];
    let length = unsafe { raw::next_default(child, name.as_mut_ptr() as usize, name.len()) };
    if length < 0 {
        return Err(Errno(-length).into());
    }
    name.truncate(length as usize);
    Ok(String::from_utf8_lossy(&name).into_owned())
}

/// Bytes that a name of an export has at most.
const NAME_MAX: usize = 4096;

/// Has a child answer the `count` bytes of the request `id` that begin `at` bytes behind its start, from
/// `offset` on there. Unlike [`crate::Request::pass_to`] this leaves it to the filter to finish the request,
/// or to try elsewhere where that has failed.
pub fn forward(
    id: i32,
    child: i32,
    at: u64,
    count: u64,
    offset: u64,
    flags: Flags,
) -> Call<(), impl FnOnce(&mut (), i32) -> i32> {
    Call::new((), move |_, token| unsafe {
        raw::next_forward(id, child, at, count, offset, flags.0, token)
    })
}

/// Copies part of what the request `id` writes, from `at` on, until it is finished: for a filter that passes
/// writes on.
pub fn payload(id: i32, at: u64, to: &mut [u8]) -> Result {
    Errno::check(unsafe { raw::payload(id, at, to.as_mut_ptr() as usize, to.len()) })
}

/// Memory that is read into.
pub trait Target: 'static {
    #[doc(hidden)]
    fn place(&mut self) -> (usize, usize);
}

impl Target for Buffer {
    fn place(&mut self) -> (usize, usize) {
        (self.pointer(), self.len())
    }
}

impl Target for Vec<u8> {
    fn place(&mut self) -> (usize, usize) {
        (self.as_mut_ptr() as usize, self.len())
    }
}

/// Fills `target` with what a child has from `offset` on.
pub fn read<T: Target>(
    handle: Handle,
    child: i32,
    target: T,
    offset: u64,
) -> Call<T, impl FnOnce(&mut T, i32) -> i32> {
    Call::new(target, move |target, token| {
        let (pointer, length) = target.place();
        unsafe { raw::next_pread(handle, child, pointer, length as u64, offset, 0, token) }
    })
}

/// Writes `data` to a child.
pub fn write(
    handle: Handle,
    child: i32,
    data: Vec<u8>,
    offset: u64,
    flags: Flags,
) -> Call<Vec<u8>, impl FnOnce(&mut Vec<u8>, i32) -> i32> {
    Call::new(data, move |data, token| unsafe {
        let (pointer, length) = (data.as_ptr() as usize, data.len() as u64);
        raw::next_pwrite(handle, child, pointer, length, offset, flags.0, token)
    })
}

/// Flushes a child.
pub fn flush(handle: Handle, child: i32) -> Call<(), impl FnOnce(&mut (), i32) -> i32> {
    Call::new((), move |_, token| unsafe { raw::next_flush(handle, child, 0, token) })
}

/// Trims a range of a child.
pub fn trim(
    handle: Handle,
    child: i32,
    count: u64,
    offset: u64,
    flags: Flags,
) -> Call<(), impl FnOnce(&mut (), i32) -> i32> {
    Call::new((), move |_, token| unsafe {
        raw::next_trim(handle, child, count, offset, flags.0, token)
    })
}

/// Zeroes a range of a child.
pub fn zero(
    handle: Handle,
    child: i32,
    count: u64,
    offset: u64,
    flags: Flags,
) -> Call<(), impl FnOnce(&mut (), i32) -> i32> {
    Call::new((), move |_, token| unsafe {
        raw::next_zero(handle, child, count, offset, flags.0, token)
    })
}

/// Tells a child what is going to be read.
pub fn cache(
    handle: Handle,
    child: i32,
    count: u64,
    offset: u64,
) -> Call<(), impl FnOnce(&mut (), i32) -> i32> {
    Call::new((), move |_, token| unsafe {
        raw::next_cache(handle, child, count, offset, 0, token)
    })
}

/// Erases a range of a child for good.
pub fn secure_erase(
    handle: Handle,
    child: i32,
    count: u64,
    offset: u64,
) -> Call<(), impl FnOnce(&mut (), i32) -> i32> {
    Call::new((), move |_, token| unsafe {
        raw::next_secure_erase(handle, child, count, offset, 0, token)
    })
}

/// Makes an ioctl to a child. The argument has as many bytes as the number says; the answer takes its place.
pub fn ioctl(
    handle: Handle,
    child: i32,
    number: u32,
    argument: Vec<u8>,
) -> Call<Vec<u8>, impl FnOnce(&mut Vec<u8>, i32) -> i32> {
    Call::new(argument, move |argument, token| unsafe {
        let (pointer, length) = (argument.as_mut_ptr() as usize, argument.len());
        raw::next_ioctl(handle, child, number as i32, pointer, length, token)
    })
}

/// Room for extents, and those that the child has reported.
pub struct ExtentList(Vec<u64>);

impl ExtentList {
    /// Lengths and what they are, from the offset on that was asked for.
    pub fn iter(&self) -> impl Iterator<Item = (u64, Extent)> + '_ {
        let count = (self.0[0] >> 32) as usize;
        self.0[1..1 + 2 * count].chunks_exact(2).map(|words| {
            let what = match words[1] & 3 {
                0 => Extent::Data,
                1 => Extent::Hole,
                2 => Extent::Zero,
                _ => Extent::HoleZero,
            };
            (words[0], what)
        })
    }
}

/// Asks a child what is allocated; at most `most` extents are reported.
pub fn extents(
    handle: Handle,
    child: i32,
    most: u32,
    count: u64,
    offset: u64,
    flags: Flags,
) -> Call<ExtentList, impl FnOnce(&mut ExtentList, i32) -> i32> {
    let mut words = alloc::vec![0; 1 + 2 * most as usize];
    words[0] = most as u64;
    Call::new(ExtentList(words), move |list, token| unsafe {
        let pointer = list.0.as_mut_ptr() as usize;
        raw::next_extents(handle, child, pointer, count, offset, flags.0, token)
    })
}
