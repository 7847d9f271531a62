// SPDX-License-Identifier: MIT
//! Why something fails: a number for clients and a sentence for people.

use alloc::string::String;

/// An error number of Linux, 1 to 133.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Errno(pub i32);

impl Errno {
    pub const EPERM: Errno = Errno(1);
    pub const ENOENT: Errno = Errno(2);
    pub const EIO: Errno = Errno(5);
    pub const EAGAIN: Errno = Errno(11);
    pub const ENOMEM: Errno = Errno(12);
    pub const EACCES: Errno = Errno(13);
    pub const EBUSY: Errno = Errno(16);
    pub const EEXIST: Errno = Errno(17);
    pub const EINVAL: Errno = Errno(22);
    pub const ENOTTY: Errno = Errno(25);
    pub const EFBIG: Errno = Errno(27);
    pub const ENOSPC: Errno = Errno(28);
    pub const EROFS: Errno = Errno(30);
    pub const ERANGE: Errno = Errno(34);
    pub const ENODATA: Errno = Errno(61);
    pub const EOVERFLOW: Errno = Errno(75);
    pub const EOPNOTSUPP: Errno = Errno(95);
    pub const ESHUTDOWN: Errno = Errno(108);
}

/// Why a call fails. Without a text, that of what is below stands.
#[derive(Debug)]
pub struct Error {
    pub errno: Errno,
    pub text: Option<String>,
}

/// What everything here returns.
pub type Result<T = ()> = core::result::Result<T, Error>;

impl Error {
    pub fn new(errno: Errno, text: String) -> Error {
        Error { errno, text: Some(text) }
    }
}

impl From<Errno> for Error {
    fn from(errno: Errno) -> Error {
        Error { errno, text: None }
    }
}

/// An error with a sentence: `return fail!(EIO, "cannot read block {}", number);`
#[macro_export]
macro_rules! fail {
    ($errno:ident, $($text:tt)*) => {
        ::core::result::Result::Err($crate::Error::new(
            $crate::Errno::$errno,
            $crate::alloc::format!($($text)*),
        ))
    };
}

impl Errno {
    /// What a function of the host says with 0 or an error number.
    pub(crate) fn check(status: i32) -> Result {
        if status == 0 {
            Ok(())
        } else {
            Err(Errno(status).into())
        }
    }

    /// What one says with a size or a negative error number.
    pub(crate) fn check_size(value: i64) -> Result<u64> {
        if value < 0 {
            Err(Errno(-value as i32).into())
        } else {
            Ok(value as u64)
        }
    }
}
