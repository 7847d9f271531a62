/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * The interface of /dev/bdus-control, as programs that were built against libbdus 0.1 know it.
 *
 * One open file is one session, which drives at most one device. All fields that are called
 * reserved are zero in both directions; that is checked.
 */
#ifndef BDUS_ABI_H
#define BDUS_ABI_H

#include <linux/ioctl.h>
#include <linux/types.h>

#define BDUS_VERSION_MAJOR 0
#define BDUS_VERSION_MINOR 1
#define BDUS_VERSION_PATCH 2

/**
 * struct bdus_version - what BDUS_GET_VERSION gives
 * @major: programs work with the same one only
 * @minor: programs work with the same one only
 * @patch: programs work with this one or an older one
 * @reserved: zero
 */
struct bdus_version {
	__u32 major;
	__u32 minor;
	__u32 patch;
	__u32 reserved;
};

/**
 * struct bdus_device_config - a device; sizes in bytes
 * @id: assigned by BDUS_CREATE_DEVICE, given to all others; never used twice
 * @size: multiple of the larger block size
 * @logical_block_size: power of two from 512 to the size of a page
 * @physical_block_size: power of two, not below @logical_block_size; 0: the same
 * @max_read_write_size: 0: a default; else at least a page
 * @max_write_same_size: accepted and reported; kernels no longer send such requests
 * @max_write_zeros_size: 0: no limit of its own; else at least a block
 * @max_discard_erase_size: 0: no limit of its own; else at least a block
 * @max_outstanding_reqs: requests that the driver has at a time, not 0
 * @supports_read: and all the others: which kinds of items the driver takes
 * @rotational: seeks are slow
 * @merge_requests: neighbouring requests may become one
 * @enable_partition_scanning: look for partitions
 * @recoverable: the device waits for another driver when its driver ends
 * @major: of the block device, assigned
 * @minor: of the block device, assigned
 */
struct bdus_device_config {
	__u64 id;
	__u64 size;
	__u32 logical_block_size;
	__u32 physical_block_size;
	__u32 max_read_write_size;
	__u32 max_write_same_size;
	__u32 max_write_zeros_size;
	__u32 max_discard_erase_size;
	__u32 max_outstanding_reqs;
	__u8 supports_read;
	__u8 supports_write;
	__u8 supports_write_same;
	__u8 supports_write_zeros;
	__u8 supports_fua_write;
	__u8 supports_flush;
	__u8 supports_discard;
	__u8 supports_secure_erase;
	__u8 supports_ioctl;
	__u8 rotational;
	__u8 merge_requests;
	__u8 enable_partition_scanning;
	__u8 recoverable;
	__u8 reserved1[3];
	__u32 major;
	__u32 minor;
	__u8 reserved2[60];
};

/**
 * struct bdus_fd_config - a session
 * @num_preallocated_buffers: payload buffers to map behind the slots; the kernel may lower it
 * @reserved: zero
 */
struct bdus_fd_config {
	__u32 num_preallocated_buffers;
	__u8 reserved[124];
};

/**
 * struct bdus_config - argument of BDUS_CREATE_DEVICE and BDUS_ATTACH_TO_DEVICE
 * @device: the device
 * @fd: the session
 */
struct bdus_config {
	struct bdus_device_config device;
	struct bdus_fd_config fd;
};

/** enum bdus_item_type - what the driver is asked for */
enum bdus_item_type {
	BDUS_ITEM_DEVICE_AVAILABLE = 0,
	BDUS_ITEM_TERMINATE = 1,
	BDUS_ITEM_FLUSH_AND_TERMINATE = 2,
	BDUS_ITEM_READ = 3,
	BDUS_ITEM_WRITE = 4,
	BDUS_ITEM_WRITE_SAME = 5,
	BDUS_ITEM_WRITE_ZEROS_NO_UNMAP = 6,
	BDUS_ITEM_WRITE_ZEROS_MAY_UNMAP = 7,
	BDUS_ITEM_FUA_WRITE = 8,
	BDUS_ITEM_FLUSH = 9,
	BDUS_ITEM_DISCARD = 10,
	BDUS_ITEM_SECURE_ERASE = 11,
	BDUS_ITEM_IOCTL = 12,
};

/**
 * struct bdus_slot - a reply and the item that follows it, in memory shared with the driver
 * @payload: where the payload is: address in the driver, or number of a preallocated buffer
 * @seqnum: together with @index, which request; given back in the reply
 * @index: 0 in a reply: there is no reply
 * @use_preallocated_buffer: how @payload is meant; set by the driver
 * @type: enum bdus_item_type
 * @arg32: of an item: length, or command of an ioctl
 * @error: of a reply: 0 or a positive errno
 * @arg64: of an item: offset
 * @reserved: not looked at
 */
struct bdus_slot {
	__u64 payload;
	__u64 seqnum;
	__u16 index;
	__u8 use_preallocated_buffer;
	__u8 type;
	union {
		__u32 arg32;
		__s32 error;
	};
	__u64 arg64;
	__u8 reserved[32];
};

/*
 * mmap() of a session that has a device: slots from offset 0 on, max_outstanding_reqs of them, up
 * to the end of a page; then the preallocated buffers, each a whole number of pages.
 */

#define BDUS_IOCTL 0xbd
/* The direction is what libbdus says, not what happens. */
#define BDUS_GET_VERSION _IOW(BDUS_IOCTL, 0, struct bdus_version)
#define BDUS_CREATE_DEVICE _IOWR(BDUS_IOCTL, 1, struct bdus_config)
#define BDUS_ATTACH_TO_DEVICE _IOWR(BDUS_IOCTL, 2, struct bdus_config)
#define BDUS_TERMINATE _IO(BDUS_IOCTL, 3)
#define BDUS_MARK_AS_SUCCESSFUL _IO(BDUS_IOCTL, 4)
#define BDUS_DEVICE_PATH_TO_ID _IOWR(BDUS_IOCTL, 5, __u64)
#define BDUS_GET_DEVICE_CONFIG _IOWR(BDUS_IOCTL, 6, struct bdus_device_config)
#define BDUS_FLUSH_DEVICE _IOR(BDUS_IOCTL, 7, __u64)
#define BDUS_TRIGGER_DEVICE_DESTRUCTION _IOR(BDUS_IOCTL, 8, __u64)
#define BDUS_WAIT_UNTIL_DEVICE_IS_DESTROYED _IOR(BDUS_IOCTL, 9, __u64)
/* The argument of these is the number of a slot. */
#define BDUS_RECEIVE_ITEM _IO(BDUS_IOCTL, 10)
#define BDUS_SEND_REPLY _IO(BDUS_IOCTL, 11)
#define BDUS_SEND_REPLY_AND_RECEIVE_ITEM _IO(BDUS_IOCTL, 12)

/*
 * What follows is not in BDUS 0.1, whose module answers ENOTTY to BDUS_QUERY.
 */

/**
 * enum bdus_feature - bits of &struct bdus_query.features
 * @BDUS_FEATURE_POLL: a session is readable when there is an item, and with O_NONBLOCK receiving
 *   one fails with EAGAIN where there is none. A reply that came with it was taken all the same.
 * @BDUS_FEATURE_RING: the interface of abi2.h is there
 * @BDUS_FEATURE_LINUX_IOCTLS: and in it BDUS_DEVICE_LINUX_IOCTLS
 */
enum bdus_feature {
	BDUS_FEATURE_POLL = 1,
	BDUS_FEATURE_RING = 2,
	BDUS_FEATURE_LINUX_IOCTLS = 4,
};

/**
 * struct bdus_query - what this module offers
 * @size: in: bytes that the program knows of this, at least 16; out: bytes that were filled in
 * @features: enum bdus_feature
 * @max_outstanding_reqs: largest that a device may have
 * @max_read_write_size: largest that a device may have
 * @max_queues: of a device with rings
 * @max_depth: of a queue of such a device
 */
struct bdus_query {
	__u32 size;
	__u32 features;
	__u32 max_outstanding_reqs;
	__u32 max_read_write_size;
	__u32 max_queues;
	__u32 max_depth;
};

#define BDUS_QUERY_BYTES_MIN 16
/* The number does not change when the structure grows. */
#define BDUS_QUERY _IOC(_IOC_READ | _IOC_WRITE, BDUS_IOCTL, 64, BDUS_QUERY_BYTES_MIN)

#endif
