// SPDX-License-Identifier: GPL-2.0
/*
 * Hardware queues of devices with rings: requests from queue_rq() until the driver has them, and
 * who has which. What is decided upon is in struct bdus_hwq; shared memory is written, not read.
 */
#include <linux/blk-mq.h>
#include <linux/slab.h>

#include "bdus.h"
#include "bdus_trace.h"

struct bdus_hwq *bdus_hwqs_alloc(struct bdus_device *device)
{
	u32 depth = device->config.max_outstanding_reqs;
	struct bdus_hwq *hwq;
	u32 i;

	device->hwqs = kvcalloc(device->extras.queues, sizeof(*device->hwqs), GFP_KERNEL);
	if (!device->hwqs)
		return NULL;
	for (i = 0; i < device->extras.queues; i++) {
		hwq = &device->hwqs[i];
		hwq->device = device;
		spin_lock_init(&hwq->lock);
		init_waitqueue_head(&hwq->waiters);
		INIT_LIST_HEAD(&hwq->pending);
		hwq->tags = kvcalloc(depth, sizeof(*hwq->tags), GFP_KERNEL);
		if (!hwq->tags) {
			bdus_hwqs_free(device);
			return NULL;
		}
	}
	return device->hwqs;
}

void bdus_hwqs_free(struct bdus_device *device)
{
	u32 i;

	for (i = 0; device->hwqs && i < device->extras.queues; i++)
		kvfree(device->hwqs[i].tags);
	kvfree(device->hwqs);
	device->hwqs = NULL;
}

static void bdus_hwq_count(struct bdus_hwq *hwq, u32 pending)
{
	hwq->pending_count = pending;
	if (hwq->ring)
		WRITE_ONCE(hwq->ring->header->pending, pending);
}

/* Keeps @rq until the driver asks for what is pending. */
static void bdus_hwq_postpone(struct bdus_hwq *hwq, struct request *rq)
{
	struct bdus_request *request = blk_mq_rq_to_pdu(rq);

	request->stage = BDUS_PENDING;
	list_add_tail(&request->siblings, &hwq->pending);
	bdus_hwq_count(hwq, hwq->pending_count + 1);
}

/* Gives @rq, whose payload is where it should be, to the driver. Under the lock. */
void bdus_hwq_submit(struct bdus_hwq *hwq, struct request *rq)
{
	struct bdus_request *request = blk_mq_rq_to_pdu(rq);
	struct bdus_ring *ring = hwq->ring;
	struct bdus_ring_item *item = &ring->items[rq->tag];

	request->stage = BDUS_HANDED;
	hwq->tags[rq->tag].rq = rq;
	hwq->tags[rq->tag].is_busy = true;
	hwq->busy_count++;
	WRITE_ONCE(item->type, request->type);
	WRITE_ONCE(item->argument, request->ioctl ? request->ioctl->command : blk_rq_bytes(rq));
	WRITE_ONCE(item->offset, request->ioctl ? 0 : (u64)blk_rq_pos(rq) << SECTOR_SHIFT);
	WRITE_ONCE(ring->submissions[ring->sq_tail++ & ring->mask], rq->tag);
	/* Whoever sees the tail sees what it stands for, and the payload. */
	smp_store_release(&ring->header->sq_tail, ring->sq_tail);
	trace_bdus_submitted(rq);
}

/* Where a new request goes. Only the driver's own thread can copy payloads to it. */
static void bdus_hwq_accept(struct bdus_hwq *hwq, struct request *rq)
{
	struct bdus_request *request = blk_mq_rq_to_pdu(rq);
	struct bdus_tag *tag = &hwq->tags[rq->tag];

	if (tag->is_busy) {
		request->stage = BDUS_BLOCKED;
		tag->rq = rq;
	} else if (!hwq->ring || hwq->is_stopped || bdus_payload_goes_out(rq)) {
		bdus_hwq_postpone(hwq, rq);
	} else {
		bdus_hwq_submit(hwq, rq);
	}
}

/* Whether the driver has something to do. This is all that is believed about what it has taken. */
static bool bdus_hwq_has_work(struct bdus_hwq *hwq)
{
	struct bdus_ring *ring = hwq->ring;

	return hwq->is_dead || hwq->is_stopped || hwq->pending_count || !ring ||
	       READ_ONCE(ring->header->sq_head) != ring->sq_tail;
}

/* Whether the driver has something to do; if not, it will be woken. */
bool bdus_hwq_is_ready(struct bdus_hwq *hwq)
{
	bool is_ready;

	spin_lock(&hwq->lock);
	is_ready = bdus_hwq_has_work(hwq);
	hwq->sleeps = !is_ready;
	spin_unlock(&hwq->lock);
	return is_ready;
}

/* Once for all that has come since the driver went to sleep. */
static bool bdus_hwq_wakes(struct bdus_hwq *hwq)
{
	bool wakes = hwq->sleeps && bdus_hwq_has_work(hwq);

	if (wakes)
		hwq->sleeps = false;
	return wakes;
}

static blk_status_t bdus_hwq_queue_rq(struct blk_mq_hw_ctx *hctx,
				      const struct blk_mq_queue_data *data)
{
	struct bdus_hwq *hwq = hctx->driver_data;
	struct request *rq = data->rq;
	struct bdus_request *request = blk_mq_rq_to_pdu(rq);
	int type = bdus_request_type(&hwq->device->config, rq);
	bool wakes, spins, is_alone;
	u32 answers;

	if (type < 0)
		return BLK_STS_NOTSUPP;
	blk_mq_start_request(rq);
	request->type = type;
	request->is_doomed = false;
	trace_bdus_queued(rq);
	spin_lock(&hwq->lock);
	if (hwq->is_dead) {
		spin_unlock(&hwq->lock);
		return BLK_STS_IOERR;
	}
	is_alone = !hwq->busy_count && !hwq->pending_count && data->last &&
		   !(rq->cmd_flags & (REQ_NOWAIT | REQ_RAHEAD));
	bdus_hwq_accept(hwq, rq);
	wakes = data->last && bdus_hwq_wakes(hwq);
	spins = bdus_spin_begins(hwq, is_alone, !wakes);
	answers = READ_ONCE(hwq->spin.answers);
	spin_unlock(&hwq->lock);
	/* From here on the request may be another one. */
	if (wakes)
		wake_up(&hwq->waiters);
	else if (spins)
		bdus_spin_wait(hwq, answers);
	return BLK_STS_OK;
}

/* The last of a batch did not get here. */
static void bdus_hwq_commit_rqs(struct blk_mq_hw_ctx *hctx)
{
	struct bdus_hwq *hwq = hctx->driver_data;
	bool wakes;

	spin_lock(&hwq->lock);
	wakes = bdus_hwq_wakes(hwq);
	spin_unlock(&hwq->lock);
	if (wakes)
		wake_up(&hwq->waiters);
}

/*
 * Takes @rq away from whoever has it. Under the lock. False while its payload is being copied. A
 * tag that the driver has stays with it: its next request must not get into the way of this one.
 */
static bool bdus_hwq_withdraw(struct bdus_hwq *hwq, struct request *rq, blk_status_t status)
{
	struct bdus_request *request = blk_mq_rq_to_pdu(rq);

	switch (request->stage) {
	case BDUS_PENDING:
		list_del(&request->siblings);
		bdus_hwq_count(hwq, hwq->pending_count - 1);
		break;
	case BDUS_HANDED:
	case BDUS_BLOCKED:
		hwq->tags[rq->tag].rq = NULL;
		break;
	default:
		request->is_doomed = true;
		request->status = status;
		return false;
	}
	request->stage = BDUS_NOWHERE;
	request->status = status;
	return true;
}

static enum blk_eh_timer_return bdus_hwq_timeout_rq(struct request *rq)
{
	struct bdus_hwq *hwq = rq->mq_hctx->driver_data;
	struct bdus_request *request = blk_mq_rq_to_pdu(rq);
	bool is_ours = false;

	spin_lock(&hwq->lock);
	if (request->stage != BDUS_NOWHERE)
		is_ours = bdus_hwq_withdraw(hwq, rq, BLK_STS_TIMEOUT);
	spin_unlock(&hwq->lock);
	if (is_ours)
		bdus_request_finish(rq, BLK_STS_TIMEOUT);
	/* Otherwise somebody is about to complete it. */
	return BLK_EH_DONE;
}

static int bdus_hwq_init_hctx(struct blk_mq_hw_ctx *hctx, void *data, unsigned int index)
{
	struct bdus_device *device = data;

	hctx->driver_data = &device->hwqs[index];
	return 0;
}

const struct blk_mq_ops bdus_hwq_ops = {
	.queue_rq = bdus_hwq_queue_rq,
	.commit_rqs = bdus_hwq_commit_rqs,
	.complete = bdus_request_completed,
	.timeout = bdus_hwq_timeout_rq,
	.init_hctx = bdus_hwq_init_hctx,
};

/* Has the driver of @rings get all requests. Under the lock of the device, as all that follow. */
void bdus_hwqs_connect(struct bdus_device *device, struct bdus_ring *rings)
{
	u32 i;

	for (i = 0; i < device->extras.queues; i++) {
		struct bdus_hwq *hwq = &device->hwqs[i];

		spin_lock(&hwq->lock);
		hwq->ring = &rings[i];
		hwq->is_stopped = false;
		bdus_hwq_count(hwq, hwq->pending_count);
		spin_unlock(&hwq->lock);
	}
}

/* Takes what the driver of @hwq has not answered back; it comes before what has come since. */
static void bdus_hwq_take_back(struct bdus_hwq *hwq)
{
	u32 tag, count = hwq->pending_count;
	LIST_HEAD(unanswered);

	for (tag = 0; tag < hwq->device->config.max_outstanding_reqs; tag++) {
		struct request *rq = hwq->tags[tag].rq;

		hwq->tags[tag] = (struct bdus_tag){};
		if (rq) {
			struct bdus_request *request = blk_mq_rq_to_pdu(rq);

			request->stage = BDUS_PENDING;
			list_add_tail(&request->siblings, &unanswered);
			count++;
		}
	}
	hwq->busy_count = 0;
	list_splice(&unanswered, &hwq->pending);
	bdus_hwq_count(hwq, count);
}

/* Nobody gets requests any more; those without an answer wait. */
void bdus_hwqs_disconnect(struct bdus_device *device)
{
	u32 i;

	for (i = 0; i < device->extras.queues; i++) {
		struct bdus_hwq *hwq = &device->hwqs[i];

		spin_lock(&hwq->lock);
		hwq->ring = NULL;
		bdus_hwq_take_back(hwq);
		spin_unlock(&hwq->lock);
	}
}

/* Moves all requests to @failed, and has those to come fail. */
void bdus_hwqs_fail_all(struct bdus_device *device, struct list_head *failed)
{
	struct bdus_request *request, *next;
	u32 i, tag;

	for (i = 0; i < device->extras.queues; i++) {
		struct bdus_hwq *hwq = &device->hwqs[i];

		spin_lock(&hwq->lock);
		hwq->is_dead = true;
		for (tag = 0; tag < device->config.max_outstanding_reqs; tag++) {
			struct request *rq = hwq->tags[tag].rq;

			if (!rq)
				continue;
			request = blk_mq_rq_to_pdu(rq);
			bdus_hwq_withdraw(hwq, rq, BLK_STS_IOERR);
			list_add_tail(&request->siblings, failed);
		}
		list_for_each_entry_safe(request, next, &hwq->pending, siblings) {
			bdus_hwq_withdraw(hwq, blk_mq_rq_from_pdu(request), BLK_STS_IOERR);
			list_add_tail(&request->siblings, failed);
		}
		spin_unlock(&hwq->lock);
	}
}

static u32 bdus_ring_state(const struct bdus_device *device)
{
	u32 state = device->state == BDUS_UNAVAILABLE ? 0 : BDUS_RING_AVAILABLE;

	if (device->state == BDUS_TERMINATED || device->driver->is_ending)
		state |= BDUS_RING_TERMINATE;
	if (device->state != BDUS_TERMINATED && device->driver->flushes_first)
		state |= BDUS_RING_FLUSH;
	return state;
}

/* Tells the driver in what state its device is. */
void bdus_hwqs_notify(struct bdus_device *device)
{
	u32 i, state;

	if (!device->driver)
		return;
	state = bdus_ring_state(device);
	for (i = 0; i < device->extras.queues; i++) {
		struct bdus_hwq *hwq = &device->hwqs[i];

		spin_lock(&hwq->lock);
		hwq->is_stopped = state & BDUS_RING_TERMINATE;
		if (hwq->ring)
			WRITE_ONCE(hwq->ring->header->state, state);
		spin_unlock(&hwq->lock);
		wake_up_all(&hwq->waiters);
	}
}
