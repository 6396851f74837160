/* SPDX-License-Identifier: GPL-3.0-or-later */
/* understudy-relay-av: carries a show to one Icecast, RTSP, UDP or RTP destination (output.h). */
#include "output.h"

int main(void)
{
	return output_run(ROLE_RELAY_AV);
}
