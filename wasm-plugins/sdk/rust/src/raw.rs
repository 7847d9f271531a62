// SPDX-License-Identifier: MIT
//! The functions of the host as they are (plugin ABI 3.1, sections 6 and 14 to 18). What is not used
//! is not imported. For what the other modules have no words for.

#[link(wasm_import_module = "sandblock:v3")]
extern "C" {
    pub fn reply_data(request: i32, at: u64, data: usize, length: u64, flags: i32);
    pub fn reply_buffer(request: i32, at: u64, length: u64) -> usize;
    pub fn reply_zero(request: i32, at: u64, length: u64, flags: i32);
    pub fn reply_error(request: i32, at: u64, length: u64, errno: i32);
    pub fn extent(request: i32, length: u64, flags: i32);
    pub fn error_text(text: usize, length: usize);
    pub fn export_add(
        name: usize,
        name_length: usize,
        description: usize,
        description_length: usize,
    );
    pub fn export_default(name: usize, length: usize);
    pub fn peer(text: usize, capacity: usize) -> usize;
    pub fn log(level: i32, text: usize, length: usize);
    pub fn release(memory: usize, length: usize);
    pub fn complete(request: i32, errno: i32);
    pub fn reply_restart(request: i32);
    pub fn timer(nanoseconds: u64, token: i32) -> i32;
    pub fn cancel(token: i32) -> i32;
    pub fn metric(index: i32, value: u64);
    pub fn resize(handle: i32, size: u64) -> i32;
    pub fn block_advice(minimum: i32, preferred: i32, maximum: i32);
    pub fn feature(name: usize, length: usize) -> i32;
    pub fn next_count() -> i32;
    pub fn next_size(handle: i32, child: i32) -> i64;
    pub fn next_info(handle: i32, child: i32, info: usize) -> i32;
    pub fn next_open(name: usize, length: usize, flags: i32) -> i32;
    pub fn next_close(handle: i32);
    pub fn next_reopen(handle: i32, flags: i32) -> i32;
    pub fn next_forward(
        request: i32,
        child: i32,
        at: u64,
        count: u64,
        offset: u64,
        flags: i32,
        token: i32,
    ) -> i32;
    pub fn next_pread(
        handle: i32,
        child: i32,
        data: usize,
        count: u64,
        offset: u64,
        flags: i32,
        token: i32,
    ) -> i32;
    pub fn next_pwrite(
        handle: i32,
        child: i32,
        data: usize,
        count: u64,
        offset: u64,
        flags: i32,
        token: i32,
    ) -> i32;
    pub fn next_flush(handle: i32, child: i32, flags: i32, token: i32) -> i32;
    pub fn next_trim(
        handle: i32,
        child: i32,
        count: u64,
        offset: u64,
        flags: i32,
        token: i32,
    ) -> i32;
    pub fn next_zero(
        handle: i32,
        child: i32,
        count: u64,
        offset: u64,
        flags: i32,
        token: i32,
    ) -> i32;
    pub fn next_cache(
        handle: i32,
        child: i32,
        count: u64,
        offset: u64,
        flags: i32,
        token: i32,
    ) -> i32;
    pub fn next_extents(
        handle: i32,
        child: i32,
        list: usize,
        count: u64,
        offset: u64,
        flags: i32,
        token: i32,
    ) -> i32;
    pub fn next_list(child: i32, list: usize, capacity: usize) -> usize;
    pub fn next_default(child: i32, name: usize, capacity: usize) -> i32;
    pub fn payload(request: i32, at: u64, data: usize, length: usize) -> i32;
    pub fn clock(which: i32) -> i64;
    pub fn random(memory: usize, length: usize) -> i32;
    pub fn file_open(path: usize, length: usize, flags: i32) -> i32;
    pub fn file_close(file: i32);
    pub fn file_size(file: i32) -> i64;
    pub fn file_resize(file: i32, size: u64) -> i32;
    pub fn file_pread(
        file: i32,
        data: usize,
        count: u64,
        offset: u64,
        flags: i32,
        token: i32,
    ) -> i32;
    pub fn file_pwrite(
        file: i32,
        data: usize,
        count: u64,
        offset: u64,
        flags: i32,
        token: i32,
    ) -> i32;
    pub fn file_sync(file: i32, flags: i32, token: i32) -> i32;
    pub fn file_zero(file: i32, count: u64, offset: u64, flags: i32, token: i32) -> i32;
    pub fn net_open(address: usize, length: usize, token: i32) -> i32;
    pub fn net_read(stream: i32, buffer: usize, token: i32) -> i32;
    pub fn net_write(stream: i32, data: usize, count: u64, token: i32) -> i32;
    pub fn net_close(stream: i32);
    pub fn sleep(nanoseconds: u64) -> i32;
    pub fn zone(
        request: i32,
        start: u64,
        length: u64,
        capacity: u64,
        pointer: u64,
        kind: i32,
        condition: i32,
    );
    pub fn zone_appended(request: i32, offset: u64);
    pub fn next_secure_erase(
        handle: i32,
        child: i32,
        count: u64,
        offset: u64,
        flags: i32,
        token: i32,
    ) -> i32;
    pub fn next_ioctl(
        handle: i32,
        child: i32,
        number: i32,
        argument: usize,
        length: usize,
        token: i32,
    ) -> i32;
}
