//! A plugin that has every trait of the SDK: two disks, late reads, holes, names, limits.
use sandblock::prelude::*;
use core::time::Duration;

parameters! {
    struct Options {
        size: u64 = size("Size of each", "required": true, "positional": true, "maximum": "64M"),
        words: Vec<String> = list("Nothing"),
        pause: Option<Duration> = duration("How long large reads wait"),
        refuse: bool = bool("Nobody may connect", "default": "false"),
    }
}

const BLOCK: usize = 4096;

struct Disk {
    bytes: Vec<u8>,
    allocated: Vec<bool>,
}

struct Disks {
    disks: [Disk; 2],
    open: Vec<Option<usize>>,
    words: String,
    pause: Duration,
    refuse: bool,
}

fn disk(size: u64) -> Result<Disk> {
    let blocks = (size as usize + BLOCK - 1) / BLOCK;
    Ok(Disk { bytes: zeroed(size)?, allocated: vec![false; blocks] })
}

impl Disk {
    /// The end of the run of blocks from `at` on that are alike, at most `end`, and what they are.
    fn run(&self, at: usize, end: usize) -> (usize, bool) {
        let allocated = self.allocated[at / BLOCK];
        let mut next = (at / BLOCK + 1) * BLOCK;
        while next < end && self.allocated[next / BLOCK] == allocated {
            next += BLOCK;
        }
        (next.min(end), allocated)
    }

    fn mark(&mut self, range: core::ops::Range<usize>, allocated: bool) {
        for block in range.start / BLOCK..(range.end + BLOCK - 1) / BLOCK {
            let whole = block * BLOCK >= range.start && (block + 1) * BLOCK <= range.end;
            if allocated || whole {
                self.allocated[block] = allocated;
            }
        }
    }
}

impl Disks {
    fn of(&mut self, handle: Handle) -> &mut Disk {
        let index = self.open[handle as usize].expect("an open handle");
        &mut self.disks[index]
    }
}

impl Plugin for Disks {
    type Options = Options;
    fn new(options: Options) -> Result<Self> {
        log!(Debug, "{} words", options.words.len());
        let timer = Timer::start(Duration::from_secs(3600), || log!(Error, "it was not cancelled"))?;
        if !timer.cancel() {
            return fail!(EIO, "a timer has fired at once");
        }
        Ok(Disks {
            disks: [disk(options.size)?, disk(options.size)?],
            open: Vec::new(),
            words: options.words.join(" "),
            pause: options.pause.unwrap_or(Duration::from_micros(10)).min(Duration::from_millis(1)),
            refuse: options.refuse,
        })
    }
}

impl Open for Disks {
    fn open(&mut self, name: &str, _read_only: bool) -> Result<Handle> {
        let index = match name {
            "" => 0,
            "other" => 1,
            _ => return fail!(ENOENT, "cannot open {name:?}: there is none of that name"),
        };
        let place = self.open.iter().position(Option::is_none).unwrap_or(self.open.len());
        if place == self.open.len() {
            self.open.push(None);
        }
        self.open[place] = Some(index);
        Ok(place as Handle)
    }
    fn close(&mut self, handle: Handle) {
        self.open[handle as usize] = None;
    }
}

impl Size for Disks {
    fn size(&mut self, handle: Handle) -> Result<u64> {
        Ok(self.of(handle).bytes.len() as u64)
    }
}

impl List for Disks {
    fn list(&mut self, add: &mut dyn FnMut(&str, &str)) -> Result {
        add("", "first");
        add("other", "second");
        Ok(())
    }
    fn default_export(&mut self) -> Result<Option<String>> {
        Ok(Some("other".into()))
    }
}

impl Describe for Disks {
    fn describe(&mut self, _handle: Handle) -> Result<String> {
        Ok(format!("a disk {}", self.words))
    }
}

impl Connect for Disks {
    fn connect(&mut self, peer: &str) -> Result {
        if self.refuse {
            return fail!(EACCES, "cannot admit {peer}: nobody may connect");
        }
        Ok(())
    }
}

impl Capabilities for Disks {
    fn capabilities(&mut self, _handle: Handle, info: &mut Info) -> Result {
        info.fua = Support::NATIVE;
        info.fast_zero = Support::NATIVE;
        info.block_maximum = 1 << 20;
        info.advise(1, 8192, 1 << 20);
        Ok(())
    }
}

impl Read for Disks {
    fn read<'a>(&'a mut self, mut request: ReadRequest<'a>) -> Answer {
        let pause = self.pause;
        let disk: &'a Disk = self.of(request.handle);
        let range = request.range();
        if request.count > 200_000 {
            let mut buffer = request.buffer(request.count as usize)?;
            buffer.copy_from_slice(&disk.bytes[range]);
            return timer(pause).then(request.id, |result| result);
        }
        if request.count > 100_000 {
            let bytes = disk.bytes[range].to_vec();
            request.zeroes(1);
            let mut later = request.later();
            return timer(pause).then(later.id, move |result| {
                later.restart();
                later.copy(&bytes);
                result
            });
        }
        let mut at = range.start;
        while at < range.end {
            let (next, allocated) = disk.run(at, range.end);
            if !allocated {
                request.hole((next - at) as u64);
            } else if at % 2 == 0 {
                request.stable(&disk.bytes[at..next]);
            } else {
                request.copy(&disk.bytes[at..next]);
            }
            at = next;
        }
        DONE
    }
}

impl Write for Disks {
    fn write(&mut self, request: WriteRequest) -> Answer {
        let disk = self.of(request.handle);
        request.copy_to(&mut disk.bytes[request.range()]);
        disk.mark(request.range(), true);
        sandblock::host::metric(0, request.count as i64);
        DONE
    }
}

impl Place for Disks {
    fn place(&mut self, handle: Handle, offset: u64, count: u64) -> Option<&mut [u8]> {
        let range = offset as usize..(offset + count) as usize;
        // Until the write comes, too, nobody may take them for zeroes.
        let disk = self.of(handle);
        disk.mark(range.clone(), true);
        Some(&mut disk.bytes[range])
    }
}

impl Flush for Disks {
    fn flush(&mut self, _request: FlushRequest) -> Answer {
        DONE
    }
}

impl Trim for Disks {
    fn trim(&mut self, request: RangeRequest) -> Answer {
        let disk = self.of(request.handle);
        disk.bytes[request.range()].fill(0);
        disk.mark(request.range(), false);
        DONE
    }
}

impl Zero for Disks {
    fn zero(&mut self, request: RangeRequest) -> Answer {
        if request.flags.may_trim() {
            return self.trim(request);
        }
        if request.flags.fast_zero() {
            return Err(Errno::EOPNOTSUPP.into());
        }
        let disk = self.of(request.handle);
        disk.bytes[request.range()].fill(0);
        disk.mark(request.range(), true);
        DONE
    }
}

impl SecureErase for Disks {
    fn secure_erase(&mut self, request: RangeRequest) -> Answer {
        self.trim(request)
    }
}

impl Ioctl for Disks {
    /// One number, which adds one to each byte of the argument.
    fn ioctl(&mut self, request: IoctlRequest) -> Answer {
        if request.number != 0xc0042a01 {
            return Err(Errno::ENOTTY.into());
        }
        for byte in request.argument {
            *byte = byte.wrapping_add(1);
        }
        DONE
    }
}

impl Cache for Disks {
    fn cache(&mut self, _request: RangeRequest) -> Answer {
        DONE
    }
}

impl Extents for Disks {
    fn extents(&mut self, request: ExtentsRequest) -> Answer {
        let disk = self.of(request.handle);
        let end = (request.offset + request.count) as usize;
        let mut at = request.offset as usize;
        while at < end {
            let (next, allocated) = disk.run(at, end);
            let what = if allocated { Extent::Data } else { Extent::HoleZero };
            request.extent((next - at) as u64, what);
            if request.flags.req_one() {
                break;
            }
            at = next;
        }
        DONE
    }
}

impl Finish for Disks {
    fn finish(&mut self) {
        if self.open.iter().any(Option::is_some) {
            log!(Error, "a disk is still open");
        }
    }
}

impl Stop for Disks {
    fn stop(&mut self) {
        self.open.clear();
    }
}

plugin! {
    Disks,
    name: "everything", version: "1", description: "Two disks",
    can: [
        Open, List, Describe, Connect, Capabilities, Write, Place, Flush, Trim, Zero, Cache, Extents,
        SecureErase, Ioctl, Finish, Stop,
    ],
    manifest: {
        "metrics": [{"name": "last", "type": "gauge", "description": "Bytes of the last write"}],
        "limits": {"memory": "256M"}
    },
}
