// SPDX-License-Identifier: MIT
// Has the kernel fail the first, the second, the third... allocation or copy of each step in the life of
// the module bdus and of one of its devices (Documentation/fault-injection/fault-injection.rst, fail-nth).
// Each step fails cleanly until it has none left that could fail, and then works.
//   fail_nth MODULE.ko
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../../kmod/abi.h"

#define MAP_BYTES (2 * 4096)
#define TRIES_MAX 20000

static int nth, module_file, control = -1;
static void *area;
static struct bdus_config config;

static void fail(const char *step, int try)
{
	fprintf(stderr, "fail_nth: %s, try %d: %s\n", step, try, strerror(errno));
	exit(1);
}

static void arm(int n)
{
	char text[16];
	int length = snprintf(text, sizeof(text), "%d", n);

	/* The fault that is ordered may come to pass here: then it is over. */
	if (pwrite(nth, text, length, 0) != length &&
	    (errno != EFAULT || pwrite(nth, text, length, 0) != length))
		fail("arm", n);
}

/* Whether the fault has happened, before looking. */
static int happened(void)
{
	char text[16] = "";

	if (pread(nth, text, sizeof(text) - 1, 0) > 0)
		return atoi(text) == 0;
	if (errno != EFAULT)
		fail("look", 0);
	return 0;
}

static int load(void)
{
	return syscall(SYS_finit_module, module_file, "", 0);
}

static int unload(void)
{
	return syscall(SYS_delete_module, "bdus", O_NONBLOCK);
}

static int open_control(void)
{
	control = open("/dev/bdus-control", O_RDWR | O_NONBLOCK);
	return control < 0 ? -1 : 0;
}

static int close_control(void)
{
	int fd = control;

	control = -1;
	return close(fd);
}

static int create(void)
{
	memset(&config, 0, sizeof(config));
	config.device.size = 1 << 20;
	config.device.logical_block_size = 512;
	config.device.max_outstanding_reqs = 4;
	config.device.supports_read = config.device.supports_write = 1;
	config.fd.num_preallocated_buffers = 1;
	return ioctl(control, BDUS_CREATE_DEVICE, &config);
}

/* A session whose device was made although its caller has heard otherwise must start anew. */
static int create_anew(void)
{
	return close_control() || open_control() ? -1 : 0;
}

static int map(void)
{
	area = mmap(NULL, MAP_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, control, 0);
	return area == MAP_FAILED ? -1 : 0;
}

static int unmap(void)
{
	return munmap(area, MAP_BYTES);
}

/* That the device is there is an item. */
static int wait_for_item(void)
{
	struct pollfd item = { .fd = control, .events = POLLIN };

	return poll(&item, 1, 60000) == 1 ? 0 : -1;
}

static int nothing(void)
{
	return 0;
}

/* Tries until a try has met no fault. What a try has done in spite of a fault is undone. */
static void step(const char *name, int (*act)(void), int (*undo)(void), int (*after_failure)(void))
{
	int faults = 0;

	for (int n = 1; n < TRIES_MAX; n++) {
		int status, met;

		arm(n);
		status = act();
		met = happened();
		arm(0);
		if (!met) {
			if (status)
				fail(name, n);
			printf("%s: %d faults\n", name, faults);
			return;
		}
		faults++;
		if (status ? after_failure() : undo())
			fail(name, n);
	}
	fail(name, TRIES_MAX);
}

int main(int argc, char **argv)
{
	nth = open("/proc/self/fail-nth", O_RDWR);
	module_file = argc == 2 ? open(argv[1], O_RDONLY) : -1;
	if (nth < 0 || module_file < 0)
		fail("open", 0);
	step("load", load, unload, nothing);
	step("open", open_control, close_control, nothing);
	step("create", create, create_anew, create_anew);
	step("map", map, unmap, nothing);
	if (wait_for_item())
		fail("wait", 0);
	if (unmap() || close_control())
		fail("close", 0);
	/* The device ends a little later. */
	for (int tries = 0; unload(); tries++) {
		if (tries > 600 || (errno != EAGAIN && errno != EBUSY))
			fail("unload", tries);
		usleep(100000);
	}
	return 0;
}
