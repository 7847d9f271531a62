/* SPDX-License-Identifier: GPL-2.0 */
/* What differs between the kernels that this module is for, 6.1 to 7.2. */
#ifndef BDUS_COMPAT_H
#define BDUS_COMPAT_H

#include <linux/blk-mq.h>
#include <linux/blkdev.h>
#include <linux/sched.h>

/* Since 6.5 block devices are opened with modes of their own. */
#ifdef BLK_OPEN_READ
#define bdus_mode_t blk_mode_t
#else
#define bdus_mode_t fmode_t
#endif

/* Since 6.14 requests are merged unless the queue says otherwise; Kbuild looks. */
#ifdef BDUS_HAS_SHOULD_MERGE
#define BDUS_TAG_SET_FLAGS (BLK_MQ_F_SHOULD_MERGE | BLK_MQ_F_NO_SCHED_BY_DEFAULT)
#else
#define BDUS_TAG_SET_FLAGS BLK_MQ_F_NO_SCHED_BY_DEFAULT
#endif

/* Since 6.11 all limits and features of a queue are given when it is made. */
#ifdef BLK_FEAT_WRITE_CACHE
#define BDUS_LIMITS_AT_ONCE
#endif

/* Since 6.13 most kernels have a task go on for a while when another one wants its processor. */
#ifdef TIF_NEED_RESCHED_LAZY
#define bdus_is_in_the_way() (need_resched() || test_thread_flag(TIF_NEED_RESCHED_LAZY))
#else
#define bdus_is_in_the_way() need_resched()
#endif

#endif
