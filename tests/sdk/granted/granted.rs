//! A disk in a file that the user has granted, which asks a server before it flushes.
use sandblock::prelude::*;
use sandblock::{file::File, net::Stream};

parameters! {
    struct Options {
        file: String = path("Where it is kept", "required": true),
        server: String = string("HOST:PORT that is asked", "required": true),
    }
}

struct Disk {
    file: File,
    server: String,
}

impl Plugin for Disk {
    type Options = Options;
    fn new(options: Options) -> Result<Self> {
        let file = file::open(&options.file, file::Mode::Write)?;
        let mut first = [0; 1];
        file.read_now(&mut first, 0)?;
        Ok(Disk { file, server: options.server })
    }
}

impl Size for Disk {
    fn size(&mut self, _handle: Handle) -> Result<u64> {
        self.file.size()
    }
}

impl Read for Disk {
    fn read<'a>(&'a mut self, mut request: ReadRequest<'a>) -> Answer {
        let buffer = request.buffer(request.count as usize)?;
        self.file.read(buffer, request.offset).then(request.id, |result| result.map(|_| ()))
    }
}

impl Write for Disk {
    fn write(&mut self, request: WriteRequest) -> Answer {
        let written = self.file.write(request.data.to_vec(), request.offset, Flags::NONE);
        written.then(request.id, |result| result.map(|_| ()))
    }
}

impl Flush for Disk {
    fn flush(&mut self, request: FlushRequest) -> Answer {
        let (id, file) = (request.id, self.file.clone());
        net::connect(&self.server).and_then(id, move |stream| ask(stream?, file, id))
    }
}

fn ask(stream: Stream, file: File, id: i32) -> Answer {
    stream.write(b"flush\n".to_vec()).and_then(id, move |sent| {
        sent?;
        stream.read(16).and_then(id, move |answer| {
            if &answer?[..] != b"yes" {
                return fail!(EIO, "the server has refused it");
            }
            file.sync().then(id, |result| result)
        })
    })
}

plugin! {
    Disk,
    name: "granted", version: "1", description: "A disk in a file",
    can: [Write, Flush],
    manifest: { "capabilities": { "write": {"required": true}, "net": {"required": true} } },
}
