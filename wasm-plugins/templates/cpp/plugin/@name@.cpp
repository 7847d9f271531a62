// A RAM disk that takes memory only for what is written: sandblock serve ./@name@.wasm size=64M
#include "sandblock.hpp"

using namespace sandblock;

SANDBLOCK_MANIFEST({
  "abi": "3.0", "name": "@name@", "version": "0.1.0", "kind": "plugin",
  "description": "RAM disk in C++",
  "parameters": [{"name": "size", "type": "size", "required": true, "positional": true,
                  "maximum": "3G", "description": "Size of the disk"}],
  "limits": {"memory": "4G"}
});

struct Disk {
  int64_t bytes = 0;
  Memory memory;

  int32_t ready() {
    memory = Memory::zeroed(bytes);
    return memory ? 0 : sb_fail(SB_ENOMEM, "cannot make a disk of %lld bytes: no memory", bytes);
  }

  int64_t size(int32_t) { return bytes; }

  Answer read(ReadRequest &request) {
    request.stable(memory.data() + request.offset, request.count);
    return 0;
  }

  Answer write(WriteRequest &request) {
    memcpy(memory.data() + request.offset, request.data, request.count);
    return 0;
  }
};

static Disk disk;

SB_INT_PARAMETERS({0, &disk.bytes})
SB_PLUGIN(disk)
SB_WRITE(disk)
