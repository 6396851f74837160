/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Events per key within a window, in fixed memory (policy.h). Pure.
 *
 * A window begins with a key's first event and is over window_us later; the next event begins a
 * new one. So a key is never counted too high, and one that keeps failing is refused for the rest
 * of its window. 256 entries are searched in line: it happens once per failed login.
 */
#include <stddef.h>

#include <understudy/policy.h>

static const struct rate_entry *rate_find(const struct rate_table *t, uint64_t key)
{
	for (unsigned i = 0; i < RATE_ENTRIES; i++) {
		if (t->entries[i].key == key) {
			return &t->entries[i];
		}
	}
	return NULL;
}

/* A free entry, or the one whose window began first. */
static struct rate_entry *rate_make_room(struct rate_table *t)
{
	struct rate_entry *oldest = &t->entries[0];

	for (unsigned i = 0; i < RATE_ENTRIES; i++) {
		if (t->entries[i].key == 0) {
			return &t->entries[i];
		}
		if (t->entries[i].window_us < oldest->window_us) {
			oldest = &t->entries[i];
		}
	}
	return oldest;
}

/* Zero marks a free entry, so the key zero shares one with another. */
static uint64_t rate_key(uint64_t key)
{
	return key != 0 ? key : 1;
}

unsigned rate_count(struct rate_table *t, uint64_t key, int64_t window_us, int64_t now_us)
{
	struct rate_entry *e = (struct rate_entry *)rate_find(t, rate_key(key));

	if (e == NULL) {
		e = rate_make_room(t);
		*e = (struct rate_entry){ .key = rate_key(key), .window_us = now_us };
	} else if (now_us - e->window_us >= window_us) {
		e->window_us = now_us;
		e->count = 0;
	}
	if (e->count < UINT32_MAX) {
		e->count++;
	}
	return e->count;
}

unsigned rate_get(const struct rate_table *t, uint64_t key, int64_t window_us, int64_t now_us)
{
	const struct rate_entry *e = rate_find(t, rate_key(key));

	return e != NULL && now_us - e->window_us < window_us ? e->count : 0;
}
