/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Tracepoints, one for each stage of a request: queued by the block layer, submitted to the driver,
 * completed. It waits between the first two, and is with the driver between the latter two.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM bdus

#if !defined(BDUS_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define BDUS_TRACE_H

#include <linux/blk-mq.h>
#include <linux/tracepoint.h>

#include "bdus.h"

DECLARE_EVENT_CLASS(bdus_stage,
	TP_PROTO(struct request *rq),
	TP_ARGS(rq),
	TP_STRUCT__entry(
		__field(u64, device)
		__field(u64, sector)
		__field(u32, bytes)
		__field(u32, queue)
		__field(u32, tag)
		__field(u32, operation)
	),
	TP_fast_assign(
		__entry->device = ((struct bdus_device *)rq->q->queuedata)->config.id;
		__entry->sector = blk_rq_pos(rq);
		__entry->bytes = blk_rq_bytes(rq);
		__entry->queue = rq->mq_hctx->queue_num;
		__entry->tag = rq->tag;
		__entry->operation = (__force u32)req_op(rq);
	),
	TP_printk("device=%llu queue=%u tag=%u operation=%u sector=%llu bytes=%u",
		  __entry->device, __entry->queue, __entry->tag, __entry->operation,
		  __entry->sector, __entry->bytes)
);

DEFINE_EVENT(bdus_stage, bdus_queued,
	TP_PROTO(struct request *rq),
	TP_ARGS(rq)
);

DEFINE_EVENT(bdus_stage, bdus_submitted,
	TP_PROTO(struct request *rq),
	TP_ARGS(rq)
);

TRACE_EVENT(bdus_completed,
	TP_PROTO(struct request *rq, blk_status_t status),
	TP_ARGS(rq, status),
	TP_STRUCT__entry(
		__field(u64, device)
		__field(u32, queue)
		__field(u32, tag)
		__field(int, error)
	),
	TP_fast_assign(
		__entry->device = ((struct bdus_device *)rq->q->queuedata)->config.id;
		__entry->queue = rq->mq_hctx->queue_num;
		__entry->tag = rq->tag;
		__entry->error = blk_status_to_errno(status);
	),
	TP_printk("device=%llu queue=%u tag=%u error=%d",
		  __entry->device, __entry->queue, __entry->tag, __entry->error)
);

#endif

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE bdus_trace
#include <trace/define_trace.h>
