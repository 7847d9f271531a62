/* SPDX-License-Identifier: MIT */
/* A disk whose blocks are anywhere in the device below, which begins with a table that says where: the number of
 * each block of 4096 bytes as uint32_t, 0 for a hole. In blocking style.
 *   sandblock serve --filter ./lookup.wasm file image.bin blocks=1000 */
#include "sandblock.h"

SANDBLOCK_MANIFEST({
  "abi": "3.1", "name": "lookup", "version": "1.0", "kind": "filter",
  "description": "Blocks that a table knows, in C",
  "threads": "blocking", "instances": 8, "next_read_only": true,
  "parameters": [{"name": "blocks", "type": "int", "required": true, "minimum": 1,
                  "maximum": 1000000, "description": "Blocks of the disk"}]
});

#define BLOCK 4096

static int64_t blocks;

void sb_param_int(int32_t index, int64_t value) { blocks = value; }
int64_t sb_size(int32_t handle) { return blocks * BLOCK; }

int32_t sb_pread(int32_t handle, int32_t request, uint64_t count, uint64_t offset, int32_t flags) {
  for (uint64_t at = 0; at < count;) {
    uint64_t block = (offset + at) / BLOCK, within = (offset + at) % BLOCK;
    uint64_t length = BLOCK - within < count - at ? BLOCK - within : count - at;
    uint32_t where;
    /* Waits until it is there. Other requests are answered meanwhile. */
    int32_t error = sb_next_pread(handle, 0, &where, 4, block * 4, 0, 0);
    if (error) return error;
    if (where == 0) {
      sb_reply_zero(request, at, length, SB_HOLE);
    } else {
      /* What is at that place becomes part of the answer. */
      error = sb_next_forward(request, 0, at, length, where * (uint64_t)BLOCK + within, 0, 0);
      if (error) return error;
    }
    at += length;
  }
  return 0;
}
