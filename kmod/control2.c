// SPDX-License-Identifier: GPL-2.0
/*
 * The control device for programs that know rings (abi2.h): what they say about devices, and what
 * they are told.
 */
#include <linux/cpumask.h>
#include <linux/errno.h>
#include <linux/minmax.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#include "bdus.h"

/* Up to and with @id: what identifies a device. */
#define BDUS_DEVICE2_BYTES_MIN 16

static const u32 bdus_flags = BDUS_DEVICE_RECOVERABLE | BDUS_DEVICE_READ_ONLY |
			      BDUS_DEVICE_ROTATIONAL | BDUS_DEVICE_NO_MERGES |
			      BDUS_DEVICE_NO_PARTITIONS | BDUS_DEVICE_LINUX_IOCTLS;
static const u32 bdus_items = BIT(BDUS_ITEM_READ) | BIT(BDUS_ITEM_WRITE) |
			      BIT(BDUS_ITEM_WRITE_ZEROS_NO_UNMAP) |
			      BIT(BDUS_ITEM_WRITE_ZEROS_MAY_UNMAP) | BIT(BDUS_ITEM_FUA_WRITE) |
			      BIT(BDUS_ITEM_FLUSH) | BIT(BDUS_ITEM_DISCARD) |
			      BIT(BDUS_ITEM_SECURE_ERASE) | BIT(BDUS_ITEM_IOCTL);

static int bdus_get_spec(struct bdus_device2 *spec, const void __user *argument)
{
	u32 size;

	if (get_user(size, (const u32 __user *)argument))
		return -EFAULT;
	if (size < BDUS_DEVICE2_BYTES_MIN || size > PAGE_SIZE)
		return -EINVAL;
	return copy_struct_from_user(spec, sizeof(*spec), argument, size);
}

static int bdus_put_spec(const struct bdus_device2 *spec, void __user *argument)
{
	size_t bytes = min_t(size_t, spec->size, sizeof(*spec));

	return copy_to_user(argument, spec, bytes) ? -EFAULT : 0;
}

static void bdus_config_of(const struct bdus_device2 *spec, struct bdus_device_config *config)
{
	const u32 zeros = BIT(BDUS_ITEM_WRITE_ZEROS_NO_UNMAP) |
			  BIT(BDUS_ITEM_WRITE_ZEROS_MAY_UNMAP);

	*config = (struct bdus_device_config){
		.size = spec->capacity,
		.logical_block_size = spec->logical_block_size,
		.physical_block_size = spec->physical_block_size,
		.max_read_write_size = spec->max_transfer,
		.max_write_zeros_size = spec->max_write_zeros,
		.max_discard_erase_size = spec->max_discard,
		.max_outstanding_reqs = spec->depth ?: BDUS_DEPTH_DEFAULT,
		.supports_read = !!(spec->items & BIT(BDUS_ITEM_READ)),
		.supports_write = !!(spec->items & BIT(BDUS_ITEM_WRITE)),
		.supports_write_zeros = !!(spec->items & zeros),
		.supports_fua_write = !!(spec->items & BIT(BDUS_ITEM_FUA_WRITE)),
		.supports_flush = !!(spec->items & BIT(BDUS_ITEM_FLUSH)),
		.supports_discard = !!(spec->items & BIT(BDUS_ITEM_DISCARD)),
		.supports_secure_erase = !!(spec->items & BIT(BDUS_ITEM_SECURE_ERASE)),
		.supports_ioctl = !!(spec->items & BIT(BDUS_ITEM_IOCTL)),
		.rotational = !!(spec->flags & BDUS_DEVICE_ROTATIONAL),
		.merge_requests = !(spec->flags & BDUS_DEVICE_NO_MERGES),
		.enable_partition_scanning = !(spec->flags & BDUS_DEVICE_NO_PARTITIONS),
		.recoverable = !!(spec->flags & BDUS_DEVICE_RECOVERABLE),
	};
}

static void bdus_extras_of(const struct bdus_device2 *spec, struct bdus_extras *extras)
{
	*extras = (struct bdus_extras){
		.queues = min3(spec->queues ?: 1, (u32)BDUS_QUEUES_MAX, (u32)nr_cpu_ids),
		.io_min = spec->io_min,
		.io_opt = spec->io_opt,
		.discard_granularity = spec->discard_granularity ?: spec->logical_block_size,
		.discard_alignment = spec->discard_alignment,
		.max_segments = min_t(u32, spec->max_segments ?: USHRT_MAX, USHRT_MAX),
		.timeout_ms = spec->timeout_ms,
		.is_read_only = spec->flags & BDUS_DEVICE_READ_ONLY,
		.linux_ioctls = spec->flags & BDUS_DEVICE_LINUX_IOCTLS,
	};
	memcpy(extras->label, spec->label, sizeof(extras->label));
}

static bool bdus_is_label(const char *label)
{
	size_t length = strnlen(label, BDUS_LABEL_BYTES), i;

	for (i = 0; i < length; i++) {
		if (label[i] <= ' ' || label[i] > '~')
			return false;
	}
	return length < BDUS_LABEL_BYTES;
}

/* Checks what only devices with rings have, once the rest is adjusted. */
static int bdus_check_extras(const struct bdus_device_config *config,
			     const struct bdus_extras *extras)
{
	if (extras->io_min % config->physical_block_size ||
	    extras->io_opt % config->physical_block_size)
		return -EINVAL;
	if (extras->discard_granularity % config->logical_block_size ||
	    extras->discard_alignment % config->logical_block_size ||
	    extras->discard_alignment >= extras->discard_granularity)
		return -EINVAL;
	return bdus_is_label(extras->label) ? 0 : -EINVAL;
}

static u32 bdus_items_of(const struct bdus_device_config *config)
{
	u32 items = 0;

	if (config->supports_read)
		items |= BIT(BDUS_ITEM_READ);
	if (config->supports_write)
		items |= BIT(BDUS_ITEM_WRITE);
	if (config->supports_write_zeros)
		items |= BIT(BDUS_ITEM_WRITE_ZEROS_NO_UNMAP) |
			 BIT(BDUS_ITEM_WRITE_ZEROS_MAY_UNMAP);
	if (config->supports_fua_write)
		items |= BIT(BDUS_ITEM_FUA_WRITE);
	if (config->supports_flush)
		items |= BIT(BDUS_ITEM_FLUSH);
	if (config->supports_discard)
		items |= BIT(BDUS_ITEM_DISCARD);
	if (config->supports_secure_erase)
		items |= BIT(BDUS_ITEM_SECURE_ERASE);
	if (config->supports_ioctl)
		items |= BIT(BDUS_ITEM_IOCTL);
	return items;
}

static u32 bdus_flags_of(const struct bdus_device *device)
{
	const struct bdus_device_config *config = &device->config;

	return (config->recoverable ? BDUS_DEVICE_RECOVERABLE : 0) |
	       (device->extras.is_read_only ? BDUS_DEVICE_READ_ONLY : 0) |
	       (config->rotational ? BDUS_DEVICE_ROTATIONAL : 0) |
	       (config->merge_requests ? 0 : BDUS_DEVICE_NO_MERGES) |
	       (config->enable_partition_scanning ? 0 : BDUS_DEVICE_NO_PARTITIONS) |
	       (device->extras.linux_ioctls ? BDUS_DEVICE_LINUX_IOCTLS : 0);
}

/*
 * Describes @device, with rings or without, to whoever asks. Its size is that of the program. The
 * disk may be gone already.
 */
static void bdus_describe(struct bdus_device *device, struct bdus_device2 *spec)
{
	const struct bdus_device_config *config = &device->config;
	const struct bdus_extras *extras = &device->extras;

	*spec = (struct bdus_device2){
		.size = spec->size,
		.flags = bdus_flags_of(device),
		.id = config->id,
		.capacity = READ_ONCE(config->size),
		.items = bdus_items_of(config),
		.logical_block_size = config->logical_block_size,
		.physical_block_size = config->physical_block_size,
		.io_min = extras->io_min,
		.io_opt = extras->io_opt,
		.max_transfer = config->max_read_write_size,
		.max_write_zeros = config->max_write_zeros_size,
		.max_discard = config->max_discard_erase_size,
		.discard_granularity = extras->discard_granularity,
		.discard_alignment = extras->discard_alignment,
		.max_segments = extras->max_segments,
		.timeout_ms = extras->timeout_ms,
		.queues = extras->queues,
		.depth = config->max_outstanding_reqs,
		.major = config->major,
		.minor = config->minor,
	};
	memcpy(spec->label, extras->label, sizeof(spec->label));
	spin_lock(&device->lock);
	spec->state = device->state;
	spec->driver_pid = device->driver ? device->driver->pid : 0;
	spin_unlock(&device->lock);
}

static long bdus_create2(struct bdus_session *session, struct bdus_device2 *spec)
{
	struct bdus_device_config config;
	struct bdus_extras extras;
	int ret;

	if (!READ_ONCE(bdus_offers_rings))
		return -EOPNOTSUPP;
	if (spec->flags & ~bdus_flags || spec->items & ~bdus_items)
		return -EINVAL;
	bdus_config_of(spec, &config);
	bdus_extras_of(spec, &extras);
	ret = bdus_session_adjust(&config, BDUS_DEPTH_MAX) ?: bdus_check_extras(&config, &extras);
	if (!ret)
		ret = bdus_session_create2(session, &config, &extras);
	if (!ret)
		bdus_describe(session->device, spec);
	return ret;
}

static long bdus_attach2(struct bdus_session *session, struct bdus_device2 *spec)
{
	int ret = bdus_session_attach2(session, spec->id);

	if (!ret)
		bdus_describe(session->device, spec);
	return ret;
}

static long bdus_list(struct bdus_session *session, struct bdus_device2 *spec)
{
	struct bdus_device *device = bdus_device_find_next(spec->id);

	if (!device)
		return -ENODEV;
	bdus_describe(device, spec);
	bdus_device_put(device);
	return 0;
}

static long bdus_resize(const void __user *argument)
{
	struct bdus_resize resize;

	if (copy_from_user(&resize, argument, sizeof(resize)))
		return -EFAULT;
	return bdus_device_resize(resize.id, resize.capacity);
}

static long bdus_with_spec(struct bdus_session *session, void __user *argument,
			   long (*act)(struct bdus_session *, struct bdus_device2 *))
{
	struct bdus_device2 spec;
	long ret = bdus_get_spec(&spec, argument);

	if (!ret)
		ret = act(session, &spec);
	/* A driver that does not learn about its device ends, and the device with it. */
	return ret ?: bdus_put_spec(&spec, argument);
}

/* The caller has checked the capability. */
long bdus_control2(struct bdus_session *session, unsigned int command, void __user *argument)
{
	switch (command) {
	case BDUS_CREATE2:
		return bdus_with_spec(session, argument, bdus_create2);
	case BDUS_ATTACH2:
		return bdus_with_spec(session, argument, bdus_attach2);
	case BDUS_LIST:
		return bdus_with_spec(session, argument, bdus_list);
	case BDUS_RESIZE:
		return bdus_resize(argument);
	default:
		return -ENOTTY;
	}
}
