// SPDX-License-Identifier: MIT
// The physical limit that sandblock is measured against: an NBD server (fixed newstyle, simple or
// structured replies) with nothing in it but the system calls. One thread; bulk receive, decode,
// one sendmsg of all replies, polling before sleep; a memory array, or a file with pread and pwrite.
//
//   limit SOCKET SIZE [poll=MICROSECONDS] [sndbuf=BYTES] [simple] [file=PATH]
//
// It is for measuring only: it trusts its client, and everything unusual ends the connection.

#define _GNU_SOURCE
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum {
  REQUEST = 28,               // bytes of a compact request header
  RECEIVE = 256 * 1024,       // bytes received at once
  LARGE = 64 * 1024,          // payloads from here on are received straight into their place
  BATCH = 512,                // requests answered with one sendmsg (two iovecs each, IOV_MAX 1024)
  HEADER = 28,                // the longest reply header: structured chunk and its offset
  PAYLOAD_MAX = 32 << 20,     // bytes of one read or write
  ARENA_TURN = 1 << 20,       // file: bytes read before they are sent
  CONNECTIONS_MAX = 1024,
};

struct connection {
  int fd, structured, large, closing;
  uint8_t *receive;           // bytes received and not yet decoded
  size_t have;
  uint8_t *target;            // where the rest of a payload belongs
  size_t missing;
  uint64_t write_cookie, write_offset;
  uint32_t write_length;
  uint8_t *arena;             // file: data of one turn; then room for one payload
  size_t arena_used;
  uint8_t headers[BATCH][HEADER];
  struct iovec out[2 * BATCH];
  int replies, out_first, out_count;
};

static struct connection *connections[CONNECTIONS_MAX];
static int connection_count;
static uint64_t disk_size;
static uint8_t *disk;
static int file = -1, epoll, listener, offer_structured = 1, send_buffer;
static int64_t poll_ns = 50000;

static void die(const char *what) {
  perror(what);
  exit(1);
}

static uint16_t get16(const uint8_t *p) { uint16_t v; memcpy(&v, p, 2); return be16toh(v); }
static uint32_t get32(const uint8_t *p) { uint32_t v; memcpy(&v, p, 4); return be32toh(v); }
static uint64_t get64(const uint8_t *p) { uint64_t v; memcpy(&v, p, 8); return be64toh(v); }
static void put16(uint8_t *p, uint16_t v) { v = htobe16(v); memcpy(p, &v, 2); }
static void put32(uint8_t *p, uint32_t v) { v = htobe32(v); memcpy(p, &v, 4); }
static void put64(uint8_t *p, uint64_t v) { v = htobe64(v); memcpy(p, &v, 8); }

static int64_t now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000000000LL + t.tv_nsec;
}

// Handshake. It blocks, which is no matter here: it is not what is measured.

static int read_all(int fd, void *buffer, size_t length) {
  return recv(fd, buffer, length, MSG_WAITALL) == (ssize_t)length ? 0 : -1;
}

static int send_all(int fd, const void *buffer, size_t length) {
  return send(fd, buffer, length, MSG_NOSIGNAL) == (ssize_t)length ? 0 : -1;
}

static int answer(int fd, uint32_t option, uint32_t type, const void *data, uint32_t length) {
  uint8_t reply[64];
  put64(reply, 0x0003e889045565a9);
  put32(reply + 8, option);
  put32(reply + 12, type);
  put32(reply + 16, length);
  memcpy(reply + 20, data, length);
  return send_all(fd, reply, 20 + length);
}

static int handshake(struct connection *c) {
  uint8_t greeting[18] = "NBDMAGICIHAVEOPT", header[16], data[4096], export[12] = {0};
  const uint16_t flags = 1 | 4;  // HAS_FLAGS, SEND_FLUSH
  put16(greeting + 16, 3);
  put64(export + 2, disk_size);
  put16(export + 10, flags);
  if (send_all(c->fd, greeting, 18) || read_all(c->fd, data, 4)) return -1;
  for (;;) {
    if (read_all(c->fd, header, 16)) return -1;
    uint32_t option = get32(header + 8), length = get32(header + 12);
    if (length > sizeof data || (length && read_all(c->fd, data, length))) return -1;
    switch (option) {
    case 1:  // EXPORT_NAME
      return send_all(c->fd, export + 2, 10);
    case 6:  // INFO
    case 7:  // GO
      if (answer(c->fd, option, 3, export, 12) || answer(c->fd, option, 1, "", 0)) return -1;
      if (option == 7) return 0;
      break;
    case 8:  // STRUCTURED_REPLY
      c->structured = offer_structured;
      if (answer(c->fd, option, offer_structured ? 1 : 0x80000001, "", 0)) return -1;
      break;
    case 2:  // ABORT
      answer(c->fd, option, 1, "", 0);
      return -1;
    default:
      if (answer(c->fd, option, 0x80000001, "", 0)) return -1;
    }
  }
}

static void add_connection(void) {
  int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
  if (fd < 0) return;
  struct connection *c = calloc(1, sizeof *c);
  if (!c) die("calloc");
  c->fd = fd;
  if (send_buffer) setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &send_buffer, sizeof send_buffer);
  if (connection_count == CONNECTIONS_MAX || handshake(c)) {
    close(fd);
    free(c);
    return;
  }
  c->receive = malloc(RECEIVE);
  size_t arena = ARENA_TURN + 2 * (size_t)PAYLOAD_MAX;
  c->arena = mmap(NULL, arena, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (!c->receive || c->arena == MAP_FAILED) die("memory");
  struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
  if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event)) die("epoll_ctl");
  connections[connection_count++] = c;
}

static void drop_connection(int index) {
  struct connection *c = connections[index];
  connections[index] = connections[--connection_count];
  close(c->fd);
  munmap(c->arena, ARENA_TURN + 2 * (size_t)PAYLOAD_MAX);
  free(c->receive);
  free(c);
}

// Transmission.

/** Sends what is queued; 1 when all of it is gone, 0 when the socket is full. */
static int send_replies(struct connection *c) {
  while (c->out_count) {
    struct msghdr message = {.msg_iov = c->out + c->out_first, .msg_iovlen = c->out_count};
    ssize_t sent = sendmsg(c->fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent < 0) {
      if (errno == EAGAIN) return 0;
      c->closing = 1;
      return 1;
    }
    while (c->out_count && (size_t)sent >= c->out[c->out_first].iov_len) {
      sent -= c->out[c->out_first++].iov_len;
      c->out_count--;
    }
    if (c->out_count) {
      c->out[c->out_first].iov_base = (uint8_t *)c->out[c->out_first].iov_base + sent;
      c->out[c->out_first].iov_len -= sent;
    }
  }
  c->replies = c->out_first = 0;
  c->arena_used = 0;
  return 1;
}

static void queue(struct connection *c, const void *data, size_t length) {
  c->out[c->out_first + c->out_count++] = (struct iovec){(void *)data, length};
}

static void reply(struct connection *c, uint64_t cookie, uint32_t error) {
  uint8_t *header = c->headers[c->replies++];
  put32(header, 0x67446698);
  put32(header + 4, error);
  memcpy(header + 8, &cookie, 8);
  queue(c, header, 16);
}

static void reply_read(struct connection *c, uint64_t cookie, uint64_t offset, uint32_t length) {
  const uint8_t *data = disk + offset;
  if (file >= 0) {
    data = c->arena + c->arena_used;
    c->arena_used += length;
    if (pread(file, (void *)data, length, offset) != (ssize_t)length) die("pread");
  }
  if (c->structured) {
    uint8_t *header = c->headers[c->replies++];
    put32(header, 0x668e33ef);
    put16(header + 4, 1);  // DONE
    put16(header + 6, 1);  // OFFSET_DATA
    memcpy(header + 8, &cookie, 8);
    put32(header + 16, 8 + length);
    put64(header + 20, offset);
    queue(c, header, 28);
  } else {
    reply(c, cookie, 0);
  }
  queue(c, data, length);
}

static void finish_write(struct connection *c, uint64_t cookie, uint64_t offset, uint32_t length,
                         const uint8_t *data) {
  if (file >= 0 && pwrite(file, data, length, offset) != (ssize_t)length) die("pwrite");
  reply(c, cookie, 0);
}

/** Decodes the write at `p`; the bytes that it takes of the `have` that are there. */
static size_t decode_write(struct connection *c, const uint8_t *p, size_t have) {
  uint64_t cookie, offset = get64(p + 16);
  uint32_t length = get32(p + 24);
  memcpy(&cookie, p + 8, 8);
  size_t present = have - REQUEST;
  if (present >= length) {
    if (file < 0) memcpy(disk + offset, p + REQUEST, length);
    finish_write(c, cookie, offset, length, p + REQUEST);
    c->large = 0;
    return REQUEST + length;
  }
  uint8_t *target = file < 0 ? disk + offset : c->arena + ARENA_TURN + PAYLOAD_MAX;
  memcpy(target, p + REQUEST, present);
  c->write_cookie = cookie;
  c->write_offset = offset;
  c->write_length = length;
  c->target = target + present;
  c->missing = length - present;
  c->large = length >= LARGE;
  return have;
}

/** Answers all complete requests that are there, as far as the socket takes the replies. */
static void decode(struct connection *c) {
  size_t at = 0;
  while (c->have - at >= REQUEST && !c->missing) {
    const uint8_t *p = c->receive + at;
    uint16_t type = get16(p + 6);
    uint64_t cookie, offset = get64(p + 16);
    uint32_t length = get32(p + 24);
    int data = type == 0 || type == 1;
    memcpy(&cookie, p + 8, 8);
    if (get32(p) != 0x25609513 || type > 3 || type == 2 ||
        (data && (length > PAYLOAD_MAX || offset > disk_size || length > disk_size - offset))) {
      c->closing = 1;
      break;
    }
    int full = c->replies == BATCH || (c->arena_used && c->arena_used + length > ARENA_TURN);
    if (full && !send_replies(c)) break;
    if (type == 1) {
      at += decode_write(c, p, c->have - at);
      continue;
    }
    at += REQUEST;
    c->large = 0;
    if (type == 0) reply_read(c, cookie, offset, length);
    else reply(c, cookie, file >= 0 && fdatasync(file) ? 5 : 0);
  }
  c->have -= at;
  if (c->have && at) memmove(c->receive, c->receive + at, c->have);
}

/** Receives once; the bytes, 0 when there are none. */
static size_t receive(struct connection *c) {
  struct iovec in[2];
  int count = 0;
  if (c->missing) in[count++] = (struct iovec){c->target, c->missing};
  // Behind or before a large payload only a header is taken, so that payloads are never moved.
  size_t room = (c->large ? REQUEST : RECEIVE) - c->have;
  in[count++] = (struct iovec){c->receive + c->have, room};
  struct msghdr message = {.msg_iov = in, .msg_iovlen = count};
  ssize_t got = recvmsg(c->fd, &message, MSG_DONTWAIT);
  if (got <= 0) {
    c->closing = got == 0 || errno != EAGAIN;
    return 0;
  }
  size_t payload = (size_t)got < c->missing ? (size_t)got : c->missing;
  if (c->missing) {
    c->target += payload;
    c->missing -= payload;
    if (!c->missing) {
      finish_write(c, c->write_cookie, c->write_offset, c->write_length,
                   c->target - c->write_length);
    }
  }
  c->have += got - payload;
  return got;
}

/** One turn of a connection; whether anything moved. */
static int turn(struct connection *c) {
  if (c->out_count) {
    int before = c->out_count;
    size_t length = c->out[c->out_first].iov_len;
    if (!send_replies(c)) {
      return c->out_count != before || c->out[c->out_first].iov_len != length;
    }
    decode(c);  // requests that waited for room
  } else if (!receive(c)) {
    return 0;
  } else {
    decode(c);
  }
  if (c->out_count) send_replies(c);
  return 1;
}

static int turn_all(void) {
  int moved = 0;
  for (int i = connection_count - 1; i >= 0; i--) {
    moved |= turn(connections[i]);
    if (connections[i]->closing) drop_connection(i);
  }
  return moved;
}

static void wait_for_events(int timeout) {
  struct epoll_event events[64];
  struct connection *blocked[CONNECTIONS_MAX];
  int blocked_count = 0;
  for (int i = 0; timeout && i < connection_count; i++) {
    struct connection *c = connections[i];
    struct epoll_event event = {.events = EPOLLOUT, .data.ptr = c};
    if (!c->out_count) continue;
    epoll_ctl(epoll, EPOLL_CTL_MOD, c->fd, &event);
    blocked[blocked_count++] = c;
  }
  int count = epoll_wait(epoll, events, 64, timeout);
  for (int i = 0; i < blocked_count; i++) {
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = blocked[i]};
    epoll_ctl(epoll, EPOLL_CTL_MOD, blocked[i]->fd, &event);
  }
  for (int i = 0; i < count; i++) {
    if (!events[i].data.ptr) add_connection();
  }
}

static void serve(void) {
  int64_t last = now();
  for (unsigned turns = 0;; turns++) {
    if (turn_all()) {
      last = 0;
    } else {
      int64_t time = now();
      if (!last) last = time;
      if (time - last >= poll_ns) {
        wait_for_events(-1);
        last = 0;
      }
    }
    if (turns % 256 == 0) wait_for_events(0);  // new connections
  }
}

int main(int argc, char **argv) {
  if (argc < 3) die("usage: limit SOCKET SIZE [poll=US] [sndbuf=BYTES] [simple] [file=PATH]");
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  strncpy(address.sun_path, argv[1], sizeof address.sun_path - 1);
  disk_size = strtoull(argv[2], NULL, 10);
  for (int i = 3; i < argc; i++) {
    if (!strncmp(argv[i], "poll=", 5)) poll_ns = atoll(argv[i] + 5) * 1000;
    if (!strncmp(argv[i], "sndbuf=", 7)) send_buffer = atoi(argv[i] + 7);
    if (!strcmp(argv[i], "simple")) offer_structured = 0;
    if (!strncmp(argv[i], "file=", 5) && (file = open(argv[i] + 5, O_RDWR)) < 0) die(argv[i] + 5);
  }
  disk = mmap(NULL, disk_size, PROT_READ | PROT_WRITE,
              MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (disk == MAP_FAILED) die("mmap");
  listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  epoll = epoll_create1(EPOLL_CLOEXEC);
  struct epoll_event event = {.events = EPOLLIN};
  if (bind(listener, (struct sockaddr *)&address, sizeof address) || listen(listener, 1024) ||
      epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event)) die(argv[1]);
  serve();
}
