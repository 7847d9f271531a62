// SPDX-License-Identifier: MIT
//! Files that the user has granted (plugin ABI, section 17): the manifest asks for the capability `read` or
//! `write`. Everything fails with EPERM or EACCES where it was not granted.

use crate::below::Target;
use crate::{raw, Call, Errno, Flags, Result};
use alloc::rc::Rc;
use alloc::vec::Vec;

/// How a file is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    Read = 0,
    /// To read and write a file that is there.
    Write = 1,
    /// The same, and it is made where there is none.
    Create = 3,
    /// Fails with EEXIST where there is one.
    CreateNew = 7,
    /// The same as `Create`, and it is empty.
    Truncate = 11,
}

/// Closes the file when nobody uses it any more.
struct Number(i32);

impl Drop for Number {
    fn drop(&mut self) {
        unsafe { raw::file_close(self.0) }
    }
}

/// An open file. Its functions that return a [`Call`] never wait; those whose names end with `_now` do,
/// and may be called outside of requests only: in `new`, `open`, `list`, `stop` and so on.
#[derive(Clone)]
pub struct File(Rc<Number>);

/// Opens a file. A relative path starts at the first directory that was granted.
pub fn open(path: &str, mode: Mode) -> Result<File> {
    open_with(path, mode as i32)
}

/// The same, and fails with EBUSY where somebody has it open by this function.
pub fn open_locked(path: &str, mode: Mode) -> Result<File> {
    open_with(path, mode as i32 | LOCK)
}

const LOCK: i32 = 16;

fn open_with(path: &str, flags: i32) -> Result<File> {
    let file = unsafe { raw::file_open(path.as_ptr() as usize, path.len(), flags) };
    if file < 0 {
        return Err(Errno(-file).into());
    }
    Ok(File(Rc::new(Number(file))))
}

impl File {
    fn number(&self) -> i32 {
        self.0 .0
    }

    /// Its size in bytes.
    pub fn size(&self) -> Result<u64> {
        Errno::check_size(unsafe { raw::file_size(self.number()) })
    }

    /// Cuts it off, or makes it longer by a hole.
    pub fn resize(&self, size: u64) -> Result {
        Errno::check(unsafe { raw::file_resize(self.number(), size) })
    }

    /// Fills `target` with what there is from `offset` on. Fails with ENODATA where the file ends before.
    pub fn read<T: Target>(
        &self,
        target: T,
        offset: u64,
    ) -> Call<T, impl FnOnce(&mut T, i32) -> i32> {
        let file = self.number();
        Call::new(target, move |target, token| {
            let (pointer, length) = target.place();
            unsafe { raw::file_pread(file, pointer, length as u64, offset, 0, token) }
        })
    }

    /// Writes `data`; the file grows as needed. Of the flags there is FUA.
    pub fn write(
        &self,
        data: Vec<u8>,
        offset: u64,
        flags: Flags,
    ) -> Call<Vec<u8>, impl FnOnce(&mut Vec<u8>, i32) -> i32> {
        let file = self.number();
        Call::new(data, move |data, token| unsafe {
            let (pointer, length) = (data.as_ptr() as usize, data.len() as u64);
            raw::file_pwrite(file, pointer, length, offset, flags.0, token)
        })
    }

    /// What was written before, and the size, is on stable storage when this has ended.
    pub fn sync(&self) -> Call<(), impl FnOnce(&mut (), i32) -> i32> {
        let file = self.number();
        Call::new((), move |_, token| unsafe { raw::file_sync(file, 0, token) })
    }

    /// Makes a range zero, as far as the file has it. Of the flags there is MAY_TRIM. Fails with
    /// EOPNOTSUPP where the filesystem cannot.
    pub fn zero(
        &self,
        count: u64,
        offset: u64,
        flags: Flags,
    ) -> Call<(), impl FnOnce(&mut (), i32) -> i32> {
        let file = self.number();
        Call::new((), move |_, token| unsafe {
            raw::file_zero(file, count, offset, flags.0, token)
        })
    }

    /// As `read`, and waits.
    pub fn read_now(&self, bytes: &mut [u8], offset: u64) -> Result {
        let (pointer, length) = (bytes.as_mut_ptr() as usize, bytes.len() as u64);
        Errno::check(unsafe { raw::file_pread(self.number(), pointer, length, offset, 0, 0) })
    }

    /// As `write`, and waits.
    pub fn write_now(&self, bytes: &[u8], offset: u64, flags: Flags) -> Result {
        let (pointer, length) = (bytes.as_ptr() as usize, bytes.len() as u64);
        Errno::check(unsafe { raw::file_pwrite(self.number(), pointer, length, offset, flags.0, 0) })
    }

    /// As `sync`, and waits.
    pub fn sync_now(&self) -> Result {
        Errno::check(unsafe { raw::file_sync(self.number(), 0, 0) })
    }

    /// As `zero`, and waits.
    pub fn zero_now(&self, count: u64, offset: u64, flags: Flags) -> Result {
        Errno::check(unsafe { raw::file_zero(self.number(), count, offset, flags.0, 0) })
    }
}
