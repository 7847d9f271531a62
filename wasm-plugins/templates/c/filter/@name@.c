/* A filter that keeps everything in disguise: sandblock serve --filter ./@name@.wasm memory 64M key=7 */
#include "sandblock_sdk.h"

SANDBLOCK_MANIFEST({
  "abi": "3.1", "name": "@name@", "version": "0.1.0", "kind": "filter",
  "description": "Keeps everything in disguise",
  "calls": {"pread": "transform", "pwrite": "transform"},
  "parameters": [{"name": "key", "type": "int", "minimum": "0", "maximum": "255",
                  "default": "0x5a", "description": "What every byte is combined with"}]
});

static int64_t key;

SB_INT_PARAMETERS({0, &key})
SB_TASKS

static void disguise(uint8_t *to, const uint8_t *from, size_t count) {
  for (size_t i = 0; i < count; i++) to[i] = from[i] ^ (uint8_t)key;
}

/* A read or write that is on its way to what is below. */
struct work {
  struct sb_task task;
  int32_t request;
  uint8_t *data;
  size_t count;
};

static struct work *begin(int32_t request, uint8_t *data, size_t count,
                          void (*then)(struct sb_task *, int32_t)) {
  struct work *work = data ? SB_NEW(struct work) : NULL;
  if (work) *work = (struct work){{then}, request, data, count};
  return work;
}

static int32_t have_read(struct work *work, int32_t error) {
  if (!error) disguise(work->data, work->data, work->count);
  SB_DELETE(work);
  return error;
}

static void read_later(struct sb_task *task, int32_t error) {
  struct work *work = (struct work *)task;
  int32_t request = work->request;
  sb_complete(request, have_read(work, error));
}

int32_t sb_pread(int32_t handle, int32_t request, uint64_t count, uint64_t offset, int32_t flags) {
  uint8_t *data = sb_reply_buffer(request, 0, count);
  struct work *work = begin(request, data, count, read_later);
  if (!work) return sb_fail(SB_ENOMEM, "cannot read: no memory");
  int32_t status = sb_next_pread(handle, 0, data, count, offset, 0, sb_token(&work->task));
  return status == SB_PENDING ? status : have_read(work, status);
}

static int32_t have_written(struct work *work, int32_t error) {
  sb_free(work->data, work->count, 16);
  SB_DELETE(work);
  return error;
}

static void written_later(struct sb_task *task, int32_t error) {
  struct work *work = (struct work *)task;
  int32_t request = work->request;
  sb_complete(request, have_written(work, error));
}

int32_t sb_pwrite(int32_t handle, int32_t request, const uint8_t *data, uint64_t count,
                  uint64_t offset, int32_t flags) {
  uint8_t *copy = sb_alloc(count, 16);
  struct work *work = begin(request, copy, count, written_later);
  if (!work) {
    if (copy) sb_free(copy, count, 16);
    return sb_fail(SB_ENOMEM, "cannot write: no memory");
  }
  disguise(copy, data, count);
  int32_t status = sb_next_pwrite(handle, 0, copy, count, offset, 0, sb_token(&work->task));
  return status == SB_PENDING ? status : have_written(work, status);
}

int32_t sb_flush(int32_t handle, int32_t request, int32_t flags) {
  return sb_pass_flush(request, flags);
}

int32_t sb_trim(int32_t handle, int32_t request, uint64_t count, uint64_t offset, int32_t flags) {
  return sb_pass(request, count, offset, flags);
}
