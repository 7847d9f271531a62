// A filter that keeps everything in disguise: sandblock serve --filter ./@name@.wasm memory 64M key=7
#include "sandblock.hpp"

using namespace sandblock;

SANDBLOCK_MANIFEST({
  "abi": "3.1", "name": "@name@", "version": "0.1.0", "kind": "filter",
  "description": "Keeps everything in disguise",
  "calls": {"pread": "transform", "pwrite": "transform"},
  "parameters": [{"name": "key", "type": "int", "minimum": "0", "maximum": "255",
                  "default": "0x5a", "description": "What every byte is combined with"}]
});

struct Disguise {
  int64_t key = 0;

  void apply(uint8_t *to, const uint8_t *from, size_t count) const {
    for (size_t i = 0; i < count; i++) to[i] = from[i] ^ static_cast<uint8_t>(key);
  }

  Answer read(ReadRequest &request) {
    uint8_t *data = request.buffer(request.count);
    if (!data) return sb_fail(SB_ENOMEM, "cannot read: no memory");
    auto start = [&](int32_t token) {
      return sb_next_pread(request.handle, 0, data, request.count, request.offset, 0, token);
    };
    return then(request.id, start, [this, data, count = request.count](int32_t error) {
      if (!error) apply(data, data, count);
      return error;
    });
  }

  Answer write(WriteRequest &request) {
    Memory copy(request.count);
    if (!copy) return sb_fail(SB_ENOMEM, "cannot write: no memory");
    apply(copy.data(), request.data, request.count);
    auto start = [&, data = copy.data()](int32_t token) {
      return sb_next_pwrite(request.handle, 0, data, request.count, request.offset, 0, token);
    };
    // The copy is there until the write has ended.
    return then(request.id, start, [copy = move(copy)](int32_t error) { return error; });
  }

  Answer flush(Request &request) { return request.pass(); }
  Answer trim(Request &request) { return request.pass(); }
};

static Disguise disguise;

SB_INT_PARAMETERS({0, &disguise.key})
SB_TASKS
SB_READ(disguise)
SB_WRITE(disguise)
SB_FLUSH(disguise)
SB_TRIM(disguise)
