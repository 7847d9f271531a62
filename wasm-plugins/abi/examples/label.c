/* SPDX-License-Identifier: MIT */
/* A RAM disk with a label, which programs read and change by ioctls, and whose content can be erased for good:
 * sandblock attach --via bdus ./label.wasm 64M */
#define SANDBLOCK_ALLOCATOR
#include "sandblock.h"

SANDBLOCK_MANIFEST({
  "abi": "3.2", "name": "label", "version": "1.0", "kind": "plugin",
  "description": "RAM disk with a label",
  "parameters": [{"name": "size", "type": "size", "required": true, "positional": true,
                  "maximum": "1G", "description": "Size of the disk"}],
  "limits": {"memory": "1152M"}
});

#define LABEL_BYTES 32
#define LARGEST 16383
/* As _IOW('*', n, ...) of Linux for 1, _IOR for 2, _IOWR for 3. */
#define LABEL_IOCTL(way, number, bytes) \
  (int32_t)((uint32_t)(way) << 30 | (bytes) << 16 | '*' << 8 | (number))
#define LABEL_SWAP LABEL_IOCTL(3, 1, LABEL_BYTES) /* sets the label, and tells the one before */
#define LABEL_CLEAR LABEL_IOCTL(0, 2, 0)          /* without an argument */
#define LABEL_SUM LABEL_IOCTL(3, 3, LARGEST)      /* the sum of all bytes, in the first four */
#define LABEL_SET LABEL_IOCTL(1, 4, LABEL_BYTES)
#define LABEL_GET LABEL_IOCTL(2, 5, LABEL_BYTES)
#define LABEL_WAIT LABEL_IOCTL(1, 6, 4) /* answers when so many milliseconds have passed */

static uint8_t *disk;
static int64_t size;
static uint8_t label[LABEL_BYTES];
static int32_t open_flags;

void sb_param_int(int32_t index, int64_t value) { size = value; }
int64_t sb_size(int32_t handle) { return size; }

int32_t sb_open(const char *name, size_t length, int32_t flags) {
  open_flags = flags;
  return 0;
}

int32_t sb_ready(void) {
  if (!(disk = sb_alloc(size, 16))) return SB_ENOMEM;
  sb_release(disk, size);
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

int32_t sb_secure_erase(int32_t handle, int32_t request, uint64_t count, uint64_t offset,
                        int32_t flags) {
  __builtin_memset(disk + offset, 0, count);
  return 0;
}

static int32_t swap(uint8_t *argument) {
  if (open_flags & SB_OPEN_READ_ONLY) return SB_EROFS;
  if (argument[LABEL_BYTES - 1]) return SB_EINVAL; /* it does not end */
  for (int32_t at = 0; at < LABEL_BYTES; at++) {
    uint8_t before = label[at];
    label[at] = argument[at];
    argument[at] = before;
  }
  return 0;
}

static int32_t sum(uint8_t *argument, size_t length) {
  uint32_t total = 0;
  for (size_t at = 0; at < length; at++) total += argument[at];
  __builtin_memcpy(argument, &total, sizeof(total));
  return 0;
}

/* The number of the request is as good a token as any. */
static int32_t wait(int32_t request, const uint8_t *argument) {
  uint32_t milliseconds;
  __builtin_memcpy(&milliseconds, argument, sizeof(milliseconds));
  int32_t error = sb_timer(milliseconds * 1000000ull, request);
  return error ? error : SB_PENDING;
}

void sb_done(int32_t token, int32_t result) { sb_complete(token, result); }

int32_t sb_ioctl(int32_t handle, int32_t request, int32_t number, void *argument, size_t length) {
  switch (number) {
    case LABEL_SWAP: return swap(argument);
    case LABEL_SET: return swap(argument);
    case LABEL_GET: __builtin_memcpy(argument, label, length); return 0;
    case LABEL_WAIT: return wait(request, argument);
    case LABEL_SUM: return sum(argument, length);
    case LABEL_CLEAR: __builtin_memset(label, 0, sizeof(label)); return 0;
    default: return SB_ENOTTY;
  }
}
