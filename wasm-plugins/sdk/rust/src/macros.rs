// SPDX-License-Identifier: MIT
//! The module around a plugin: manifest and exported functions.

/// Makes a plugin of a type that implements `Plugin`, `Size`, `Read`, and the traits that `can` names.
///
/// `Blocking` in `can` makes it a plugin with calls that wait (section 18 of the ABI), by [`crate::Call::wait`] and
/// [`crate::host::sleep`] in place of `then` and `timer`.
///
/// ```ignore
/// plugin! {
///     Disk,
///     name: "my-disk", version: "0.1.0", description: "RAM disk",
///     can: [Write, Trim],
///     manifest: { "limits": {"memory": "1G"} },
/// }
/// ```
#[macro_export]
macro_rules! plugin {
    ($type:ident, name: $name:literal, version: $version:literal, description: $text:literal
     $(, can: [$($can:ident),* $(,)?])? $(, manifest: {$($more:tt)*})? $(,)?) => {
        $crate::module!($type, "plugin", $name, $version, $text, {$($($more)*)?});
        $crate::functions!($type, Size, Read $($(, $can)*)?);
        $crate::opening!($type, $($($can),*)?);
        $crate::waiting!($($($can),*)?);
    };
}

/// Makes a filter of a type that implements `Plugin` and the traits that `can` names. What it cannot is
/// done by what it stands on.
#[macro_export]
macro_rules! filter {
    ($type:ident, name: $name:literal, version: $version:literal, description: $text:literal
     $(, can: [$($can:ident),* $(,)?])? $(, manifest: {$($more:tt)*})? $(,)?) => {
        $crate::module!($type, "filter", $name, $version, $text, {$($($more)*)?});
        $crate::functions!($type $($(, $can)*)?);
        $crate::waiting!($($($can),*)?);
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! module {
    ($type:ident, $kind:literal, $name:literal, $version:literal, $text:literal, {$($more:tt)*}) => {
        static mut SLOT: $crate::glue::Slot<$type> = $crate::glue::Slot::new();

        fn slot() -> &'static mut $crate::glue::Slot<$type> {
            // Calls into a plugin never overlap.
            unsafe { &mut *::core::ptr::addr_of_mut!(SLOT) }
        }

        const MANIFEST_PARTS: &[&str] = &[
            concat!(
                "{\"abi\":\"3.2\",\"kind\":\"", $kind, "\",\"name\":", stringify!($name),
                ",\"version\":", stringify!($version), ",\"description\":", stringify!($text), ","
            ),
            THREADS,
            "\"parameters\":[",
            <<$type as $crate::Plugin>::Options as $crate::Parameters>::JSON,
            $crate::rest!($($more)*),
        ];
        const MANIFEST_LENGTH: usize = $crate::length(MANIFEST_PARTS);

        #[used]
        #[link_section = "sandblock.manifest"]
        static MANIFEST: [u8; MANIFEST_LENGTH] = $crate::joined(MANIFEST_PARTS);

        #[no_mangle]
        extern "C" fn sb_alloc(size: usize, alignment: usize) -> usize {
            $crate::glue::alloc(size, alignment)
        }
        #[no_mangle]
        unsafe extern "C" fn sb_free(pointer: usize, size: usize, alignment: usize) {
            $crate::glue::free(pointer, size, alignment)
        }
        #[no_mangle]
        extern "C" fn sb_param_int(index: i32, value: i64) {
            $crate::Parameters::set_int(slot().options(), index, value)
        }
        #[no_mangle]
        unsafe extern "C" fn sb_param_bytes(index: i32, pointer: usize, length: usize) {
            let bytes = $crate::glue::bytes(pointer, length);
            $crate::Parameters::set_bytes(slot().options(), index, bytes)
        }
        #[no_mangle]
        extern "C" fn sb_ready() -> i32 {
            slot().ready()
        }
    };
}

/// A plugin that does not name `Blocking` is told when something has ended.
#[doc(hidden)]
#[macro_export]
macro_rules! waiting {
    (Blocking $(, $rest:ident)*) => {
        const THREADS: &str = "\"threads\":\"blocking\",";
    };
    ($other:ident $(, $rest:ident)*) => { $crate::waiting!($($rest),*); };
    () => {
        const THREADS: &str = "";

        #[no_mangle]
        extern "C" fn sb_done(token: i32, result: i32) {
            $crate::glue::done(token, result)
        }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! rest {
    () => { "]}" };
    ($($more:tt)+) => { concat!("],", stringify!($($more)+), "}") };
}

/// A plugin that does not name `Open` has one export.
#[doc(hidden)]
#[macro_export]
macro_rules! opening {
    ($type:ident, Open $(, $rest:ident)*) => {};
    ($type:ident, $other:ident $(, $rest:ident)*) => { $crate::opening!($type, $($rest),*); };
    ($type:ident,) => {
        #[no_mangle]
        extern "C" fn sb_open(_name: usize, length: usize, _flags: i32) -> i32 {
            if length == 0 { 0 } else { -$crate::Errno::ENOENT.0 }
        }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! functions {
    ($type:ident $(, $can:ident)*) => { $($crate::function!($type, $can);)* };
}

#[doc(hidden)]
#[macro_export]
macro_rules! function {
    ($type:ident, Blocking) => {};
    ($type:ident, Size) => {
        #[no_mangle]
        extern "C" fn sb_size(handle: i32) -> i64 {
            $crate::glue::size(slot().plugin(), handle)
        }
    };
    ($type:ident, Open) => {
        #[no_mangle]
        unsafe extern "C" fn sb_open(name: usize, length: usize, flags: i32) -> i32 {
            $crate::glue::open(slot().plugin(), name, length, flags)
        }
        #[no_mangle]
        extern "C" fn sb_close(handle: i32) {
            $crate::traits::Open::close(slot().plugin(), handle)
        }
    };
    ($type:ident, Read) => { $crate::range_function!(sb_pread, read); };
    ($type:ident, Write) => {
        #[no_mangle]
        unsafe extern "C" fn sb_pwrite(
            handle: i32,
            request: i32,
            data: usize,
            count: u64,
            offset: u64,
            flags: i32,
        ) -> i32 {
            $crate::glue::write(slot().plugin(), handle, request, data, count, offset, flags)
        }
    };
    ($type:ident, Flush) => {
        #[no_mangle]
        extern "C" fn sb_flush(handle: i32, request: i32, flags: i32) -> i32 {
            $crate::glue::flush(slot().plugin(), handle, request, flags)
        }
    };
    ($type:ident, Trim) => { $crate::range_function!(sb_trim, trim); };
    ($type:ident, Zero) => { $crate::range_function!(sb_zero, zero); };
    ($type:ident, Cache) => { $crate::range_function!(sb_cache, cache); };
    ($type:ident, Extents) => { $crate::range_function!(sb_extents, extents); };
    ($type:ident, SecureErase) => { $crate::range_function!(sb_secure_erase, secure_erase); };
    ($type:ident, Ioctl) => {
        #[no_mangle]
        unsafe extern "C" fn sb_ioctl(
            handle: i32,
            request: i32,
            number: i32,
            argument: usize,
            length: usize,
        ) -> i32 {
            $crate::glue::ioctl(slot().plugin(), handle, request, number, argument, length)
        }
    };
    ($type:ident, Capabilities) => {
        #[no_mangle]
        unsafe extern "C" fn sb_info(handle: i32, out: usize) -> i32 {
            $crate::glue::info(slot().plugin(), handle, out)
        }
    };
    ($type:ident, List) => {
        #[no_mangle]
        extern "C" fn sb_list() -> i32 {
            $crate::glue::list(slot().plugin())
        }
        #[no_mangle]
        extern "C" fn sb_default() -> i32 {
            $crate::glue::default(slot().plugin())
        }
    };
    ($type:ident, Describe) => {
        #[no_mangle]
        extern "C" fn sb_describe(handle: i32) -> i32 {
            $crate::glue::describe(slot().plugin(), handle)
        }
    };
    ($type:ident, Connect) => {
        #[no_mangle]
        unsafe extern "C" fn sb_connect(peer: usize, length: usize) -> i32 {
            $crate::glue::connect(slot().plugin(), peer, length)
        }
    };
    ($type:ident, Place) => {
        #[no_mangle]
        extern "C" fn sb_place(handle: i32, count: u64, offset: u64) -> usize {
            $crate::glue::place(slot().plugin(), handle, count, offset)
        }
    };
    ($type:ident, Finish) => {
        #[no_mangle]
        extern "C" fn sb_finish() {
            $crate::traits::Finish::finish(slot().plugin())
        }
    };
    ($type:ident, Stop) => {
        #[no_mangle]
        extern "C" fn sb_stop() {
            $crate::traits::Stop::stop(slot().plugin())
        }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! range_function {
    ($export:ident, $glue:ident) => {
        #[no_mangle]
        extern "C" fn $export(
            handle: i32,
            request: i32,
            count: u64,
            offset: u64,
            flags: i32,
        ) -> i32 {
            $crate::glue::$glue(slot().plugin(), handle, request, count, offset, flags)
        }
    };
}
