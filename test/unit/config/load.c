/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What good configurations become. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <understudy/timeline.h>

#include "loading.h"
#include "places.h"

static void defaults_are_filled_in(void **state)
{
	struct loading l = load_text("rtmp:\n"
				     "shows:\n"
				     "  - name: main\n"
				     "    feeds: [ { name: primary, key: \"${KEY_ONE}\" } ]\n"
				     "    destinations: [ { name: r, url: \"file:x.flv\" } ]\n");

	print_findings(&l);
	assert_int_equal(l.result, 0);
	assert_int_equal(l.findings.count, 0);
	assert_string_equal(l.config->rtmp->listen, "0.0.0.0:1935");
	assert_null(l.config->rtmps);
	assert_null(l.config->ca_file);
	assert_int_equal(l.config->ring_max_bytes, 64 << 20);
	assert_int_equal(l.config->watchdog_s, 5);
	assert_string_equal(l.config->socket, config_default_socket());
	assert_string_equal(l.config->state_directory, config_default_state_directory());
	assert_int_equal(l.config->shows_count, 1);

	const struct config_show *show = &l.config->shows[0];
	assert_int_equal(show->delay_ms, 3000);
	assert_int_equal(show->batch_ms, 20);
	assert_true(show->autostart);
	assert_int_equal(show->failover.stall_ms, 500);
	assert_int_equal(show->failover.hole_ms, 200);
	assert_int_equal(show->failover.return_after_s, 30);
	assert_int_equal(show->failover.return_mode, RETURN_AUTO);
	assert_int_equal(show->failover.on_mismatch, MISMATCH_PREFER_MATCHING);
	assert_memory_equal(&show->failover.health, &timeline_thresholds_usual,
			    sizeof(timeline_thresholds_usual));
	assert_int_equal(show->feeds_count, 1);
	assert_string_equal(show->feeds[0].key, "first-key-0001");
	assert_false(show->destinations[0].isolate);
	loading_finish(&l);
}

static void every_value_arrives_where_it_belongs(void **state)
{
	struct loading l = load_text(
		"rtmp: { listen: \"[::1]:1\" }\n"
		"state_directory: /s\n"
		"socket: /k\n"
		"ring_max_bytes: 1073741824\n"
		"shows:\n"
		"  - name: one\n"
		"    delay_ms: ${DELAY}\n"
		"    batch_ms: 0\n"
		"    autostart: No\n"
		"    failover: { stall_ms: 300, hole_ms: 100, return: never,\n"
		"                return_after_s: 0, on_mismatch: refuse }\n"
		"    feeds:\n"
		"      - { name: a, key: 'k~+=-_.012', offset_ms: -40, max_kbps: 9000 }\n"
		"      - { name: b, key: second-key }\n"
		"    destinations:\n"
		"      - { name: x, url: \"rtmp://h/app\", key: K, isolate: yes }\n"
		"  - name: two\n"
		"    failover: { return: manual, on_mismatch: allow }\n"
		"    feeds: [ { name: a, key: third-key-3 } ]\n"
		"    destinations: []\n");
	const struct config *c = l.config;

	print_findings(&l);
	assert_int_equal(l.result, 0);
	assert_string_equal(c->rtmp->listen, "[::1]:1");
	assert_string_equal(c->state_directory, "/s");
	assert_string_equal(c->socket, "/k");
	assert_int_equal(c->ring_max_bytes, 1 << 30);
	assert_int_equal(c->shows_count, 2);
	assert_int_equal(c->shows[0].delay_ms, 1500);
	assert_int_equal(c->shows[0].batch_ms, 0);
	assert_false(c->shows[0].autostart);
	assert_int_equal(c->shows[0].failover.stall_ms, 300);
	assert_int_equal(c->shows[0].failover.return_mode, RETURN_NEVER);
	assert_int_equal(c->shows[0].failover.on_mismatch, MISMATCH_REFUSE);
	assert_int_equal(c->shows[0].failover.return_after_s, 0);
	assert_int_equal(c->shows[0].feeds_count, 2);
	assert_string_equal(c->shows[0].feeds[0].key, "k~+=-_.012");
	assert_int_equal(c->shows[0].feeds[0].offset_ms, -40);
	assert_int_equal(c->shows[0].feeds[0].max_kbps, 9000);
	assert_true(c->shows[0].destinations[0].isolate);
	assert_int_equal(c->shows[1].failover.return_mode, RETURN_MANUAL);
	assert_int_equal(c->shows[1].failover.on_mismatch, MISMATCH_ALLOW);
	assert_int_equal(c->shows[1].destinations_count, 0);
	loading_finish(&l);
}

static void a_value_never_becomes_syntax(void **state)
{
	struct loading l = load_text(
		"state_directory: \"/x/${ODD}/${ACCENT}\"\n"
		"shows:\n"
		"  - name: main\n"
		"    feeds: [ { name: a, key: first-key-1 } ]\n"
		"    destinations: [ { name: x, url: \"rtmp://h/a\", key: \"${ODD}$${ODD}$x\" } "
		"]\n");

	print_findings(&l);
	assert_int_equal(l.result, 0);
	assert_string_equal(l.config->state_directory,
			    "/x/a\"b\\c: {d} #e/caf\xc3\xa9 \xe2\x80\xa8 \xf0\x9f\x8e\xac");
	assert_string_equal(l.config->shows[0].destinations[0].key, "a\"b\\c: {d} #e${ODD}$x");
	loading_finish(&l);
}

static void aliases_share_settings(void **state)
{
	struct loading l = load_text("shows:\n"
				     "  - name: one\n"
				     "    failover: &quick { stall_ms: 250 }\n"
				     "    feeds: [ { name: a, key: first-key-1 } ]\n"
				     "  - name: two\n"
				     "    failover: *quick\n"
				     "    feeds: [ { name: a, key: second-key-2 } ]\n");

	assert_int_equal(l.result, 0);
	assert_int_equal(l.config->shows[1].failover.stall_ms, 250);
	loading_finish(&l);
}

static const char *generated(void *context, const char *name)
{
	static const char *const variables[][2] = {
		{ "PRIMARY_KEY", "generated-1" },
		{ "BACKUP_KEY", "generated-2" },
		{ "UNDERSTUDY_STATE_DIRECTORY", "/state" },
	};

	for (size_t i = 0; i < 3; i++) {
		if (strcmp(variables[i][0], name) == 0) {
			return variables[i][1];
		}
	}
	fail_msg("asks for %s", name);
	return NULL;
}

static void the_embedded_show_is_complete(void **state)
{
	struct loading l = { .config = NULL };

	assert_int_equal(strlen(config_default_text), config_default_size);
	l.result = config_load_text("default show", config_default_text, config_default_size,
				    generated, NULL, &l.config, &l.findings);
	print_findings(&l);
	assert_int_equal(l.result, 0);
	assert_int_equal(l.findings.count, 0);
	assert_string_equal(l.config->rtmp->listen, "0.0.0.0:1935");
	assert_string_equal(l.config->state_directory, "/state");
	assert_string_equal(l.config->shows[0].name, "main");
	assert_string_equal(l.config->shows[0].feeds[0].key, "generated-1");
	assert_string_equal(l.config->shows[0].feeds[1].key, "generated-2");
	assert_int_equal(l.config->shows[0].destinations[0].kind, DESTINATION_FLV_FILE);
	assert_string_equal(l.config->shows[0].destinations[0].path,
			    "/state/recordings/main-%Y%m%d-%H%M%S.flv");
	loading_finish(&l);
}

/* ---- files ---- */

struct place {
	char directory[64], config[96], key[96];
};

static void write_text(const char *path, const char *text, mode_t mode)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, mode);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	assert_int_equal(fchmod(fd, mode), 0);
	close(fd);
}

static int make_place(void **state)
{
	static struct place place;

	strcpy(place.directory, "/tmp/understudy-test-XXXXXX");
	if (mkdtemp(place.directory) == NULL) {
		return -1;
	}
	snprintf(place.config, sizeof(place.config), "%s/config.yaml", place.directory);
	snprintf(place.key, sizeof(place.key), "%s/one.key", place.directory);
	*state = &place;
	return 0;
}

static int remove_place(void **state)
{
	struct place *place = *state;

	unlink(place->config);
	unlink(place->key);
	return rmdir(place->directory);
}

static const char with_key_file[] = "rtmp: {}\n"
				    "shows:\n"
				    "  - name: main\n"
				    "    feeds: [ { name: a, key_file: one.key } ]\n"
				    "    destinations: [ { name: r, url: \"file:x.flv\" } ]\n";

static struct loading load_file(const char *path)
{
	struct loading l = { .config = NULL };

	l.result = config_load(path, test_environment, NULL, &l.config, &l.findings);
	return l;
}

static void a_file_gives_the_value_without_its_line_break(void **state)
{
	const struct place *place = *state;

	write_text(place->config, with_key_file, 0644);
	write_text(place->key, "key-out-of-a-file\r\n", 0600);
	struct loading l = load_file(place->config);
	print_findings(&l);
	assert_int_equal(l.result, 0);
	assert_int_equal(l.findings.count, 0);
	assert_string_equal(l.config->shows[0].feeds[0].key, "key-out-of-a-file");
	loading_finish(&l);
}

static void a_public_secret_is_warned_about(void **state)
{
	const struct place *place = *state;

	write_text(place->config, with_key_file, 0644);
	write_text(place->key, "key-out-of-a-file\n", 0644);
	struct loading l = load_file(place->config);
	assert_int_equal(l.result, 0);
	assert_finding(&l, CONFIG_WARNING, 4, "shows[0].feeds[0].key", "chmod 600");
	loading_finish(&l);

	write_text(place->config,
		   "rtmp: {}\nshows:\n  - name: main\n    destinations: []\n"
		   "    feeds: [ { name: a, key: in-the-file-1 } ]\n",
		   0644);
	l = load_file(place->config);
	assert_int_equal(l.result, 0);
	assert_finding(&l, CONFIG_WARNING, 5, "", "every user of this machine");
	loading_finish(&l);
}

static void files_of_certificates_begin_beside_the_config(void **state)
{
	const struct place *place = *state;
	char expected[128];

	write_text(place->key, "not looked into", 0600);
	write_text(place->config,
		   "rtmps: { certificate: one.key, private_key: one.key }\n"
		   "tls: { ca_file: one.key }\n"
		   "shows: [ { name: m, feeds: [ { name: a, key: \"${KEY_ONE}\" } ] } ]\n",
		   0600);
	struct loading l = load_file(place->config);
	print_findings(&l);
	assert_int_equal(l.result, 0);
	snprintf(expected, sizeof(expected), "%s/one.key", place->directory);
	assert_string_equal(l.config->rtmps->certificate, expected);
	assert_string_equal(l.config->ca_file, expected);
	assert_string_equal(config_ca_file(l.config, test_environment, NULL), expected);
	loading_finish(&l);
}

static void a_missing_file_is_said(void **state)
{
	struct loading l = load_file("/nowhere/understudy.yaml");

	assert_int_equal(l.result, -ENOENT);
	assert_null(l.config);
	assert_finding(&l, CONFIG_ERROR, 0, "", "No such file");
	loading_finish(&l);
}

/* ---- places ---- */

static void places_depend_on_who_asks(void **state)
{
	char path[128];

	places_state_directory(path, sizeof(path), true, "/x", "/home/u");
	assert_string_equal(path, "/var/lib/understudy");
	places_state_directory(path, sizeof(path), false, "/x", "/home/u");
	assert_string_equal(path, "/x/understudy");
	places_state_directory(path, sizeof(path), false, NULL, "/home/u");
	assert_string_equal(path, "/home/u/.local/state/understudy");
	places_socket(path, sizeof(path), true, "/run/user/1", "/s");
	assert_string_equal(path, "/run/understudy/understudy.sock");
	places_socket(path, sizeof(path), false, "/run/user/1", "/s");
	assert_string_equal(path, "/run/user/1/understudy/understudy.sock");
	places_socket(path, sizeof(path), false, NULL, "/s");
	assert_string_equal(path, "/s/understudy.sock");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(defaults_are_filled_in),
		cmocka_unit_test(every_value_arrives_where_it_belongs),
		cmocka_unit_test(a_value_never_becomes_syntax),
		cmocka_unit_test(aliases_share_settings),
		cmocka_unit_test(the_embedded_show_is_complete),
		cmocka_unit_test_setup_teardown(a_file_gives_the_value_without_its_line_break,
						make_place, remove_place),
		cmocka_unit_test_setup_teardown(a_public_secret_is_warned_about, make_place,
						remove_place),
		cmocka_unit_test_setup_teardown(files_of_certificates_begin_beside_the_config,
						make_place, remove_place),
		cmocka_unit_test(a_missing_file_is_said),
		cmocka_unit_test(places_depend_on_who_asks),
	};

	return cmocka_run_group_tests_name("config load", tests, NULL, NULL);
}
