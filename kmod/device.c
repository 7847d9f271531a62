// SPDX-License-Identifier: GPL-2.0
/*
 * Devices: the registry of all of them, and their way from creation to destruction.
 */
#include <linux/blkdev.h>
#include <linux/completion.h>
#include <linux/idr.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>

#include "bdus.h"

struct workqueue_struct *bdus_workqueue;
int bdus_major;

/*
 * Destroying a device waits until it was added. Each kind of work has a queue, and thus a rescuer,
 * of its own: where memory is so short that only rescuers are left, one cannot wait for itself.
 */
static struct workqueue_struct *bdus_destruction;

static DEFINE_MUTEX(bdus_registry_mutex);
static LIST_HEAD(bdus_registry);
/* Gives out indices in turn, so that a device number is not soon another device's. */
static DEFINE_IDR(bdus_indices);
static unsigned int bdus_max_devices;
static u64 bdus_next_id;

int bdus_devices_init(unsigned int max_devices)
{
	bdus_max_devices = max_devices;
	bdus_workqueue = alloc_workqueue("bdus", WQ_UNBOUND | WQ_MEM_RECLAIM, 0);
	if (!bdus_workqueue)
		return -ENOMEM;
	bdus_major = -ENOMEM;
	bdus_destruction = alloc_workqueue("bdus_destroy", WQ_UNBOUND | WQ_MEM_RECLAIM, 0);
	if (!bdus_destruction)
		goto no_destruction;
	bdus_major = register_blkdev(0, "bdus");
	if (bdus_major < 0)
		goto no_major;
	return 0;

no_major:
	destroy_workqueue(bdus_destruction);
no_destruction:
	destroy_workqueue(bdus_workqueue);
	return bdus_major;
}

void bdus_devices_exit(void)
{
	/* Waits for what is being destroyed. Nothing else is left: a device keeps the module. */
	destroy_workqueue(bdus_destruction);
	destroy_workqueue(bdus_workqueue);
	unregister_blkdev(bdus_major, "bdus");
	idr_destroy(&bdus_indices);
}

static void bdus_device_free(struct kref *refs)
{
	struct bdus_device *device = container_of(refs, struct bdus_device, refs);

	bdus_hwqs_free(device);
	kfree(device);
}

void bdus_device_put(struct bdus_device *device)
{
	kref_put(&device->refs, bdus_device_free);
}

static void bdus_destroy_work(struct work_struct *work)
{
	struct bdus_device *device = container_of(work, struct bdus_device, destroy_work);

	flush_work(&device->add_work);
	bdus_disk_remove(device);
	/* Whoever queued the last request may still wait for its answer. */
	synchronize_rcu();
	mutex_lock(&bdus_registry_mutex);
	list_del(&device->siblings);
	idr_remove(&bdus_indices, device->index);
	WRITE_ONCE(device->is_destroyed, true);
	mutex_unlock(&bdus_registry_mutex);
	/* Nobody finds it any more who would want its disk. */
	bdus_disk_put(device);
	wake_up_all(&device->lifecycle);
	bdus_device_put(device);
}

/* Takes the device out of the world. Once, when it is terminated and has no driver. */
void bdus_device_destroy(struct bdus_device *device)
{
	queue_work(bdus_destruction, &device->destroy_work);
}

/* Registers a device that was just allocated; it is found from then on. */
static int bdus_register(struct bdus_device *device)
{
	int ret;

	mutex_lock(&bdus_registry_mutex);
	ret = idr_alloc_cyclic(&bdus_indices, device, 0, bdus_max_devices, GFP_KERNEL);
	if (ret >= 0) {
		device->index = ret;
		device->config.id = bdus_next_id++;
		device->config.major = bdus_major;
		device->config.minor = device->index * BDUS_MINORS;
		ret = bdus_disk_make(device);
		if (ret)
			idr_remove(&bdus_indices, device->index);
		else
			list_add_tail(&device->siblings, &bdus_registry);
	}
	mutex_unlock(&bdus_registry_mutex);
	return ret;
}

/**
 * bdus_device_create() - makes a device that @driver drives, but does not add its disk yet
 * @config: adjusted; completed with what identifies the device
 * @extras: of a device with rings; NULL for others
 * @driver: the session
 *
 * Return: the device, with a reference for the session, or an error pointer.
 */
struct bdus_device *bdus_device_create(struct bdus_device_config *config,
				       const struct bdus_extras *extras,
				       struct bdus_session *driver)
{
	struct bdus_device *device = kzalloc(sizeof(*device), GFP_KERNEL);
	int ret;

	if (!device)
		return ERR_PTR(-ENOMEM);
	kref_init(&device->refs);
	spin_lock_init(&device->lock);
	init_waitqueue_head(&device->lifecycle);
	init_waitqueue_head(&device->items);
	INIT_LIST_HEAD(&device->pending);
	INIT_WORK(&device->add_work, bdus_disk_add);
	INIT_WORK(&device->destroy_work, bdus_destroy_work);
	device->config = *config;
	device->driver = driver;
	if (extras)
		device->extras = *extras;
	ret = extras && !bdus_hwqs_alloc(device) ? -ENOMEM : bdus_register(device);
	if (ret) {
		bdus_device_put(device);
		return ERR_PTR(ret);
	}
	/* One for the registry, until it is destroyed, and one for the session. */
	kref_get(&device->refs);
	*config = device->config;
	return device;
}

static struct bdus_device *bdus_find_locked(u64 id, int *error)
{
	struct bdus_device *device;

	lockdep_assert_held(&bdus_registry_mutex);
	list_for_each_entry(device, &bdus_registry, siblings) {
		if (device->config.id == id) {
			kref_get(&device->refs);
			return device;
		}
	}
	*error = id < bdus_next_id ? -ENODEV : -EINVAL;
	return NULL;
}

/**
 * bdus_device_find() - the device with that @id
 * @id: of the device
 * @error: set where there is none: -ENODEV, or -EINVAL if there never was
 *
 * Return: the device, with a reference, or NULL.
 */
struct bdus_device *bdus_device_find(u64 id, int *error)
{
	struct bdus_device *device;

	mutex_lock(&bdus_registry_mutex);
	device = bdus_find_locked(id, error);
	mutex_unlock(&bdus_registry_mutex);
	return device;
}

/* The device with the lowest id that is not below @id, with a reference, or NULL. */
struct bdus_device *bdus_device_find_next(u64 id)
{
	struct bdus_device *device;

	mutex_lock(&bdus_registry_mutex);
	/* They are in the order of their creation, and of their ids. */
	list_for_each_entry(device, &bdus_registry, siblings) {
		if (device->config.id >= id) {
			kref_get(&device->refs);
			mutex_unlock(&bdus_registry_mutex);
			return device;
		}
	}
	mutex_unlock(&bdus_registry_mutex);
	return NULL;
}

/* The device whose first minor is @minor, with a reference, or NULL. */
struct bdus_device *bdus_device_find_minor(int minor)
{
	struct bdus_device *device;

	mutex_lock(&bdus_registry_mutex);
	device = idr_find(&bdus_indices, minor / BDUS_MINORS);
	if (device)
		kref_get(&device->refs);
	mutex_unlock(&bdus_registry_mutex);
	return device;
}

/* Has the driver look at the state of its device. */
void bdus_device_notify(struct bdus_device *device)
{
	wake_up_all(&device->items);
	if (!device->hwqs)
		return;
	spin_lock(&device->lock);
	bdus_hwqs_notify(device);
	spin_unlock(&device->lock);
}

/* Fails all requests, those to come as well. The driver, if there is one, is told to end. */
void bdus_device_terminate(struct bdus_device *device)
{
	LIST_HEAD(failed);

	spin_lock(&device->lock);
	device->state = BDUS_TERMINATED;
	bdus_queue_fail_all(device, &failed);
	spin_unlock(&device->lock);
	bdus_request_finish_all(&failed);
	bdus_device_notify(device);
	wake_up_all(&device->lifecycle);
}

int bdus_device_trigger_destruction(u64 id)
{
	bool was_terminated, is_driven;
	struct bdus_device *device;
	int ret;

	device = bdus_device_find(id, &ret);
	if (!device)
		return ret == -ENODEV ? 0 : ret;
	spin_lock(&device->lock);
	was_terminated = device->state == BDUS_TERMINATED;
	is_driven = device->driver;
	/* From here on nobody becomes its driver. */
	device->state = BDUS_TERMINATED;
	spin_unlock(&device->lock);
	bdus_device_terminate(device);
	if (!was_terminated && !is_driven)
		bdus_device_destroy(device);
	bdus_device_put(device);
	return 0;
}

int bdus_device_wait_until_destroyed(u64 id)
{
	struct bdus_device *device;
	int ret;

	device = bdus_device_find(id, &ret);
	if (!device)
		return ret == -ENODEV ? 0 : ret;
	ret = wait_event_interruptible(device->lifecycle, READ_ONCE(device->is_destroyed));
	bdus_device_put(device);
	return ret ? -EINTR : 0;
}

/**
 * struct bdus_flush - a flush that goes on when whoever waits for it is interrupted
 * @work: does it
 * @done: when it is done
 * @refs: whoever waits, and @work
 * @device: with a reference
 * @disk: of the device, with a reference
 * @error: what came of it
 */
struct bdus_flush {
	struct work_struct work;
	struct completion done;
	struct kref refs;
	struct bdus_device *device;
	struct gendisk *disk;
	int error;
};

static void bdus_flush_free(struct kref *refs)
{
	struct bdus_flush *flush = container_of(refs, struct bdus_flush, refs);

	put_disk(flush->disk);
	bdus_device_put(flush->device);
	kfree(flush);
}

static void bdus_flush_work(struct work_struct *work)
{
	struct bdus_flush *flush = container_of(work, struct bdus_flush, work);
	struct block_device *bdev = flush->disk->part0;
	int ret;

	flush->error = sync_blockdev(bdev);
	ret = blkdev_issue_flush(bdev);
	if (!flush->error && ret != -EOPNOTSUPP)
		flush->error = ret;
	complete_all(&flush->done);
	kref_put(&flush->refs, bdus_flush_free);
}

/* Gives the device with rings of that @id another capacity in bytes. */
int bdus_device_resize(u64 id, u64 capacity)
{
	struct bdus_device *device;
	int ret;

	mutex_lock(&bdus_registry_mutex);
	device = bdus_find_locked(id, &ret);
	if (!device) {
		mutex_unlock(&bdus_registry_mutex);
		return ret;
	}
	if (!device->hwqs) {
		ret = -EOPNOTSUPP;
	} else if (READ_ONCE(device->state) == BDUS_UNAVAILABLE) {
		ret = -EBUSY;
	} else if (READ_ONCE(device->state) == BDUS_TERMINATED) {
		ret = -ENODEV;
	} else if (!capacity || capacity % device->config.physical_block_size ||
		   capacity > S64_MAX) {
		ret = -EINVAL;
	} else {
		WRITE_ONCE(device->config.size, capacity);
		set_capacity_and_notify(device->disk, capacity >> SECTOR_SHIFT);
		ret = 0;
	}
	mutex_unlock(&bdus_registry_mutex);
	bdus_device_put(device);
	return ret;
}

/* Writes back what the system holds for the device with that @id, and flushes it. */
int bdus_device_flush(u64 id)
{
	struct bdus_flush *flush = kzalloc(sizeof(*flush), GFP_KERNEL);
	int ret;

	if (!flush)
		return -ENOMEM;
	mutex_lock(&bdus_registry_mutex);
	flush->device = bdus_find_locked(id, &ret);
	if (flush->device) {
		flush->disk = flush->device->disk;
		get_device(disk_to_dev(flush->disk));
	}
	mutex_unlock(&bdus_registry_mutex);
	if (!flush->device) {
		kfree(flush);
		return ret;
	}
	INIT_WORK(&flush->work, bdus_flush_work);
	init_completion(&flush->done);
	kref_init(&flush->refs);
	if (get_disk_ro(flush->disk)) {
		ret = 0;
	} else {
		kref_get(&flush->refs);
		queue_work(bdus_workqueue, &flush->work);
		ret = wait_for_completion_interruptible(&flush->done) ? -EINTR : flush->error;
	}
	kref_put(&flush->refs, bdus_flush_free);
	return ret;
}
