// SPDX-License-Identifier: GPL-2.0
/*
 * Sessions: how a process becomes the driver of a device, and how it stops being it.
 */
#include <linux/log2.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/vmalloc.h>

#include "bdus.h"

struct bdus_session *bdus_session_new(void)
{
	struct bdus_session *session = kzalloc(sizeof(*session), GFP_KERNEL);

	if (session) {
		mutex_init(&session->mutex);
		session->pid = task_tgid_nr(current);
	}
	return session;
}

/* The device of @session, whose other fields are set then; NULL before. */
struct bdus_device *bdus_session_device(struct bdus_session *session)
{
	/* Pairs with the release in bdus_session_set_device(). */
	return smp_load_acquire(&session->device);
}

static void bdus_session_set_device(struct bdus_session *session, struct bdus_device *device)
{
	/* Threads that use the same file find all that belongs to the device. */
	smp_store_release(&session->device, device);
}

static bool bdus_is_block_size(u32 bytes, u32 minimum)
{
	return is_power_of_2(bytes) && bytes >= minimum && bytes <= PAGE_SIZE;
}

/* A limit of requests without a payload: at least a block, a multiple of it, 0 without support. */
static int bdus_adjust_limit(u32 *limit, u32 block, bool is_supported)
{
	if (*limit && *limit < block)
		return -EINVAL;
	if (!*limit)
		*limit = U32_MAX;
	*limit = is_supported ? round_down(*limit, block) : 0;
	return 0;
}

static int bdus_adjust_transfer(struct bdus_device_config *config)
{
	u32 *limit = &config->max_read_write_size;

	if (*limit && *limit < PAGE_SIZE)
		return -EINVAL;
	if (!config->supports_read && !config->supports_write && !config->supports_fua_write)
		*limit = 0;
	else if (!*limit)
		*limit = BDUS_TRANSFER_DEFAULT;
	*limit = round_down(min_t(u32, *limit, BDUS_TRANSFER_MAX), config->logical_block_size);
	return 0;
}

/* Checks what a driver wants and fills in what it leaves open. */
int bdus_session_adjust(struct bdus_device_config *config, u32 depth_max)
{
	u32 block = config->logical_block_size;

	if (memchr_inv(config->reserved1, 0, sizeof(config->reserved1)) ||
	    memchr_inv(config->reserved2, 0, sizeof(config->reserved2)))
		return -EINVAL;
	if (!bdus_is_block_size(block, 512))
		return -EINVAL;
	if (!config->physical_block_size)
		config->physical_block_size = block;
	if (!bdus_is_block_size(config->physical_block_size, block))
		return -EINVAL;
	if (!config->size || config->size % config->physical_block_size)
		return -EINVAL;
	if (!config->max_outstanding_reqs)
		return -EINVAL;
	if (config->supports_fua_write && !config->supports_flush)
		return -EINVAL;
	config->max_outstanding_reqs = min(config->max_outstanding_reqs, depth_max);
	if (bdus_adjust_transfer(config) ||
	    bdus_adjust_limit(&config->max_write_same_size, block, config->supports_write_same) ||
	    bdus_adjust_limit(&config->max_write_zeros_size, block,
			      config->supports_write_zeros) ||
	    bdus_adjust_limit(&config->max_discard_erase_size, block,
			      config->supports_discard || config->supports_secure_erase))
		return -EINVAL;
	return 0;
}

static int bdus_check_fd(const struct bdus_fd_config *config)
{
	return memchr_inv(config->reserved, 0, sizeof(config->reserved)) ? -EINVAL : 0;
}

/* Allocates what the session shares with the driver of a device with this configuration. */
static int bdus_session_map(struct bdus_session *session, const struct bdus_device_config *device,
			    struct bdus_fd_config *config)
{
	size_t slots = PAGE_ALIGN(device->max_outstanding_reqs * sizeof(struct bdus_slot));
	u32 bytes = device->max_read_write_size;

	if (device->supports_write_same)
		bytes = max(bytes, device->logical_block_size);
	if (device->supports_ioctl)
		bytes = max_t(u32, bytes, BDUS_IOCTL_BYTES);
	config->num_preallocated_buffers =
		min(config->num_preallocated_buffers, device->max_outstanding_reqs);
	session->buffer_bytes = PAGE_ALIGN(bytes);
	session->buffer_count = config->num_preallocated_buffers;
	session->area = vmalloc_user(slots + session->buffer_count * session->buffer_bytes);
	if (!session->area)
		return -ENOMEM;
	session->buffers = session->area + slots;
	return 0;
}

static void bdus_session_unmap(struct bdus_session *session)
{
	vfree(session->area);
	session->area = NULL;
	bdus_rings_free(session);
}

/* Whether @device goes on without its driver @session. Under the lock of the device. */
static bool bdus_outlives(struct bdus_device *device, struct bdus_session *session)
{
	if (device->state == BDUS_UNAVAILABLE || device->state == BDUS_TERMINATED)
		return false;
	return device->config.recoverable || (device->attacher && session->is_successful);
}

/* Ends the session of the driver of @device, whose requests and whose reference it gives up. */
static void bdus_session_leave(struct bdus_session *session, struct bdus_device *device)
{
	bool outlives;

	spin_lock(&device->lock);
	outlives = bdus_outlives(device, session);
	if (outlives) {
		bdus_queue_take_back(device);
		device->state = BDUS_INACTIVE;
		device->announces = false;
		device->driver = NULL;
	}
	spin_unlock(&device->lock);
	if (!outlives) {
		bdus_device_terminate(device);
		spin_lock(&device->lock);
		bdus_queue_take_back(device);
		device->driver = NULL;
		spin_unlock(&device->lock);
		bdus_device_destroy(device);
	}
	wake_up_all(&device->lifecycle);
	bdus_device_put(device);
}

/* From here on @session drives @device, which it has made. */
static void bdus_session_start(struct bdus_session *session, struct bdus_device *device)
{
	bdus_session_set_device(session, device);
	/* Whatever looks for partitions is answered by this session. */
	queue_work(bdus_workqueue, &device->add_work);
}

static int bdus_session_create_locked(struct bdus_session *session, struct bdus_config *config)
{
	struct bdus_device *device;
	int ret;

	if (session->device)
		return -EINVAL;
	ret = bdus_check_fd(&config->fd) ?:
	      bdus_session_adjust(&config->device, BDUS_REQUESTS_MAX);
	if (ret)
		return ret;
	ret = bdus_session_map(session, &config->device, &config->fd);
	if (ret)
		return ret;
	device = bdus_device_create(&config->device, NULL, session);
	if (IS_ERR(device)) {
		bdus_session_unmap(session);
		return PTR_ERR(device);
	}
	bdus_session_start(session, device);
	return 0;
}

int bdus_session_create(struct bdus_session *session, struct bdus_config *config)
{
	int ret;

	if (mutex_lock_interruptible(&session->mutex))
		return -EINTR;
	ret = bdus_session_create_locked(session, config);
	mutex_unlock(&session->mutex);
	return ret;
}

static int bdus_session_create2_locked(struct bdus_session *session,
				       struct bdus_device_config *config,
				       const struct bdus_extras *extras)
{
	struct bdus_device *device;
	int ret;

	if (session->device)
		return -EINVAL;
	device = bdus_device_create(config, extras, session);
	if (IS_ERR(device))
		return PTR_ERR(device);
	ret = bdus_rings_alloc(session, device);
	if (ret) {
		bdus_session_leave(session, device);
		return ret;
	}
	spin_lock(&device->lock);
	bdus_hwqs_connect(device, session->rings);
	spin_unlock(&device->lock);
	bdus_session_start(session, device);
	return 0;
}

/* The same for a device with rings. */
int bdus_session_create2(struct bdus_session *session, struct bdus_device_config *config,
			 const struct bdus_extras *extras)
{
	int ret;

	if (mutex_lock_interruptible(&session->mutex))
		return -EINTR;
	ret = bdus_session_create2_locked(session, config, extras);
	mutex_unlock(&session->mutex);
	return ret;
}

/* Whether @session may wait to drive @device: nobody else does, and it can be driven. */
static int bdus_claim(struct bdus_session *session, struct bdus_device *device)
{
	struct bdus_session *driver = device->driver;

	if (device->state == BDUS_TERMINATED)
		return -ENODEV;
	if (device->state == BDUS_UNAVAILABLE)
		return -EBUSY;
	if (device->attacher)
		return -EINPROGRESS;
	device->attacher = session;
	if (driver && !driver->is_ending) {
		driver->is_ending = true;
		driver->flushes_first = device->config.supports_flush;
	}
	return 0;
}

static bool bdus_has_no_driver(struct bdus_device *device)
{
	bool has_none;

	spin_lock(&device->lock);
	has_none = !device->driver || device->state == BDUS_TERMINATED;
	spin_unlock(&device->lock);
	return has_none;
}

/* Waits until the last driver is gone, and takes its place. */
static int bdus_take_over(struct bdus_session *session, struct bdus_device *device)
{
	int ret;

	spin_lock(&device->lock);
	ret = bdus_claim(session, device);
	spin_unlock(&device->lock);
	if (ret)
		return ret;
	bdus_device_notify(device);
	ret = wait_event_interruptible(device->lifecycle, bdus_has_no_driver(device));
	spin_lock(&device->lock);
	device->attacher = NULL;
	if (device->state == BDUS_TERMINATED) {
		ret = -ENODEV;
	} else if (ret) {
		ret = -EINTR;
	} else {
		device->driver = session;
		device->state = BDUS_ACTIVE;
		device->announces = true;
		if (device->hwqs)
			bdus_hwqs_connect(device, session->rings);
	}
	spin_unlock(&device->lock);
	bdus_device_notify(device);
	return ret;
}

/* @fd: what it shares; NULL: rings. Devices are with them or without for all their life. */
static int bdus_session_attach_locked(struct bdus_session *session, u64 id,
				      struct bdus_fd_config *fd)
{
	struct bdus_device *device;
	int ret;

	if (session->device)
		return -EINVAL;
	device = bdus_device_find(id, &ret);
	if (!device)
		return ret;
	if (!device->hwqs != !!fd)
		ret = -EOPNOTSUPP;
	else if (fd)
		ret = bdus_session_map(session, &device->config, fd);
	else
		ret = bdus_rings_alloc(session, device);
	if (ret)
		goto out_put;
	ret = bdus_take_over(session, device);
	if (ret) {
		bdus_session_unmap(session);
		goto out_put;
	}
	bdus_session_set_device(session, device);
	return 0;

out_put:
	bdus_device_put(device);
	return ret;
}

int bdus_session_attach(struct bdus_session *session, struct bdus_config *config)
{
	int ret;

	if (mutex_lock_interruptible(&session->mutex))
		return -EINTR;
	ret = bdus_check_fd(&config->fd) ?:
	      bdus_session_attach_locked(session, config->device.id, &config->fd);
	if (!ret)
		config->device = session->device->config;
	mutex_unlock(&session->mutex);
	return ret;
}

/* The same for a device with rings. */
int bdus_session_attach2(struct bdus_session *session, u64 id)
{
	int ret;

	if (mutex_lock_interruptible(&session->mutex))
		return -EINTR;
	ret = bdus_session_attach_locked(session, id, NULL);
	mutex_unlock(&session->mutex);
	return ret;
}

/* The driver wants to end: its device waits for another one, or is terminated. */
int bdus_session_terminate(struct bdus_session *session)
{
	struct bdus_device *device = bdus_session_device(session);

	if (!device)
		return -EINVAL;
	spin_lock(&device->lock);
	session->is_ending = true;
	session->flushes_first = false;
	spin_unlock(&device->lock);
	if (device->config.recoverable)
		bdus_device_notify(device);
	else
		bdus_device_terminate(device);
	return 0;
}

/* The file is closed, and nothing of it is mapped any more. */
void bdus_session_free(struct bdus_session *session)
{
	if (session->device)
		bdus_session_leave(session, session->device);
	bdus_session_unmap(session);
	kfree(session);
}
