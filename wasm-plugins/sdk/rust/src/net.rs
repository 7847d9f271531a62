// SPDX-License-Identifier: MIT
//! Connections by TCP to where the user has granted it (plugin ABI, section 17): the manifest asks for the
//! capability `net`.

use crate::later::{NOW, PENDING};
use crate::{raw, Call};
use alloc::rc::Rc;
use alloc::string::String;
use alloc::vec::Vec;
use core::cell::Cell;
use core::ops::Deref;

/// There is none: not connected yet, or closed.
const NONE: i32 = -1;

struct Number(Cell<i32>);

impl Number {
    fn close(&self) {
        let number = self.0.replace(NONE);
        if number != NONE {
            unsafe { raw::net_close(number) }
        }
    }
}

impl Drop for Number {
    fn drop(&mut self) {
        self.close();
    }
}

/// A connection. It is closed when nobody uses it any more, which calls under way do.
#[derive(Clone)]
pub struct Stream(Rc<Number>);

/// What a connection has brought: the bytes; none where the other side has ended it.
pub struct Received {
    /// Room and number of bytes, then the bytes.
    words: Vec<u32>,
    stream: Stream,
}

impl Deref for Received {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        let bytes = self.words[2..].as_ptr() as *const u8;
        unsafe { core::slice::from_raw_parts(bytes, self.words[1] as usize) }
    }
}

/// What was sent.
pub struct Sent {
    pub data: Vec<u8>,
    stream: Stream,
}

/// Connects to `HOST:PORT`, written as it was granted.
pub fn connect(address: &str) -> Call<Stream, impl FnOnce(&mut Stream, i32) -> i32> {
    let address = String::from(address);
    Call::new(Stream(Rc::new(Number(Cell::new(NONE)))), move |stream, token| {
        let (text, length) = (address.as_ptr() as usize, address.len());
        let number = unsafe { raw::net_open(text, length, token) };
        if number < 0 {
            return -number;
        }
        stream.0 .0.set(number);
        if token == NOW {
            return 0;
        }
        PENDING
    })
}

impl Stream {
    fn number(&self) -> i32 {
        self.0 .0.get()
    }

    /// Reads as soon as there is something, at most `most` bytes, which is at least 1. One read may be
    /// under way at a time (EBUSY).
    pub fn read(&self, most: u32) -> Call<Received, impl FnOnce(&mut Received, i32) -> i32> {
        let mut words = alloc::vec![0; 2 + (most as usize + 3) / 4];
        words[0] = most;
        let received = Received { words, stream: self.clone() };
        Call::new(received, |received, token| unsafe {
            raw::net_read(received.stream.number(), received.words.as_mut_ptr() as usize, token)
        })
    }

    /// Sends all of `data`. One write may be under way at a time (EBUSY).
    pub fn write(&self, data: Vec<u8>) -> Call<Sent, impl FnOnce(&mut Sent, i32) -> i32> {
        let sent = Sent { data, stream: self.clone() };
        Call::new(sent, |Sent { data, stream }, token| unsafe {
            raw::net_write(stream.number(), data.as_ptr() as usize, data.len() as u64, token)
        })
    }

    /// Closes it now. Nobody is told any more of what is under way, so that what is to be said about it, such
    /// as to requests that wait for it, is said by who closes it.
    pub fn close(&self) {
        self.0.close();
    }

    /// Whether it was closed with `close`, or is not connected yet.
    pub fn is_closed(&self) -> bool {
        self.number() == NONE
    }
}
