/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Counts what the timeline holds: calls of the allocator between memory_enter() and memory_leave()
 * (stage.h). The linker leads them here (--wrap). Tests only.
 */
#include <malloc.h>
#include <stdlib.h>

#include "stage.h"

static unsigned inside;
static size_t held_bytes;

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void __real_free(void *p);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void __wrap_free(void *p);

void memory_enter(void)
{
	inside++;
}

void memory_leave(void)
{
	inside--;
}

size_t memory_held(void)
{
	return held_bytes;
}

static void *memory_count(void *p)
{
	if (inside > 0 && p != NULL) {
		held_bytes += malloc_usable_size(p);
	}
	return p;
}

void *__wrap_malloc(size_t size)
{
	return memory_count(__real_malloc(size));
}

void *__wrap_calloc(size_t count, size_t size)
{
	return memory_count(__real_calloc(count, size));
}

void __wrap_free(void *p)
{
	if (inside > 0 && p != NULL) {
		held_bytes -= malloc_usable_size(p);
	}
	__real_free(p);
}
