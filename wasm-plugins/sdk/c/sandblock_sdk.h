/* SPDX-License-Identifier: MIT */
/*
 * The C SDK for sandblock plugins (README.md beside this file): what most of them need on top of
 * sandblock.h. Include it in one file only. Everything is optional: what is not used takes no space.
 *
 *   clang --target=wasm32 -O2 -mbulk-memory -nostdlib -Wl,--no-entry -I. -o disk.wasm disk.c
 */
#ifndef SANDBLOCK_SDK_H
#define SANDBLOCK_SDK_H

#define SANDBLOCK_ALLOCATOR
#include "sandblock.h"

#include <stdarg.h>
#include <stdbool.h>

#define SB_UNUSED __attribute__((unused))

#ifdef __cplusplus
extern "C" {
#endif

/* --- What the compiler itself calls, as there is no C library. -------------------------------- */

__attribute__((weak)) void *memcpy(void *to, const void *from, size_t count) {
  return __builtin_memcpy(to, from, count);
}
__attribute__((weak)) void *memmove(void *to, const void *from, size_t count) {
  return __builtin_memmove(to, from, count);
}
__attribute__((weak)) void *memset(void *to, int byte, size_t count) {
  return __builtin_memset(to, byte, count);
}
__attribute__((weak)) int memcmp(const void *a, const void *b, size_t count) {
  const uint8_t *x = (const uint8_t *)a, *y = (const uint8_t *)b;
  for (size_t i = 0; i < count; i++) {
    if (x[i] != y[i]) return x[i] - y[i];
  }
  return 0;
}
/* The loop must not become a call of the function that it is in. */
__attribute__((weak, no_builtin)) size_t strlen(const char *text) {
  size_t length = 0;
  while (text[length]) length++;
  return length;
}

/* --- Memory. ---------------------------------------------------------------------------------- */

/* A new object, all zero; NULL where there is no memory. SB_DELETE takes a pointer of its type. */
#define SB_NEW(type) ((type *)sb_zeroed(sizeof(type)))
#define SB_DELETE(pointer) sb_free((pointer), sizeof *(pointer), 16)

/* `size` zero bytes at a multiple of 16. What is large takes physical memory only when written. */
static SB_UNUSED void *sb_zeroed(size_t size) {
  void *memory = sb_alloc(size, 16);
  if (!memory) return NULL;
  if (size < 65536) return memset(memory, 0, size);
  sb_release(memory, size);
  return memory;
}

/* --- Sentences. ------------------------------------------------------------------------------- */

enum { SB_TEXT_MAX = 1024 };

struct sb_line {
  char text[SB_TEXT_MAX];
  size_t length;
};

static SB_UNUSED void sb_put(struct sb_line *line, char character) {
  if (line->length < SB_TEXT_MAX) line->text[line->length++] = character;
}

static SB_UNUSED void sb_put_number(struct sb_line *line, uint64_t value, unsigned base) {
  char digits[20];
  int count = 0;
  do {
    digits[count++] = "0123456789abcdef"[value % base];
    value /= base;
  } while (value);
  while (count) sb_put(line, digits[--count]);
}

/* %s, %d, %u, %x, %c, %% as in printf, with l, ll or z before d, u and x; %.*s takes a length, which
 * is an int. */
static SB_UNUSED void sb_format(struct sb_line *line, const char *format, va_list values) {
  for (; *format; format++) {
    if (*format != '%') {
      sb_put(line, *format);
      continue;
    }
    size_t most = SIZE_MAX;
    int longs = 0;
    format++;
    if (format[0] == '.' && format[1] == '*') {
      most = (size_t)va_arg(values, int);
      format += 2;
    }
    for (; *format == 'l' || *format == 'z'; format++) {
      longs += *format == 'z' ? (sizeof(size_t) == 8 ? 2 : 1) : 1;
    }
    bool wide = longs > 1 || (longs == 1 && sizeof(long) == 8);
    switch (*format) {
      case 'd': {
        int64_t value = wide ? va_arg(values, long long) : va_arg(values, int);
        if (value < 0) sb_put(line, '-');
        sb_put_number(line, value < 0 ? -(uint64_t)value : (uint64_t)value, 10);
        break;
      }
      case 'u':
      case 'x': {
        uint64_t value = wide ? va_arg(values, unsigned long long) : va_arg(values, unsigned);
        sb_put_number(line, value, *format == 'x' ? 16 : 10);
        break;
      }
      case 'c':
        sb_put(line, (char)va_arg(values, int));
        break;
      case 's': {
        const char *text = va_arg(values, const char *);
        for (size_t i = 0; i < most && (most != SIZE_MAX || text[i]); i++) sb_put(line, text[i]);
        break;
      }
      case 0:
        return;
      default:
        sb_put(line, *format);
    }
  }
}

/* Says why the running call fails: return sb_fail(SB_EIO, "cannot read block %llu", number); */
__attribute__((format(printf, 2, 3))) static SB_UNUSED int32_t sb_fail(int32_t error,
                                                                       const char *format, ...) {
  struct sb_line line;
  line.length = 0;
  va_list values;
  va_start(values, format);
  sb_format(&line, format, values);
  va_end(values);
  sb_error_text(line.text, line.length);
  return error;
}

/* Logs a line at a level, SB_LOG_ERROR and so on. */
__attribute__((format(printf, 2, 3))) static SB_UNUSED void sb_logf(int32_t level,
                                                                    const char *format, ...) {
  struct sb_line line;
  line.length = 0;
  va_list values;
  va_start(values, format);
  sb_format(&line, format, values);
  va_end(values);
  sb_log(level, line.text, line.length);
}

/* --- Parameters. ------------------------------------------------------------------------------ */

/* Numbers, bool and enum by their positions in the manifest, for variables of the type int64_t:
 * SB_INT_PARAMETERS({0, &size}, {2, &key}) */
struct sb_int_parameter {
  int32_t index;
  int64_t *variable;
};
#define SB_INT_PARAMETERS(...)                                               \
  void sb_param_int(int32_t index, int64_t value) {                          \
    static const struct sb_int_parameter all[] = {__VA_ARGS__};              \
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {                  \
      if (all[i].index == index) *all[i].variable = value;                   \
    }                                                                        \
  }

/* Everything else, as copies; the last one counts where there are several:
 * SB_BYTES_PARAMETERS({1, &label}) */
struct sb_bytes {
  uint8_t *data;
  size_t length;
};
struct sb_bytes_parameter {
  int32_t index;
  struct sb_bytes *variable;
};
#define SB_BYTES_PARAMETERS(...)                                             \
  void sb_param_bytes(int32_t index, const uint8_t *bytes, size_t length) {  \
    static const struct sb_bytes_parameter all[] = {__VA_ARGS__};            \
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {                  \
      if (all[i].index == index) sb_keep(all[i].variable, bytes, length);    \
    }                                                                        \
  }
static SB_UNUSED void sb_keep(struct sb_bytes *to, const uint8_t *bytes, size_t length) {
  if (to->data) sb_free(to->data, to->length, 16);
  to->data = (uint8_t *)sb_alloc(length, 16);
  to->length = to->data ? length : 0;
  if (to->data) memcpy(to->data, bytes, length);
}

/* --- Exports. --------------------------------------------------------------------------------- */

/* For plugins with one export: SB_ONE_EXPORT(size), where size is a variable or an expression. */
#define SB_ONE_EXPORT(size)                                                  \
  int32_t sb_open(const char *name, size_t length, int32_t flags) {          \
    (void)name, (void)flags;                                                 \
    return length ? -SB_ENOENT : 0;                                          \
  }                                                                          \
  int64_t sb_size(int32_t handle) {                                          \
    (void)handle;                                                            \
    return (size);                                                           \
  }

/* For plugins that keep something for each handle: numbers from 0, each with a pointer. */
static SB_UNUSED void **sb_contexts;
static SB_UNUSED int32_t sb_contexts_max;

/* A handle that stands for `context`, which is not NULL; -SB_ENOMEM where there is no memory. */
static SB_UNUSED int32_t sb_handle_open(void *context) {
  int32_t handle = 0;
  while (handle < sb_contexts_max && sb_contexts[handle]) handle++;
  if (handle == sb_contexts_max) {
    int32_t more = sb_contexts_max ? 2 * sb_contexts_max : 16;
    void **larger = (void **)sb_zeroed((size_t)more * sizeof *larger);
    if (!larger) return -SB_ENOMEM;
    if (sb_contexts) {
      memcpy(larger, sb_contexts, (size_t)sb_contexts_max * sizeof *larger);
      sb_free(sb_contexts, (size_t)sb_contexts_max * sizeof *larger, 16);
    }
    sb_contexts = larger;
    sb_contexts_max = more;
  }
  sb_contexts[handle] = context;
  return handle;
}

static SB_UNUSED void *sb_handle_context(int32_t handle) { return sb_contexts[handle]; }

static SB_UNUSED void *sb_handle_close(int32_t handle) {
  void *context = sb_contexts[handle];
  sb_contexts[handle] = NULL;
  return context;
}

/* --- Going on later. -------------------------------------------------------------------------- */

/* Work that goes on when a timer fires or a request below has ended. Make it the first member of a
 * struct of your own (from SB_NEW), give its token to sb_timer or sb_next_..., and write SB_TASKS
 * once: then `then` is called with it. */
struct sb_task {
  void (*then)(struct sb_task *task, int32_t result);
};
static SB_UNUSED int32_t sb_token(struct sb_task *task) {
  /* Objects lie at multiples of 16, so this fits, with 64-bit memory too. */
  return (int32_t)((uintptr_t)task >> 4);
}
#define SB_TASKS                                                             \
  void sb_done(int32_t token, int32_t result) {                              \
    struct sb_task *task = (struct sb_task *)((uintptr_t)(uint32_t)token << 4); \
    task->then(task, result);                                                \
  }

/* --- What is below a filter. ------------------------------------------------------------------ */

/* Passes the whole of a request on to the only child: return sb_pass(request, count, offset, flags); */
static SB_UNUSED int32_t sb_pass(int32_t request, uint64_t count, uint64_t offset, int32_t flags) {
  return sb_next_forward(request, 0, 0, count, offset, flags, 0);
}
static SB_UNUSED int32_t sb_pass_flush(int32_t request, int32_t flags) {
  return sb_next_forward(request, 0, 0, 0, 0, flags, 0);
}

#ifdef __cplusplus
}
#endif

#endif /* SANDBLOCK_SDK_H */
