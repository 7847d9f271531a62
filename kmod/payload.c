// SPDX-License-Identifier: GPL-2.0
/*
 * Copies payloads between the pages of a request and the driver: a preallocated buffer that both
 * have mapped, or any memory of the driver.
 */
#include <linux/blk-mq.h>
#include <linux/highmem.h>
#include <linux/uaccess.h>

#include "bdus.h"

/* Whether the driver needs data to carry out @rq. */
bool bdus_payload_goes_out(struct request *rq)
{
	struct bdus_request *request = blk_mq_rq_to_pdu(rq);

	if (request->ioctl)
		return request->ioctl->gives;
	return req_op(rq) == REQ_OP_WRITE;
}

/* Whether the driver's reply to @rq comes with data. */
bool bdus_payload_comes_in(struct request *rq)
{
	struct bdus_request *request = blk_mq_rq_to_pdu(rq);

	if (request->ioctl)
		return request->ioctl->takes;
	return req_op(rq) == REQ_OP_READ;
}

/* The driver's side of a copy: one of the two is set. */
struct bdus_place {
	void *buffer;
	void __user *user;
};

static int bdus_copy(struct bdus_place *place, void *data, size_t bytes, bool out)
{
	if (place->buffer) {
		if (out)
			memcpy(place->buffer, data, bytes);
		else
			memcpy(data, place->buffer, bytes);
		place->buffer += bytes;
		return 0;
	}
	if (out ? copy_to_user(place->user, data, bytes) : copy_from_user(data, place->user, bytes))
		return -EFAULT;
	place->user += bytes;
	return 0;
}

/* What @slot says, which the driver may write to all the while: each field is read once. */
static int bdus_find_place(struct bdus_session *session, const struct bdus_slot *slot,
			   size_t bytes, struct bdus_place *place)
{
	u64 payload = READ_ONCE(slot->payload);

	if (!READ_ONCE(slot->use_preallocated_buffer)) {
		place->user = u64_to_user_ptr(payload);
		return 0;
	}
	if (payload >= session->buffer_count || bytes > session->buffer_bytes)
		return -EINVAL;
	place->buffer = session->buffers + payload * session->buffer_bytes;
	return 0;
}

static size_t bdus_payload_bytes(struct request *rq)
{
	struct bdus_request *request = blk_mq_rq_to_pdu(rq);

	return request->ioctl ? _IOC_SIZE(request->ioctl->command) : blk_rq_bytes(rq);
}

static int bdus_copy_request(struct bdus_place *place, struct request *rq, bool out)
{
	struct bdus_request *request = blk_mq_rq_to_pdu(rq);
	struct req_iterator iter;
	struct bio_vec segment;
	int ret = 0;

	if (request->ioctl)
		return bdus_copy(place, request->ioctl->argument, bdus_payload_bytes(rq), out);
	rq_for_each_segment(segment, rq, iter) {
		void *data = bvec_kmap_local(&segment);

		ret = bdus_copy(place, data, segment.bv_len, out);
		if (!out)
			flush_dcache_page(segment.bv_page);
		kunmap_local(data);
		if (ret)
			break;
	}
	return ret;
}

/**
 * bdus_payload_copy() - copies the payload of a request that is in the stage BDUS_COPYING
 * @session: the driver, whose thread calls this
 * @slot: where the driver has it, or wants it
 * @rq: the request
 * @out: to the driver, or from it
 *
 * Return: 0, -EINVAL for a buffer that there is not, or -EFAULT.
 */
int bdus_payload_copy(struct bdus_session *session, const struct bdus_slot *slot,
		      struct request *rq, bool out)
{
	struct bdus_place place = {};
	int ret;

	ret = bdus_find_place(session, slot, bdus_payload_bytes(rq), &place);
	return ret ?: bdus_copy_request(&place, rq, out);
}

/* The same for memory at an @address of the driver. */
int bdus_payload_copy_user(u64 address, struct request *rq, bool out)
{
	struct bdus_place place = { .user = u64_to_user_ptr(address) };

	return bdus_copy_request(&place, rq, out);
}
