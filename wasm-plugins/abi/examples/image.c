/* SPDX-License-Identifier: MIT */
/* A disk in a file: sandblock serve ./image.wasm disk.img --allow write=disk.img */
#define SANDBLOCK_ALLOCATOR
#include "sandblock.h"

SANDBLOCK_MANIFEST({
  "abi": "3.1", "name": "image", "version": "1.0", "kind": "plugin",
  "description": "Disk image in C",
  "parameters": [{"name": "file", "type": "path", "required": true, "positional": true,
                  "description": "The image"}],
  "capabilities": {"write": {"required": true, "description": "the image"}}
});

static int32_t file;

void sb_param_bytes(int32_t index, const uint8_t *bytes, size_t length) {
  file = sb_file_open((const char *)bytes, length, SB_FILE_WRITE);
}

int32_t sb_ready(void) { return file < 0 ? -file : 0; }
int32_t sb_open(const char *name, size_t length, int32_t flags) { return 0; }
int64_t sb_size(int32_t handle) { return sb_file_size(file); }

int32_t sb_info(int32_t handle, struct sb_info *info) {
  info->fua = SB_NATIVE;
  return 0;
}

/* Each call ends with 0, an error number or SB_PENDING. In the last case sb_done is called with the
 * token, which is the number of the request. */
int32_t sb_pread(int32_t handle, int32_t request, uint64_t count, uint64_t offset, int32_t flags) {
  void *room = sb_reply_buffer(request, 0, count);
  return room ? sb_file_pread(file, room, count, offset, 0, request) : SB_ENOMEM;
}

int32_t sb_pwrite(int32_t handle, int32_t request, const uint8_t *data, uint64_t count,
                  uint64_t offset, int32_t flags) {
  return sb_file_pwrite(file, data, count, offset, flags & SB_FUA, request);
}

int32_t sb_flush(int32_t handle, int32_t request, int32_t flags) {
  return sb_file_sync(file, 0, request);
}

int32_t sb_trim(int32_t handle, int32_t request, uint64_t count, uint64_t offset, int32_t flags) {
  return sb_file_zero(file, count, offset, SB_MAY_TRIM, request);
}

void sb_done(int32_t token, int32_t result) { sb_complete(token, result); }
