/* SPDX-License-Identifier: MIT */
/*
 * Plugin ABI 3.2 of sandblock for C (README.md beside this file says what everything means).
 *
 *   clang --target=wasm32 -O2 -mbulk-memory -nostdlib -Wl,--no-entry -I. -o disk.wasm disk.c
 *
 * Define the functions that are declared under "What the plugin defines"; those with the comment
 * "required" always, the others where the plugin has something to say. Their names make them
 * exports. With --target=wasm64 -Wl,-mwasm64 the same source becomes a plugin with 64-bit memory.
 */
#ifndef SANDBLOCK_H
#define SANDBLOCK_H

#include <stddef.h>
#include <stdint.h>

#ifndef __wasm__
#error "sandblock.h is for WebAssembly: clang --target=wasm32"
#endif

#ifdef __cplusplus
#define SB_C extern "C"
#else
#define SB_C extern
#endif

/* The manifest, as JSON, in the custom section that the host reads. Use it once, with text like
 * SANDBLOCK_MANIFEST({"abi": "3.0", "name": "disk", "version": "1.0", "kind": "plugin"}) */
#define SANDBLOCK_MANIFEST(...) SB_CUSTOM_SECTION("sandblock.manifest", #__VA_ARGS__)
#define SB_CUSTOM_SECTION(name, text) \
  __asm__(".section .custom_section." name ",\"\",@\n.ascii " #text "\n")

/* Flags of sb_open. */
enum { SB_OPEN_READ_ONLY = 1 };

/* Flags of the calls for requests. */
enum {
  SB_FUA = 1,       /* on stable storage before the call returns */
  SB_MAY_TRIM = 2,  /* sb_zero: may make a hole */
  SB_FAST_ZERO = 4, /* sb_zero: fail with SB_EOPNOTSUPP rather than be slow */
  SB_REQ_ONE = 8,   /* sb_extents: one extent is enough */
  SB_WHOLE = 16     /* sb_next_forward of a read: what fails in part has failed; since 3.1 */
};

/* Flags of sb_reply_data, sb_reply_zero and sb_extent. */
enum { SB_TRANSIENT = 0, SB_STABLE = 1 };
enum { SB_ZERO = 0, SB_HOLE = 1 };
enum { SB_EXTENT_DATA = 0, SB_EXTENT_HOLE = 1, SB_EXTENT_ZERO = 2 };

/* Levels of sb_log. */
enum { SB_LOG_ERROR = 0, SB_LOG_WARNING = 1, SB_LOG_INFO = 2, SB_LOG_DEBUG = 3 };

/* How a capability is provided: fields of struct sb_info. */
enum { SB_NONE = 0, SB_EMULATE = 1, SB_NATIVE = 2 };

/* Error numbers of Linux that devices need most. Any from 1 to 133 may be returned. */
enum {
  SB_EPERM = 1,
  SB_ENOENT = 2,
  SB_EIO = 5,
  SB_ENOMEM = 12,
  SB_EACCES = 13,
  SB_EBUSY = 16,
  SB_EINVAL = 22,
  SB_ENOTTY = 25,
  SB_EFBIG = 27,
  SB_ENOSPC = 28,
  SB_EROFS = 30,
  SB_ERANGE = 34,
  SB_ENODATA = 61,
  SB_EOVERFLOW = 75,
  SB_EOPNOTSUPP = 95,
  SB_ESHUTDOWN = 108
};

/* What sb_info may change. The host has filled it in with what it assumes. */
struct sb_info {
  uint32_t struct_size;     /* bytes that the host reads; leave it alone */
  uint32_t block_minimum;   /* power of two, 1 to 65536 */
  uint32_t block_preferred; /* power of two, at least 512 and the minimum */
  uint32_t block_maximum;   /* a multiple of the minimum, or UINT32_MAX for none */
  uint32_t write, flush, fua, trim, zero, fast_zero, cache, extents, multi_conn; /* SB_NONE ... */
  uint32_t rotational;      /* 1: seeks are slow */
  uint32_t secure_erase, ioctl; /* since 3.2: only where the manifest says "abi": "3.2" */
};

/* --- What the host offers. ------------------------------------------------------------------- */

#define SB_IMPORT(function) \
  __attribute__((import_module("sandblock:v3"), import_name(function)))

/* Answers to a read, in ascending order and without gaps; `at` counts from its offset. */
SB_C SB_IMPORT("reply_data") void sb_reply_data(int32_t request, uint64_t at, const void *data,
                                                uint64_t length, int32_t flags);
SB_C SB_IMPORT("reply_buffer") void *sb_reply_buffer(int32_t request, uint64_t at,
                                                     uint64_t length);
SB_C SB_IMPORT("reply_zero") void sb_reply_zero(int32_t request, uint64_t at, uint64_t length,
                                                int32_t flags);
SB_C SB_IMPORT("reply_error") void sb_reply_error(int32_t request, uint64_t at, uint64_t length,
                                                  int32_t error);
/* Answers to sb_extents, in ascending order from its offset. */
SB_C SB_IMPORT("extent") void sb_extent(int32_t request, uint64_t length, int32_t flags);
/* Why the running call is going to fail, in UTF-8. */
SB_C SB_IMPORT("error_text") void sb_error_text(const char *text, size_t length);
/* Answers to sb_list and sb_describe, and to sb_default. */
SB_C SB_IMPORT("export_add") void sb_export_add(const char *name, size_t name_length,
                                                const char *description,
                                                size_t description_length);
SB_C SB_IMPORT("export_default") void sb_export_default(const char *name, size_t name_length);
/* Within sb_open: who the export is opened for. Returns the length of the whole text. */
SB_C SB_IMPORT("peer") size_t sb_peer(char *text, size_t capacity);
SB_C SB_IMPORT("log") void sb_log(int32_t level, const char *text, size_t length);
/* Makes memory zero and gives it back to the system until it is written again. */
SB_C SB_IMPORT("release") void sb_release(void *memory, size_t length);

/* --- Since 3.1: the manifest says "abi": "3.1". ---------------------------------------------- */

/* What a call for a request returns that is finished later, with sb_complete. */
enum { SB_PENDING = -1 };
SB_C SB_IMPORT("complete") void sb_complete(int32_t request, int32_t error);
/* Forgets what a read or a request for extents was answered with so far. */
SB_C SB_IMPORT("reply_restart") void sb_reply_restart(int32_t request);
/* Calls sb_done(token, 0) later. Returns 0 or an error number. */
SB_C SB_IMPORT("timer") int32_t sb_timer(uint64_t nanoseconds, int32_t token);
SB_C SB_IMPORT("cancel") int32_t sb_cancel(int32_t token);
/* Waits. Only with "threads": "blocking" in the manifest; then all calls with a token get 0 and wait. */
SB_C SB_IMPORT("sleep") int32_t sb_sleep(uint64_t nanoseconds);
SB_C SB_IMPORT("metric") void sb_metric(int32_t index, int64_t value);
SB_C SB_IMPORT("resize") int32_t sb_resize(int32_t handle, uint64_t size);
/* In sb_info: block sizes that clients are told, while they are held to those of the struct. */
SB_C SB_IMPORT("block_advice")
void sb_block_advice(uint32_t minimum, uint32_t preferred, uint32_t maximum);
SB_C SB_IMPORT("feature") int32_t sb_feature(const char *name, size_t length);

/* For filters, "kind": "filter": what is below. All return 0, an error number or SB_PENDING; then
 * sb_done(token, result) is called. */
SB_C SB_IMPORT("next_count") int32_t sb_next_count(void);
SB_C SB_IMPORT("next_size") int64_t sb_next_size(int32_t handle, int32_t child);
SB_C SB_IMPORT("next_info") int32_t sb_next_info(int32_t handle, int32_t child,
                                                 struct sb_info *info);
/* Copies `length` bytes of what is written, from `at` on, to `data`, wherever they lie. */
SB_C SB_IMPORT("payload") int32_t sb_payload(int32_t request, uint64_t at, void *data,
                                             size_t length);
/* The exports of a child: their number as uint32_t, then for each the length of its name, that of its
 * description, and both. Returns the length of all of that; 0 where they cannot be listed. */
SB_C SB_IMPORT("next_list") size_t sb_next_list(int32_t child, void *list, size_t capacity);
/* The name of a child's default export. Returns its length, or a negative error number. */
SB_C SB_IMPORT("next_default") int32_t sb_next_default(int32_t child, char *name, size_t capacity);
SB_C SB_IMPORT("next_open") int32_t sb_next_open(const char *name, size_t length, int32_t flags);
SB_C SB_IMPORT("next_close") void sb_next_close(int32_t handle);
SB_C SB_IMPORT("next_reopen") int32_t sb_next_reopen(int32_t handle, int32_t flags);
/* The child answers part of the request; with the token 0 sb_done is not called. */
SB_C SB_IMPORT("next_forward") int32_t sb_next_forward(int32_t request, int32_t child, uint64_t at,
                                                       uint64_t count, uint64_t offset,
                                                       int32_t flags, int32_t token);
SB_C SB_IMPORT("next_pread") int32_t sb_next_pread(int32_t handle, int32_t child, void *data,
                                                   uint64_t count, uint64_t offset, int32_t flags,
                                                   int32_t token);
SB_C SB_IMPORT("next_pwrite") int32_t sb_next_pwrite(int32_t handle, int32_t child,
                                                     const void *data, uint64_t count,
                                                     uint64_t offset, int32_t flags,
                                                     int32_t token);
SB_C SB_IMPORT("next_flush") int32_t sb_next_flush(int32_t handle, int32_t child, int32_t flags,
                                                   int32_t token);
SB_C SB_IMPORT("next_trim") int32_t sb_next_trim(int32_t handle, int32_t child, uint64_t count,
                                                 uint64_t offset, int32_t flags, int32_t token);
SB_C SB_IMPORT("next_zero") int32_t sb_next_zero(int32_t handle, int32_t child, uint64_t count,
                                                 uint64_t offset, int32_t flags, int32_t token);
SB_C SB_IMPORT("next_cache") int32_t sb_next_cache(int32_t handle, int32_t child, uint64_t count,
                                                   uint64_t offset, int32_t flags, int32_t token);
/* What sb_next_extents fills in: `capacity` is the filter's, the rest the host's. */
struct sb_extents {
  uint32_t capacity, count;
  struct {
    uint64_t length;
    uint32_t flags, zero;
  } at[];
};
SB_C SB_IMPORT("next_extents") int32_t sb_next_extents(int32_t handle, int32_t child,
                                                       struct sb_extents *list, uint64_t count,
                                                       uint64_t offset, int32_t flags,
                                                       int32_t token);

/* What the user has granted ("capabilities" in the manifest). */
enum { SB_CLOCK_REAL = 0, SB_CLOCK_MONOTONIC = 1 };
/* Nanoseconds, or a negative error number. */
SB_C SB_IMPORT("clock") int64_t sb_clock(int32_t which);
SB_C SB_IMPORT("random") int32_t sb_random(void *memory, size_t length);
/* Flags of sb_file_open; the others only together with SB_FILE_WRITE. */
enum {
  SB_FILE_WRITE = 1,
  SB_FILE_CREATE = 2,
  SB_FILE_EXCLUSIVE = 4,
  SB_FILE_TRUNCATE = 8,
  SB_FILE_LOCK = 16
};
/* A number for the functions below, or a negative error number. */
SB_C SB_IMPORT("file_open") int32_t sb_file_open(const char *path, size_t length, int32_t flags);
SB_C SB_IMPORT("file_close") void sb_file_close(int32_t file);
SB_C SB_IMPORT("file_size") int64_t sb_file_size(int32_t file);
SB_C SB_IMPORT("file_resize") int32_t sb_file_resize(int32_t file, uint64_t size);
/* These return 0, an error number or SB_PENDING; then sb_done(token, result) is called. With the
 * token 0 they wait, which calls for requests must not. */
SB_C SB_IMPORT("file_pread") int32_t sb_file_pread(int32_t file, void *data, uint64_t count,
                                                   uint64_t offset, int32_t flags, int32_t token);
SB_C SB_IMPORT("file_pwrite") int32_t sb_file_pwrite(int32_t file, const void *data,
                                                     uint64_t count, uint64_t offset,
                                                     int32_t flags, int32_t token);
SB_C SB_IMPORT("file_sync") int32_t sb_file_sync(int32_t file, int32_t flags, int32_t token);
SB_C SB_IMPORT("file_zero") int32_t sb_file_zero(int32_t file, uint64_t count, uint64_t offset,
                                                 int32_t flags, int32_t token);

/* TCP, to "HOST:PORT" as it was granted. sb_done(token, 0 or an error number) says when the
 * connection is there. A number, or a negative error number. */
SB_C SB_IMPORT("net_open") int32_t sb_net_open(const char *address, size_t length, int32_t token);
/* What is read into: `room` is the plugin's, `count` the host's; 0 is the end of the stream. */
struct sb_net_buffer {
  uint32_t room, count;
  uint8_t bytes[];
};
SB_C SB_IMPORT("net_read") int32_t sb_net_read(int32_t stream, struct sb_net_buffer *buffer,
                                               int32_t token);
SB_C SB_IMPORT("net_write") int32_t sb_net_write(int32_t stream, const void *data, uint64_t count,
                                                 int32_t token);
SB_C SB_IMPORT("net_close") void sb_net_close(int32_t stream);

/* --- Since 3.2: the manifest says "abi": "3.2". Zoned devices. --------------------------------- */

/* What sb_zones fills in; as it is when it comes, there are no zones. */
struct sb_zones_info {
  uint32_t struct_size; /* bytes that the host reads; leave it alone */
  uint32_t max_open;    /* zones that may be open at a time; 0 for any number */
  uint32_t max_active;  /* zones that may be open or closed at a time; 0 for any number */
  uint32_t max_append;  /* bytes of the largest append; 0 for the largest write */
  uint64_t zone_size;   /* bytes of each zone, a power of two; 0 for no zones */
  uint64_t zone_capacity; /* the most that a sequential zone takes; 0 for all of it */
};
/* Types and conditions of zones. */
enum { SB_ZONE_CONVENTIONAL = 1, SB_ZONE_SEQUENTIAL = 2, SB_ZONE_SEQUENTIAL_PREFERRED = 3 };
enum {
  SB_ZONE_NO_POINTER = 0, /* of conventional zones */
  SB_ZONE_EMPTY = 1,
  SB_ZONE_IMPLICITLY_OPEN = 2,
  SB_ZONE_EXPLICITLY_OPEN = 3,
  SB_ZONE_CLOSED = 4,
  SB_ZONE_READ_ONLY = 13,
  SB_ZONE_FULL = 14,
  SB_ZONE_OFFLINE = 15
};
/* Answers to sb_zone_report, one zone after the other; bytes, from the start of the export. */
SB_C SB_IMPORT("zone") void sb_zone(int32_t request, uint64_t start, uint64_t length,
                                    uint64_t capacity, uint64_t pointer, int32_t type,
                                    int32_t condition);
/* Where in the export an append has written. */
SB_C SB_IMPORT("zone_appended") void sb_zone_appended(int32_t request, uint64_t offset);

/* --- Since 3.2: the manifest says "abi": "3.2". Secure erase, ioctls. ------------------------- */

SB_C SB_IMPORT("next_secure_erase") int32_t sb_next_secure_erase(int32_t handle, int32_t child,
                                                                 uint64_t count, uint64_t offset,
                                                                 int32_t flags, int32_t token);
/* The answer takes the place of the argument, which has sb_ioctl_bytes(number) bytes. */
SB_C SB_IMPORT("next_ioctl") int32_t sb_next_ioctl(int32_t handle, int32_t child, int32_t number,
                                                   void *argument, size_t length, int32_t token);
/* Bytes of the argument of an ioctl. */
static inline size_t sb_ioctl_bytes(int32_t number) { return (uint32_t)number >> 16 & 0x3fff; }

/* A text and its length, for the functions above: sb_error_text(SB_TEXT("disk is full")) */
#define SB_TEXT(literal) "" literal, sizeof(literal) - 1

/* --- What the plugin defines. ----------------------------------------------------------------- */

#define SB_EXPORT(function) __attribute__((export_name(function), used))

/* Parameters of the manifest, by position: numbers (also bool, enum) and everything else. */
SB_C SB_EXPORT("sb_param_int") void sb_param_int(int32_t index, int64_t value);
SB_C SB_EXPORT("sb_param_bytes") void sb_param_bytes(int32_t index, const uint8_t *bytes,
                                                     size_t length);
/* All parameters are there. Returns 0 or an error number. */
SB_C SB_EXPORT("sb_ready") int32_t sb_ready(void);

/* Several exports: calls of sb_export_add; a call of sb_export_default. */
SB_C SB_EXPORT("sb_list") int32_t sb_list(void);
SB_C SB_EXPORT("sb_default") int32_t sb_default(void);

/* An export: required are sb_open, which returns a handle >= 0 or a negative error number, and
 * sb_size, which returns bytes or a negative error number. */
SB_C SB_EXPORT("sb_open") int32_t sb_open(const char *name, size_t name_length, int32_t flags);
SB_C SB_EXPORT("sb_size") int64_t sb_size(int32_t handle);
SB_C SB_EXPORT("sb_describe") int32_t sb_describe(int32_t handle);
SB_C SB_EXPORT("sb_info") int32_t sb_info(int32_t handle, struct sb_info *info);
SB_C SB_EXPORT("sb_close") void sb_close(int32_t handle);

/* Requests: required is sb_pread. Each returns 0 or an error number. */
SB_C SB_EXPORT("sb_pread") int32_t sb_pread(int32_t handle, int32_t request, uint64_t count,
                                            uint64_t offset, int32_t flags);
SB_C SB_EXPORT("sb_pwrite") int32_t sb_pwrite(int32_t handle, int32_t request, const uint8_t *data,
                                              uint64_t count, uint64_t offset, int32_t flags);
/* Where these bytes of the export lie, so that data of a write is received there (3.1); or 0. */
SB_C SB_EXPORT("sb_place") const uint8_t *sb_place(int32_t handle, uint64_t count, uint64_t offset);
SB_C SB_EXPORT("sb_flush") int32_t sb_flush(int32_t handle, int32_t request, int32_t flags);
SB_C SB_EXPORT("sb_trim") int32_t sb_trim(int32_t handle, int32_t request, uint64_t count,
                                          uint64_t offset, int32_t flags);
SB_C SB_EXPORT("sb_zero") int32_t sb_zero(int32_t handle, int32_t request, uint64_t count,
                                          uint64_t offset, int32_t flags);
SB_C SB_EXPORT("sb_cache") int32_t sb_cache(int32_t handle, int32_t request, uint64_t count,
                                            uint64_t offset, int32_t flags);
SB_C SB_EXPORT("sb_extents") int32_t sb_extents(int32_t handle, int32_t request, uint64_t count,
                                                uint64_t offset, int32_t flags);
SB_C SB_EXPORT("sb_stop") void sb_stop(void);

/* Since 3.1: a timer or a request to what is below has ended; a client comes (0, or refuse it). */
SB_C SB_EXPORT("sb_done") void sb_done(int32_t token, int32_t result);
SB_C SB_EXPORT("sb_connect") int32_t sb_connect(const char *peer, size_t length);
/* Nothing is open and nothing will be: brings below what is still to be brought there. */
SB_C SB_EXPORT("sb_finish") void sb_finish(void);

/* Since 3.2, zones: with sb_zones, those for reports, appends and resets are required. */
SB_C SB_EXPORT("sb_zones") int32_t sb_zones(int32_t handle, struct sb_zones_info *zones);
SB_C SB_EXPORT("sb_zone_report") int32_t sb_zone_report(int32_t handle, int32_t request,
                                                        uint64_t count, uint64_t offset,
                                                        int32_t flags);
SB_C SB_EXPORT("sb_zone_append") int32_t sb_zone_append(int32_t handle, int32_t request,
                                                        const uint8_t *data, uint64_t count,
                                                        uint64_t offset, int32_t flags);
SB_C SB_EXPORT("sb_zone_open") int32_t sb_zone_open(int32_t handle, int32_t request,
                                                    uint64_t count, uint64_t offset,
                                                    int32_t flags);
SB_C SB_EXPORT("sb_zone_close") int32_t sb_zone_close(int32_t handle, int32_t request,
                                                      uint64_t count, uint64_t offset,
                                                      int32_t flags);
SB_C SB_EXPORT("sb_zone_finish") int32_t sb_zone_finish(int32_t handle, int32_t request,
                                                        uint64_t count, uint64_t offset,
                                                        int32_t flags);
SB_C SB_EXPORT("sb_zone_reset") int32_t sb_zone_reset(int32_t handle, int32_t request,
                                                      uint64_t count, uint64_t offset,
                                                      int32_t flags);

/* Since 3.2. Nothing of the range can be had back by any means when this has returned 0. */
SB_C SB_EXPORT("sb_secure_erase") int32_t sb_secure_erase(int32_t handle, int32_t request,
                                                          uint64_t count, uint64_t offset,
                                                          int32_t flags);
/* The answer goes where the argument is. SB_ENOTTY for numbers that are not known. */
SB_C SB_EXPORT("sb_ioctl") int32_t sb_ioctl(int32_t handle, int32_t request, int32_t number,
                                            void *argument, size_t length);

/* Memory of the plugin for the host; required where the plugin writes, has exports to list, texts
 * as parameters, sb_info, or calls sb_reply_buffer. NULL when there is none. */
SB_C SB_EXPORT("sb_alloc") void *sb_alloc(size_t size, size_t alignment);
SB_C SB_EXPORT("sb_free") void sb_free(void *memory, size_t size, size_t alignment);

/* --- An allocator for those who have none: #define SANDBLOCK_ALLOCATOR before the #include. --- */

#ifdef SANDBLOCK_ALLOCATOR

/* Free memory in order of address, neighbours joined. Who frees says how much, so there are no
 * headers. Takes memory only by growing it, so the memory that the linker laid out is not touched. */
struct sb_block {
  size_t size;
  struct sb_block *next;
};
static struct sb_block *sb_blocks;

#define SB_UNIT 16
#define SB_PAGE 65536
#define SB_ROUND(value, unit) (((value) + (unit)-1) & ~((size_t)(unit)-1))

void sb_free(void *memory, size_t size, size_t alignment) {
  (void)alignment;
  struct sb_block *block = (struct sb_block *)memory, *before = NULL, *after = sb_blocks;
  while (after && after < block) before = after, after = after->next;
  block->size = SB_ROUND(size ? size : 1, SB_UNIT);
  block->next = after;
  if (after && (uint8_t *)block + block->size == (uint8_t *)after) {
    block->size += after->size;
    block->next = after->next;
  }
  if (before && (uint8_t *)before + before->size == (uint8_t *)block) {
    before->size += block->size;
    before->next = block->next;
  } else if (before) {
    before->next = block;
  } else {
    sb_blocks = block;
  }
}

static void *sb_carve(size_t size, size_t alignment) {
  for (struct sb_block *block = sb_blocks, **link = &sb_blocks; block;
       link = &block->next, block = block->next) {
    size_t start = SB_ROUND((size_t)block, alignment), end = (size_t)block + block->size;
    if (start > end || end - start < size) continue;
    *link = block->next;
    if (start > (size_t)block) sb_free(block, start - (size_t)block, 0);
    if (start + size < end) sb_free((void *)(start + size), end - start - size, 0);
    return (void *)start;
  }
  return NULL;
}

void *sb_alloc(size_t size, size_t alignment) {
  /* Nothing below overflows. */
  if (alignment > SIZE_MAX / 4 || size > SIZE_MAX - alignment - 2 * SB_PAGE) return NULL;
  size = SB_ROUND(size ? size : 1, SB_UNIT);
  if (alignment < SB_UNIT) alignment = SB_UNIT;
  void *memory = sb_carve(size, alignment);
  if (memory) return memory;
  /* Memory begins on a page, so a larger alignment needs room to move. */
  size_t pages = (size + (alignment > SB_PAGE ? alignment : 0) + SB_PAGE - 1) / SB_PAGE;
  size_t before = __builtin_wasm_memory_grow(0, pages);
  if (before == (size_t)-1) return NULL;
  sb_free((void *)(before * SB_PAGE), pages * SB_PAGE, 0);
  return sb_carve(size, alignment);
}

#endif /* SANDBLOCK_ALLOCATOR */

#endif /* SANDBLOCK_H */
