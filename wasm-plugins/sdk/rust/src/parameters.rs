// SPDX-License-Identifier: MIT
//! Parameters of a plugin as a struct: one declaration for the manifest and for the values.

use alloc::string::String;
use alloc::vec::Vec;

/// A struct that [`parameters!`](crate::parameters) has declared.
pub trait Parameters: Default {
    /// The elements of "parameters" in the manifest.
    const JSON: &'static str;
    #[doc(hidden)]
    fn set_int(&mut self, index: i32, value: i64);
    #[doc(hidden)]
    fn set_bytes(&mut self, index: i32, bytes: &[u8]);
}

/// For plugins without parameters.
#[derive(Default)]
pub struct NoParameters;

impl Parameters for NoParameters {
    const JSON: &'static str = "";
    fn set_int(&mut self, _index: i32, _value: i64) {}
    fn set_bytes(&mut self, _index: i32, _bytes: &[u8]) {}
}

/// A type that a parameter may have. Numbers come as they are in the ABI: sizes in bytes, durations in
/// nanoseconds, percentages in parts per million, an enum as its position.
pub trait Parameter: Default {
    fn set_int(&mut self, _value: i64) {}
    fn set_bytes(&mut self, _bytes: &[u8]) {}
}

macro_rules! number {
    ($($type:ty)*) => {
        $(impl Parameter for $type {
            fn set_int(&mut self, value: i64) {
                *self = value as $type;
            }
        })*
    };
}
number!(i8 i16 i32 i64 u8 u16 u32 u64 isize usize);

impl Parameter for bool {
    fn set_int(&mut self, value: i64) {
        *self = value != 0;
    }
}

impl Parameter for core::time::Duration {
    fn set_int(&mut self, value: i64) {
        *self = core::time::Duration::from_nanos(value as u64);
    }
}

impl Parameter for String {
    fn set_bytes(&mut self, bytes: &[u8]) {
        *self = String::from_utf8_lossy(bytes).into_owned();
    }
}

/// None where it was not given.
impl<T: Parameter> Parameter for Option<T> {
    fn set_int(&mut self, value: i64) {
        self.get_or_insert_with(T::default).set_int(value);
    }
    fn set_bytes(&mut self, bytes: &[u8]) {
        self.get_or_insert_with(T::default).set_bytes(bytes);
    }
}

/// All elements of a list, or all values of a repeated parameter.
impl<T: Parameter> Parameter for Vec<T> {
    fn set_int(&mut self, value: i64) {
        let mut one = T::default();
        one.set_int(value);
        self.push(one);
    }
    fn set_bytes(&mut self, bytes: &[u8]) {
        let mut one = T::default();
        one.set_bytes(bytes);
        self.push(one);
    }
}

/// Declares the parameters of a plugin: the type in Rust, the type in the manifest, what it is for, and
/// further keys of its declaration there.
///
/// ```ignore
/// parameters! {
///     struct Options {
///         size: u64 = size("Size of the disk", "required": true, "positional": true),
///         label: Option<String> = string("What to call it"),
///     }
/// }
/// ```
#[macro_export]
macro_rules! parameters {
    ($(#[$meta:meta])* $visibility:vis struct $name:ident {
        $($field:ident: $type:ty = $kind:ident($description:literal $(, $($more:tt)+)?)),+ $(,)?
    }) => {
        $(#[$meta])*
        #[derive(Default)]
        $visibility struct $name {
            $($field: $type),+
        }

        impl $crate::Parameters for $name {
            const JSON: &'static str = $crate::comma_separated!($(
                concat!(
                    "{\"name\":\"", stringify!($field), "\",\"type\":\"", stringify!($kind),
                    "\",\"description\":", stringify!($description),
                    $(",", stringify!($($more)+),)?
                    "}"
                )
            ),+);

            #[allow(unused_assignments)]
            fn set_int(&mut self, index: i32, value: i64) {
                let mut position = 0;
                $(
                    if position == index {
                        $crate::Parameter::set_int(&mut self.$field, value);
                    }
                    position += 1;
                )+
            }

            #[allow(unused_assignments)]
            fn set_bytes(&mut self, index: i32, bytes: &[u8]) {
                let mut position = 0;
                $(
                    if position == index {
                        $crate::Parameter::set_bytes(&mut self.$field, bytes);
                    }
                    position += 1;
                )+
            }
        }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! comma_separated {
    ($first:expr $(, $rest:expr)*) => { concat!($first $(, ",", $rest)*) };
}
