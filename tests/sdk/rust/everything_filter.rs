//! A filter that uses what there is for filters: it answers reads from below, from its own memory and in
//! parts, looks at what is written, opens again after errors, and keeps an export open for itself.
use core::time::Duration;
use sandblock::prelude::*;

parameters! {
    struct Options {
        key: u8 = int("Nothing", "default": "0"),
    }
}

const PART: u64 = 4096;

struct Everything {
    key: u8,
    own: Option<Handle>,
    open: Vec<bool>,
}

impl Plugin for Everything {
    type Options = Options;
    fn new(options: Options) -> Result<Self> {
        if !sandblock::host::has_feature("next") {
            return fail!(EIO, "the host has nothing below");
        }
        Ok(Everything { key: options.key, own: None, open: Vec::new() })
    }
}

impl Open for Everything {
    fn open(&mut self, name: &str, _read_only: bool) -> Result<Handle> {
        let known = below::list(0).iter().any(|(listed, _)| listed == name);
        let default = below::default_export(0).map_or(false, |default| default == name);
        log!(Debug, "{name:?}: listed {known}, default {default}, key {}", self.key);
        if self.own.is_none() {
            self.own = Some(below::open(name, true)?);
        }
        let place = self.open.iter().position(|open| !open).unwrap_or(self.open.len());
        self.open.resize(self.open.len().max(place + 1), false);
        self.open[place] = true;
        Ok(place as Handle)
    }
    fn close(&mut self, handle: Handle) {
        self.open[handle as usize] = false;
    }
}

impl Read for Everything {
    fn read<'a>(&'a mut self, mut request: ReadRequest<'a>) -> Answer {
        let (id, handle, offset, count) = (request.id, request.handle, request.offset, request.count);
        if count % (2 * PART) == 0 {
            // Through memory of the filter.
            let bytes = zeroed(count)?;
            let mut later = request.later();
            return below::read(handle, 0, bytes, offset).then(id, move |bytes| {
                later.copy(&bytes?);
                Ok(())
            });
        }
        if count > PART {
            // In two parts, which may both be late.
            let first = request.part(0, PART, offset)?;
            let second = request.part(0, count - PART, offset + PART)?;
            return Ok(if second == Status::Done { first } else { second });
        }
        below::forward(id, 0, 0, count, offset, Flags::WHOLE).and_then(id, move |result| {
            if result.is_ok() || below::reopen(handle, false).is_err() {
                return result.map(|()| Status::Done);
            }
            below::forward(id, 0, 0, count, offset, Flags::WHOLE).then(id, |result| result)
        })
    }
}

impl Write for Everything {
    fn write(&mut self, request: WriteRequest) -> Answer {
        let mut last = [0; 1];
        request.payload(request.count - 1, &mut last)?;
        request.pass()
    }
}

impl Flush for Everything {
    fn flush(&mut self, request: FlushRequest) -> Answer {
        below::flush(request.handle, 0).then(request.id, |result| result)
    }
}

impl Trim for Everything {
    fn trim(&mut self, request: RangeRequest) -> Answer {
        below::trim(request.handle, 0, request.count, request.offset, request.flags)
            .then(request.id, |result| result)
    }
}

impl Zero for Everything {
    fn zero(&mut self, request: RangeRequest) -> Answer {
        below::zero(request.handle, 0, request.count, request.offset, request.flags)
            .then(request.id, |result| result)
    }
}

impl Cache for Everything {
    fn cache(&mut self, request: RangeRequest) -> Answer {
        let (id, handle, offset, count) = (request.id, request.handle, request.offset, request.count);
        timer(Duration::from_micros(1)).and_then(id, move |result| {
            result?;
            below::cache(handle, 0, count, offset).then(id, |result| result)
        })
    }
}

impl Extents for Everything {
    fn extents(&mut self, request: ExtentsRequest) -> Answer {
        let (id, handle, flags) = (request.id, request.handle, request.flags);
        below::extents(handle, 0, 64, request.count, request.offset, flags).then(id, move |list| {
            request.extent(1, Extent::Data);
            request.restart();
            for (length, what) in list?.iter() {
                request.extent(length, what);
            }
            Ok(())
        })
    }
}

impl SecureErase for Everything {
    fn secure_erase(&mut self, request: RangeRequest) -> Answer {
        below::secure_erase(request.handle, 0, request.count, request.offset)
            .then(request.id, |result| result)
    }
}

impl Ioctl for Everything {
    fn ioctl(&mut self, request: IoctlRequest) -> Answer {
        let id = request.id;
        let call = below::ioctl(request.handle, 0, request.number, request.argument.to_vec());
        let argument = request.later().argument;
        call.then(id, move |answer| {
            argument.copy_from_slice(&answer?);
            Ok(())
        })
    }
}

impl Finish for Everything {
    fn finish(&mut self) {
        if let Some(own) = self.own.take() {
            below::close(own);
        }
    }
}

filter! {
    Everything,
    name: "everything", version: "1", description: "Changes nothing",
    can: [Open, Read, Write, Flush, Trim, Zero, Cache, Extents, SecureErase, Ioctl, Finish],
    manifest: { "calls": {"ioctl": "transform"}, "limits": {"memory": "256M"} },
}
