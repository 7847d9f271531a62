// SPDX-License-Identifier: GPL-2.0
/*
 * Requests of the block layer, as both interfaces see them: what they are to a driver, and how they
 * end.
 */
#include <linux/blk-mq.h>
#include <linux/errno.h>

#include "bdus.h"
#define CREATE_TRACE_POINTS
#include "bdus_trace.h"

/* What @rq is to the driver; negative when the driver cannot take it. */
int bdus_request_type(const struct bdus_device_config *config, struct request *rq)
{
	switch (req_op(rq)) {
	case REQ_OP_READ:
		return config->supports_read ? BDUS_ITEM_READ : -1;
	case REQ_OP_WRITE:
		if (rq->cmd_flags & REQ_FUA)
			return config->supports_fua_write ? BDUS_ITEM_FUA_WRITE : -1;
		return config->supports_write ? BDUS_ITEM_WRITE : -1;
	case REQ_OP_FLUSH:
		return config->supports_flush ? BDUS_ITEM_FLUSH : -1;
	case REQ_OP_DISCARD:
		return config->supports_discard ? BDUS_ITEM_DISCARD : -1;
	case REQ_OP_SECURE_ERASE:
		return config->supports_secure_erase ? BDUS_ITEM_SECURE_ERASE : -1;
	case REQ_OP_WRITE_ZEROES:
		if (!config->supports_write_zeros)
			return -1;
		return rq->cmd_flags & REQ_NOUNMAP ? BDUS_ITEM_WRITE_ZEROS_NO_UNMAP :
						     BDUS_ITEM_WRITE_ZEROS_MAY_UNMAP;
	case REQ_OP_DRV_IN:
		return BDUS_ITEM_IOCTL;
	default:
		return -1;
	}
}

/* Which errors clients may see; all others are EIO. */
static blk_status_t bdus_status(int error)
{
	switch (error) {
	case 0:
		return BLK_STS_OK;
	case ENOLINK:
		return BLK_STS_TRANSPORT;
	case ENOSPC:
		return BLK_STS_NOSPC;
	case ETIMEDOUT:
		return BLK_STS_TIMEOUT;
	default:
		return BLK_STS_IOERR;
	}
}

static int bdus_ioctl_error(int error)
{
	/* As BDUS does: a driver cannot say that the system call is not there. */
	return error < 0 || error > EHWPOISON || error == ENOSYS ? -EIO : -error;
}

/**
 * bdus_request_status() - what @rq ends with when the driver has answered it
 * @rq: the request; the client of an ioctl is told the error
 * @error: whatever the driver has said; 0 or a positive errno if it means well
 *
 * Return: the status of the request, which is OK for all ioctls.
 */
blk_status_t bdus_request_status(struct request *rq, int error)
{
	struct bdus_request *request = blk_mq_rq_to_pdu(rq);

	if (!request->ioctl)
		return bdus_status(error);
	request->ioctl->error = bdus_ioctl_error(error);
	return BLK_STS_OK;
}

/* The block layer's callback on the processor that has submitted @rq. */
void bdus_request_completed(struct request *rq)
{
	struct bdus_request *request = blk_mq_rq_to_pdu(rq);

	blk_mq_end_request(rq, request->status);
}

/* Ends @rq, which nobody has any more, with @status. */
void bdus_request_finish(struct request *rq, blk_status_t status)
{
	struct bdus_request *request = blk_mq_rq_to_pdu(rq);

	request->status = status;
	trace_bdus_completed(rq, status);
	blk_mq_complete_request(rq);
}

/* Ends all of a list, each with the status that it has. */
void bdus_request_finish_all(struct list_head *requests)
{
	struct bdus_request *request, *next;

	list_for_each_entry_safe(request, next, requests, siblings) {
		list_del(&request->siblings);
		bdus_request_finish(blk_mq_rq_from_pdu(request), request->status);
	}
}
