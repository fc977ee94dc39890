// SPDX-License-Identifier: Apache-2.0 OR MIT
/* For LD_PRELOAD: interrupts every thread of the process, two thousand times a second. */
#define _GNU_SOURCE
#include <dirent.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static void do_nothing(int number)
{
	(void)number;
}

static void *interrupt_all(void *unused)
{
	struct timespec pause = { .tv_nsec = 500000 };
	long own = syscall(SYS_gettid);
	for (;; nanosleep(&pause, NULL)) {
		DIR *threads = opendir("/proc/self/task");
		struct dirent *thread;
		while (threads && (thread = readdir(threads))) {
			long id = atol(thread->d_name);
			if (id > 0 && id != own)
				syscall(SYS_tgkill, getpid(), id, SIGUSR1);
		}
		if (threads)
			closedir(threads);
	}
	return unused;
}

__attribute__((constructor)) static void begin(void)
{
	/* Without SA_RESTART, the kernel repeats no call by itself. */
	struct sigaction action = { .sa_handler = do_nothing };
	pthread_t thread;
	if (sigaction(SIGUSR1, &action, NULL) || pthread_create(&thread, NULL, interrupt_all, NULL))
		abort();
}
