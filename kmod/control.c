// SPDX-License-Identifier: GPL-2.0
/*
 * /dev/bdus-control: checks who asks and what for, and passes it on.
 */
#include <linux/capability.h>
#include <linux/fs.h>
#include <linux/kdev_t.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/namei.h>
#include <linux/poll.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/vmalloc.h>

#include "bdus.h"

static int bdus_control_open(struct inode *inode, struct file *file)
{
	struct bdus_session *session;

	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	session = bdus_session_new();
	if (!session)
		return -ENOMEM;
	file->private_data = session;
	return nonseekable_open(inode, file);
}

static int bdus_control_release(struct inode *inode, struct file *file)
{
	bdus_session_free(file->private_data);
	return 0;
}

static int bdus_control_mmap(struct file *file, struct vm_area_struct *vma)
{
	struct bdus_session *session = file->private_data;

	if (!bdus_session_device(session) || !session->area || !(vma->vm_flags & VM_SHARED))
		return -EINVAL;
	return remap_vmalloc_range(vma, session->area, vma->vm_pgoff);
}

static long bdus_get_version(void __user *argument)
{
	struct bdus_version version = {
		.major = BDUS_VERSION_MAJOR,
		.minor = BDUS_VERSION_MINOR,
		.patch = BDUS_VERSION_PATCH,
	};

	return copy_to_user(argument, &version, sizeof(version)) ? -EFAULT : 0;
}

static long bdus_query(struct bdus_query __user *argument)
{
	struct bdus_query query = {
		.features = BDUS_FEATURE_POLL |
			    (READ_ONCE(bdus_offers_rings) ?
			     BDUS_FEATURE_RING | BDUS_FEATURE_LINUX_IOCTLS : 0),
		.max_outstanding_reqs = BDUS_REQUESTS_MAX,
		.max_read_write_size = BDUS_TRANSFER_MAX,
		.max_queues = BDUS_QUEUES_MAX,
		.max_depth = BDUS_DEPTH_MAX,
	};
	u32 size;

	if (get_user(size, &argument->size))
		return -EFAULT;
	if (size < BDUS_QUERY_BYTES_MIN)
		return -EINVAL;
	query.size = min_t(u32, size, sizeof(query));
	return copy_to_user(argument, &query, query.size) ? -EFAULT : 0;
}

static long bdus_get_device(struct bdus_session *session, void __user *argument,
			    int (*get)(struct bdus_session *, struct bdus_config *))
{
	struct bdus_config *config = memdup_user(argument, sizeof(*config));
	int ret;

	if (IS_ERR(config))
		return PTR_ERR(config);
	ret = get(session, config);
	/* The driver would not know its device: it ends, and the device with it. */
	if (!ret && copy_to_user(argument, config, sizeof(*config)))
		ret = -EFAULT;
	kfree(config);
	return ret;
}

static long bdus_device_path_to_id(u64 __user *argument)
{
	struct bdus_device *device;
	struct inode *inode;
	struct path path;
	char *name;
	u64 value;
	int ret;

	if (get_user(value, argument))
		return -EFAULT;
	name = strndup_user(u64_to_user_ptr(value), PATH_MAX);
	if (IS_ERR(name))
		return PTR_ERR(name);
	ret = kern_path(name, LOOKUP_FOLLOW, &path);
	kfree(name);
	if (ret)
		return ret;
	inode = d_backing_inode(path.dentry);
	if (!S_ISBLK(inode->i_mode))
		ret = -ENOTBLK;
	else if (imajor(inode) != bdus_major)
		ret = -EINVAL;
	else if (iminor(inode) % BDUS_MINORS)
		ret = -ECHILD;
	else
		value = iminor(inode);
	path_put(&path);
	if (ret)
		return ret;
	device = bdus_device_find_minor(value);
	if (!device)
		return -ENODEV;
	value = device->config.id;
	bdus_device_put(device);
	return put_user(value, argument);
}

static long bdus_get_device_config(struct bdus_device_config __user *argument)
{
	struct bdus_device *device;
	int ret;
	u64 id;

	if (get_user(id, &argument->id))
		return -EFAULT;
	device = bdus_device_find(id, &ret);
	if (!device)
		return ret;
	ret = copy_to_user(argument, &device->config, sizeof(device->config)) ? -EFAULT : 0;
	bdus_device_put(device);
	return ret;
}

static long bdus_with_id(u64 __user *argument, int (*act)(u64 id))
{
	u64 id;

	return get_user(id, argument) ? -EFAULT : act(id);
}

/* What any process with the capability may ask for, whichever device it drives. */
static long bdus_control_device(struct bdus_session *session, unsigned int command,
				void __user *argument)
{
	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	switch (command) {
	case BDUS_CREATE_DEVICE:
		return bdus_get_device(session, argument, bdus_session_create);
	case BDUS_ATTACH_TO_DEVICE:
		return bdus_get_device(session, argument, bdus_session_attach);
	case BDUS_DEVICE_PATH_TO_ID:
		return bdus_device_path_to_id(argument);
	case BDUS_GET_DEVICE_CONFIG:
		return bdus_get_device_config(argument);
	case BDUS_FLUSH_DEVICE:
		return bdus_with_id(argument, bdus_device_flush);
	case BDUS_TRIGGER_DEVICE_DESTRUCTION:
		return bdus_with_id(argument, bdus_device_trigger_destruction);
	case BDUS_WAIT_UNTIL_DEVICE_IS_DESTROYED:
		return bdus_with_id(argument, bdus_device_wait_until_destroyed);
	default:
		return bdus_control2(session, command, argument);
	}
}

/* The loop of a driver: it may have dropped its privileges. */
static long bdus_control_items(struct bdus_session *session, unsigned int command,
			       unsigned long index, bool waits)
{
	struct bdus_device *device = bdus_session_device(session);
	struct bdus_slot *slot;
	int ret = 0;

	if (!device || device->hwqs)
		return -ENOTTY;
	if (index >= device->config.max_outstanding_reqs)
		return -EINVAL;
	slot = (struct bdus_slot *)session->area + index;
	if (command != BDUS_RECEIVE_ITEM)
		ret = bdus_queue_reply(session, slot);
	if (!ret && command != BDUS_SEND_REPLY)
		ret = bdus_queue_receive(session, slot, waits);
	return ret;
}

static long bdus_control_ioctl(struct file *file, unsigned int command, unsigned long argument)
{
	struct bdus_session *session = file->private_data;

	switch (command) {
	case BDUS_SEND_REPLY_AND_RECEIVE_ITEM:
	case BDUS_RECEIVE_ITEM:
	case BDUS_SEND_REPLY:
		return bdus_control_items(session, command, argument,
					  !(file->f_flags & O_NONBLOCK));
	case BDUS_GET_QUEUE:
		return argument > U32_MAX ? -EINVAL : bdus_ring_file_new(file, argument);
	case BDUS_QUERY:
		return bdus_query((void __user *)argument);
	case BDUS_GET_VERSION:
		return bdus_get_version((void __user *)argument);
	case BDUS_TERMINATE:
		return bdus_session_terminate(session);
	case BDUS_MARK_AS_SUCCESSFUL:
		WRITE_ONCE(session->is_successful, true);
		return 0;
	default:
		return bdus_control_device(session, command, (void __user *)argument);
	}
}

static __poll_t bdus_control_poll(struct file *file, struct poll_table_struct *table)
{
	struct bdus_session *session = file->private_data;
	struct bdus_device *device = bdus_session_device(session);

	if (!device || device->hwqs)
		return EPOLLERR;
	poll_wait(file, &device->items, table);
	return bdus_queue_has_item(session) ? EPOLLIN | EPOLLRDNORM : 0;
}

static const struct file_operations bdus_control_operations = {
	.owner = THIS_MODULE,
	.open = bdus_control_open,
	.release = bdus_control_release,
	.mmap = bdus_control_mmap,
	.poll = bdus_control_poll,
	.unlocked_ioctl = bdus_control_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
};

struct miscdevice bdus_control = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "bdus-control",
	.fops = &bdus_control_operations,
	.mode = 0600,
};
