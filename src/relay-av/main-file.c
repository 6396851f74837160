/* SPDX-License-Identifier: GPL-3.0-or-later */
/* understudy-relay-file: records a show into files, or into HLS segments (output.h). */
#include "output.h"

int main(void)
{
	return output_run(ROLE_RELAY_FILE);
}
