/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a worker of a role may do, and giving up everything else. */
#ifndef UNDERSTUDY_WORKER_SANDBOX_H
#define UNDERSTUDY_WORKER_SANDBOX_H

#include <stdbool.h>

#include <understudy/worker.h>

#if defined(__SANITIZE_ADDRESS__)
#define WORKER_HAS_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define WORKER_HAS_ASAN 1
#endif
#endif
#ifndef WORKER_HAS_ASAN
#define WORKER_HAS_ASAN 0
#endif

/* All return 0 or a negative errno and expect no_new_privs to be set. */
int sandbox_limit(enum worker_role role); /* rlimits */
/* Landlock; 0 also where the kernel has none. `directory` is free to the role, -1 = none. */
int sandbox_confine(enum worker_role role, int directory);
int sandbox_filter(enum worker_role role); /* seccomp: comes last, forbids the others' calls */

/* sandbox_confine()'s hands. `readable`: files and directories that may be read, NULL-terminated,
 * NULL for none; those that do not exist are skipped. In `directory`, files may be made, read,
 * written, renamed and removed. */
int landlock_apply(const char *const *readable, int directory, bool may_connect);

#endif
