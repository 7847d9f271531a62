//! A filter whose calls wait: for what is below, for time, for both in turn.
use core::time::Duration;
use sandblock::prelude::*;

parameters! {
    struct Options {
        key: u8 = int("What every byte is combined with", "default": "0"),
    }
}

struct Disguise {
    key: u8,
}

fn disguise(bytes: &mut [u8], key: u8) {
    for byte in bytes {
        *byte ^= key;
    }
}

impl Plugin for Disguise {
    type Options = Options;
    fn new(options: Options) -> Result<Self> {
        Ok(Disguise { key: options.key })
    }
}

impl Read for Disguise {
    fn read<'a>(&'a mut self, mut request: ReadRequest<'a>) -> Answer {
        sandblock::host::sleep(Duration::from_micros(1))?;
        let buffer = request.buffer(request.count as usize)?;
        let mut bytes = below::read(request.handle, 0, buffer, request.offset).wait()?;
        disguise(&mut bytes, self.key);
        DONE
    }
}

impl Write for Disguise {
    fn write(&mut self, request: WriteRequest) -> Answer {
        let mut copy = zeroed(request.count)?;
        copy.copy_from_slice(request.data);
        disguise(&mut copy, self.key);
        below::write(request.handle, 0, copy, request.offset, request.flags).wait()?;
        DONE
    }
}

impl Flush for Disguise {
    fn flush(&mut self, request: FlushRequest) -> Answer {
        request.pass()
    }
}

filter! {
    Disguise,
    name: "blocking", version: "1", description: "Waits",
    can: [Blocking, Read, Write, Flush],
    manifest: { "calls": {"pread": "transform", "pwrite": "transform"}, "instances": 3 },
}
