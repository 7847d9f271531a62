/* SPDX-License-Identifier: MIT */
/*
 * The C++ SDK for sandblock plugins (README.md beside this file): classes and closures on top of that for C.
 * C++17, without exceptions, without a library. Include it in one file only.
 *
 *   clang++ --target=wasm32 -std=c++17 -O2 -fno-exceptions -fno-rtti -mbulk-memory -nostdlib \
 *     -Wl,--no-entry -I. -o disk.wasm disk.cpp
 */
#ifndef SANDBLOCK_HPP
#define SANDBLOCK_HPP

#include "sandblock_sdk.h"

/* --- What the compiler itself calls, as there is no C++ library. ------------------------------ */

inline void *operator new(size_t, void *place) noexcept { return place; }
/* For classes with virtual destructors, whose memory is `destroy`'s to give back. */
__attribute__((weak)) void operator delete(void *, size_t) noexcept {}
__attribute__((weak)) void operator delete(void *) noexcept {}

extern "C" {
void __wasm_call_ctors(void);
/* Global objects live as long as the plugin. */
__attribute__((weak)) int __cxa_atexit(void (*)(void *), void *, void *) { return 0; }
__attribute__((weak)) void __cxa_pure_virtual(void) { __builtin_trap(); }
__attribute__((weak)) void *__dso_handle = nullptr;
/* Constructors of global objects run once, before everything else. */
__attribute__((export_name("_initialize"), used, weak)) void sb_initialize(void) {
  __wasm_call_ctors();
}
}

namespace sandblock {

template <typename T>
struct RemoveReference {
  using Type = T;
};
template <typename T>
struct RemoveReference<T &> {
  using Type = T;
};
template <typename T>
struct RemoveReference<T &&> {
  using Type = T;
};

/* As std::move. */
template <typename T>
constexpr typename RemoveReference<T>::Type &&move(T &&value) {
  return static_cast<typename RemoveReference<T>::Type &&>(value);
}

/* --- Memory. ---------------------------------------------------------------------------------- */

/* A new object; nullptr where there is no memory. */
template <typename T, typename... Arguments>
T *make(Arguments &&...arguments) {
  void *place = sb_alloc(sizeof(T), alignof(T) < 16 ? 16 : alignof(T));
  return place ? new (place) T{static_cast<Arguments &&>(arguments)...} : nullptr;
}

template <typename T>
void destroy(T *object) {
  object->~T();
  sb_free(object, sizeof(T), alignof(T) < 16 ? 16 : alignof(T));
}

/* Bytes that are given back with it; can be moved. False where there was no memory. */
class Memory {
 public:
  Memory() = default;
  /* Of any content. */
  explicit Memory(size_t size) : data_(static_cast<uint8_t *>(sb_alloc(size, 16))) {
    size_ = data_ ? size : 0;
  }
  /* All zero, and without taking physical memory before it is written. */
  static Memory zeroed(size_t size) {
    Memory memory;
    memory.data_ = static_cast<uint8_t *>(sb_zeroed(size));
    memory.size_ = memory.data_ ? size : 0;
    return memory;
  }
  Memory(Memory &&other) noexcept : data_(other.data_), size_(other.size_) { other.data_ = nullptr; }
  Memory &operator=(Memory &&other) noexcept {
    if (this == &other) return *this;
    release();
    data_ = other.data_;
    size_ = other.size_;
    other.data_ = nullptr;
    return *this;
  }
  Memory(const Memory &) = delete;
  Memory &operator=(const Memory &) = delete;
  ~Memory() { release(); }

  explicit operator bool() const { return data_ != nullptr; }
  uint8_t *data() const { return data_; }
  size_t size() const { return size_; }
  uint8_t &operator[](size_t index) const { return data_[index]; }
  uint8_t *begin() const { return data_; }
  uint8_t *end() const { return data_ + size_; }

 private:
  void release() {
    if (data_) sb_free(data_, size_, 16);
    data_ = nullptr;
  }
  uint8_t *data_ = nullptr;
  size_t size_ = 0;
};

/* --- Requests. -------------------------------------------------------------------------------- */

/* What all functions for requests return: 0, an error number, or SB_PENDING. */
using Answer = int32_t;

/* A request. Its range lies within the export. */
struct Request {
  int32_t handle;
  int32_t id;
  uint64_t count;
  uint64_t offset;
  int32_t flags;

  bool fua() const { return flags & SB_FUA; }
  bool may_trim() const { return flags & SB_MAY_TRIM; }
  bool fast_zero() const { return flags & SB_FAST_ZERO; }
  bool req_one() const { return flags & SB_REQ_ONE; }

  /* Has a child of a filter answer all of it, from `place` on there. */
  Answer pass_to(int32_t child, uint64_t place) const {
    return sb_next_forward(id, child, 0, count, place, flags, 0);
  }
  /* Has the only child answer it as it is. */
  Answer pass() const { return pass_to(0, offset); }
};

/* A read, which is answered piece by piece, from its offset on, until all of it is answered. */
struct ReadRequest : Request {
  uint64_t at;

  /* Bytes that stay as they are until the next write, trim or zero. Nobody copies them. */
  void stable(const uint8_t *bytes, uint64_t length) { data(bytes, length, SB_STABLE); }
  /* Bytes that are copied at once. */
  void copy(const uint8_t *bytes, uint64_t length) { data(bytes, length, SB_TRANSIENT); }
  /* Room for bytes, to be filled in before the request is done; nullptr where there is no memory. */
  uint8_t *buffer(uint64_t length) {
    uint64_t from = at;
    at += length;
    return static_cast<uint8_t *>(sb_reply_buffer(id, from, length));
  }
  void zeroes(uint64_t length) { zero(length, SB_ZERO); }
  void hole(uint64_t length) { zero(length, SB_HOLE); }
  void error(uint64_t length, int32_t number) {
    sb_reply_error(id, at, length, number);
    at += length;
  }

 private:
  void data(const uint8_t *bytes, uint64_t length, int32_t flag) {
    sb_reply_data(id, at, bytes, length, flag);
    at += length;
  }
  void zero(uint64_t length, int32_t flag) {
    sb_reply_zero(id, at, length, flag);
    at += length;
  }
};

struct WriteRequest : Request {
  /* nullptr for a filter that only passes writes on. */
  const uint8_t *data;
};

struct ExtentsRequest : Request {
  /* Reports the next extent: SB_EXTENT_HOLE | SB_EXTENT_ZERO, or 0 for data. */
  void extent(uint64_t length, int32_t what) const { sb_extent(id, length, what); }
};

/* --- Going on later. -------------------------------------------------------------------------- */

template <typename Next>
struct Work {
  sb_task task;
  int32_t request;
  Next next;
};

/* Calls start(token), which returns 0, an error number or SB_PENDING, and answers `request` with what
 * next(error) makes of the outcome, now or later. What `next` holds lives as long. */
template <typename Start, typename Next>
Answer then(int32_t request, Start &&start, Next next) {
  using Mine = Work<Next>;
  auto resume = [](sb_task *task, int32_t error) {
    Mine *work = reinterpret_cast<Mine *>(task);
    int32_t id = work->request;
    Answer answer = work->next(error);
    destroy(work);
    sb_complete(id, answer);
  };
  Mine *work = make<Mine>(sb_task{resume}, request, move(next));
  if (!work) return sb_fail(SB_ENOMEM, "no memory for a request");
  Answer answer = start(sb_token(&work->task));
  if (answer == SB_PENDING) return answer;
  answer = work->next(answer);
  destroy(work);
  return answer;
}

}  // namespace sandblock

/* --- The functions of a plugin, for an object that has them. ----------------------------------- */

/* What every plugin has: int32_t ready(); int64_t size(int32_t handle); Answer read(ReadRequest &); */
#define SB_PLUGIN(object)                                                    \
  int32_t sb_open(const char *, size_t length, int32_t) { return length ? -SB_ENOENT : 0; } \
  SB_READY(object) SB_SIZE(object) SB_READ(object)
#define SB_READY(object) \
  int32_t sb_ready(void) { return (object).ready(); }
#define SB_SIZE(object) \
  int64_t sb_size(int32_t handle) { return (object).size(handle); }
#define SB_READ(object)                                                      \
  int32_t sb_pread(int32_t handle, int32_t id, uint64_t count, uint64_t offset, int32_t flags) { \
    sandblock::ReadRequest request{{handle, id, count, offset, flags}, 0};   \
    return (object).read(request);                                           \
  }
/* What a plugin may have besides: Answer write(WriteRequest &); Answer flush(Request &) and so on. */
#define SB_WRITE(object)                                                     \
  int32_t sb_pwrite(int32_t handle, int32_t id, const uint8_t *data, uint64_t count,       \
                    uint64_t offset, int32_t flags) {                        \
    sandblock::WriteRequest request{{handle, id, count, offset, flags}, data}; \
    return (object).write(request);                                          \
  }
/* A flush has no range. */
#define SB_FLUSH(object)                                                     \
  int32_t sb_flush(int32_t handle, int32_t id, int32_t flags) {              \
    sandblock::Request request{handle, id, 0, 0, flags};                     \
    return (object).flush(request);                                          \
  }
#define SB_RANGE(object, function, method, type)                             \
  int32_t function(int32_t handle, int32_t id, uint64_t count, uint64_t offset, int32_t flags) { \
    sandblock::type request{handle, id, count, offset, flags};               \
    return (object).method(request);                                         \
  }
#define SB_TRIM(object) SB_RANGE(object, sb_trim, trim, Request)
#define SB_ZERO_RANGE(object) SB_RANGE(object, sb_zero, zero, Request)
#define SB_CACHE(object) SB_RANGE(object, sb_cache, cache, Request)
#define SB_EXTENTS(object)                                                   \
  int32_t sb_extents(int32_t handle, int32_t id, uint64_t count, uint64_t offset,          \
                     int32_t flags) {                                        \
    sandblock::ExtentsRequest request{{handle, id, count, offset, flags}};   \
    return (object).extents(request);                                        \
  }
/* int32_t info(int32_t handle, sb_info &info); */
#define SB_INFO(object) \
  int32_t sb_info(int32_t handle, struct sb_info *info) { return (object).info(handle, *info); }

#endif /* SANDBLOCK_HPP */
