// SPDX-License-Identifier: MIT
//! What the functions that [`crate::plugin!`] exports do: from the ABI's values to Rust's and back.

pub use crate::later::done;
use crate::request::say;
use crate::traits::*;
use crate::{
    raw, Answer, ExtentsRequest, Flags, FlushRequest, Info, IoctlRequest, RangeRequest, ReadRequest,
    Result, Status, WriteRequest,
};
use alloc::alloc::{alloc as allocate, dealloc, Layout};

/// The plugin and, until it is ready, its parameters.
pub struct Slot<P: Plugin> {
    options: Option<P::Options>,
    plugin: Option<P>,
}

impl<P: Plugin> Slot<P> {
    pub const fn new() -> Self {
        Slot { options: None, plugin: None }
    }

    pub fn options(&mut self) -> &mut P::Options {
        self.options.get_or_insert_with(Default::default)
    }

    pub fn ready(&mut self) -> i32 {
        #[cfg(feature = "std")]
        std::panic::set_hook(alloc::boxed::Box::new(|info| {
            crate::host::log(crate::host::Level::Error, &alloc::format!("{info}"));
        }));
        match P::new(self.options.take().unwrap_or_default()) {
            Ok(plugin) => {
                self.plugin = Some(plugin);
                0
            }
            Err(error) => say(error),
        }
    }

    pub fn plugin(&mut self) -> &mut P {
        self.plugin.as_mut().expect("sb_ready comes first")
    }
}

fn status(result: Result) -> i32 {
    match result {
        Ok(()) => 0,
        Err(error) => say(error),
    }
}

fn answer(answer: Answer) -> i32 {
    match answer {
        Ok(Status::Done) => 0,
        Ok(Status::Pending) => -1,
        Err(error) => say(error),
    }
}

/// # Safety
/// The host says where its bytes are.
pub unsafe fn bytes<'a>(pointer: usize, length: usize) -> &'a [u8] {
    if pointer == 0 || length == 0 {
        return &[];
    }
    core::slice::from_raw_parts(pointer as *const u8, length)
}

unsafe fn text<'a>(pointer: usize, length: usize) -> &'a str {
    core::str::from_utf8(bytes(pointer, length)).unwrap_or("\u{fffd}")
}

pub fn alloc(size: usize, alignment: usize) -> usize {
    match Layout::from_size_align(size.max(1), alignment) {
        Ok(layout) => unsafe { allocate(layout) as usize },
        Err(_) => 0,
    }
}

/// # Safety
/// The host gives back what it got.
pub unsafe fn free(pointer: usize, size: usize, alignment: usize) {
    if let Ok(layout) = Layout::from_size_align(size.max(1), alignment) {
        dealloc(pointer as *mut u8, layout);
    }
}

/// # Safety
/// As `bytes`.
pub unsafe fn open<P: Open>(plugin: &mut P, name: usize, length: usize, flags: i32) -> i32 {
    match plugin.open(text(name, length), flags & 1 == 1) {
        Ok(handle) => handle,
        Err(error) => -say(error),
    }
}

pub fn size<P: Size>(plugin: &mut P, handle: i32) -> i64 {
    match plugin.size(handle) {
        Ok(bytes) => bytes as i64,
        Err(error) => -(say(error) as i64),
    }
}

pub fn read<P: Read>(
    plugin: &mut P,
    handle: i32,
    id: i32,
    count: u64,
    offset: u64,
    flags: i32,
) -> i32 {
    answer(plugin.read(ReadRequest::new(id, handle, count, offset, flags)))
}

/// # Safety
/// As `bytes`.
pub unsafe fn write<P: Write>(
    plugin: &mut P,
    handle: i32,
    id: i32,
    data: usize,
    count: u64,
    offset: u64,
    flags: i32,
) -> i32 {
    // The plugin's own memory must not be lent to it a second time.
    let place = core::ptr::addr_of_mut!(PLACED).replace(0);
    let placed = data != 0 && data == place;
    let data = if placed { &[] } else { bytes(data, count as usize) };
    let flags = Flags(flags);
    answer(plugin.write(WriteRequest { id, handle, offset, count, flags, data, placed }))
}

/// Where the next write may lie already.
static mut PLACED: usize = 0;

pub fn place<P: Place>(plugin: &mut P, handle: i32, count: u64, offset: u64) -> usize {
    let pointer = match plugin.place(handle, offset, count) {
        Some(bytes) if bytes.len() as u64 >= count => bytes.as_mut_ptr() as usize,
        _ => 0,
    };
    unsafe { PLACED = pointer }
    pointer
}

pub fn flush<P: Flush>(plugin: &mut P, handle: i32, id: i32, flags: i32) -> i32 {
    let flags = Flags(flags);
    answer(plugin.flush(FlushRequest { id, handle, offset: 0, count: 0, flags }))
}

macro_rules! range {
    ($name:ident, $trait:ident, $request:ident) => {
        pub fn $name<P: $trait>(
            plugin: &mut P,
            handle: i32,
            id: i32,
            count: u64,
            offset: u64,
            flags: i32,
        ) -> i32 {
            answer(plugin.$name($request { id, handle, offset, count, flags: Flags(flags) }))
        }
    };
}
range!(trim, Trim, RangeRequest);
range!(zero, Zero, RangeRequest);
range!(cache, Cache, RangeRequest);
range!(extents, Extents, ExtentsRequest);
range!(secure_erase, SecureErase, RangeRequest);

/// # Safety
/// As `bytes`; nobody else uses the argument meanwhile.
pub unsafe fn ioctl<P: Ioctl>(
    plugin: &mut P,
    handle: i32,
    id: i32,
    number: i32,
    argument: usize,
    length: usize,
) -> i32 {
    let argument = if argument == 0 || length == 0 {
        &mut [][..]
    } else {
        core::slice::from_raw_parts_mut(argument as *mut u8, length)
    };
    let number = number as u32;
    let (offset, count, flags) = (0, 0, Flags::NONE);
    answer(plugin.ioctl(IoctlRequest { id, handle, offset, count, flags, number, argument }))
}

/// # Safety
/// The host says where its struct is.
pub unsafe fn info<P: Capabilities>(plugin: &mut P, handle: i32, out: usize) -> i32 {
    status(plugin.capabilities(handle, &mut *(out as *mut Info)))
}

pub fn list<P: List>(plugin: &mut P) -> i32 {
    status(plugin.list(&mut add))
}

fn add(name: &str, description: &str) {
    let (name, name_length) = (name.as_ptr() as usize, name.len());
    unsafe {
        raw::export_add(name, name_length, description.as_ptr() as usize, description.len());
    }
}

pub fn default<P: List>(plugin: &mut P) -> i32 {
    status(plugin.default_export().map(|name| {
        if let Some(name) = name {
            unsafe { raw::export_default(name.as_ptr() as usize, name.len()) }
        }
    }))
}

pub fn describe<P: Describe>(plugin: &mut P, handle: i32) -> i32 {
    status(plugin.describe(handle).map(|text| add("", &text)))
}

/// # Safety
/// As `bytes`.
pub unsafe fn connect<P: Connect>(plugin: &mut P, peer: usize, length: usize) -> i32 {
    status(plugin.connect(text(peer, length)))
}
