/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Replays a fuzz target's corpus as a plain test: every file of the directories (or the files)
 * named as arguments goes through LLVMFuzzerTestOneInput, one TAP case each, then the empty
 * input. What a target finds wrong ends the process, as it would under libFuzzer. Inputs are
 * given in a block of exactly their size, so that a sanitizer sees one byte too many being read.
 */
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned cases;

static void report(bool is_ok, const char *name, const char *why)
{
	printf("%sok %u - %s\n", is_ok ? "" : "not ", ++cases, name);
	if (why) {
		printf("# %s\n", why);
	}
	fflush(stdout);
}

static uint8_t *read_all(FILE *file, size_t size)
{
	uint8_t *data = malloc(size > 0 ? size : 1);

	if (data && size > 0 && fread(data, 1, size, file) != size) {
		free(data);
		return NULL;
	}
	return data;
}

static bool replay_file(const char *path)
{
	FILE *file = fopen(path, "rb");
	uint8_t *data = NULL;
	struct stat st;

	if (file && fstat(fileno(file), &st) == 0 && st.st_size >= 0) {
		data = read_all(file, (size_t)st.st_size);
	}
	if (!data) {
		report(false, path, strerror(errno));
		if (file) {
			fclose(file);
		}
		return false;
	}
	fclose(file);
	printf("# replaying %s\n", path);
	fflush(stdout); /* the last line seen if the target dies */
	LLVMFuzzerTestOneInput(data, (size_t)st.st_size);
	free(data);
	report(true, path, NULL);
	return true;
}

static int is_visible(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

static bool replay_directory(const char *path)
{
	struct dirent **entries;
	int count = scandir(path, &entries, is_visible, alphasort);
	bool is_ok = count >= 0;

	if (count < 0) {
		report(false, path, strerror(errno));
		return false;
	}
	for (int i = 0; i < count; i++) {
		char name[PATH_MAX];

		snprintf(name, sizeof(name), "%s/%s", path, entries[i]->d_name);
		is_ok = replay_file(name) && is_ok;
		free(entries[i]);
	}
	free(entries);
	return is_ok;
}

static bool replay(const char *path)
{
	struct stat st;

	if (stat(path, &st) < 0) {
		report(false, path, strerror(errno));
		return false;
	}
	return S_ISDIR(st.st_mode) ? replay_directory(path) : replay_file(path);
}

int main(int argc, char **argv)
{
	bool is_ok = true;

	for (int i = 1; i < argc; i++) {
		is_ok = replay(argv[i]) && is_ok;
	}
	LLVMFuzzerTestOneInput((const uint8_t *)"", 0);
	report(true, "the empty input", NULL);
	printf("1..%u\n", cases);
	return is_ok ? 0 : 1;
}
