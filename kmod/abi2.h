/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * The second interface of /dev/bdus-control: rings (ABI.md). BDUS_QUERY says whether it is there.
 *
 * Structures begin with their size as the program knows it. The kernel takes shorter ones for ones
 * that end in zeroes, and longer ones where the rest is zero (E2BIG otherwise); it fills in as much
 * as the program has room for.
 */
#ifndef BDUS_ABI2_H
#define BDUS_ABI2_H

#include "abi.h"

#define BDUS_LABEL_BYTES 32

/**
 * enum bdus_device_flag - bits of &struct bdus_device2.flags
 * @BDUS_DEVICE_RECOVERABLE: the device waits for another driver when its driver ends
 * @BDUS_DEVICE_READ_ONLY: nothing is written
 * @BDUS_DEVICE_ROTATIONAL: seeks are slow
 * @BDUS_DEVICE_NO_MERGES: neighbouring requests do not become one
 * @BDUS_DEVICE_NO_PARTITIONS: no partitions are looked for
 * @BDUS_DEVICE_LINUX_IOCTLS: arguments of ioctls go where their numbers say in Linux, to the driver for
 *   _IOW and from it for _IOR; without it the other way round, as in BDUS 0.1
 */
enum bdus_device_flag {
	BDUS_DEVICE_RECOVERABLE = 1,
	BDUS_DEVICE_READ_ONLY = 2,
	BDUS_DEVICE_ROTATIONAL = 4,
	BDUS_DEVICE_NO_MERGES = 8,
	BDUS_DEVICE_NO_PARTITIONS = 16,
	BDUS_DEVICE_LINUX_IOCTLS = 32,
};

/** enum bdus_device_state - values of &struct bdus_device2.state */
enum bdus_device_state {
	BDUS_DEVICE_UNAVAILABLE = 0,
	BDUS_DEVICE_ACTIVE = 1,
	BDUS_DEVICE_INACTIVE = 2,
	BDUS_DEVICE_TERMINATED = 3,
};

/**
 * struct bdus_device2 - a device; sizes in bytes
 * @size: of this structure
 * @flags: enum bdus_device_flag
 * @id: assigned by BDUS_CREATE2, given to all others; never used twice
 * @capacity: multiple of the physical block size
 * @items: bit n says that the driver takes items of type n (enum bdus_item_type)
 * @logical_block_size: power of two from 512 to the size of a page
 * @physical_block_size: power of two, not below @logical_block_size; 0: the same
 * @io_min: smallest request that is served well, multiple of @physical_block_size; 0: the same
 * @io_opt: request that is served best, multiple of @physical_block_size; 0: unknown
 * @max_transfer: of a request with data; 0: a default; else at least a page
 * @max_write_zeros: 0: no limit of its own
 * @max_discard: 0: no limit of its own
 * @discard_granularity: multiple of @logical_block_size; 0: the same
 * @discard_alignment: where the first whole granule begins, below @discard_granularity
 * @max_segments: pieces of memory of a request; 0: no limit of its own
 * @timeout_ms: a request that takes longer fails with ETIMEDOUT; 0: 30 s
 * @queues: hardware queues, each with a ring; 0: one; lowered to the number of processors
 * @depth: requests that the driver has at a time in each of them; 0: a default
 * @major: of the block device, assigned
 * @minor: of the block device, assigned
 * @state: enum bdus_device_state, at the time
 * @driver_pid: process that has become its driver; 0: none
 * @label: for people; ends with a zero
 */
struct bdus_device2 {
	__u32 size;
	__u32 flags;
	__u64 id;
	__u64 capacity;
	__u32 items;
	__u32 logical_block_size;
	__u32 physical_block_size;
	__u32 io_min;
	__u32 io_opt;
	__u32 max_transfer;
	__u32 max_write_zeros;
	__u32 max_discard;
	__u32 discard_granularity;
	__u32 discard_alignment;
	__u32 max_segments;
	__u32 timeout_ms;
	__u32 queues;
	__u32 depth;
	__u32 major;
	__u32 minor;
	__u32 state;
	__u32 driver_pid;
	char label[BDUS_LABEL_BYTES];
};

/**
 * struct bdus_resize - argument of BDUS_RESIZE
 * @id: of the device
 * @capacity: its new size in bytes
 */
struct bdus_resize {
	__u64 id;
	__u64 capacity;
};

/**
 * enum bdus_ring_state - bits of &struct bdus_ring_header.state
 * @BDUS_RING_AVAILABLE: the block device can be used
 * @BDUS_RING_TERMINATE: nothing will come any more; the driver is to close its files
 * @BDUS_RING_FLUSH: ... after it has flushed, and called BDUS_MARK_AS_SUCCESSFUL if that went well
 */
enum bdus_ring_state {
	BDUS_RING_AVAILABLE = 1,
	BDUS_RING_TERMINATE = 2,
	BDUS_RING_FLUSH = 4,
};

/**
 * struct bdus_ring_header - begins the memory that is shared for a queue
 * @sq_tail: written by the kernel: items that were submitted so far, modulo 2^32
 * @pending: written by the kernel: requests that wait for BDUS_ENTER to submit them
 * @state: written by the kernel: enum bdus_ring_state
 * @reserved1: zero
 * @sq_head: written by the driver: items that it has taken so far
 * @cq_tail: written by the driver: completions that it has given so far
 * @reserved2: zero
 */
struct bdus_ring_header {
	__u32 sq_tail;
	__u32 pending;
	__u32 state;
	__u32 reserved1[13];
	__u32 sq_head;
	__u32 cq_tail;
	__u32 reserved2[14];
};

/**
 * struct bdus_ring_item - what the driver is asked for; it has the tag until it completes it
 * @type: enum bdus_item_type
 * @argument: length in bytes, or the command of an ioctl
 * @offset: in bytes
 * @reserved: zero
 */
struct bdus_ring_item {
	__u32 type;
	__u32 argument;
	__u64 offset;
	__u64 reserved[2];
};

/**
 * struct bdus_ring_completion - what came of it
 * @tag: of the item
 * @error: 0 or a positive errno
 * @payload: address of what was read, or of the argument of an ioctl; until BDUS_ENTER has taken it
 */
struct bdus_ring_completion {
	__u32 tag;
	__s32 error;
	__u64 payload;
};

/*
 * The rest of that memory, where E is the smallest power of two that is not below the depth:
 *
 *   BDUS_RING_ITEMS             E items, by tag                        written by the kernel
 *   BDUS_RING_PAYLOADS(E)       E __u64, by tag: address for payloads  written by the driver
 *   BDUS_RING_COMPLETIONS(E)    E completions, at cq_tail modulo E     written by the driver
 *   BDUS_RING_SUBMISSIONS(E)    E __u32: tags, at sq_tail modulo E     written by the kernel
 */
#define BDUS_RING_ITEMS 4096
#define BDUS_RING_PAYLOADS(entries) (BDUS_RING_ITEMS + 32 * (entries))
#define BDUS_RING_COMPLETIONS(entries) (BDUS_RING_ITEMS + 40 * (entries))
#define BDUS_RING_SUBMISSIONS(entries) (BDUS_RING_ITEMS + 56 * (entries))
#define BDUS_RING_BYTES(entries) (BDUS_RING_ITEMS + 60 * (entries))

/* Of the control device; the argument points to a structure. */
#define BDUS_CREATE2 _IO(BDUS_IOCTL, 65)
#define BDUS_ATTACH2 _IO(BDUS_IOCTL, 66)
/* Tells about the device with the lowest id that is not below the given one; else ENODEV. */
#define BDUS_LIST _IO(BDUS_IOCTL, 69)
#define BDUS_RESIZE _IOW(BDUS_IOCTL, 70, struct bdus_resize)
/* Of the control device; the argument is the number of a queue. Gives a file for it. */
#define BDUS_GET_QUEUE _IO(BDUS_IOCTL, 67)
/* Of that file; the argument is 0 or BDUS_ENTER_WAIT. Gives how many items have not been taken. */
#define BDUS_ENTER _IO(BDUS_IOCTL, 68)
#define BDUS_ENTER_WAIT 1

#endif
