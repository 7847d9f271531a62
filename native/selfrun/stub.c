/* SPDX-License-Identifier: MIT */
/*
 * Entry point of the self-running executable: what runs between ld.so and Deno's own _start.
 * Appended to a copy of the Deno executable by pack.ts; see docs/architecture.md, "One executable".
 *
 * It copies the program (one JavaScript file) out of its own executable into a memory file and
 * rebuilds the initial stack, so that Deno believes it was started as
 *
 *     argv[0] <baked arguments> /proc/self/fd/N <the user's arguments>
 *
 * The kernel keeps the original stack, so ps and /proc/PID/cmdline show what the user typed, and
 * /proc/PID/environ the environment that the user gave.
 *
 * A command that goes on in the background is divided here into the process that was started, which
 * waits, and the one that works. Once there are threads that would take starting the program twice.
 *
 * Freestanding, position independent, without relocations or writable data. x86-64 Linux only.
 */

#if defined(__GNUC__) && !defined(__clang__)
/* There is no strlen or memcpy to call. */
#pragma GCC optimize("no-tree-loop-distribute-patterns")
#endif

typedef unsigned int u32;
typedef unsigned long u64;
typedef long i64;

/* Written by pack.ts directly behind the code; pack.ts knows this layout. */
struct config {
	u64 stub_address;	/* where this code is mapped, relative to the load address */
	u64 entry_address;	/* Deno's own entry point, likewise */
	u64 environ_slot;	/* GOT slot holding the address of libc's `environ`, likewise */
	u64 fork_slot;		/* that of libc's fork, or 0: it sees to libc's own state in the child */
	u64 program_offset;	/* where the program lies in the file, in bytes */
	u64 program_length;
	u32 argument_count;	/* how many strings of each kind follow, in this order: */
	u32 added_count;	/* arguments; NAME=value to put into the environment; */
	u32 dropped_count;	/* prefixes of the variables to take out of it; */
	u32 background_count;	/* see `struct background` */
	char strings[];		/* each ends with a zero byte */
};

/* stub.ld puts these at the start and at the end of the code. */
extern const char stub_start[] __attribute__((visibility("hidden")));
extern const struct config stub_config __attribute__((visibility("hidden")));

/* x86-64 system call numbers and flags, from the kernel's UAPI headers. */
enum {
	SYS_READ = 0, SYS_WRITE = 1, SYS_OPEN = 2, SYS_CLOSE = 3, SYS_POLL = 7, SYS_SIGPROCMASK = 14,
	SYS_DUP2 = 33, SYS_SENDFILE = 40, SYS_WAIT4 = 61, SYS_KILL = 62, SYS_FCNTL = 72, SYS_SETSID = 112,
	SYS_EXIT_GROUP = 231, SYS_SIGNALFD4 = 289, SYS_PIPE2 = 293, SYS_MEMFD_CREATE = 319,
	OPEN_READ_WRITE = 2, OPEN_CLOEXEC = 02000000, MEMFD_CLOEXEC_SEALING = 3,
	FCNTL_DUPFD_CLOEXEC = 1030, FCNTL_ADD_SEALS = 1033, ALL_SEALS = 15,
	SIG_BLOCK = 0, SIG_SETMASK = 2, SIGNAL_SET_BYTES = 8, POLL_IN = 1, WAIT_NO_HANG = 1,
	SIGNAL_HUP = 1, SIGNAL_INT = 2, SIGNAL_PIPE = 13, SIGNAL_TERM = 15, ERRNO_PIPE = 32,
};

/* The program's descriptor is moved up here, so that 3, 4, ... look as they were handed over. */
enum { PROGRAM_FD = 512, PATH_BYTES = 32, EXIT_FAILURE = 1, EXIT_CANNOT_RUN = 70 };
/* How often to look whether the process in the background, which has closed its output, has ended. */
enum { ENDING_POLL_MS = 5 };

static i64 system_call(i64 number, i64 a, i64 b, i64 c, i64 d)
{
	i64 result;
	register i64 r10 __asm__("r10") = d;

	__asm__ volatile("syscall"
		: "=a"(result)
		: "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10)
		: "rcx", "r11", "memory");
	return result;
}

static u64 length(const char *text)
{
	u64 bytes = 0;

	while (text[bytes])
		bytes++;
	return bytes;
}

static const char *after(const char *text)
{
	return text + length(text) + 1;
}

static int starts_with(const char *text, const char *prefix)
{
	while (*prefix)
		if (*text++ != *prefix++)
			return 0;
	return 1;
}

__attribute__((noreturn)) static void fail(const char *reason)
{
	system_call(SYS_WRITE, 2, (i64)reason, length(reason), 0);
	for (;;)
		system_call(SYS_EXIT_GROUP, EXIT_CANNOT_RUN, 0, 0, 0);
}

/* Copies the program from this executable into a sealed memory file; returns its descriptor. */
static i64 open_program(const struct config *config)
{
	i64 self = system_call(SYS_OPEN, (i64)"/proc/self/exe", OPEN_CLOEXEC, 0, 0);
	i64 memory = system_call(SYS_MEMFD_CREATE, (i64)"program", MEMFD_CLOEXEC_SEALING, 0, 0);
	u64 offset = config->program_offset;
	u64 left = config->program_length;
	i64 high;

	if (self < 0)
		fail("sandblock: error: cannot open /proc/self/exe; /proc must be mounted\n");
	if (memory < 0)
		fail("sandblock: error: cannot create a memory file\n");
	while (left) {
		i64 copied = system_call(SYS_SENDFILE, memory, self, (i64)&offset, left);

		if (copied <= 0)
			fail("sandblock: error: cannot read the program in this executable: it is cut short\n");
		left -= copied;
	}
	system_call(SYS_CLOSE, self, 0, 0, 0);
	system_call(SYS_FCNTL, memory, FCNTL_ADD_SEALS, ALL_SEALS, 0);

	/* Fails where the limit on descriptors is lower; then any free one does. */
	high = system_call(SYS_FCNTL, memory, FCNTL_DUPFD_CLOEXEC, PROGRAM_FD, 0);
	if (high < 0)
		return memory;
	system_call(SYS_CLOSE, memory, 0, 0, 0);
	return high;
}

/*
 * What `background_count` strings say, if there are any: the first word of the command that goes on in
 * the background; NAME=value for the process there; letters of options, and beginnings of long options,
 * with which it does not, or has first to do what only the whole program can.
 */
struct background {
	const char *command;
	const char *mark;
	const char *letters;
	const char *options;
	u32 option_count;
};

/* Whether `text` begins with the name of the variable `mark` and "=". */
static int is_variable(const char *text, const char *mark)
{
	while (*mark && *mark != '=')
		if (*text++ != *mark++)
			return 0;
	return *text == '=';
}

static int has_letter(const char *text, const char *letters)
{
	for (; *text; text++)
		for (const char *letter = letters; *letter; letter++)
			if (*text == *letter)
				return 1;
	return 0;
}

/* Whether a word may be an option that speaks against the background. Values may be taken for one. */
static int keeps_foreground(const char *word, const struct background *background)
{
	const char *option = background->options;

	if (word[0] != '-')
		return 0;
	if (word[1] != '-')
		return has_letter(word, background->letters);
	for (u32 i = 0; i < background->option_count; i++, option = after(option))
		if (starts_with(word, option))
			return 1;
	return 0;
}

/* Whether the command line of `stack` is one for the background, and this is not the process there. */
static int goes_to_background(const u64 *stack, const struct background *background)
{
	const u64 *word = stack + 2;

	if (stack[0] < 2 || !starts_with((const char *)*word, background->command) ||
	    length((const char *)*word) != length(background->command))
		return 0;
	while (*++word)
		if (keeps_foreground((const char *)*word, background))
			return 0;
	while (*++word)
		if (is_variable((const char *)*word, background->mark))
			return 0;
	return 1;
}

/* Passes on what the other process says until it is ready, which a zero byte says. Whether it is. */
static int pass_on(const char *bytes, i64 count)
{
	i64 end = 0;
	i64 done = 0;

	while (end < count && bytes[end])
		end++;
	while (done < end) {
		i64 written = system_call(SYS_WRITE, 1, (i64)(bytes + done), end - done, 0);

		/* Who does not want to read more has seen enough. */
		if (written == -ERRNO_PIPE)
			system_call(SYS_EXIT_GROUP, 0, 0, 0, 0);
		if (written < 0) {
			const char *reason = "sandblock: error: cannot write what was asked for\n";

			system_call(SYS_WRITE, 2, (i64)reason, length(reason), 0);
			system_call(SYS_EXIT_GROUP, EXIT_FAILURE, 0, 0, 0);
		}
		done += written;
	}
	return end < count;
}

/* Ends this process as the other one has ended, which was not ready; returns while it has not. */
static void end_as(i64 child)
{
	int status;

	if (system_call(SYS_WAIT4, child, (i64)&status, WAIT_NO_HANG, 0) != child)
		return;
	status = status & 127 ? 128 + (status & 127) : status >> 8 & 255;
	system_call(SYS_EXIT_GROUP, status ? status : EXIT_FAILURE, 0, 0, 0);
}

/*
 * Waits until the process in the background is ready or has ended. `output` is what it writes,
 * `signals` what was sent to this process: who gives up wants all of it to be undone.
 */
__attribute__((noreturn)) static void wait_for(i64 child, i64 output, i64 signals)
{
	struct { int fd; short events, got; } polled[] = {
		{ signals, POLL_IN, 0 }, { output, POLL_IN, 0 },
	};
	char bytes[1024];
	i64 count = 1;

	for (;;) {
		system_call(SYS_POLL, (i64)polled, count > 0 ? 2 : 1, count > 0 ? -1 : ENDING_POLL_MS, 0);
		if (polled[0].got) {
			system_call(SYS_READ, signals, (i64)bytes, sizeof(bytes), 0);
			system_call(SYS_KILL, child, SIGNAL_TERM, 0, 0);
		}
		if (count > 0 && polled[1].got) {
			count = system_call(SYS_READ, output, (i64)bytes, sizeof(bytes), 0);
			if (pass_on(bytes, count))
				system_call(SYS_EXIT_GROUP, 0, 0, 0, 0);
		}
		if (count <= 0)
			end_as(child);
	}
}

/* Becomes the process in the background, with a session of its own. */
static void begin_background(i64 nothing, const int *ends)
{
	system_call(SYS_SETSID, 0, 0, 0, 0);
	system_call(SYS_DUP2, nothing, 0, 0, 0);
	system_call(SYS_DUP2, ends[1], 1, 0, 0);
}

/*
 * Divides this process; returns in the one that works, in any case. Whether that is in the background:
 * where something is missing for it, the program does it in its own way.
 */
static int divide(int (*fork)(void))
{
	const u64 passed_on = 1UL << (SIGNAL_HUP - 1) | 1UL << (SIGNAL_INT - 1) | 1UL << (SIGNAL_TERM - 1);
	const u64 blocked = passed_on | 1UL << (SIGNAL_PIPE - 1);
	i64 nothing = system_call(SYS_OPEN, (i64)"/dev/null", OPEN_READ_WRITE | OPEN_CLOEXEC, 0, 0);
	i64 signals = system_call(SYS_SIGNALFD4, -1, (i64)&passed_on, SIGNAL_SET_BYTES, OPEN_CLOEXEC);
	int ends[2] = { -1, -1 };
	int child = -1;
	u64 before;

	system_call(SYS_PIPE2, (i64)ends, OPEN_CLOEXEC, 0, 0);
	/* Lower ones mean that this process has no standard input or output. */
	if (nothing > 2 && signals > 2 && ends[0] > 2 && ends[1] > 2) {
		system_call(SYS_SIGPROCMASK, SIG_BLOCK, (i64)&blocked, (i64)&before, SIGNAL_SET_BYTES);
		child = fork();
		if (child > 0) {
			system_call(SYS_CLOSE, ends[1], 0, 0, 0);
			wait_for(child, ends[0], signals);
		}
		if (child == 0)
			begin_background(nothing, ends);
		system_call(SYS_SIGPROCMASK, SIG_SETMASK, (i64)&before, 0, SIGNAL_SET_BYTES);
	}
	for (int i = 0; i < 2; i++)
		if (ends[i] >= 0)
			system_call(SYS_CLOSE, ends[i], 0, 0, 0);
	if (signals >= 0)
		system_call(SYS_CLOSE, signals, 0, 0, 0);
	if (nothing >= 0)
		system_call(SYS_CLOSE, nothing, 0, 0, 0);
	return child == 0;
}

/* The variable for the process in the background, if this is that one now; otherwise null. */
static const char *begin_command(const struct config *config, const u64 *stack, u64 base)
{
	const char *string = config->strings;
	struct background background;

	if (!config->background_count || !config->fork_slot)
		return 0;
	for (u32 i = config->argument_count + config->added_count + config->dropped_count; i; i--)
		string = after(string);
	background.command = string;
	background.mark = after(background.command);
	background.letters = after(background.mark);
	background.options = after(background.letters);
	background.option_count = config->background_count - 3;
	if (!goes_to_background(stack, &background))
		return 0;
	return divide(*(int (**)(void))(base + config->fork_slot)) ? background.mark : 0;
}

/* Writes /proc/self/fd/N, which takes at most PATH_BYTES. */
static void write_path(char *at, u64 fd)
{
	const char *from = "/proc/self/fd/";
	char digits[12];
	u64 count = 0;

	while (*from)
		*at++ = *from++;
	do {
		digits[count++] = '0' + fd % 10;
		fd /= 10;
	} while (fd);
	while (count)
		*at++ = digits[--count];
	*at = 0;
}

/* Words from `stack` (argc, argv, 0, envp, 0, auxv pairs up to AT_NULL) to its end. */
static u64 stack_words(const u64 *stack)
{
	const u64 *at = stack + 1 + stack[0] + 1;

	while (*at)
		at++;
	at++;
	while (at[0])
		at += 2;
	return at + 2 - stack;
}

/* Bytes for the new stack, a multiple of 16: the old one, what is added, and the path at its end. */
__attribute__((used, visibility("hidden"))) u64 stub_frame_bytes(const u64 *stack)
{
	const struct config *config = &stub_config;
	u64 added = config->argument_count + config->added_count + 3;

	return ((stack_words(stack) + added) * sizeof(u64) + PATH_BYTES + 15) & ~15UL;
}

static int is_dropped(const char *variable, const char *prefix, u32 count)
{
	for (; count; count--, prefix = after(prefix))
		if (starts_with(variable, prefix))
			return 1;
	return 0;
}

/* Fills `frame` from the original `stack`; returns the address of Deno's entry point. */
__attribute__((used, visibility("hidden"))) u64 stub_main(const u64 *stack, u64 *frame)
{
	const struct config *config = &stub_config;
	u64 base = (u64)stub_start - config->stub_address;
	char *path = (char *)frame + stub_frame_bytes(stack) - PATH_BYTES;
	const char *string = config->strings;
	const u64 *from = stack + 1;
	u64 *to = frame + 1;
	const char *mark = begin_command(config, stack, base);
	u64 *environment;
	const char *added;

	write_path(path, open_program(config));

	*to++ = *from ? *from++ : (u64)"sandblock";
	for (u32 i = 0; i < config->argument_count; i++, string = after(string))
		*to++ = (u64)string;
	*to++ = (u64)path;
	while (*from)
		*to++ = *from++;
	frame[0] = to - (frame + 1);
	*to++ = *from++;

	environment = to;
	added = string;
	for (u32 i = 0; i < config->added_count; i++)
		string = after(string);
	for (; *from; from++)
		if (!is_dropped((const char *)*from, string, config->dropped_count))
			*to++ = *from;
	for (u32 i = 0; i < config->added_count; i++, added = after(added))
		*to++ = (u64)added;
	if (mark)
		*to++ = (u64)mark;
	*to++ = *from++;

	do {
		to[0] = from[0];
		to[1] = from[1];
		to += 2;
		from += 2;
	} while (from[-2]);

	/* libc has looked at the original stack already: point its `environ` at the new one. */
	**(u64 ***)(base + config->environ_slot) = environment;
	return base + config->entry_address;
}

/*
 * ld.so jumps here with the stack pointer at argc and, in rdx, a function for _start to register
 * with atexit. Both are handed on with the new stack.
 */
__asm__(
	".section .text.start, \"ax\"\n"
	".globl stub_start\n"
	".hidden stub_start\n"
	"stub_start:\n"
	"	mov %rsp, %r12\n"
	"	mov %rdx, %r13\n"
	"	and $-16, %rsp\n"
	"	mov %r12, %rdi\n"
	"	call stub_frame_bytes\n"
	"	sub %rax, %rsp\n"
	"	mov %rsp, %r14\n"
	"	mov %r12, %rdi\n"
	"	mov %r14, %rsi\n"
	"	call stub_main\n"
	"	mov %r14, %rsp\n"
	"	mov %r13, %rdx\n"
	"	xor %ebp, %ebp\n"
	"	jmp *%rax\n");
