/* A RAM disk that takes memory only for what is written: sandblock serve ./@name@.wasm size=64M */
#include "sandblock_sdk.h"

SANDBLOCK_MANIFEST({
  "abi": "3.0", "name": "@name@", "version": "0.1.0", "kind": "plugin",
  "description": "RAM disk in C",
  "parameters": [{"name": "size", "type": "size", "required": true, "positional": true,
                  "maximum": "3G", "description": "Size of the disk"}],
  "limits": {"memory": "4G"}
});

static uint8_t *disk;
static int64_t size;

SB_INT_PARAMETERS({0, &size})
SB_ONE_EXPORT(size)

int32_t sb_ready(void) {
  disk = sb_zeroed(size);
  return disk ? 0 : sb_fail(SB_ENOMEM, "cannot make a disk of %lld bytes: no memory", size);
}

int32_t sb_pread(int32_t handle, int32_t request, uint64_t count, uint64_t offset, int32_t flags) {
  sb_reply_data(request, 0, disk + offset, count, SB_STABLE);
  return 0;
}

int32_t sb_pwrite(int32_t handle, int32_t request, const uint8_t *data, uint64_t count,
                  uint64_t offset, int32_t flags) {
  memcpy(disk + offset, data, count);
  return 0;
}
