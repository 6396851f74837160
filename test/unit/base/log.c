/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <understudy/clock.h>
#include <understudy/log.h>

static char sink_line[1100];
static enum log_level sink_level;

static void sink(enum log_level level, const char *line)
{
	sink_level = level;
	strcpy(sink_line, line);
	errno = EIO;
}

static void line_breaks_and_control_bytes_are_escaped(void **state)
{
	log_set_sink(sink);
	log_warn("one\ntwo %s", "\x1b[2J caf\xc3\xa9");
	log_set_sink(NULL);
	assert_int_equal(sink_level, LOG_WARN);
	assert_string_equal(sink_line, "one\\x0atwo \\x1b[2J caf\xc3\xa9");
}

static void errno_survives_logging(void **state)
{
	log_set_sink(sink);
	errno = ENOENT;
	log_error("x");
	assert_int_equal(errno, ENOENT);
	log_set_sink(NULL);
}

static void lines_above_the_level_are_not_written(void **state)
{
	log_set_sink(sink);
	sink_line[0] = '\0';
	log_debug("hidden");
	assert_string_equal(sink_line, "");
	log_set_level(LOG_DEBUG);
	log_debug("shown");
	assert_string_equal(sink_line, "shown");
	log_set_level(LOG_INFO);
	log_set_sink(NULL);
}

/* Runs one log_info() with stderr going into a pipe; returns what arrived in one read. */
static size_t line_on_stderr(const char *text, char *to, size_t size)
{
	int pipe_fds[2], saved = dup(STDERR_FILENO);
	ssize_t got;

	assert_int_equal(pipe(pipe_fds), 0);
	dup2(pipe_fds[1], STDERR_FILENO);
	log_info("%s", text);
	dup2(saved, STDERR_FILENO);
	close(saved);
	close(pipe_fds[1]);
	got = read(pipe_fds[0], to, size);
	close(pipe_fds[0]);
	assert_true(got >= 0);
	return (size_t)got;
}

static void line_on_stderr_has_level_and_end(void **state)
{
	char got[2000];
	size_t size = line_on_stderr("up pid=1", got, sizeof got);

	assert_int_equal(size, strlen("info up pid=1\n"));
	assert_memory_equal(got, "info up pid=1\n", size);
}

static void long_line_is_cut_to_a_thousand_bytes(void **state)
{
	char got[3000], text[2001];
	size_t size;

	memset(text, 'x', 2000);
	text[2000] = '\0';
	size = line_on_stderr(text, got, sizeof got);
	assert_true(size <= 1000 && size > 900);
	assert_int_equal(got[size - 1], '\n');
	memset(text, '\n', 2000);
	size = line_on_stderr(text, got, sizeof got);
	assert_true(size <= 1000 && size > 900);
	assert_ptr_equal(memchr(got, '\n', size), got + size - 1);
}

static void monotonic_clock_does_not_go_back(void **state)
{
	int64_t before = clock_monotonic_us();

	assert_true(clock_monotonic_us() >= before);
	assert_true(clock_wall_us() > INT64_C(1600000000) * 1000000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(line_breaks_and_control_bytes_are_escaped),
		cmocka_unit_test(errno_survives_logging),
		cmocka_unit_test(lines_above_the_level_are_not_written),
		cmocka_unit_test(line_on_stderr_has_level_and_end),
		cmocka_unit_test(long_line_is_cut_to_a_thousand_bytes),
		cmocka_unit_test(monotonic_clock_does_not_go_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
