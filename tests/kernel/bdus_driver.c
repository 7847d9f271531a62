// SPDX-License-Identifier: MIT
// A RAM disk that drives /dev/bdus-control as programs for BDUS 0.1 do: it waits in the kernel, and its
// payloads are in buffers that it shares with it.
//   bdus_driver SIZE SLOW_MS     prints the id of the device; a read from its middle on takes SLOW_MS
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../../kmod/abi.h"

#define DEPTH 64

static void expect(int holds, const char *what)
{
	if (holds)
		return;
	fprintf(stderr, "bdus_driver: %s: %s\n", what, strerror(errno));
	exit(1);
}

static char *disk;
static uint64_t size;

static int answer(const struct bdus_slot *slot, char *payload, int slow_ms)
{
	char *data = disk + slot->arg64;

	switch (slot->type) {
	case BDUS_ITEM_READ:
		if (slow_ms && slot->arg64 == size / 2)
			usleep(slow_ms * 1000);
		memcpy(payload, data, slot->arg32);
		return 0;
	case BDUS_ITEM_WRITE:
		memcpy(data, payload, slot->arg32);
		return 0;
	case BDUS_ITEM_WRITE_ZEROS_NO_UNMAP:
	case BDUS_ITEM_WRITE_ZEROS_MAY_UNMAP:
		memset(data, 0, slot->arg32);
		return 0;
	case BDUS_ITEM_DISCARD:
		return ENOSPC;
	case BDUS_ITEM_FLUSH:
		return 0;
	case BDUS_ITEM_IOCTL:
		/* The client sends a number, and gets the next one. */
		++*(uint32_t *)payload;
		return 0;
	default:
		return EOPNOTSUPP;
	}
}

int main(int argc, char **argv)
{
	struct bdus_config config = { 0 };
	int fd = open("/dev/bdus-control", O_RDWR);
	int slow_ms = argc > 2 ? atoi(argv[2]) : 0;
	size_t slots, buffer;
	char *area;

	expect(fd >= 0, "open");
	size = strtoull(argv[1], NULL, 0);
	disk = calloc(1, size);
	config.device.size = size;
	config.device.logical_block_size = 512;
	config.device.max_outstanding_reqs = DEPTH;
	config.device.supports_read = config.device.supports_write = 1;
	config.device.supports_write_zeros = config.device.supports_discard = 1;
	config.device.supports_flush = config.device.supports_ioctl = 1;
	config.device.merge_requests = config.device.enable_partition_scanning = 1;
	config.fd.num_preallocated_buffers = DEPTH;
	expect(!ioctl(fd, BDUS_CREATE_DEVICE, &config), "create");
	slots = (DEPTH * sizeof(struct bdus_slot) + 4095) & ~4095ul;
	buffer = config.device.max_read_write_size;
	area = mmap(NULL, slots + DEPTH * buffer, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	expect(area != MAP_FAILED, "map");

	struct bdus_slot *slot = (struct bdus_slot *)area;

	slot->use_preallocated_buffer = 1;
	slot->payload = 3;
	for (int command = BDUS_RECEIVE_ITEM;; command = BDUS_SEND_REPLY_AND_RECEIVE_ITEM) {
		expect(!ioctl(fd, command, 0) || errno == EINTR, "exchange");
		if (slot->type == BDUS_ITEM_DEVICE_AVAILABLE) {
			printf("%llu\n", (unsigned long long)config.device.id);
			fflush(stdout);
		} else if (slot->type == BDUS_ITEM_TERMINATE) {
			return 0;
		} else {
			slot->error = answer(slot, area + slots + 3 * buffer, slow_ms);
		}
	}
}
