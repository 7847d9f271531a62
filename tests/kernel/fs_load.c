// SPDX-License-Identifier: MIT
// Load for a file system that knows what must be in it.
//   fs_load run DIR WORKERS SECONDS SEED [LOG]   random operations, each file compared with what it must
//                                                hold; names of files that were synced go to LOG
//   fs_load check DIR LOG                        whether the files that LOG names are there, and whole
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define FILES 24
#define BYTES_MAX (192 * 1024)
#define CHUNK_MAX (48 * 1024)
#define PAGE 4096

/* A file, and what must be in it. */
struct file {
	int exists;
	int version;
	size_t length;
	unsigned char *bytes;
};

static struct file files[FILES];
static unsigned char found[BYTES_MAX];
static uint64_t state;
static int worker;

static void fail(const char *format, ...)
{
	int error = errno;
	va_list arguments;

	fprintf(stderr, "fs_load: worker %d: ", worker);
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fprintf(stderr, ": %s\n", strerror(error));
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

static size_t below(size_t limit)
{
	return (next() >> 16) % limit;
}

static void fill(unsigned char *bytes, size_t length)
{
	for (size_t at = 0; at < length; at++)
		bytes[at] = next() >> 40;
}

static const char *path(int index)
{
	static char text[2][64];
	static int turn;

	turn = !turn;
	snprintf(text[turn], sizeof(text[turn]), "f%d.%d", index, files[index].version);
	return text[turn];
}

static int open_file(int index, int flags)
{
	int fd = open(path(index), flags, 0644);

	if (fd < 0)
		fail("open %s", path(index));
	return fd;
}

static void compare(int index)
{
	struct file *file = &files[index];
	int fd = open_file(index, O_RDONLY);
	ssize_t got;

	/* What is clean is read from the device again. */
	if (below(2))
		posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
	got = pread(fd, found, BYTES_MAX, 0);
	if (got != (ssize_t)file->length)
		fail("%s has %zd bytes instead of %zu", path(index), got, file->length);
	for (size_t at = 0; at < file->length; at++) {
		if (found[at] != file->bytes[at])
			fail("%s differs at byte %zu", path(index), at);
	}
	close(fd);
}

static void create(int index)
{
	struct file *file = &files[index];

	close(open_file(index, O_CREAT | O_EXCL | O_RDWR));
	file->exists = 1;
	file->length = 0;
}

static void grow_to(struct file *file, size_t length)
{
	if (length <= file->length)
		return;
	memset(file->bytes + file->length, 0, length - file->length);
	file->length = length;
}

static void write_some(int index)
{
	struct file *file = &files[index];
	size_t length = 1 + below(CHUNK_MAX), offset = below(BYTES_MAX - length);
	int fd = open_file(index, O_RDWR);

	grow_to(file, offset + length);
	fill(file->bytes + offset, length);
	if (pwrite(fd, file->bytes + offset, length, offset) != (ssize_t)length)
		fail("write %s", path(index));
	close(fd);
}

static void write_mapped(int index)
{
	struct file *file = &files[index];
	size_t length, offset;
	unsigned char *area;
	int fd;

	if (file->length < 2)
		return;
	offset = below(file->length - 1);
	length = 1 + below(file->length - offset);
	fd = open_file(index, O_RDWR);
	area = mmap(NULL, file->length, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (area == MAP_FAILED)
		fail("map %s", path(index));
	fill(file->bytes + offset, length);
	memcpy(area + offset, file->bytes + offset, length);
	if (below(3) == 0 && msync(area, file->length, MS_SYNC))
		fail("msync %s", path(index));
	munmap(area, file->length);
	close(fd);
}

static void cut(int index)
{
	struct file *file = &files[index];
	size_t length = below(BYTES_MAX);

	if (truncate(path(index), length))
		fail("truncate %s", path(index));
	grow_to(file, length);
	file->length = length;
}

static void punch(int index)
{
	struct file *file = &files[index];
	size_t offset, length;
	int fd;

	if (file->length < 2 * PAGE)
		return;
	offset = below(file->length - PAGE);
	length = 1 + below(file->length - offset);
	fd = open_file(index, O_RDWR);
	if (!fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset, length))
		memset(file->bytes + offset, 0, length);
	else if (errno != EOPNOTSUPP)
		fail("punch a hole in %s", path(index));
	close(fd);
}

static void move(int index)
{
	char old[64];

	snprintf(old, sizeof(old), "%s", path(index));
	files[index].version++;
	if (rename(old, path(index)))
		fail("rename %s", old);
}

static void sync_file(int index)
{
	int fd = open_file(index, O_RDWR);

	if (below(2) ? fsync(fd) : fdatasync(fd))
		fail("sync %s", path(index));
	close(fd);
}

static void drop(int index)
{
	if (unlink(path(index)))
		fail("unlink %s", path(index));
	files[index].exists = 0;
	files[index].version++;
}

/* A directory with some entries comes and goes. */
static void nest(void)
{
	char text[64];

	if (mkdir("d", 0755))
		fail("mkdir");
	for (int i = 0; i < 8; i++) {
		snprintf(text, sizeof(text), "d/link%d", i);
		if (symlink("somewhere else", text))
			fail("symlink");
	}
	for (int i = 0; i < 8; i++) {
		snprintf(text, sizeof(text), "d/link%d", i);
		unlink(text);
	}
	if (rmdir("d"))
		fail("rmdir");
}

/* Writes a file that is never touched again, syncs it and its directory, and says so in the log. */
static void keep(int log)
{
	static int count;
	static unsigned char bytes[CHUNK_MAX];
	uint64_t seed = next() | 1, saved;
	size_t length = 1 + below(CHUNK_MAX);
	char line[128], name[32];
	int fd, directory, said;

	saved = state;
	state = seed;
	fill(bytes, length);
	state = saved;
	snprintf(name, sizeof(name), "kept%d", count++);
	fd = open(name, O_CREAT | O_EXCL | O_WRONLY, 0644);
	directory = open(".", O_RDONLY | O_DIRECTORY);
	if (fd < 0 || directory < 0)
		fail("create %s", name);
	if (write(fd, bytes, length) != (ssize_t)length || fsync(fd) || fsync(directory))
		fail("keep %s", name);
	close(fd);
	close(directory);
	said = snprintf(line, sizeof(line), "w%d/%s %zu %llu\n", worker, name, length,
			(unsigned long long)seed);
	if (write(log, line, said) != said)
		fail("write to the log");
}

static void step(int index)
{
	if (!files[index].exists) {
		create(index);
		write_some(index);
		return;
	}
	switch (below(16)) {
	case 0: case 1: case 2: case 3: return write_some(index);
	case 4: case 5: return write_mapped(index);
	case 6: return cut(index);
	case 7: return punch(index);
	case 8: return move(index);
	case 9: case 10: return sync_file(index);
	case 11: return drop(index);
	case 12: return nest();
	default: return compare(index);
	}
}

static void work(const char *folder, int seconds, uint64_t seed, const char *log_path)
{
	int log = log_path ? open(log_path, O_WRONLY | O_CREAT | O_APPEND, 0644) : -1;
	time_t end = time(NULL) + seconds;
	unsigned long steps = 0;
	char name[32];

	if (log_path && log < 0)
		fail("open %s", log_path);
	snprintf(name, sizeof(name), "w%d", worker);
	if (chdir(folder) || mkdir(name, 0755) || chdir(name))
		fail("make %s/%s", folder, name);
	state = seed * 1000003 + worker + 1;
	for (int i = 0; i < FILES; i++)
		files[i].bytes = calloc(1, BYTES_MAX);
	for (; time(NULL) < end; steps++) {
		step(below(FILES));
		if (log >= 0 && below(8) == 0)
			keep(log);
	}
	sync();
	for (int i = 0; i < FILES; i++) {
		if (files[i].exists)
			compare(i);
	}
	printf("worker %d: %lu operations\n", worker, steps);
}

static int check(const char *folder, const char *log_path)
{
	FILE *log = fopen(log_path, "r");
	unsigned long long seed;
	static unsigned char bytes[CHUNK_MAX];
	char name[96];
	size_t length;
	int count = 0, whole;

	if (!log || chdir(folder))
		fail("open %s and %s", log_path, folder);
	while (fscanf(log, "%95s %zu %llu\n", name, &length, &seed) == 3) {
		int fd = open(name, O_RDONLY);

		if (fd < 0)
			fail("open %s, which was synced", name);
		state = seed;
		fill(bytes, length);
		whole = read(fd, found, BYTES_MAX) == (ssize_t)length;
		if (!whole || memcmp(bytes, found, length))
			fail("%s was synced, and is not whole", name);
		close(fd);
		count++;
	}
	printf("%d files are whole\n", count);
	return count == 0;
}

int main(int argc, char **argv)
{
	int workers, status, failures = 0;

	if (argc == 4 && !strcmp(argv[1], "check"))
		return check(argv[2], argv[3]);
	if (argc < 6 || strcmp(argv[1], "run"))
		return 2;
	workers = atoi(argv[3]);
	for (worker = 0; worker < workers; worker++) {
		if (fork())
			continue;
		work(argv[2], atoi(argv[4]), strtoull(argv[5], NULL, 0), argc > 6 ? argv[6] : NULL);
		fflush(stdout);
		_exit(0);
	}
	while (wait(&status) > 0)
		failures += status != 0;
	return failures != 0;
}
