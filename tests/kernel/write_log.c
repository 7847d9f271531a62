// SPDX-License-Identifier: MIT
// Writes to a device, and keeps account of what must have become stable; and the check of it after the
// power was cut. Even workers write a few blocks and flush; odd ones write with RWF_DSYNC (FUA). Which
// block gets which number follows from the seed, so the log has one number for each worker: the last
// write that must be there.
//   write_log write DEV LOG WORKERS SEED      until it is killed
//   write_log check DEV LOG WORKERS SEED
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#define BLOCK 4096
#define WORDS (BLOCK / 8)
#define BATCH_MAX 16
#define BLOCKS_MAX 4096

static uint64_t state;
static uint64_t words[WORDS] __attribute__((aligned(BLOCK)));

static void expect(int holds, const char *what)
{
	if (holds)
		return;
	fprintf(stderr, "write_log: cannot %s: %s\n", what, strerror(errno));
	exit(1);
}

/* xorshift64*: the same numbers for the same seed. */
static uint64_t next(void)
{
	state ^= state >> 12;
	state ^= state << 25;
	state ^= state >> 27;
	return state * 2685821657736338717ull;
}

static void begin(uint64_t seed, int worker)
{
	state = (seed + 1) * 1000003 + worker;
}

/* Each worker has a part of the device to itself. */
static uint64_t next_block(int worker)
{
	return (uint64_t)worker * BLOCKS_MAX + (next() >> 20) % BLOCKS_MAX;
}

static int next_batch(int worker)
{
	return worker % 2 ? 1 : 1 + (next() >> 20) % BATCH_MAX;
}

#define SPREAD 0x9e3779b97f4a7c15ull

/* What block is when it was written as number: both can be told from each of its words. */
static uint64_t word(uint64_t block, uint64_t number, int at)
{
	return (block << 40 | number << 9 | at) * SPREAD;
}

/* The number in a word. */
static uint64_t number_of(uint64_t word)
{
	uint64_t inverse = SPREAD;

	for (int i = 0; i < 6; i++)
		inverse *= 2 - SPREAD * inverse;
	return word * inverse << 24 >> 33;
}

static void write_for_ever(const char *device, int log, int worker)
{
	int fd = open(device, O_RDWR | O_DIRECT);
	struct iovec vector = { words, BLOCK };

	expect(fd >= 0, "open the device");
	for (uint64_t number = 0;;) {
		for (int left = next_batch(worker); left > 0; left--) {
			uint64_t block = next_block(worker);

			number++;
			for (int at = 0; at < WORDS; at++)
				words[at] = word(block, number, at);
			expect(pwritev2(fd, &vector, 1, block * BLOCK, worker % 2 ? RWF_DSYNC : 0) == BLOCK,
			       "write");
		}
		if (worker % 2 == 0)
			expect(!fsync(fd), "flush");
		expect(pwrite(log, &number, 8, worker * 8) == 8, "write to the log");
	}
}

/* The number with which a block was written; 0 where it was not. */
static uint64_t read_number(int fd, uint64_t block, uint64_t limit)
{
	uint64_t number;

	expect(pread(fd, words, BLOCK, block * BLOCK) == BLOCK, "read");
	if (!words[0] && !memcmp(words, words + 1, BLOCK - 8))
		return 0;
	number = number_of(words[0]);
	for (int at = 0; at < WORDS; at++) {
		if (number > limit || words[at] != word(block, number, at)) {
			printf("block %llu is neither old nor new\n", (unsigned long long)block);
			exit(1);
		}
	}
	return number;
}

static int check(int fd, int worker, uint64_t stable)
{
	static uint64_t last[BLOCKS_MAX];
	uint64_t number = 0, first = (uint64_t)worker * BLOCKS_MAX;
	int lost = 0, newer = 0;

	memset(last, 0, sizeof(last));
	/* One batch may have been under way, and another one not have come to the log. */
	for (int after = 0; after < 2; after += number >= stable) {
		for (int left = next_batch(worker); left > 0; left--) {
			uint64_t at = next_block(worker) - first;

			number++;
			if (number <= stable)
				last[at] = number;
		}
	}
	for (uint64_t at = 0; at < BLOCKS_MAX; at++) {
		uint64_t is = read_number(fd, first + at, number);

		lost += is < last[at];
		newer += is > stable;
		if (is > last[at] && is <= stable) {
			printf("block %llu has write %llu, which was for another one\n",
			       (unsigned long long)(first + at), (unsigned long long)is);
			lost++;
		}
	}
	printf("worker %d: %llu writes must be there, %d blocks have lost theirs, %d are newer\n", worker,
	       (unsigned long long)stable, lost, newer);
	return lost != 0 || stable == 0;
}

int main(int argc, char **argv)
{
	int log, fd, workers, worker, failures = 0;
	uint64_t seed, stable;

	if (argc != 6)
		return 2;
	workers = atoi(argv[4]);
	seed = strtoull(argv[5], NULL, 0);
	log = open(argv[3], O_RDWR | O_CREAT, 0644);
	expect(log >= 0, "open the log");
	if (!strcmp(argv[1], "check")) {
		fd = open(argv[2], O_RDONLY);
		expect(fd >= 0, "open the device");
		for (worker = 0; worker < workers; worker++) {
			stable = 0;
			expect(pread(log, &stable, 8, worker * 8) >= 0, "read the log");
			begin(seed, worker);
			failures += check(fd, worker, stable);
		}
		return failures != 0;
	}
	for (worker = 1; worker < workers; worker++) {
		if (!fork())
			break;
	}
	worker %= workers;
	begin(seed, worker);
	write_for_ever(argv[2], log, worker);
	return 1;
}
