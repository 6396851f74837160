/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the tests of `understudy explain` share: a relay's answer, and looking for words. */
#ifndef TEST_CLI_EXPLAINING_H
#define TEST_CLI_EXPLAINING_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "explain.h"

/* clang-format off */
static const char answer[] =
	"{\"name\":\"main\",\"live\":\"primary\",\"taken\":null,\"delay_ms\":3000,\"failover\":{"
	"\"stall_ms\":500,\"hole_ms\":200,\"return_after_s\":30,\"return\":\"auto\","
	"\"on_mismatch\":\"prefer_matching\",\"health\":{"
	"\"holes\":{\"enter\":10,\"leave\":0,\"hold_ms\":10000}}},\"feeds\":["
	"{\"name\":\"primary\",\"kind\":\"publish\",\"state\":\"live\",\"health\":[],\"video\":{"
	"\"codec\":\"H.264\",\"width\":1920,\"height\":1080,\"fps\":29.97,\"reorder_frames\":2},"
	"\"audio\":{\"codec\":\"AAC\",\"sample_rate\":48000,\"channels\":2},\"gop_ms\":2002,"
	"\"mismatch\":[],\"offset_ms\":0},"
	"{\"name\":\"backup\",\"kind\":\"publish\",\"state\":\"standby\",\"health\":[],\"video\":{"
	"\"codec\":\"H.264\",\"width\":1920,\"height\":1080,\"fps\":30.0,\"reorder_frames\":0},"
	"\"audio\":{\"codec\":\"AAC\",\"sample_rate\":48000,\"channels\":2},\"gop_ms\":4000,"
	"\"mismatch\":[],\"offset_ms\":120},"
	"{\"name\":\"spare\",\"kind\":\"publish\",\"state\":\"offline\",\"health\":[],"
	"\"video\":null,\"audio\":null,\"gop_ms\":null,\"mismatch\":[],\"offset_ms\":0}]}";
/* clang-format on */

static inline void facts_of(const char *text, struct explain_facts *ret)
{
	json_t *json = json_loads(text, 0, NULL);

	assert_non_null(json);
	assert_true(explain_from_json(json, ret));
	json_decref(json);
}

static inline const struct explain_item *item_of(const struct explanation *e, const char *key)
{
	for (unsigned i = 0; i < e->count; i++) {
		if (strcmp(e->items[i].key, key) == 0) {
			return &e->items[i];
		}
	}
	fail_msg("nothing is said of %s", key);
	return NULL;
}

static inline void assert_says(const struct explain_facts *facts, const char *key, const char *part)
{
	static struct explanation explanation;
	const struct explain_item *item;

	explain_make(facts, &explanation);
	item = item_of(&explanation, key);
	if (strstr(item->text, part) == NULL) {
		fail_msg("%s: not \"%s\" in: %s", key, part, item->text);
	}
}

#endif
