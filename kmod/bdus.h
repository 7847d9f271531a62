/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Devices, sessions and requests.
 *
 *   device   a block device; lives until it is destroyed and nobody refers to it any more
 *   session  an open /dev/bdus-control; the driver of at most one device
 *   request  a request of the block layer, from queue_rq() until it is completed
 *   hwq      a hardware queue of a device with rings
 *   ring     the memory that a hwq and a session share
 *
 * bdus_registry_mutex is taken before the lock of a device, and that before the lock of a hwq.
 * Nothing sleeps under the latter two.
 */
#ifndef BDUS_H
#define BDUS_H

#include <linux/blk-mq.h>
#include <linux/kref.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/spinlock.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

#include "abi.h"
#include "abi2.h"

#define BDUS_DEVICES_MAX 4096
/* Partitions that have minors of their own, the whole device included. */
#define BDUS_MINORS 256
#define BDUS_REQUESTS_MAX 256
#define BDUS_QUEUES_MAX 32
#define BDUS_DEPTH_DEFAULT 128
#define BDUS_DEPTH_MAX 4096
#define BDUS_TRANSFER_DEFAULT (256 * 1024)
#define BDUS_TRANSFER_MAX (1024 * 1024)
/* Arguments of ioctl requests are smaller than this. */
#define BDUS_IOCTL_BYTES 16384

/**
 * enum bdus_state - of a device
 * @BDUS_UNAVAILABLE: its disk is being made; the driver answers requests for the partition table
 * @BDUS_ACTIVE: it has a driver
 * @BDUS_INACTIVE: it has none, and requests wait for the next one
 * @BDUS_TERMINATED: every request fails; it goes when its driver does
 */
enum bdus_state {
	BDUS_UNAVAILABLE,
	BDUS_ACTIVE,
	BDUS_INACTIVE,
	BDUS_TERMINATED,
};

struct bdus_session;
struct bdus_device;

/**
 * struct bdus_extras - of a device with rings; zeroes for others, but for @is_read_only
 * @queues: hardware queues; 0: a device without rings
 * @io_min: as in &struct bdus_device2, and so are the others
 * @io_opt: as there
 * @discard_granularity: as there
 * @discard_alignment: as there
 * @max_segments: as there
 * @timeout_ms: as there
 * @is_read_only: BDUS_DEVICE_READ_ONLY, or the driver takes nothing that changes the device
 * @linux_ioctls: BDUS_DEVICE_LINUX_IOCTLS
 * @label: as there
 */
struct bdus_extras {
	u32 queues;
	u32 io_min;
	u32 io_opt;
	u32 discard_granularity;
	u32 discard_alignment;
	u32 max_segments;
	u32 timeout_ms;
	bool is_read_only;
	bool linux_ioctls;
	char label[BDUS_LABEL_BYTES];
};

/**
 * struct bdus_ring - what a session shares with its process for a hwq
 * @area: all of it; the driver may write to any of it at any time
 * @header: at its beginning
 * @items: in it
 * @payloads: in it
 * @submissions: in it
 * @completions: in it
 * @mask: entries of the latter two, less one
 * @bytes: size of @area
 * @mutex: one thread at a time takes completions and submits
 * @sq_tail: what was written to the header; under the lock of the hwq
 * @cq_head: completions that were taken; under @mutex
 */
struct bdus_ring {
	void *area;
	struct bdus_ring_header *header;
	struct bdus_ring_item *items;
	__u64 *payloads;
	u32 *submissions;
	struct bdus_ring_completion *completions;
	u32 mask;
	size_t bytes;
	struct mutex mutex; /* held while completions are taken and requests submitted */
	u32 sq_tail;
	u32 cq_head;
};

/**
 * struct bdus_tag - a tag of a hwq
 * @rq: the request of that number, unless it is being copied or was not started
 * @is_busy: the driver has the tag, perhaps for a request that has timed out since
 */
struct bdus_tag {
	struct request *rq;
	bool is_busy;
};

/**
 * struct bdus_spin - whether requests of a hwq are waited for where they are queued
 * @alone: requests in a row that found the driver without any, and for which their task had slept
 * @is_begun: the last one was waited for here
 * @switches: of the task of the last one, by its own will
 * @needed: how many of these there have to be before one is waited for
 * @credit: how often waiting may be in vain before it ends for a while
 * @answers: times that answers were passed on; it may miss some
 * @cpu: where that was last
 */
struct bdus_spin {
	u32 alone;
	bool is_begun;
	unsigned long switches;
	u32 needed;
	u32 credit;
	u32 answers;
	int cpu;
};

/**
 * struct bdus_hwq - a hardware queue of a device with rings
 * @device: the device
 * @waiters: drivers wait here for something to do
 * @lock: of all that follows, and of struct bdus_request
 * @ring: of the session that drives the device; NULL: there is none
 * @is_stopped: the driver is to end, and gets nothing any more
 * @is_dead: every request fails
 * @sleeps: the driver wants to be woken
 * @pending: requests that no driver has
 * @pending_count: how many these are
 * @tags: by number
 * @busy_count: how many of them are busy
 * @spin: see there
 */
struct bdus_hwq {
	struct bdus_device *device;
	wait_queue_head_t waiters;

	spinlock_t lock; /* of what follows */
	struct bdus_ring *ring;
	bool is_stopped;
	bool is_dead;
	bool sleeps;
	struct list_head pending;
	u32 pending_count;
	struct bdus_tag *tags;
	u32 busy_count;
	struct bdus_spin spin;
};

/**
 * struct bdus_device - a block device
 * @refs: the registry, the session, the disk, and everybody who looked it up
 * @siblings: in the registry
 * @index: its minors begin at BDUS_MINORS times this
 * @config: as adjusted; only its size changes
 * @extras: of a device with rings
 * @hwqs: of a device with rings, NULL otherwise
 * @tag_set: of its hardware queues
 * @disk: the disk
 * @is_added: the disk was added; written by @add_work only
 * @add_work: adds the disk, for which the driver has to work
 * @destroy_work: removes the disk
 * @is_destroyed: the disk is gone
 * @lifecycle: waited on for changes of @driver, @state and @is_destroyed
 * @lock: of all that follows, and of struct bdus_request
 * @state: see there
 * @driver: session that drives it
 * @attacher: session that waits to do so
 * @announces: the driver has yet to be told that the device is available
 * @pending: requests that no driver has
 * @handed: requests that the driver has, by tag
 * @seqnum: of the last request that was handed out
 * @items: drivers wait here for something to do
 */
struct bdus_device {
	struct kref refs;
	struct list_head siblings;
	int index;
	struct bdus_device_config config;
	struct bdus_extras extras;
	struct bdus_hwq *hwqs;
	struct blk_mq_tag_set tag_set;
	struct gendisk *disk;
	bool is_added;
	struct work_struct add_work;
	struct work_struct destroy_work;
	bool is_destroyed;
	wait_queue_head_t lifecycle;

	spinlock_t lock; /* of what follows */
	enum bdus_state state;
	struct bdus_session *driver;
	struct bdus_session *attacher;
	bool announces;
	struct list_head pending;
	struct request *handed[BDUS_REQUESTS_MAX];
	u64 seqnum;
	wait_queue_head_t items;
};

/**
 * struct bdus_session - an open /dev/bdus-control
 * @mutex: held while a device is created or attached to
 * @device: once it has one; set once, with release semantics
 * @area: slots and buffers, shared with the driver
 * @buffers: where buffers begin in @area
 * @buffer_bytes: size of each
 * @buffer_count: how many there are
 * @rings: for each hwq of @device, in the place of @area and all that follows
 * @ring_count: how many there are
 * @pid: process that made it the driver
 * @is_ending: the driver gets nothing but terminate items; under the lock of the device
 * @flushes_first: ... of which the first tells it to flush as well
 * @is_successful: the driver has said that it ends as it should
 */
struct bdus_session {
	struct mutex mutex; /* held while a device is created or attached to */
	struct bdus_device *device;
	void *area;
	void *buffers;
	size_t buffer_bytes;
	u32 buffer_count;
	struct bdus_ring *rings;
	u32 ring_count;
	pid_t pid;
	bool is_ending;
	bool flushes_first;
	bool is_successful;
};

/**
 * struct bdus_ioctl - an ioctl() of a client, which waits for its request
 * @command: as given
 * @gives: the argument goes to the driver
 * @takes: ... and comes back from it
 * @argument: BDUS_IOCTL_BYTES at most, in kernel memory; NULL if it has none
 * @error: the driver's answer, 0 or a negative errno
 */
struct bdus_ioctl {
	u32 command;
	bool gives;
	bool takes;
	void *argument;
	int error;
};

/**
 * enum bdus_stage - where a request is
 * @BDUS_NOWHERE: not started, or completed
 * @BDUS_PENDING: in &bdus_device.pending
 * @BDUS_COPYING: its payload is being copied, outside of the lock
 * @BDUS_HANDED: in &bdus_device.handed, or in &bdus_hwq.tags and with the driver
 * @BDUS_BLOCKED: in &bdus_hwq.tags, and the driver has the tag for an older request
 */
enum bdus_stage {
	BDUS_NOWHERE,
	BDUS_PENDING,
	BDUS_COPYING,
	BDUS_HANDED,
	BDUS_BLOCKED,
};

/**
 * struct bdus_request - what goes with a request of the block layer
 * @siblings: in a list of pending requests, or among those that are about to be completed
 * @stage: where it is
 * @is_doomed: it is to be completed with @status when copying has ended
 * @status: what it is completed with
 * @seqnum: of the last time that it was handed out
 * @error: what the driver has said, for requests of rings
 * @type: what it is to the driver, for requests of rings
 * @payload: where the driver has said that its answer is, for requests of rings
 * @ioctl: set for requests of bdus_disk_ioctl()
 */
struct bdus_request {
	struct list_head siblings;
	enum bdus_stage stage;
	bool is_doomed;
	blk_status_t status;
	u64 seqnum;
	s32 error;
	u32 type;
	u64 payload;
	struct bdus_ioctl *ioctl;
};

/* main.c */
extern bool bdus_offers_rings;

/* control.c */
extern struct miscdevice bdus_control;

/* control2.c */
long bdus_control2(struct bdus_session *session, unsigned int command, void __user *argument);

/* session.c */
struct bdus_device *bdus_session_device(struct bdus_session *session);
struct bdus_session *bdus_session_new(void);
void bdus_session_free(struct bdus_session *session);
int bdus_session_adjust(struct bdus_device_config *config, u32 depth_max);
int bdus_session_create(struct bdus_session *session, struct bdus_config *config);
int bdus_session_create2(struct bdus_session *session, struct bdus_device_config *config,
			 const struct bdus_extras *extras);
int bdus_session_attach(struct bdus_session *session, struct bdus_config *config);
int bdus_session_attach2(struct bdus_session *session, u64 id);
int bdus_session_terminate(struct bdus_session *session);

/* device.c */
extern struct workqueue_struct *bdus_workqueue;
extern int bdus_major;
int bdus_devices_init(unsigned int max_devices);
void bdus_devices_exit(void);
struct bdus_device *bdus_device_create(struct bdus_device_config *config,
				       const struct bdus_extras *extras,
				       struct bdus_session *driver);
struct bdus_device *bdus_device_find(u64 id, int *error);
struct bdus_device *bdus_device_find_minor(int minor);
struct bdus_device *bdus_device_find_next(u64 id);
void bdus_device_put(struct bdus_device *device);
void bdus_device_notify(struct bdus_device *device);
void bdus_device_destroy(struct bdus_device *device);
void bdus_device_terminate(struct bdus_device *device);
int bdus_device_trigger_destruction(u64 id);
int bdus_device_wait_until_destroyed(u64 id);
int bdus_device_flush(u64 id);
int bdus_device_resize(u64 id, u64 capacity);

/* disk.c */
int bdus_disk_make(struct bdus_device *device);
void bdus_disk_add(struct work_struct *work);
void bdus_disk_remove(struct bdus_device *device);
void bdus_disk_put(struct bdus_device *device);

/* request.c */
int bdus_request_type(const struct bdus_device_config *config, struct request *rq);
blk_status_t bdus_request_status(struct request *rq, int error);
void bdus_request_completed(struct request *rq);
void bdus_request_finish(struct request *rq, blk_status_t status);
void bdus_request_finish_all(struct list_head *requests);

/* queue.c */
extern const struct blk_mq_ops bdus_queue_ops;
void bdus_queue_fail_all(struct bdus_device *device, struct list_head *failed);
void bdus_queue_take_back(struct bdus_device *device);
bool bdus_queue_has_item(struct bdus_session *session);
int bdus_queue_receive(struct bdus_session *session, struct bdus_slot *slot, bool waits);
int bdus_queue_reply(struct bdus_session *session, struct bdus_slot *slot);

/* hwq.c */
extern const struct blk_mq_ops bdus_hwq_ops;
struct bdus_hwq *bdus_hwqs_alloc(struct bdus_device *device);
void bdus_hwqs_free(struct bdus_device *device);
void bdus_hwqs_connect(struct bdus_device *device, struct bdus_ring *rings);
void bdus_hwqs_disconnect(struct bdus_device *device);
void bdus_hwqs_fail_all(struct bdus_device *device, struct list_head *failed);
void bdus_hwqs_notify(struct bdus_device *device);
bool bdus_hwq_is_ready(struct bdus_hwq *hwq);
void bdus_hwq_submit(struct bdus_hwq *hwq, struct request *rq);

/* spin.c */
extern unsigned int bdus_spin_us;
bool bdus_spin_begins(struct bdus_hwq *hwq, bool is_alone, bool is_awake);
void bdus_spin_wait(struct bdus_hwq *hwq, u32 answers);
void bdus_spin_answered(struct bdus_hwq *hwq);

/* ring.c */
int bdus_rings_alloc(struct bdus_session *session, const struct bdus_device *device);
void bdus_rings_free(struct bdus_session *session);
int bdus_ring_enter(struct bdus_hwq *hwq, struct bdus_ring *ring, bool waits);

/* ring_file.c */
int bdus_ring_file_new(struct file *control, u32 queue);

/* payload.c */
bool bdus_payload_goes_out(struct request *rq);
bool bdus_payload_comes_in(struct request *rq);
int bdus_payload_copy(struct bdus_session *session, const struct bdus_slot *place,
		      struct request *rq, bool out);
int bdus_payload_copy_user(u64 address, struct request *rq, bool out);

#endif
