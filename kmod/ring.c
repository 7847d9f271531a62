// SPDX-License-Identifier: GPL-2.0
/*
 * Rings: the memory that a driver shares with the kernel, and what its own thread does about it.
 * The driver may write to any of this memory at any time. So each word is read once, into a
 * variable, and is then a number within bounds, an address to copy to or from as the process itself
 * could, or an errno. Nothing that the kernel has written there is read back.
 */
#include <linux/blk-mq.h>
#include <linux/blkdev.h>
#include <linux/log2.h>
#include <linux/nospec.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include "bdus.h"
#include "bdus_trace.h"

static int bdus_ring_alloc(struct bdus_ring *ring, u32 depth)
{
	u32 entries = roundup_pow_of_two(depth);

	BUILD_BUG_ON(sizeof(struct bdus_ring_header) != 128);
	BUILD_BUG_ON(sizeof(struct bdus_ring_item) != 32);
	ring->bytes = PAGE_ALIGN(BDUS_RING_BYTES((size_t)entries));
	ring->area = vmalloc_user(ring->bytes);
	if (!ring->area)
		return -ENOMEM;
	ring->header = ring->area;
	ring->items = ring->area + BDUS_RING_ITEMS;
	ring->payloads = ring->area + BDUS_RING_PAYLOADS(entries);
	ring->submissions = ring->area + BDUS_RING_SUBMISSIONS(entries);
	ring->completions = ring->area + BDUS_RING_COMPLETIONS(entries);
	ring->mask = entries - 1;
	mutex_init(&ring->mutex);
	return 0;
}

/* Allocates what @session shares with the driver of @device. */
int bdus_rings_alloc(struct bdus_session *session, const struct bdus_device *device)
{
	u32 i, count = device->extras.queues;
	int ret = 0;

	session->rings = kcalloc(count, sizeof(*session->rings), GFP_KERNEL);
	if (!session->rings)
		return -ENOMEM;
	session->ring_count = count;
	for (i = 0; i < count && !ret; i++)
		ret = bdus_ring_alloc(&session->rings[i], device->config.max_outstanding_reqs);
	if (ret)
		bdus_rings_free(session);
	return ret;
}

void bdus_rings_free(struct bdus_session *session)
{
	u32 i;

	for (i = 0; i < session->ring_count; i++)
		vfree(session->rings[i].area);
	kfree(session->rings);
	session->rings = NULL;
	session->ring_count = 0;
}

/* Takes the request of a completion, which is being copied from then on. Under the lock. */
static void bdus_ring_claim(struct bdus_hwq *hwq, struct bdus_ring_completion *entry,
			    struct list_head *claimed)
{
	u32 number = READ_ONCE(entry->tag);
	struct bdus_request *request;
	struct bdus_tag *tag;

	if (number >= hwq->device->config.max_outstanding_reqs)
		return;
	tag = &hwq->tags[array_index_nospec(number, hwq->device->config.max_outstanding_reqs)];
	if (!tag->is_busy)
		return;
	tag->is_busy = false;
	hwq->busy_count--;
	if (!tag->rq)
		return;
	request = blk_mq_rq_to_pdu(tag->rq);
	if (request->stage == BDUS_BLOCKED) {
		/* What was completed had timed out; this is the turn of the next one. */
		request->stage = BDUS_PENDING;
		list_add_tail(&request->siblings, &hwq->pending);
		hwq->pending_count++;
	} else {
		request->stage = BDUS_COPYING;
		request->error = READ_ONCE(entry->error);
		request->payload = READ_ONCE(entry->payload);
		list_add_tail(&request->siblings, claimed);
	}
	tag->rq = NULL;
}

/* Ends the requests of a list, which nobody has any more, together as far as possible. */
static void bdus_ring_end(struct list_head *settled)
{
	struct bdus_request *request, *next;
	DEFINE_IO_COMP_BATCH(batch);

	list_for_each_entry_safe(request, next, settled, siblings) {
		struct request *rq = blk_mq_rq_from_pdu(request);

		trace_bdus_completed(rq, request->status);
		if (request->status || request->ioctl ||
		    !blk_mq_add_to_batch(rq, &batch, false, blk_mq_end_request_batch))
			blk_mq_end_request(rq, request->status);
	}
	if (batch.complete)
		batch.complete(&batch);
}

/* Takes what the driver has completed. */
static int bdus_ring_reap(struct bdus_hwq *hwq, struct bdus_ring *ring)
{
	/* Completions are written before the tail. */
	u32 tail = smp_load_acquire(&ring->header->cq_tail);
	u32 count = tail - ring->cq_head;
	struct bdus_request *request;
	LIST_HEAD(claimed);
	bool answers;

	if (!count)
		return 0;
	if (count > ring->mask + 1)
		return -EINVAL;
	spin_lock(&hwq->lock);
	for (; count; count--, ring->cq_head++)
		bdus_ring_claim(hwq, &ring->completions[ring->cq_head & ring->mask], &claimed);
	spin_unlock(&hwq->lock);
	list_for_each_entry(request, &claimed, siblings) {
		struct request *rq = blk_mq_rq_from_pdu(request);

		if (!request->error && bdus_payload_comes_in(rq) &&
		    bdus_payload_copy_user(request->payload, rq, false))
			request->error = EIO;
	}
	spin_lock(&hwq->lock);
	list_for_each_entry(request, &claimed, siblings) {
		struct request *rq = blk_mq_rq_from_pdu(request);

		if (!request->is_doomed)
			request->status = bdus_request_status(rq, request->error);
		request->stage = BDUS_NOWHERE;
	}
	spin_unlock(&hwq->lock);
	answers = !list_empty(&claimed);
	bdus_ring_end(&claimed);
	if (answers)
		bdus_spin_answered(hwq);
	return 0;
}

/* Takes all pending requests, which are being copied from then on. */
static void bdus_ring_take_pending(struct bdus_hwq *hwq, struct list_head *taken)
{
	struct bdus_request *request;

	spin_lock(&hwq->lock);
	if (!hwq->is_stopped) {
		list_splice_init(&hwq->pending, taken);
		list_for_each_entry(request, taken, siblings)
			request->stage = BDUS_COPYING;
		hwq->pending_count = 0;
		WRITE_ONCE(hwq->ring->header->pending, 0);
	}
	spin_unlock(&hwq->lock);
}

/* Submits what is pending, with payloads. Those that cannot be copied fail. */
static void bdus_ring_submit(struct bdus_hwq *hwq, struct bdus_ring *ring)
{
	struct bdus_request *request, *next;
	LIST_HEAD(failed);
	LIST_HEAD(taken);

	if (!READ_ONCE(hwq->pending_count))
		return;
	bdus_ring_take_pending(hwq, &taken);
	list_for_each_entry(request, &taken, siblings) {
		struct request *rq = blk_mq_rq_from_pdu(request);

		request->error = 0;
		request->payload = READ_ONCE(ring->payloads[rq->tag]);
		if (bdus_payload_goes_out(rq))
			request->error = bdus_payload_copy_user(request->payload, rq, true);
	}
	spin_lock(&hwq->lock);
	list_for_each_entry_safe(request, next, &taken, siblings) {
		if (!request->is_doomed && !request->error && !hwq->is_dead) {
			bdus_hwq_submit(hwq, blk_mq_rq_from_pdu(request));
			continue;
		}
		if (!request->is_doomed)
			request->status = BLK_STS_IOERR;
		request->stage = BDUS_NOWHERE;
		list_move_tail(&request->siblings, &failed);
	}
	spin_unlock(&hwq->lock);
	bdus_request_finish_all(&failed);
}

/* Items that the driver has not taken, going by what it says. */
static int bdus_ring_untaken(struct bdus_ring *ring)
{
	u32 count = READ_ONCE(ring->sq_tail) - READ_ONCE(ring->header->sq_head);

	return min(count, ring->mask + 1);
}

/**
 * bdus_ring_enter() - takes completions, submits what is pending, and waits
 * @hwq: the queue
 * @ring: of the session that calls
 * @waits: until there is something to do
 *
 * Return: how many items the driver has not taken, -EINTR, or -EINVAL for a bad tail.
 */
int bdus_ring_enter(struct bdus_hwq *hwq, struct bdus_ring *ring, bool waits)
{
	int ret;

	for (;;) {
		if (mutex_lock_interruptible(&ring->mutex))
			return -EINTR;
		ret = bdus_ring_reap(hwq, ring);
		bdus_ring_submit(hwq, ring);
		mutex_unlock(&ring->mutex);
		if (ret)
			return ret;
		ret = bdus_ring_untaken(ring);
		if (!waits || ret || READ_ONCE(hwq->is_stopped))
			return ret;
		if (wait_event_interruptible(hwq->waiters, bdus_hwq_is_ready(hwq)))
			return -EINTR;
	}
}
