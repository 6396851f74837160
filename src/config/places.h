/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Where things are kept unless the configuration says otherwise. Pure. */
#ifndef CONFIG_PLACES_H
#define CONFIG_PLACES_H

#include <stdbool.h>
#include <stddef.h>

/* The variables may be NULL. */
void places_state_directory(char *to, size_t size, bool is_root, const char *xdg_state_home,
			    const char *home);
void places_socket(char *to, size_t size, bool is_root, const char *xdg_runtime_dir,
		   const char *state_directory);

#endif
