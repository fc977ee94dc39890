// SPDX-License-Identifier: Apache-2.0 OR MIT
// Meddles with some system calls of the program that loads this. The environment says how:
// * MEDDLE_PAUSE=DIRECTORY makes the file "waits" there before the entry of a pod is written, and goes on once there
//   is a file "goes-on".
// * MEDDLE_INTERRUPT interrupts every second recv() and poll(), and two of five times that a program is loaded, as
//   signals may.
// * MEDDLE_MEMBARRIER refuses membarrier(), as the kernel does where processors run without a tick.

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/bpf.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

// The map of pods is the one hash map (1) with room for 4,096.
static int is_map_of_pods(int fd) {
	char path[64], text[1024] = "";
	snprintf(path, sizeof path, "/proc/self/fdinfo/%d", fd);
	int info = open(path, O_RDONLY | O_CLOEXEC);
	if (info < 0)
		return 0;
	ssize_t length = read(info, text, sizeof text - 1);
	close(info);
	return length > 0 && strstr(text, "map_type:\t1\n") && strstr(text, "max_entries:\t4096\n");
}

static void pause_in(const char *directory) {
	char path[PATH_MAX];
	snprintf(path, sizeof path, "%s/waits", directory);
	close(open(path, O_CREAT | O_CLOEXEC, 0600));
	snprintf(path, sizeof path, "%s/goes-on", directory);
	while (access(path, F_OK))
		usleep(1000);
}

// aya finds out what the kernel has with programs of a few instructions, and takes any error for a no.
#define A_FEW 15

// Whether a call is interrupted: so many in a row are, out of so many. `count` counts the calls.
static int is_interrupted(atomic_uint *count, unsigned many, unsigned of) {
	return getenv("MEDDLE_INTERRUPT") && atomic_fetch_add(count, 1) % of < many;
}

ssize_t recv(int fd, void *buffer, size_t length, int flags) {
	static atomic_uint count;
	if (is_interrupted(&count, 1, 2)) {
		errno = EINTR;
		return -1;
	}
	return recvfrom(fd, buffer, length, flags, NULL, NULL);
}

int poll(struct pollfd *fds, nfds_t length, int timeout) {
	static int (*real)(struct pollfd *, nfds_t, int);
	if (!real)
		real = (int (*)(struct pollfd *, nfds_t, int))dlsym(RTLD_NEXT, "poll");
	static atomic_uint count;
	if (is_interrupted(&count, 1, 2)) {
		errno = EINTR;
		return -1;
	}
	return real(fds, length, timeout);
}

long syscall(long number, ...) {
	static long (*real)(long, ...);
	static atomic_uint loads;
	long a[6];
	va_list arguments;
	va_start(arguments, number);
	for (int i = 0; i < 6; i++)
		a[i] = va_arg(arguments, long);
	va_end(arguments);
	if (!real)
		real = (long (*)(long, ...))dlsym(RTLD_NEXT, "syscall");
	const char *directory = getenv("MEDDLE_PAUSE");
	if (directory && number == SYS_bpf && a[0] == BPF_MAP_UPDATE_ELEM &&
	    is_map_of_pods((int)((union bpf_attr *)a[1])->map_fd))
		pause_in(directory);
	if (number == SYS_bpf && a[0] == BPF_PROG_LOAD &&
	    ((union bpf_attr *)a[1])->insn_cnt > A_FEW && is_interrupted(&loads, 2, 5)) {
		errno = EAGAIN;
		return -1;
	}
	if (number == SYS_membarrier && getenv("MEDDLE_MEMBARRIER")) {
		errno = EINVAL;
		return -1;
	}
	return real(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}
