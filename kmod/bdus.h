/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Devices, sessions and requests.
 *
 *   device   a block device; lives until it is destroyed and nobody refers to it any more
 *   session  an open /dev/bdus-control; the driver of at most one device
 *   request  a request of the block layer, from queue_rq() until it is completed
 *
 * bdus_registry_mutex is taken before the lock of a device. Nothing sleeps under the latter.
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

#define BDUS_DEVICES_MAX 4096
/* Partitions that have minors of their own, the whole device included. */
#define BDUS_MINORS 256
#define BDUS_REQUESTS_MAX 256
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

/**
 * struct bdus_device - a block device
 * @refs: the registry, the session, the disk, and everybody who looked it up
 * @siblings: in the registry
 * @index: its minors begin at BDUS_MINORS times this
 * @config: as adjusted; does not change
 * @tag_set: of the one hardware queue
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
	struct blk_mq_tag_set tag_set;
	struct gendisk *disk;
	bool is_added;
	struct work_struct add_work;
	struct work_struct destroy_work;
	bool is_destroyed;
	wait_queue_head_t lifecycle;

	spinlock_t lock;
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
 * @is_ending: the driver gets nothing but terminate items; under the lock of the device
 * @flushes_first: ... of which the first tells it to flush as well
 * @is_successful: the driver has said that it ends as it should
 */
struct bdus_session {
	struct mutex mutex;
	struct bdus_device *device;
	void *area;
	void *buffers;
	size_t buffer_bytes;
	u32 buffer_count;
	bool is_ending;
	bool flushes_first;
	bool is_successful;
};

/**
 * struct bdus_ioctl - an ioctl() of a client, which waits for its request
 * @command: as given
 * @argument: BDUS_IOCTL_BYTES at most, in kernel memory; NULL if it has none
 * @error: the driver's answer, 0 or a negative errno
 */
struct bdus_ioctl {
	u32 command;
	void *argument;
	int error;
};

/**
 * enum bdus_stage - where a request is
 * @BDUS_NOWHERE: not started, or completed
 * @BDUS_PENDING: in &bdus_device.pending
 * @BDUS_COPYING: its payload is being copied, outside of the lock
 * @BDUS_HANDED: in &bdus_device.handed
 */
enum bdus_stage {
	BDUS_NOWHERE,
	BDUS_PENDING,
	BDUS_COPYING,
	BDUS_HANDED,
};

/**
 * struct bdus_request - what goes with a request of the block layer
 * @siblings: in &bdus_device.pending, or among those that are about to be completed
 * @stage: where it is
 * @is_doomed: it is to be completed with @status when copying has ended
 * @status: what it is completed with
 * @seqnum: of the last time that it was handed out
 * @ioctl: set for requests of bdus_disk_ioctl()
 */
struct bdus_request {
	struct list_head siblings;
	enum bdus_stage stage;
	bool is_doomed;
	blk_status_t status;
	u64 seqnum;
	struct bdus_ioctl *ioctl;
};

/* control.c */
extern struct miscdevice bdus_control;

/* session.c */
struct bdus_session *bdus_session_new(void);
void bdus_session_free(struct bdus_session *session);
int bdus_session_create(struct bdus_session *session, struct bdus_config *config);
int bdus_session_attach(struct bdus_session *session, struct bdus_config *config);
int bdus_session_terminate(struct bdus_session *session);

/* device.c */
extern struct workqueue_struct *bdus_workqueue;
extern int bdus_major;
int bdus_devices_init(unsigned int max_devices);
void bdus_devices_exit(void);
struct bdus_device *bdus_device_create(struct bdus_device_config *config,
				       struct bdus_session *driver);
struct bdus_device *bdus_device_find(u64 id, int *error);
struct bdus_device *bdus_device_find_minor(int minor);
void bdus_device_put(struct bdus_device *device);
void bdus_device_destroy(struct bdus_device *device);
void bdus_device_terminate(struct bdus_device *device);
int bdus_device_trigger_destruction(u64 id);
int bdus_device_wait_until_destroyed(u64 id);
int bdus_device_flush(u64 id);

/* disk.c */
int bdus_disk_make(struct bdus_device *device);
void bdus_disk_add(struct work_struct *work);
void bdus_disk_remove(struct bdus_device *device);
void bdus_disk_put(struct bdus_device *device);

/* queue.c */
extern const struct blk_mq_ops bdus_queue_ops;
void bdus_queue_fail_all(struct bdus_device *device, struct list_head *failed);
void bdus_queue_complete(struct list_head *failed);
void bdus_queue_take_back(struct bdus_device *device);
bool bdus_queue_has_item(struct bdus_session *session);
int bdus_queue_receive(struct bdus_session *session, struct bdus_slot *slot, bool waits);
int bdus_queue_reply(struct bdus_session *session, struct bdus_slot *slot);

/* payload.c */
bool bdus_payload_goes_out(struct request *rq);
bool bdus_payload_comes_in(struct request *rq);
int bdus_payload_copy(struct bdus_session *session, const struct bdus_slot *place,
		      struct request *rq, bool out);

#endif
