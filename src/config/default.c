/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The embedded default show: config/default.yaml as a string, made by meson. */
#include <understudy/config.h>

const char config_default_text[] =
#include "default-show.h"
	;
const size_t config_default_size = sizeof(config_default_text) - 1;
