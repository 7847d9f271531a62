// SPDX-License-Identifier: MIT
// A RAM disk that drives /dev/bdus-control through rings, one process for each queue.
//   bdus_ring_driver SIZE QUEUES DEPTH HOW     prints the id of the device
// HOW is "well"; "slowly": all that there is room for is collected before any of it is answered; or
// "badly": another thread writes random bytes all over the shared memory.
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../../kmod/abi2.h"

#define BUFFER 65536
#define SPINS 200

static char *disk;
static struct bdus_device2 device;
static int entries, badly, slowly;

static void expect(int holds, const char *what)
{
	if (holds)
		return;
	fprintf(stderr, "bdus_ring_driver: %s: %s\n", what, strerror(errno));
	exit(1);
}

struct queue {
	int fd;
	char *area, *buffers;
	struct bdus_ring_header *header;
	uint32_t head, tail;
};

static uint32_t load(uint32_t *word)
{
	return atomic_load((_Atomic uint32_t *)word);
}

/* Where the payload is; an errno goes to *error. */
static char *answer(const struct bdus_ring_item *item, char *buffer, int *error)
{
	uint64_t offset = item->offset;
	uint32_t length = item->argument;

	*error = 0;
	if (item->type != BDUS_ITEM_FLUSH && item->type != BDUS_ITEM_IOCTL &&
	    (offset > device.capacity || length > device.capacity - offset)) {
		*error = EIO;
		return NULL;
	}
	switch (item->type) {
	case BDUS_ITEM_READ:
		return disk + offset;
	case BDUS_ITEM_WRITE:
	case BDUS_ITEM_FUA_WRITE:
		memcpy(disk + offset, buffer, length > BUFFER ? BUFFER : length);
		return NULL;
	case BDUS_ITEM_WRITE_ZEROS_NO_UNMAP:
	case BDUS_ITEM_WRITE_ZEROS_MAY_UNMAP:
		memset(disk + offset, 0, length);
		return NULL;
	case BDUS_ITEM_DISCARD:
		*error = ENOSPC;
		return NULL;
	case BDUS_ITEM_FLUSH:
		return NULL;
	case BDUS_ITEM_IOCTL:
		++*(uint32_t *)buffer;
		return buffer;
	default:
		*error = EOPNOTSUPP;
		return NULL;
	}
}

static void serve(struct queue *queue, uint32_t tag)
{
	struct bdus_ring_item *items = (void *)(queue->area + BDUS_RING_ITEMS);
	struct bdus_ring_completion *completions =
		(void *)(queue->area + BDUS_RING_COMPLETIONS(entries));
	struct bdus_ring_completion *entry = &completions[queue->tail++ % entries];
	int error;

	/* In the memory that is scribbled over, this process is at its own mercy. */
	tag %= entries;
	struct bdus_ring_item item = items[tag];

	entry->payload = (uintptr_t)answer(&item, queue->buffers + tag * BUFFER, &error);
	entry->error = error;
	entry->tag = tag;
}

static int collected(struct queue *queue, uint32_t count)
{
	return !slowly || count >= device.depth;
}

static void work(struct queue *queue)
{
	struct bdus_ring_header *header = queue->header;
	uint32_t *submissions = (void *)(queue->area + BDUS_RING_SUBMISSIONS(entries));
	uint32_t count = load(&header->sq_tail) - queue->head, most = 0;

	/* Collects until nothing more comes for a while. */
	for (int quiet = 0; !collected(queue, count) && quiet < 20; quiet++) {
		if (load(&header->pending))
			ioctl(queue->fd, BDUS_ENTER, 0);
		usleep(1000);
		count = load(&header->sq_tail) - queue->head;
		if (count > most) {
			most = count;
			quiet = 0;
		}
	}
	if (slowly && count) {
		static uint32_t record;

		if (count > record)
			dprintf(2, "%u at a time\n", record = count);
	}
	/* Whoever scribbles over the tail does not know how many there are. */
	if (badly && count > (uint32_t)entries)
		count %= entries;
	for (; count; count--)
		serve(queue, submissions[queue->head++ % entries]);
	header->sq_head = queue->head;
	atomic_store((_Atomic uint32_t *)&header->cq_tail, queue->tail);
}

static void *scribble(void *argument)
{
	struct queue *queue = argument;
	unsigned int seed = 1;

	for (;;) {
		uint32_t at = rand_r(&seed) % (BDUS_RING_BYTES(entries) / 4);
		uint32_t word = rand_r(&seed) << (rand_r(&seed) % 32);

		/* Mostly small numbers, among them those of tags and tails that there are. */
		if (rand_r(&seed) % 2)
			word %= 2 * entries;
		((volatile uint32_t *)queue->area)[rand_r(&seed) % 4 ? at : at % 32] = word;
		/* Others want the processor, too. */
		if (rand_r(&seed) % 256 == 0)
			usleep(1000);
	}
	return NULL;
}

static void drive(int fd)
{
	struct queue queue = { .fd = fd };
	uint64_t *payloads;
	pthread_t thread;

	queue.area = mmap(NULL, (BDUS_RING_BYTES(entries) + 4095) & ~4095ul,
			  PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	expect(queue.area != MAP_FAILED, "map");
	queue.buffers = mmap(NULL, (size_t)entries * BUFFER, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	expect(queue.buffers != MAP_FAILED, "reserve");
	queue.header = (void *)queue.area;
	payloads = (void *)(queue.area + BDUS_RING_PAYLOADS(entries));
	for (int i = 0; i < entries; i++)
		payloads[i] = (uintptr_t)queue.buffers + (size_t)i * BUFFER;
	if (badly)
		pthread_create(&thread, NULL, scribble, &queue);
	for (int idle = 0;; idle++) {
		if (load(&queue.header->state) & BDUS_RING_TERMINATE && !badly)
			break;
		if (load(&queue.header->sq_tail) != queue.head)
			idle = 0;
		work(&queue);
		if (idle < SPINS && !load(&queue.header->pending) && idle)
			continue;
		int status = ioctl(fd, BDUS_ENTER, idle < SPINS || badly ? 0 : BDUS_ENTER_WAIT);
		expect(status >= 0 || errno == EINTR || badly, "enter");
		if (badly) {
			struct pollfd one = { .fd = fd, .events = POLLIN };

			poll(&one, 1, 1);
			usleep(500);
		}
	}
	if (load(&queue.header->state) & BDUS_RING_FLUSH)
		ioctl(fd, BDUS_MARK_AS_SUCCESSFUL);
	exit(0);
}

int main(int argc, char **argv)
{
	int fd = open("/dev/bdus-control", O_RDWR);

	expect(fd >= 0, "open");
	expect(argc == 5, "arguments");
	device.size = sizeof(device);
	device.capacity = strtoull(argv[1], NULL, 0);
	device.queues = atoi(argv[2]);
	device.depth = atoi(argv[3]);
	badly = !strcmp(argv[4], "badly");
	slowly = !strcmp(argv[4], "slowly");
	device.items = 1 << BDUS_ITEM_READ | 1 << BDUS_ITEM_WRITE | 1 << BDUS_ITEM_FLUSH |
		       1 << BDUS_ITEM_FUA_WRITE | 1 << BDUS_ITEM_DISCARD | 1 << BDUS_ITEM_IOCTL |
		       1 << BDUS_ITEM_WRITE_ZEROS_NO_UNMAP | 1 << BDUS_ITEM_WRITE_ZEROS_MAY_UNMAP;
	device.flags = badly ? BDUS_DEVICE_NO_PARTITIONS : 0;
	device.logical_block_size = 512;
	device.physical_block_size = 4096;
	device.io_min = 8192;
	device.io_opt = 32768;
	device.max_transfer = BUFFER;
	device.max_segments = 64;
	device.discard_granularity = 8192;
	device.discard_alignment = 4096;
	device.timeout_ms = badly ? 3000 : 60000;
	strcpy(device.label, "a-test");
	/* Shared by the processes. */
	disk = mmap(NULL, device.capacity, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	expect(disk != MAP_FAILED, "reserve");
	expect(!ioctl(fd, BDUS_CREATE2, &device), "create");
	for (entries = 1; entries < (int)device.depth;)
		entries *= 2;
	for (unsigned int i = 0; i < device.queues; i++) {
		int queue = ioctl(fd, BDUS_GET_QUEUE, i);

		expect(queue >= 0, "queue");
		if (!fork()) {
			close(fd);
			drive(queue);
		}
		close(queue);
	}
	close(fd);
	printf("%llu\n", (unsigned long long)device.id);
	fflush(stdout);
	pause();
}
