// SPDX-License-Identifier: MIT
//! The memory of a plugin: free pieces in order of address, neighbours joined. Takes memory only by
//! growing it, so what the linker laid out is not touched.

use crate::raw;
use core::alloc::{GlobalAlloc, Layout};
use core::ptr::null_mut;

struct Free {
    size: usize,
    next: *mut Free,
}

struct Heap;

const UNIT: usize = 16;
const PAGE: usize = 65536;

/// Nothing here runs at the same time as anything else.
static mut FIRST: *mut Free = null_mut();

#[global_allocator]
static HEAP: Heap = Heap;

fn rounded(size: usize) -> usize {
    (if size == 0 { 1 } else { size } + UNIT - 1) & !(UNIT - 1)
}

unsafe impl GlobalAlloc for Heap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let size = rounded(layout.size());
        let align = layout.align().max(UNIT);
        let found = carve(size, align);
        if !found.is_null() {
            return found;
        }
        // Memory begins on a page, so a larger alignment needs room to move.
        let pages = (size + if align > PAGE { align } else { 0 } + PAGE - 1) / PAGE;
        let before = core::arch::wasm32::memory_grow(0, pages);
        if before == usize::MAX {
            return null_mut();
        }
        give((before * PAGE) as *mut u8, pages * PAGE);
        carve(size, align)
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        give(pointer, rounded(layout.size()));
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        let pointer = self.alloc(layout);
        if pointer.is_null() {
            return pointer;
        }
        if layout.size() < PAGE {
            pointer.write_bytes(0, layout.size());
        } else {
            // Takes physical memory only where it is written.
            raw::release(pointer as usize, layout.size());
        }
        pointer
    }
}

/// Takes `size` bytes out of a free piece; null where there is none.
unsafe fn carve(size: usize, align: usize) -> *mut u8 {
    let mut link = core::ptr::addr_of_mut!(FIRST);
    while !(*link).is_null() {
        let piece = *link;
        let from = piece as usize;
        let end = from + (*piece).size;
        let start = (from + align - 1) & !(align - 1);
        if start <= end && end - start >= size {
            *link = (*piece).next;
            if start > from {
                give(from as *mut u8, start - from);
            }
            if start + size < end {
                give((start + size) as *mut u8, end - start - size);
            }
            return start as *mut u8;
        }
        link = core::ptr::addr_of_mut!((*piece).next);
    }
    null_mut()
}

/// Adds a piece to the free ones.
unsafe fn give(pointer: *mut u8, size: usize) {
    let piece = pointer as *mut Free;
    let mut before: *mut Free = null_mut();
    let mut after = FIRST;
    while !after.is_null() && after < piece {
        before = after;
        after = (*after).next;
    }
    (*piece).size = size;
    (*piece).next = after;
    if !after.is_null() && pointer.add(size) as *mut Free == after {
        (*piece).size += (*after).size;
        (*piece).next = (*after).next;
    }
    if before.is_null() {
        FIRST = piece;
    } else if (before as *mut u8).add((*before).size) as *mut Free == piece {
        (*before).size += (*piece).size;
        (*before).next = (*piece).next;
    } else {
        (*before).next = piece;
    }
}
