//! A filter that keeps everything in disguise: sandblock serve --filter ./@name@.wasm memory 64M key=7

use sandblock::prelude::*;

parameters! {
    struct Options {
        key: u8 = int("What every byte is combined with",
                      "minimum": "0", "maximum": "255", "default": "0x5a"),
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
        let key = self.key;
        let buffer = request.buffer(request.count as usize)?;
        below::read(request.handle, 0, buffer, request.offset).then(request.id, move |result| {
            disguise(&mut result?, key);
            Ok(())
        })
    }
}

impl Write for Disguise {
    fn write(&mut self, request: WriteRequest) -> Answer {
        let mut copy = zeroed(request.count)?;
        copy.copy_from_slice(request.data);
        disguise(&mut copy, self.key);
        below::write(request.handle, 0, copy, request.offset, request.flags)
            .then(request.id, |result| result.map(|_| ()))
    }
}

impl Flush for Disguise {
    fn flush(&mut self, request: FlushRequest) -> Answer {
        request.pass()
    }
}

impl Trim for Disguise {
    fn trim(&mut self, request: RangeRequest) -> Answer {
        request.pass()
    }
}

filter! {
    Disguise,
    name: "@name@", version: "0.1.0", description: "Keeps everything in disguise",
    can: [Read, Write, Flush, Trim],
    manifest: { "calls": {"pread": "transform", "pwrite": "transform"} },
}
