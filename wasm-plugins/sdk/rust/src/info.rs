// SPDX-License-Identifier: MIT
//! What an export can do, and its block sizes (plugin ABI, section 8).

use crate::raw;

/// How a capability is provided.
pub struct Support;

impl Support {
    pub const NONE: u32 = 0;
    /// By the host, out of other calls.
    pub const EMULATE: u32 = 1;
    pub const NATIVE: u32 = 2;
}

/// What [`crate::traits::Capabilities`] may change. The host has filled it in with what it assumes.
#[repr(C)]
#[derive(Clone, Debug, Default)]
pub struct Info {
    struct_size: u32,
    /// A power of two, 1 to 65536.
    pub block_minimum: u32,
    /// A power of two, at least 512 and the minimum.
    pub block_preferred: u32,
    /// A multiple of the minimum, or `u32::MAX` for none.
    pub block_maximum: u32,
    pub write: u32,
    pub flush: u32,
    pub fua: u32,
    pub trim: u32,
    pub zero: u32,
    pub fast_zero: u32,
    pub cache: u32,
    pub extents: u32,
    pub multi_conn: u32,
    /// 1: seeks are slow.
    pub rotational: u32,
    pub secure_erase: u32,
    pub ioctl: u32,
}

impl Info {
    /// Tells clients these block sizes, while they are held to those of the struct.
    pub fn advise(&self, minimum: u32, preferred: u32, maximum: u32) {
        unsafe { raw::block_advice(minimum as i32, preferred as i32, maximum as i32) }
    }

    /// With its size filled in, as the host wants it.
    pub(crate) fn empty() -> Info {
        Info { struct_size: core::mem::size_of::<Info>() as u32, ..Info::default() }
    }
}
