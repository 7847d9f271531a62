// SPDX-License-Identifier: GPL-2.0
/*
 * Waiting where a request is queued: a driver that is awake may answer it sooner than whoever asked
 * could be put to sleep and woken up. That only helps those who ask for one thing at a time, so
 * requests are waited for while they come one by one, and are answered in time.
 */
#include <linux/ktime.h>
#include <linux/minmax.h>
#include <linux/smp.h>

#include "bdus.h"
#include "compat.h"

/* Requests that come one by one before the next one is waited for ... */
#define BDUS_SPIN_ALONE 16U
/* ... and at most so many, when that was in vain again and again. */
#define BDUS_SPIN_ALONE_MAX 4096
/* What waiting in vain costs, where each answer in time brings 1, */
#define BDUS_SPIN_COST 8
/* ... and how much of that can be saved. */
#define BDUS_SPIN_CREDIT 32U
/* One of so many is not waited for: does somebody sleep then, or ask for more? */
#define BDUS_SPIN_ROUND 32
/* However long one should wait: interrupts are on, but nothing else runs on this processor. */
#define BDUS_SPIN_US_MAX 1000

unsigned int bdus_spin_us = 50;

/*
 * Whether somebody sleeps until the request is answered that has just been accepted. Those who did
 * not sleep since the last one have had something else to do. Under the lock.
 */
static bool bdus_spin_is_waited_for(const struct bdus_spin *spin)
{
	if (current->flags & PF_KTHREAD)
		return false;
	return spin->is_begun || current->nvcsw != spin->switches;
}

/*
 * Whether the request that has just been accepted is to be waited for, by a driver that is awake.
 * @is_alone: it is the only one, and may be waited for. Under the lock.
 */
bool bdus_spin_begins(struct bdus_hwq *hwq, bool is_alone, bool is_awake)
{
	struct bdus_spin *spin = &hwq->spin;

	if (is_alone && hwq->ring && !hwq->is_stopped && bdus_spin_is_waited_for(spin))
		spin->alone++;
	else
		spin->alone = 0;
	spin->switches = current->nvcsw;
	spin->is_begun = is_awake && spin->alone > max(spin->needed, BDUS_SPIN_ALONE) &&
			 spin->alone % BDUS_SPIN_ROUND && READ_ONCE(bdus_spin_us) &&
			 READ_ONCE(spin->cpu) != smp_processor_id();
	return spin->is_begun;
}

/* Under the lock, as what was decided on it. */
static void bdus_spin_ended(struct bdus_spin *spin, bool in_vain)
{
	if (!in_vain) {
		spin->credit = min(spin->credit + 1, BDUS_SPIN_CREDIT);
		if (spin->credit == BDUS_SPIN_CREDIT)
			spin->needed = BDUS_SPIN_ALONE;
	} else if (spin->credit > BDUS_SPIN_COST) {
		spin->credit -= BDUS_SPIN_COST;
	} else {
		spin->credit = 0;
		spin->alone = 0;
		spin->needed = clamp_t(u32, spin->needed * 2, BDUS_SPIN_ALONE, BDUS_SPIN_ALONE_MAX);
	}
}

/* Waits until there are other @answers than there were, or for as long as that is worth it. */
void bdus_spin_wait(struct bdus_hwq *hwq, u32 answers)
{
	u64 limit = min_t(u32, READ_ONCE(bdus_spin_us), BDUS_SPIN_US_MAX) * NSEC_PER_USEC;
	u64 end = ktime_get_ns() + limit;
	bool in_vain = false;

	while (READ_ONCE(hwq->spin.answers) == answers && !in_vain) {
		cpu_relax();
		in_vain = bdus_is_in_the_way() || ktime_get_ns() >= end;
	}
	spin_lock(&hwq->lock);
	bdus_spin_ended(&hwq->spin, in_vain);
	spin_unlock(&hwq->lock);
}

/*
 * Whoever waits need not any more. A driver cannot answer on a processor where one waits for it.
 * Called by one thread at a time but when drivers change.
 */
void bdus_spin_answered(struct bdus_hwq *hwq)
{
	WRITE_ONCE(hwq->spin.cpu, raw_smp_processor_id());
	WRITE_ONCE(hwq->spin.answers, READ_ONCE(hwq->spin.answers) + 1);
}
