/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Errands: what is done with files, by processes that nobody waits for. A lease on a file keeps
 * whoever opens it, as a file system does that hangs. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include <understudy/text.h>

#include "../../../src/supervisor/supervisor.h"

#define ANSWERS_MAX 100

static struct supervisor sup;
static char directory[64];
static struct {
	int error;
	bool has_file;
	char path[PATH_MAX];
} answers[ANSWERS_MAX];
static unsigned answer_count;

static const char *in(const char *name)
{
	static char path[128];

	text_format(path, sizeof(path), "%s/%s", directory, name);
	return path;
}

static int set_up(void **state)
{
	signal(SIGIO, SIG_IGN);
	text_copy(directory, sizeof(directory), "/tmp/understudy-errand-XXXXXX");
	assert_non_null(mkdtemp(directory));
	sup = (struct supervisor){ .base = event_base_new(),
				   .null_fd = open("/dev/null", O_RDWR | O_CLOEXEC) };
	TAILQ_INIT(&sup.errands);
	TAILQ_INIT(&sup.children);
	answer_count = 0;
	return 0;
}

static int tear_down(void **state)
{
	char command[96];

	errand_finish(&sup);
	event_base_free(sup.base);
	close(sup.null_fd);
	text_format(command, sizeof(command), "rm -r %s", directory);
	return system(command) == 0 ? 0 : -1;
}

static void note(void *owner, const struct ipc_errand_done *done, struct ipc_message *m)
{
	assert_ptr_equal(owner, &sup);
	assert_true(answer_count < ANSWERS_MAX);
	answers[answer_count].error = done->error;
	answers[answer_count].has_file = m->fd_count == 1;
	text_copy(answers[answer_count].path, PATH_MAX, done->path);
	answer_count++;
}

static void begin(enum errand_work work, const char *name, uint32_t number)
{
	assert_int_equal(errand_begin(&sup, work, in(name), number, note, &sup), 0);
}

/* One turn of the supervisor's loop, whose SIGCHLD comes whenever a process has ended. */
static void turn(void)
{
	event_base_loop(sup.base, EVLOOP_NONBLOCK);
	usleep(1000);
	child_reap_all(&sup);
}

static void wait_answers(unsigned count)
{
	while (answer_count < count) {
		turn();
	}
}

static void make(const char *name, const char *text)
{
	FILE *file = fopen(in(name), "w");

	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

/* Until the descriptor is closed nobody else opens the file. */
static int hold(const char *name)
{
	int fd;

	make(name, "x");
	fd = open(in(name), O_RDWR | O_CLOEXEC);
	assert_int_equal(fcntl(fd, F_SETLEASE, F_WRLCK), 0);
	return fd;
}

static bool exists(const char *name)
{
	return access(in(name), F_OK) == 0;
}

static void file_is_opened_or_it_is_said_why_not(void **state)
{
	make("there", "x");
	begin(ERRAND_READ, "there", 0);
	begin(ERRAND_READ, "not there", 0);
	begin(ERRAND_READ, "", 0);
	wait_answers(3);
	assert_int_equal(answers[0].error, 0);
	assert_true(answers[0].has_file);
	assert_int_equal(answers[1].error, -ENOENT);
	assert_int_equal(answers[2].error, -EINVAL);
	assert_false(answers[2].has_file);
}

static void new_recording_never_takes_the_place_of_another(void **state)
{
	begin(ERRAND_RECORDING, "a/b/show.mkv", 0);
	begin(ERRAND_RECORDING, "a/b/show.mkv", 0);
	wait_answers(2);
	assert_string_equal(answers[0].path, in("a/b/show.mkv"));
	assert_string_equal(answers[1].path, in("a/b/show-1.mkv"));
	assert_true(answers[1].has_file);
}

static void what_is_done_in_a_directory_is_done_in_its_order(void **state)
{
	for (uint32_t number = 1; number <= 5; number++) {
		begin(ERRAND_SEGMENT, "hls/live.m3u8", number);
		begin(ERRAND_PLAYLIST, "hls/live.m3u8", 0);
		begin(ERRAND_PUBLISH, "hls/live.m3u8", number);
	}
	begin(ERRAND_END, "hls/live.m3u8", 0);
	begin(ERRAND_PLAYLIST, "hls/live.m3u8", 0);
	begin(ERRAND_DISCARD, "hls/live.m3u8", 0);
	wait_answers(18);
	for (unsigned i = 0; i < answer_count; i++) {
		assert_int_equal(answers[i].error, 0);
	}
	assert_string_equal(answers[3].path, in("hls/live-2.ts"));
	assert_false(exists("hls/live-4.ts"));
	assert_true(exists("hls/live-5.ts"));
	assert_true(exists("hls/live.m3u8"));
	assert_false(exists("hls/.live.m3u8.part"));
}

static void empty_file_is_removed_and_no_other(void **state)
{
	make("empty", "");
	make("full", "x");
	begin(ERRAND_TIDY, "empty", 0);
	begin(ERRAND_TIDY, "full", 0);
	begin(ERRAND_TIDY, "none", 0);
	wait_answers(3);
	assert_false(exists("empty"));
	assert_true(exists("full"));
	assert_int_equal(answers[2].error, 0);
}

static void file_system_that_hangs_holds_up_its_own_directory_only(void **state)
{
	mkdir(in("away"), 0700);
	int held = hold("away/file");

	make("here", "x");
	begin(ERRAND_READ, "away/file", 0);
	begin(ERRAND_RECORDING, "away/show.mkv", 0);
	begin(ERRAND_READ, "here", 0);
	wait_answers(1);
	assert_int_equal(answers[0].error, 0);
	for (int i = 0; i < 20; i++) {
		turn();
	}
	assert_int_equal(answer_count, 1);
	close(held);
	wait_answers(3);
	assert_string_equal(answers[1].path, "");
	assert_string_equal(answers[2].path, in("away/show.mkv"));
}

static void process_that_is_killed_is_an_error(void **state)
{
	int held = hold("file");
	char name[64];

	begin(ERRAND_READ, "file", 0);
	text_format(name, sizeof(name), "/proc/self/task/%d/children", getpid());
	FILE *children = fopen(name, "r");
	int pid = 0;
	assert_int_equal(fscanf(children, "%d", &pid), 1);
	fclose(children);
	kill(pid, SIGKILL);
	wait_answers(1);
	assert_int_equal(answers[0].error, -EIO);
	close(held);
}

static void what_nobody_wants_any_more_is_removed(void **state)
{
	begin(ERRAND_RECORDING, "show.mkv", 0);
	errand_forget(&sup, &sup);
	while (!TAILQ_EMPTY(&sup.errands)) {
		turn();
	}
	assert_int_equal(answer_count, 0);
	assert_false(exists("show.mkv"));
}

static void crowd_is_not_let_in(void **state)
{
	int held = hold("file"), error = 0;
	unsigned count = 0;

	while ((error = errand_begin(&sup, ERRAND_READ, in("file"), 0, note, &sup)) == 0) {
		count++;
	}
	assert_int_equal(error, -EBUSY);
	errand_end_all(&sup);
	assert_int_equal(answer_count, count);
	assert_int_equal(answers[0].error, -ECANCELED);
	close(held);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
		TEST(file_is_opened_or_it_is_said_why_not),
		TEST(new_recording_never_takes_the_place_of_another),
		TEST(what_is_done_in_a_directory_is_done_in_its_order),
		TEST(empty_file_is_removed_and_no_other),
		TEST(file_system_that_hangs_holds_up_its_own_directory_only),
		TEST(process_that_is_killed_is_an_error),
		TEST(what_nobody_wants_any_more_is_removed),
		TEST(crowd_is_not_let_in),
#undef TEST
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
