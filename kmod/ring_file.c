// SPDX-License-Identifier: GPL-2.0
/*
 * The file of a queue of a session: what its driver maps, polls and enters. It keeps the session,
 * which ends when all of them are closed and nothing of them is mapped any more.
 */
#include <linux/anon_inodes.h>
#include <linux/fcntl.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/nospec.h>
#include <linux/poll.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include "bdus.h"

/**
 * struct bdus_ring_file - what belongs to such a file
 * @control: file of the session, with a reference
 * @session: the session
 * @hwq: of its device
 * @ring: that it shares with it
 */
struct bdus_ring_file {
	struct file *control;
	struct bdus_session *session;
	struct bdus_hwq *hwq;
	struct bdus_ring *ring;
};

static int bdus_ring_file_release(struct inode *inode, struct file *file)
{
	struct bdus_ring_file *own = file->private_data;

	fput(own->control);
	kfree(own);
	return 0;
}

static int bdus_ring_file_mmap(struct file *file, struct vm_area_struct *vma)
{
	struct bdus_ring_file *own = file->private_data;

	if (!(vma->vm_flags & VM_SHARED))
		return -EINVAL;
	return remap_vmalloc_range(vma, own->ring->area, vma->vm_pgoff);
}

static __poll_t bdus_ring_file_poll(struct file *file, struct poll_table_struct *table)
{
	struct bdus_ring_file *own = file->private_data;

	poll_wait(file, &own->hwq->waiters, table);
	return bdus_hwq_is_ready(own->hwq) ? EPOLLIN | EPOLLRDNORM : 0;
}

/* The loop of a driver: it may have dropped its privileges. */
static long bdus_ring_file_ioctl(struct file *file, unsigned int command, unsigned long argument)
{
	struct bdus_ring_file *own = file->private_data;

	switch (command) {
	case BDUS_ENTER:
		if (argument & ~(unsigned long)BDUS_ENTER_WAIT)
			return -EINVAL;
		return bdus_ring_enter(own->hwq, own->ring, argument & BDUS_ENTER_WAIT);
	case BDUS_TERMINATE:
		return bdus_session_terminate(own->session);
	case BDUS_MARK_AS_SUCCESSFUL:
		WRITE_ONCE(own->session->is_successful, true);
		return 0;
	default:
		return -ENOTTY;
	}
}

static const struct file_operations bdus_ring_file_operations = {
	.owner = THIS_MODULE,
	.release = bdus_ring_file_release,
	.mmap = bdus_ring_file_mmap,
	.poll = bdus_ring_file_poll,
	.unlocked_ioctl = bdus_ring_file_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
};

/**
 * bdus_ring_file_new() - opens a queue
 * @control: file of the session that drives the device
 * @queue: number of the queue
 *
 * Return: a descriptor, or -EINVAL where there is no such queue, -EMFILE, -ENOMEM.
 */
int bdus_ring_file_new(struct file *control, u32 queue)
{
	struct bdus_session *session = control->private_data;
	struct bdus_device *device = bdus_session_device(session);
	struct bdus_ring_file *own;
	int fd;

	if (!device || queue >= session->ring_count)
		return -EINVAL;
	queue = array_index_nospec(queue, session->ring_count);
	own = kzalloc(sizeof(*own), GFP_KERNEL);
	if (!own)
		return -ENOMEM;
	own->control = get_file(control);
	own->session = session;
	own->hwq = &device->hwqs[queue];
	own->ring = &session->rings[queue];
	fd = anon_inode_getfd("[bdus-queue]", &bdus_ring_file_operations, own, O_RDWR | O_CLOEXEC);
	if (fd < 0) {
		fput(own->control);
		kfree(own);
	}
	return fd;
}
