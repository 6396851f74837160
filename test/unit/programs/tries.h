/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Tests that hold a worker to promises in real time, which nobody can keep while the machine stands
 * still. They run in a child, and we look at the clock: what failed while we got no turn ourselves
 * is no verdict, and is tried again. What crashed is one always.
 */
#ifndef TEST_TRIES_H
#define TEST_TRIES_H

#include "stage.h"

#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>

#define TRIES 4
#define LOOK_US 20000
#define STOOD_STILL_US 200000 /* half of the time after which a feed here counts as stalled */

/* The longest time in which we got no turn until the child had ended. */
static inline int64_t tries_await(pid_t pid, int *ret_status)
{
	int64_t longest_us = 0, looked_us = clock_monotonic_us(), now_us;

	while (waitpid(pid, ret_status, WNOHANG) == 0) {
		usleep(LOOK_US);
		now_us = clock_monotonic_us();
		longest_us = now_us - looked_us > longest_us ? now_us - looked_us : longest_us;
		looked_us = now_us;
	}
	return longest_us;
}

/* All that was printed; it ends with a zero. */
static inline char *tries_output(int file)
{
	off_t size = lseek(file, 0, SEEK_END);
	char *text = calloc(1, (size_t)size + 1);

	assert_non_null(text);
	assert_int_equal(pread(file, text, (size_t)size, 0), size);
	close(file);
	return text;
}

/* One try: its exit status, -1 if it crashed. What it printed is to be freed. */
static inline int tries_once(int (*run)(void), char *ret_text[2], int64_t *ret_stood_still_us)
{
	int files[2] = { memfd_create("stdout", MFD_CLOEXEC), memfd_create("stderr", MFD_CLOEXEC) };
	int status = 0;
	pid_t pid = fork();

	assert_true(files[0] >= 0 && files[1] >= 0 && pid >= 0);
	if (pid == 0) {
		dup2(files[0], STDOUT_FILENO);
		dup2(files[1], STDERR_FILENO);
		exit(run());
	}
	*ret_stood_still_us = tries_await(pid, &status);
	for (int i = 0; i < 2; i++) {
		ret_text[i] = tries_output(files[i]);
	}
	return WIFEXITED(status) && strstr(ret_text[1], "Sanitizer") == NULL ? WEXITSTATUS(status)
									     : -1;
}

/* Exit status of the tests; what they print is that of the last try. */
static inline int run_tries(int (*run)(void))
{
	for (int tries = 1;; tries++) {
		char *text[2];
		int64_t stood_still_us;
		int status = tries_once(run, text, &stood_still_us);
		bool is_verdict = status <= 0 || stood_still_us < STOOD_STILL_US || tries == TRIES;

		if (is_verdict) {
			fputs(text[0], stdout);
			fputs(text[1], stderr);
		} else {
			printf("# tried again: the machine stood still for %d ms\n",
			       (int)(stood_still_us / 1000));
			fflush(stdout); /* or the next child has it, too */
		}
		free(text[0]);
		free(text[1]);
		if (is_verdict) {
			return status == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
		}
	}
}

#endif
