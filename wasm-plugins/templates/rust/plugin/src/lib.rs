//! A RAM disk that takes memory only for what is written: sandblock serve ./@name@.wasm size=64M

use sandblock::prelude::*;

parameters! {
    struct Options {
        size: u64 = size("Size of the disk", "required": true, "positional": true, "maximum": "2047M"),
    }
}

struct Disk {
    bytes: Vec<u8>,
}

impl Plugin for Disk {
    type Options = Options;
    fn new(options: Options) -> Result<Self> {
        Ok(Disk { bytes: zeroed(options.size)? })
    }
}

impl Size for Disk {
    fn size(&mut self, _handle: Handle) -> Result<u64> {
        Ok(self.bytes.len() as u64)
    }
}

impl Read for Disk {
    fn read<'a>(&'a mut self, mut request: ReadRequest<'a>) -> Answer {
        request.stable(&self.bytes[request.range()]);
        DONE
    }
}

impl Write for Disk {
    fn write(&mut self, request: WriteRequest) -> Answer {
        self.bytes[request.range()].copy_from_slice(request.data);
        DONE
    }
}

plugin! {
    Disk,
    name: "@name@", version: "0.1.0", description: "RAM disk in Rust",
    can: [Write],
    manifest: { "limits": {"memory": "2176M"} },
}
