/* A RAM disk that takes memory only for what is written: sandblock serve ./@name@.wasm size=64M */
#define SANDBLOCK_ALLOCATOR
#include "sandblock.h"

SANDBLOCK_MANIFEST({
  "abi": "3.0", "name": "@name@", "version": "0.1.0", "kind": "plugin",
  "description": "RAM disk in C",
  "parameters": [{"name": "size", "type": "size", "required": true, "positional": true,
                  "maximum": "3G", "description": "Size of the disk"}],
  "limits": {"memory": "4G"}
});

static uint8_t *disk;
static int64_t size;

void sb_param_int(int32_t index, int64_t value) { size = value; }
int32_t sb_open(const char *name, size_t length, int32_t flags) { return 0; }
int64_t sb_size(int32_t handle) { return size; }

int32_t sb_ready(void) {
  if (!(disk = sb_alloc(size, 16))) return SB_ENOMEM;
  sb_release(disk, size); /* all zero, and without taking physical memory */
  return 0;
}

int32_t sb_pread(int32_t handle, int32_t request, uint64_t count, uint64_t offset, int32_t flags) {
  sb_reply_data(request, 0, disk + offset, count, SB_STABLE);
  return 0;
}

int32_t sb_pwrite(int32_t handle, int32_t request, const uint8_t *data, uint64_t count,
                  uint64_t offset, int32_t flags) {
  __builtin_memcpy(disk + offset, data, count);
  return 0;
}
