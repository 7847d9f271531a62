// SPDX-License-Identifier: GPL-2.0
/*
 * The disk of a device: its limits, its way into the system and out of it, ioctls of its clients.
 */
#include <linux/blkdev.h>
#include <linux/jiffies.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/sysfs.h>
#include <linux/uaccess.h>

#include "bdus.h"
#include "compat.h"

/* Whether the driver can take an ioctl of this form. */
static bool bdus_is_well_formed(unsigned int command)
{
	if (_IOC_DIR(command) == _IOC_NONE)
		return _IOC_SIZE(command) == 0;
	return _IOC_SIZE(command) > 0 && _IOC_SIZE(command) < BDUS_IOCTL_BYTES;
}

/* Has the driver answer @ioctl. */
static int bdus_ask_driver(struct bdus_device *device, struct bdus_ioctl *ioctl)
{
	struct bdus_request *request;
	blk_status_t status;
	struct request *rq;
	int ret;

	rq = blk_mq_alloc_request(device->disk->queue, REQ_OP_DRV_IN, 0);
	if (IS_ERR(rq))
		return PTR_ERR(rq);
	request = blk_mq_rq_to_pdu(rq);
	request->ioctl = ioctl;
	status = blk_execute_rq(rq, false);
	request->ioctl = NULL;
	blk_mq_free_request(rq);
	ret = blk_status_to_errno(status);
	return READ_ONCE(device->state) == BDUS_TERMINATED && ret == -EIO ? -ENODEV :
	       ret ? ret : ioctl->error;
}

static int bdus_disk_ioctl(struct block_device *bdev, bdus_mode_t mode, unsigned int command,
			   unsigned long argument)
{
	struct bdus_device *device = bdev->bd_disk->private_data;
	void __user *user = (void __user *)argument;
	struct bdus_ioctl ioctl = { .command = command };
	unsigned int bytes = _IOC_SIZE(command);
	/* Drivers of BDUS 0.1 see directions as their own: what is "read" goes to them. */
	unsigned int given = device->extras.linux_ioctls ? _IOC_WRITE : _IOC_READ;
	int ret = 0;

	/* The kernel handles these itself when a driver does not. */
	if (command == BLKFLSBUF || command == BLKROSET)
		return -ENOTTY;
	if (!device->config.supports_ioctl || !bdus_is_well_formed(command))
		return -ENOTTY;
	if (READ_ONCE(device->state) == BDUS_TERMINATED)
		return -ENODEV;
	if (bytes) {
		ioctl.argument = kvzalloc(bytes, GFP_KERNEL);
		if (!ioctl.argument)
			return -ENOMEM;
	}
	ioctl.gives = _IOC_DIR(command) & given;
	ioctl.takes = _IOC_DIR(command) & ~given;
	if (ioctl.gives && copy_from_user(ioctl.argument, user, bytes))
		ret = -EFAULT;
	if (!ret)
		ret = bdus_ask_driver(device, &ioctl);
	if (!ret && ioctl.takes && copy_to_user(user, ioctl.argument, bytes))
		ret = -EFAULT;
	kvfree(ioctl.argument);
	return ret;
}

static void bdus_disk_free(struct gendisk *disk)
{
	bdus_device_put(disk->private_data);
}

static const struct block_device_operations bdus_disk_operations = {
	.owner = THIS_MODULE,
	.ioctl = bdus_disk_ioctl,
	.compat_ioctl = blkdev_compat_ptr_ioctl,
	.free_disk = bdus_disk_free,
};

static unsigned int bdus_sectors(u32 bytes)
{
	return bytes >> SECTOR_SHIFT;
}

static unsigned int bdus_transfer_sectors(const struct bdus_device_config *config)
{
	/* The kernel wants a page at least, also where nothing is transferred. */
	return bdus_sectors(max_t(u32, config->max_read_write_size, PAGE_SIZE));
}

#ifdef BDUS_LIMITS_AT_ONCE
static struct gendisk *bdus_alloc_disk(struct bdus_device *device)
{
	const struct bdus_device_config *config = &device->config;
	const struct bdus_extras *extras = &device->extras;
	unsigned int discard = bdus_sectors(config->max_discard_erase_size);
	struct queue_limits limits = {
		.logical_block_size = config->logical_block_size,
		.physical_block_size = config->physical_block_size,
		.max_hw_sectors = bdus_transfer_sectors(config),
		.max_segments = USHRT_MAX,
		.max_segment_size = UINT_MAX,
		.max_write_zeroes_sectors = bdus_sectors(config->max_write_zeros_size),
	};

	if (config->supports_discard) {
		limits.max_hw_discard_sectors = discard;
		limits.discard_granularity = config->logical_block_size;
	}
	if (config->supports_discard && device->hwqs) {
		limits.discard_granularity = extras->discard_granularity;
		limits.discard_alignment = extras->discard_alignment;
	}
	if (config->supports_secure_erase)
		limits.max_secure_erase_sectors = discard;
	if (device->hwqs) {
		limits.max_segments = extras->max_segments;
		limits.io_min = extras->io_min;
		limits.io_opt = extras->io_opt;
	}
	if (config->supports_flush)
		limits.features |= BLK_FEAT_WRITE_CACHE;
	if (config->supports_fua_write)
		limits.features |= BLK_FEAT_FUA;
	if (config->rotational)
		limits.features |= BLK_FEAT_ROTATIONAL;
	return blk_mq_alloc_disk(&device->tag_set, &limits, device);
}
#else
static struct gendisk *bdus_alloc_disk(struct bdus_device *device)
{
	const struct bdus_device_config *config = &device->config;
	const struct bdus_extras *extras = &device->extras;
	unsigned int discard = bdus_sectors(config->max_discard_erase_size);
	struct gendisk *disk = blk_mq_alloc_disk(&device->tag_set, device);
	struct request_queue *queue;

	if (IS_ERR(disk))
		return disk;
	queue = disk->queue;
	blk_queue_logical_block_size(queue, config->logical_block_size);
	blk_queue_physical_block_size(queue, config->physical_block_size);
	blk_queue_max_hw_sectors(queue, bdus_transfer_sectors(config));
	blk_queue_max_segments(queue, USHRT_MAX);
	blk_queue_max_segment_size(queue, UINT_MAX);
	blk_queue_max_write_zeroes_sectors(queue, bdus_sectors(config->max_write_zeros_size));
	if (config->supports_discard) {
		blk_queue_max_discard_sectors(queue, discard);
		queue->limits.discard_granularity = config->logical_block_size;
	}
	if (config->supports_discard && device->hwqs) {
		queue->limits.discard_granularity = extras->discard_granularity;
		queue->limits.discard_alignment = extras->discard_alignment;
	}
	if (config->supports_secure_erase)
		blk_queue_max_secure_erase_sectors(queue, discard);
	if (device->hwqs) {
		blk_queue_max_segments(queue, extras->max_segments);
		if (extras->io_min)
			blk_queue_io_min(queue, extras->io_min);
		blk_queue_io_opt(queue, extras->io_opt);
	}
	blk_queue_write_cache(queue, config->supports_flush, config->supports_fua_write);
	if (!config->rotational) {
		blk_queue_flag_set(QUEUE_FLAG_NONROT, queue);
		blk_queue_flag_clear(QUEUE_FLAG_ADD_RANDOM, queue);
	}
	return disk;
}
#endif

static bool bdus_is_read_only(const struct bdus_device *device)
{
	const struct bdus_device_config *config = &device->config;

	if (device->extras.is_read_only)
		return true;
	return !config->supports_write && !config->supports_write_same &&
	       !config->supports_write_zeros && !config->supports_fua_write &&
	       !config->supports_discard && !config->supports_secure_erase;
}

static ssize_t label_show(struct device *dev, struct device_attribute *attribute, char *text)
{
	struct bdus_device *device = dev_to_disk(dev)->private_data;

	return sysfs_emit(text, "%s\n", device->extras.label);
}
static DEVICE_ATTR_RO(label);

static struct attribute *bdus_disk_attributes[] = {
	&dev_attr_label.attr,
	NULL,
};

/* In /sys/block/bdus-N/bdus. */
static const struct attribute_group bdus_disk_group = {
	.name = "bdus",
	.attrs = bdus_disk_attributes,
};

static const struct attribute_group *bdus_disk_groups[] = {
	&bdus_disk_group,
	NULL,
};

/* Makes the disk of @device, which takes a reference, without adding it. */
int bdus_disk_make(struct bdus_device *device)
{
	const struct bdus_device_config *config = &device->config;
	struct gendisk *disk;
	int ret;

	device->tag_set = (struct blk_mq_tag_set){
		.ops = device->hwqs ? &bdus_hwq_ops : &bdus_queue_ops,
		.nr_hw_queues = device->hwqs ? device->extras.queues : 1,
		.queue_depth = config->max_outstanding_reqs,
		.numa_node = NUMA_NO_NODE,
		.cmd_size = sizeof(struct bdus_request),
		.flags = BDUS_TAG_SET_FLAGS,
		.timeout = msecs_to_jiffies(device->extras.timeout_ms),
		.driver_data = device,
	};
	ret = blk_mq_alloc_tag_set(&device->tag_set);
	if (ret)
		return ret;
	disk = bdus_alloc_disk(device);
	if (IS_ERR(disk)) {
		blk_mq_free_tag_set(&device->tag_set);
		return PTR_ERR(disk);
	}
	if (!config->merge_requests)
		blk_queue_flag_set(QUEUE_FLAG_NOMERGES, disk->queue);
	disk->major = config->major;
	disk->first_minor = config->minor;
	disk->minors = BDUS_MINORS;
	disk->fops = &bdus_disk_operations;
	disk->private_data = device;
	if (!config->enable_partition_scanning)
		disk->flags |= GENHD_FL_NO_PART;
	snprintf(disk->disk_name, DISK_NAME_LEN, "bdus-%llu", config->id);
	set_capacity(disk, config->size >> SECTOR_SHIFT);
	device->extras.is_read_only = bdus_is_read_only(device);
	set_disk_ro(disk, device->extras.is_read_only);
	kref_get(&device->refs);
	device->disk = disk;
	return 0;
}

/* Adds the disk, which reads the partition table through the driver, and tells the driver so. */
void bdus_disk_add(struct work_struct *work)
{
	struct bdus_device *device = container_of(work, struct bdus_device, add_work);

	if (device_add_disk(NULL, device->disk, bdus_disk_groups)) {
		bdus_device_terminate(device);
		return;
	}
	device->is_added = true;
	spin_lock(&device->lock);
	if (device->state == BDUS_UNAVAILABLE) {
		device->state = BDUS_ACTIVE;
		device->announces = true;
	}
	spin_unlock(&device->lock);
	bdus_device_notify(device);
	wake_up_all(&device->lifecycle);
}

/* Takes the disk out of the system. Whoever has it open keeps a disk of no size. */
void bdus_disk_remove(struct bdus_device *device)
{
	if (device->is_added)
		del_gendisk(device->disk);
}

void bdus_disk_put(struct bdus_device *device)
{
	struct gendisk *disk = device->disk;

	/* The queue of a disk that never was added ends with the disk. */
	if (device->is_added)
		blk_mq_free_tag_set(&device->tag_set);
	/* The last reference may be that of a client. */
	kref_get(&device->refs);
	put_disk(disk);
	if (!device->is_added)
		blk_mq_free_tag_set(&device->tag_set);
	bdus_device_put(device);
}
