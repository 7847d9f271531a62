// SPDX-License-Identifier: GPL-2.0
/*
 * Requests on their way to the driver and back. The lock of the device decides who has a request;
 * payloads are copied outside of it, by the driver's own thread.
 */
#include <linux/blk-mq.h>
#include <linux/errno.h>
#include <linux/wait.h>

#include "bdus.h"
#include "bdus_trace.h"

static blk_status_t bdus_queue_rq(struct blk_mq_hw_ctx *hctx, const struct blk_mq_queue_data *data)
{
	struct bdus_device *device = hctx->queue->queuedata;
	struct request *rq = data->rq;
	struct bdus_request *request = blk_mq_rq_to_pdu(rq);
	bool is_terminated;

	if (bdus_request_type(&device->config, rq) < 0)
		return BLK_STS_NOTSUPP;
	blk_mq_start_request(rq);
	trace_bdus_queued(rq);
	spin_lock(&device->lock);
	is_terminated = device->state == BDUS_TERMINATED;
	if (!is_terminated) {
		request->stage = BDUS_PENDING;
		request->is_doomed = false;
		list_add_tail(&request->siblings, &device->pending);
	}
	spin_unlock(&device->lock);
	if (is_terminated)
		return BLK_STS_IOERR;
	wake_up(&device->items);
	return BLK_STS_OK;
}

/* Takes @rq away from whoever has it. Under the lock. False while its payload is being copied. */
static bool bdus_withdraw(struct bdus_device *device, struct request *rq, blk_status_t status)
{
	struct bdus_request *request = blk_mq_rq_to_pdu(rq);

	switch (request->stage) {
	case BDUS_PENDING:
		list_del(&request->siblings);
		break;
	case BDUS_HANDED:
		device->handed[rq->tag] = NULL;
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

static enum blk_eh_timer_return bdus_timeout_rq(struct request *rq)
{
	struct bdus_device *device = rq->q->queuedata;
	struct bdus_request *request = blk_mq_rq_to_pdu(rq);
	bool is_ours = false;

	spin_lock(&device->lock);
	if (request->stage != BDUS_NOWHERE)
		is_ours = bdus_withdraw(device, rq, BLK_STS_TIMEOUT);
	spin_unlock(&device->lock);
	if (is_ours)
		bdus_request_finish(rq, BLK_STS_TIMEOUT);
	/* Otherwise somebody is about to complete it. */
	return BLK_EH_DONE;
}

/* The bdus_request of each begins as zeroes, which is nowhere. */
const struct blk_mq_ops bdus_queue_ops = {
	.queue_rq = bdus_queue_rq,
	.complete = bdus_request_completed,
	.timeout = bdus_timeout_rq,
};

/* Moves all requests to @failed, for bdus_request_finish_all(). Under the lock. */
void bdus_queue_fail_all(struct bdus_device *device, struct list_head *failed)
{
	struct bdus_request *request, *next;
	unsigned int tag;

	if (device->hwqs) {
		bdus_hwqs_fail_all(device, failed);
		return;
	}
	list_for_each_entry_safe(request, next, &device->pending, siblings) {
		bdus_withdraw(device, blk_mq_rq_from_pdu(request), BLK_STS_IOERR);
		list_add_tail(&request->siblings, failed);
	}
	for (tag = 0; tag < BDUS_REQUESTS_MAX; tag++) {
		if (!device->handed[tag])
			continue;
		request = blk_mq_rq_to_pdu(device->handed[tag]);
		bdus_withdraw(device, device->handed[tag], BLK_STS_IOERR);
		list_add_tail(&request->siblings, failed);
	}
	/* Those that are being copied find out by the state of the device. */
}

/* What the driver had is for the next one, in the order in which it got it. Under the lock. */
void bdus_queue_take_back(struct bdus_device *device)
{
	struct bdus_request *request, *before;
	LIST_HEAD(taken);
	unsigned int tag;

	if (device->hwqs) {
		bdus_hwqs_disconnect(device);
		return;
	}
	for (tag = 0; tag < BDUS_REQUESTS_MAX; tag++) {
		if (!device->handed[tag])
			continue;
		request = blk_mq_rq_to_pdu(device->handed[tag]);
		device->handed[tag] = NULL;
		request->stage = BDUS_PENDING;
		list_for_each_entry_reverse(before, &taken, siblings) {
			if (before->seqnum < request->seqnum)
				break;
		}
		list_add(&request->siblings, &before->siblings);
	}
	list_splice(&taken, &device->pending);
}

/*
 * Copying has ended with @error. Under the lock: whether @rq goes on; otherwise it is to be
 * finished with &bdus_request.status.
 */
static bool bdus_goes_on(struct bdus_device *device, struct bdus_request *request)
{
	if (!request->is_doomed && device->state != BDUS_TERMINATED)
		return true;
	if (!request->is_doomed)
		request->status = BLK_STS_IOERR;
	request->stage = BDUS_NOWHERE;
	return false;
}

/* Describes @rq, which is being copied, to the driver. Under the lock. */
static void bdus_hand_over(struct bdus_device *device, struct request *rq, struct bdus_slot *slot)
{
	struct bdus_request *request = blk_mq_rq_to_pdu(rq);

	request->stage = BDUS_HANDED;
	request->seqnum = ++device->seqnum;
	device->handed[rq->tag] = rq;
	WRITE_ONCE(slot->seqnum, request->seqnum);
	WRITE_ONCE(slot->index, rq->tag + 1);
	WRITE_ONCE(slot->type, bdus_request_type(&device->config, rq));
	WRITE_ONCE(slot->arg32, request->ioctl ? request->ioctl->command : blk_rq_bytes(rq));
	WRITE_ONCE(slot->arg64, request->ioctl ? 0 : (u64)blk_rq_pos(rq) << SECTOR_SHIFT);
	trace_bdus_submitted(rq);
}

/* Copies what goes out with @rq, and hands it over. -EAGAIN: it has come to an end meanwhile. */
static int bdus_send(struct bdus_session *session, struct request *rq, struct bdus_slot *slot)
{
	struct bdus_device *device = session->device;
	struct bdus_request *request = blk_mq_rq_to_pdu(rq);
	bool goes_on;
	int ret = 0;

	if (bdus_payload_goes_out(rq))
		ret = bdus_payload_copy(session, slot, rq, true);
	spin_lock(&device->lock);
	goes_on = bdus_goes_on(device, request);
	if (goes_on && ret) {
		request->stage = BDUS_PENDING;
		list_add(&request->siblings, &device->pending);
	} else if (goes_on) {
		bdus_hand_over(device, rq, slot);
	}
	spin_unlock(&device->lock);
	if (goes_on)
		return ret;
	bdus_request_finish(rq, request->status);
	return -EAGAIN;
}

/* An item that is not a request. */
static void bdus_tell(struct bdus_slot *slot, enum bdus_item_type type)
{
	WRITE_ONCE(slot->index, 0);
	WRITE_ONCE(slot->seqnum, 0);
	WRITE_ONCE(slot->type, type);
}

/*
 * Takes the next thing to do for the driver: fills in @slot, or sets @rq, which is then being
 * copied. False when there is nothing. Under the lock.
 */
static bool bdus_next_item(struct bdus_session *session, struct bdus_slot *slot,
			   struct request **rq)
{
	struct bdus_device *device = session->device;
	struct bdus_request *request;

	if (device->state == BDUS_TERMINATED) {
		bdus_tell(slot, BDUS_ITEM_TERMINATE);
	} else if (session->is_ending) {
		bdus_tell(slot, session->flushes_first ? BDUS_ITEM_FLUSH_AND_TERMINATE :
							 BDUS_ITEM_TERMINATE);
		session->flushes_first = false;
	} else if (!list_empty(&device->pending)) {
		request = list_first_entry(&device->pending, struct bdus_request, siblings);
		list_del(&request->siblings);
		request->stage = BDUS_COPYING;
		*rq = blk_mq_rq_from_pdu(request);
	} else if (device->announces) {
		device->announces = false;
		bdus_tell(slot, BDUS_ITEM_DEVICE_AVAILABLE);
	} else {
		return false;
	}
	return true;
}

static bool bdus_take_item(struct bdus_session *session, struct bdus_slot *slot,
			   struct request **rq)
{
	struct bdus_device *device = session->device;
	bool found;

	spin_lock(&device->lock);
	found = bdus_next_item(session, slot, rq);
	spin_unlock(&device->lock);
	return found;
}

/* Whether the driver has something to do. */
bool bdus_queue_has_item(struct bdus_session *session)
{
	struct bdus_device *device = session->device;
	bool has_item;

	spin_lock(&device->lock);
	has_item = device->state == BDUS_TERMINATED || session->is_ending ||
		   !list_empty(&device->pending) || device->announces;
	spin_unlock(&device->lock);
	return has_item;
}

/**
 * bdus_queue_receive() - takes something to do
 * @session: the driver
 * @slot: says where a payload goes, and gets the item
 * @waits: until there is something
 *
 * Return: 0, -EINTR, -EAGAIN, or what is wrong with where the payload should go.
 */
int bdus_queue_receive(struct bdus_session *session, struct bdus_slot *slot, bool waits)
{
	struct bdus_device *device = session->device;
	int ret;

	do {
		struct request *rq = NULL;

		if (!bdus_take_item(session, slot, &rq)) {
			if (!waits)
				return -EAGAIN;
			if (wait_event_interruptible_exclusive(device->items,
							       bdus_take_item(session, slot, &rq)))
				return -EINTR;
		}
		ret = rq ? bdus_send(session, rq, slot) : 0;
		/* A request that ended while it was copied: there may be another. */
	} while (ret == -EAGAIN);
	return ret;
}

/* The request that @reply is for, which is being copied from then on; NULL if it is not there. */
static struct request *bdus_claim_reply(struct bdus_session *session,
					const struct bdus_slot *reply)
{
	struct bdus_device *device = session->device;
	struct bdus_request *request;
	struct request *rq;

	spin_lock(&device->lock);
	rq = device->driver == session ? device->handed[reply->index - 1] : NULL;
	if (rq) {
		request = blk_mq_rq_to_pdu(rq);
		if (request->seqnum == reply->seqnum) {
			device->handed[rq->tag] = NULL;
			request->stage = BDUS_COPYING;
		} else {
			rq = NULL;
		}
	}
	spin_unlock(&device->lock);
	return rq;
}

/**
 * bdus_queue_reply() - takes a reply of the driver
 * @session: the driver
 * @slot: the reply; index 0: there is none
 *
 * Return: 0, also when the request is not there any more; -EINVAL or -EFAULT for a bad reply.
 */
int bdus_queue_reply(struct bdus_session *session, struct bdus_slot *slot)
{
	struct bdus_device *device = session->device;
	struct bdus_request *request;
	struct bdus_slot reply;
	blk_status_t status;
	struct request *rq;
	bool goes_on;
	int ret = 0;

	/* The driver may write to the slot all the while: each field is read once. */
	reply.index = READ_ONCE(slot->index);
	reply.seqnum = READ_ONCE(slot->seqnum);
	reply.error = READ_ONCE(slot->error);
	if (!reply.index)
		return 0;
	if (reply.index > device->config.max_outstanding_reqs)
		return -EINVAL;
	rq = bdus_claim_reply(session, &reply);
	if (!rq)
		return 0;
	request = blk_mq_rq_to_pdu(rq);
	if (!reply.error && bdus_payload_comes_in(rq))
		ret = bdus_payload_copy(session, slot, rq, false);
	status = bdus_request_status(rq, reply.error);
	spin_lock(&device->lock);
	goes_on = bdus_goes_on(device, request);
	if (goes_on && ret) {
		request->stage = BDUS_HANDED;
		device->handed[rq->tag] = rq;
	} else if (goes_on) {
		request->stage = BDUS_NOWHERE;
	} else {
		status = request->status;
	}
	spin_unlock(&device->lock);
	if (!goes_on || !ret)
		bdus_request_finish(rq, status);
	return ret;
}
