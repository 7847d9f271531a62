// SPDX-License-Identifier: MIT
// Opens a device again and again, and calls ioctls on it that may mean something, and ones that do not.
// Whatever they answer is right as long as the kernel does not complain.
//   ioctl_storm DEV PROCESSES SECONDS SEED        a block device, which may come and go
//   ioctl_storm /dev/bdus-control ...             commands of its own, with half-right arguments
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/blkpg.h>
#include <linux/blkzoned.h>
#include <linux/fs.h>
#include <linux/hdreg.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../../kmod/abi2.h"

#define BUFFER_BYTES 8192
#define MEGABYTE (1 << 20)
#define CALLS_MAX 40
#define INTERRUPT_MS 30

static const unsigned long known[] = {
	BLKROGET, BLKRRPART, BLKGETSIZE, BLKFLSBUF, BLKRAGET, BLKFRAGET, BLKSECTGET, BLKSSZGET,
	BLKPBSZGET, BLKIOMIN, BLKIOOPT, BLKALIGNOFF, BLKDISCARDZEROES, BLKROTATIONAL, BLKGETSIZE64,
	BLKBSZGET, BLKDISCARD, BLKZEROOUT, BLKSECDISCARD, BLKPG, BLKGETZONESZ, BLKGETNRZONES,
	BLKREPORTZONE, BLKRESETZONE, HDIO_GETGEO, HDIO_GET_IDENTITY, 0x5310 /* CDROM_GET_MCN */,
	0x2285 /* SG_IO */,
};

static uint64_t state;
static union {
	unsigned char bytes[BUFFER_BYTES];
	uint32_t words[BUFFER_BYTES / 4];
	uint64_t longs[BUFFER_BYTES / 8];
	struct blkpg_ioctl_arg partition;
	struct bdus_config config;
	struct bdus_device2 device2;
	struct bdus_resize resize;
} buffer;

/* xorshift64*: the same numbers for the same seed. */
static uint64_t next(void)
{
	state ^= state >> 12;
	state ^= state << 25;
	state ^= state >> 27;
	return state * 2685821657736338717ull;
}

static uint64_t below(uint64_t limit)
{
	return (next() >> 16) % limit;
}

/* Numbers that programs give: small ones, powers of two, their neighbours, and anything. */
static uint64_t odd_number(void)
{
	switch (below(6)) {
	case 0: return 0;
	case 1: return below(64);
	case 2: return 1ull << below(64);
	case 3: return (1ull << below(64)) - 1;
	case 4: return below(1024) * 4096;
	default: return next();
	}
}

static void scribble(void)
{
	for (size_t at = 0; at < 64; at++)
		buffer.longs[at] = below(3) ? 0 : odd_number();
}

static unsigned long any_command(void)
{
	static const unsigned char types[] = { 0x12, 'u', 0xbd, 0x03, 0x53 };
	unsigned long size = below(2) ? below(64) : below(4) * 128;

	return _IOC(below(4), types[below(sizeof(types))], below(80), size);
}

static void call_block(int fd)
{
	static struct blkpg_partition part;
	unsigned long command = known[below(sizeof(known) / sizeof(known[0]))];

	scribble();
	if (below(4) == 0)
		command = any_command();
	/* Within the device, most of the time. */
	if (command == BLKDISCARD || command == BLKZEROOUT || command == BLKSECDISCARD) {
		buffer.longs[0] = below(32) * 512 * below(1024);
		buffer.longs[1] = below(64) * 512;
	}
	if (command == BLKPG) {
		part.start = below(32) * MEGABYTE;
		part.length = (1 + below(4)) * MEGABYTE;
		part.pno = 1 + below(4);
		buffer.partition.op = 1 + below(3);
		buffer.partition.datalen = sizeof(part);
		buffer.partition.data = &part;
	}
	/* Zone reports and such have a length in what they are given. */
	if (command == BLKREPORTZONE)
		buffer.words[2] = below(8);
	ioctl(fd, command, &buffer);
}

/* What a driver shares with the kernel may hold anything. */
static void scribble_slots(int fd)
{
	size_t length = (1 + below(16)) * 4096;
	uint64_t *area = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 4096 * below(2));

	if (area == MAP_FAILED)
		return;
	for (int at = 0; at < 512; at++)
		area[at] = below(2) ? area[at] : odd_number();
	for (int calls = below(8); calls > 0; calls--)
		ioctl(fd, BDUS_SEND_REPLY_AND_RECEIVE_ITEM, below(4));
	munmap(area, length);
}

/* The second interface: devices with rings, whose memory may hold anything, too. */
static void call_rings(int fd)
{
	static const unsigned long commands[] = { BDUS_CREATE2, BDUS_CREATE2, BDUS_ATTACH2, BDUS_LIST };
	struct bdus_device2 *device = &buffer.device2;
	int queue;

	device->size = sizeof(*device);
	device->id = below(200);
	device->capacity = MEGABYTE;
	device->items = next();
	device->flags = below(32);
	device->logical_block_size = 512;
	device->queues = below(3);
	device->depth = below(64);
	if (below(3) == 0)
		buffer.words[below(24)] = odd_number();
	ioctl(fd, commands[below(4)], device);
	if (below(4) == 0) {
		buffer.resize.id = below(200);
		buffer.resize.capacity = below(8) * MEGABYTE + below(2);
		ioctl(fd, BDUS_RESIZE, &buffer);
	}
	queue = ioctl(fd, BDUS_GET_QUEUE, below(8) ? below(3) : odd_number());
	if (queue < 0)
		return;
	for (int calls = below(6); calls > 0; calls--) {
		scribble_slots(queue);
		ioctl(queue, BDUS_ENTER, below(8) ? below(2) : odd_number());
	}
	close(queue);
}

static void call_control(int fd)
{
	static const unsigned long commands[] = {
		BDUS_GET_VERSION, BDUS_CREATE_DEVICE, BDUS_CREATE_DEVICE, BDUS_ATTACH_TO_DEVICE,
		BDUS_TERMINATE, BDUS_MARK_AS_SUCCESSFUL, BDUS_DEVICE_PATH_TO_ID, BDUS_GET_DEVICE_CONFIG,
		BDUS_FLUSH_DEVICE, BDUS_TRIGGER_DEVICE_DESTRUCTION, BDUS_WAIT_UNTIL_DEVICE_IS_DESTROYED,
		BDUS_RECEIVE_ITEM, BDUS_SEND_REPLY, BDUS_SEND_REPLY_AND_RECEIVE_ITEM, BDUS_QUERY,
	};
	unsigned long command = commands[below(sizeof(commands) / sizeof(commands[0]))];
	struct bdus_device_config *device = &buffer.config.device;

	memset(&buffer, 0, sizeof(buffer));
	if (below(3) == 0)
		return call_rings(fd);
	if (below(8) == 0) {
		scribble();
		ioctl(fd, below(2) ? any_command() : _IOC(3, 0xbd, 64 + below(16), below(512)), &buffer);
		return;
	}
	if (command == BDUS_CREATE_DEVICE || command == BDUS_ATTACH_TO_DEVICE) {
		device->id = below(200);
		device->size = MEGABYTE;
		device->logical_block_size = 512;
		device->max_outstanding_reqs = 1 + below(64);
		buffer.config.fd.num_preallocated_buffers = below(8);
		device->supports_read = device->supports_write = 1;
		device->supports_flush = below(2);
		device->supports_ioctl = below(2);
		device->recoverable = below(2);
		device->enable_partition_scanning = below(8) == 0;
		if (below(3) == 0)
			buffer.words[below(64)] = odd_number();
	} else {
		buffer.longs[0] = below(200);
	}
	if (_IOC_SIZE(command) == 0)
		ioctl(fd, command, below(8) ? below(4) : odd_number());
	else
		ioctl(fd, command, &buffer);
	if (below(4) == 0)
		scribble_slots(fd);
}

static void interrupt(int signal)
{
	(void)signal;
}

static void storm(const char *path, int seconds)
{
	struct itimerval often = { { 0, INTERRUPT_MS * 1000 }, { 0, INTERRUPT_MS * 1000 } };
	struct sigaction action = { .sa_handler = interrupt };
	int is_control = strstr(path, "control") != NULL;
	time_t end = time(NULL) + seconds;
	unsigned long opened = 0;

	/* Without SA_RESTART: nothing waits for long. */
	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &often, NULL);
	while (time(NULL) < end) {
		int flags = below(4) ? O_RDWR : below(2) ? O_RDONLY : O_RDWR | O_EXCL;
		int fd = open(path, flags | (below(2) ? O_NONBLOCK : 0));

		if (fd < 0) {
			usleep(1000);
			continue;
		}
		opened++;
		for (int left = below(CALLS_MAX); left > 0; left--)
			(is_control ? call_control : call_block)(fd);
		close(fd);
	}
	printf("opened it %lu times\n", opened);
}

/* Ends whatever devices have been left behind. */
static void clear(const char *path)
{
	int fd = open(path, O_RDWR);

	for (uint64_t id = 0; fd >= 0; id++) {
		if (ioctl(fd, BDUS_TRIGGER_DEVICE_DESTRUCTION, &id) && errno == EINVAL)
			break;
	}
	close(fd);
}

int main(int argc, char **argv)
{
	int processes;

	if (argc != 5)
		return 2;
	processes = atoi(argv[2]);
	for (int i = 0; i < processes; i++) {
		if (fork())
			continue;
		state = strtoull(argv[4], NULL, 0) * 1000003 + i + 1;
		storm(argv[1], atoi(argv[3]));
		fflush(stdout);
		_exit(0);
	}
	while (wait(NULL) > 0)
		;
	if (strstr(argv[1], "bdus-control"))
		clear(argv[1]);
	return 0;
}
