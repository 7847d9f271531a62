// SPDX-License-Identifier: GPL-2.0
/*
 * Copies payloads between the pages of a request and the driver: a preallocated buffer that both
 * have mapped, or any memory of the driver.
 */
#include <linux/blk-mq.h>
#include <linux/bvec.h>
#include <linux/highmem.h>
#include <linux/uio.h>

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

/* The driver's side of a copy: @user where there is no @buffer. */
struct bdus_place {
	void *buffer;
	struct iov_iter user;
};

static void bdus_set_user(struct bdus_place *place, u64 address, size_t bytes, bool out)
{
	iov_iter_ubuf(&place->user, out ? ITER_DEST : ITER_SOURCE, u64_to_user_ptr(address), bytes);
}

static int bdus_copy_argument(struct bdus_place *place, void *argument, size_t bytes, bool out)
{
	size_t copied = bytes;

	if (!place->buffer)
		copied = out ? copy_to_iter(argument, bytes, &place->user) :
			       copy_from_iter(argument, bytes, &place->user);
	else if (out)
		memcpy(place->buffer, argument, bytes);
	else
		memcpy(argument, place->buffer, bytes);
	return copied == bytes ? 0 : -EFAULT;
}

/*
 * File systems may have data in objects of the slab allocator; jbd2 has. Copied by its address,
 * such an object is taken for something that leaks; copied by its page, it is not.
 */
static int bdus_copy_segment(struct bdus_place *place, struct bio_vec *segment, bool out)
{
	size_t bytes = segment->bv_len;
	size_t copied = bytes;

	if (place->buffer) {
		if (out)
			memcpy_from_bvec(place->buffer, segment);
		else
			memcpy_to_bvec(segment, place->buffer);
		place->buffer += bytes;
	} else if (out) {
		copied = copy_page_to_iter(segment->bv_page, segment->bv_offset, bytes,
					   &place->user);
	} else {
		copied = copy_page_from_iter(segment->bv_page, segment->bv_offset, bytes,
					     &place->user);
		flush_dcache_page(segment->bv_page);
	}
	return copied == bytes ? 0 : -EFAULT;
}

/* What @slot says, which the driver may write to all the while: each field is read once. */
static int bdus_find_place(struct bdus_session *session, const struct bdus_slot *slot,
			   size_t bytes, bool out, struct bdus_place *place)
{
	u64 payload = READ_ONCE(slot->payload);

	if (!READ_ONCE(slot->use_preallocated_buffer)) {
		bdus_set_user(place, payload, bytes, out);
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
		return bdus_copy_argument(place, request->ioctl->argument, bdus_payload_bytes(rq),
					  out);
	rq_for_each_segment(segment, rq, iter) {
		ret = bdus_copy_segment(place, &segment, out);
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

	ret = bdus_find_place(session, slot, bdus_payload_bytes(rq), out, &place);
	return ret ?: bdus_copy_request(&place, rq, out);
}

/* The same for memory at an @address of the driver. */
int bdus_payload_copy_user(u64 address, struct request *rq, bool out)
{
	struct bdus_place place = {};

	bdus_set_user(&place, address, bdus_payload_bytes(rq), out);
	return bdus_copy_request(&place, rq, out);
}
