/* SPDX-License-Identifier: MIT */
/* A RAM disk of zones that are written in order: sandblock attach --via ublk ./zones.wasm */
#define SANDBLOCK_ALLOCATOR
#include "sandblock.h"

SANDBLOCK_MANIFEST({
  "abi": "3.2", "name": "zones", "version": "1.0", "kind": "plugin",
  "description": "RAM disk of 16 zones",
  "limits": {"memory": "128M"}
});

#define ZONES 16
#define ZONE_BYTES ((uint64_t)4 << 20)
#define BLOCK 4096

static uint8_t *disk;
static uint64_t written[ZONES];

int32_t sb_open(const char *name, size_t length, int32_t flags) { return 0; }
int64_t sb_size(int32_t handle) { return ZONES * ZONE_BYTES; }

int32_t sb_ready(void) {
  if (!(disk = sb_alloc(ZONES * ZONE_BYTES, BLOCK))) return SB_ENOMEM;
  sb_release(disk, ZONES * ZONE_BYTES); /* all zero */
  return 0;
}

int32_t sb_info(int32_t handle, struct sb_info *info) {
  info->block_minimum = BLOCK;
  info->zero = SB_NONE;
  return 0;
}

int32_t sb_zones(int32_t handle, struct sb_zones_info *zones) {
  zones->zone_size = ZONE_BYTES;
  return 0;
}

int32_t sb_pread(int32_t handle, int32_t request, uint64_t count, uint64_t offset, int32_t flags) {
  sb_reply_data(request, 0, disk + offset, count, SB_STABLE);
  return 0;
}

int32_t sb_zone_append(int32_t handle, int32_t request, const uint8_t *data, uint64_t count,
                       uint64_t offset, int32_t flags) {
  uint64_t zone = offset / ZONE_BYTES, at = offset + written[zone];
  if (written[zone] + count > ZONE_BYTES) return SB_EIO;
  __builtin_memcpy(disk + at, data, count);
  written[zone] += count;
  sb_zone_appended(request, at);
  return 0;
}

int32_t sb_pwrite(int32_t handle, int32_t request, const uint8_t *data, uint64_t count,
                  uint64_t offset, int32_t flags) {
  uint64_t zone = offset / ZONE_BYTES, in_zone = offset % ZONE_BYTES;
  if (in_zone != written[zone] || in_zone + count > ZONE_BYTES) return SB_EIO;
  __builtin_memcpy(disk + offset, data, count);
  written[zone] += count;
  return 0;
}

int32_t sb_zone_report(int32_t handle, int32_t request, uint64_t count, uint64_t offset,
                       int32_t flags) {
  for (uint64_t at = offset; at < offset + count; at += ZONE_BYTES) {
    uint64_t bytes = written[at / ZONE_BYTES];
    int32_t condition = bytes == 0            ? SB_ZONE_EMPTY
                        : bytes == ZONE_BYTES ? SB_ZONE_FULL
                                              : SB_ZONE_IMPLICITLY_OPEN;
    sb_zone(request, at, ZONE_BYTES, ZONE_BYTES, at + bytes, SB_ZONE_SEQUENTIAL, condition);
  }
  return 0;
}

int32_t sb_zone_reset(int32_t handle, int32_t request, uint64_t count, uint64_t offset,
                      int32_t flags) {
  sb_release(disk + offset, count);
  for (uint64_t at = offset; at < offset + count; at += ZONE_BYTES) written[at / ZONE_BYTES] = 0;
  return 0;
}
