/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * librtmp (player.h). Runs in ingest-rtmp-pull; blocks on its socketpair. Owns librtmp's session
 * and the descriptor.
 *
 * librtmp reads the chunks and drives the session: connect, createStream, play. It hands on bodies
 * as they are, so that codecs it never heard of pass. Its parser of data messages is passed by.
 */
#include <stdlib.h>
#include <unistd.h>

#include <librtmp/log.h>
#include <librtmp/rtmp.h>

#include "player.h"

struct player {
	RTMP *rtmp;        /* owned */
	RTMPPacket packet; /* its body is owned once it is whole */
	char url[32];      /* librtmp keeps pointers into it */
};

struct player *player_create(int fd)
{
	struct player *p = calloc(1, sizeof(*p));

	RTMP_LogSetLevel(RTMP_LOGCRIT); /* what went wrong, the tunnel knows better */
	if (p != NULL) {
		p->rtmp = RTMP_Alloc();
	}
	if (p == NULL || p->rtmp == NULL) {
		close(fd);
		free(p);
		return NULL;
	}
	RTMP_Init(p->rtmp);
	p->rtmp->m_sb.sb_socket = fd;
	/* Names without a meaning: the tunnel knows the real ones. */
	snprintf(p->url, sizeof(p->url), "rtmp://tunnel/show/feed");
	if (!RTMP_SetupURL(p->rtmp, p->url) || !RTMP_Connect1(p->rtmp, NULL)) {
		player_destroy(&p);
	}
	return p;
}

void player_destroy(struct player **p)
{
	struct player *gone = *p;

	*p = NULL;
	if (gone != NULL) {
		RTMPPacket_Free(&gone->packet);
		RTMP_Close(gone->rtmp);
		RTMP_Free(gone->rtmp);
		free(gone);
	}
}

bool player_has_more(const struct player *p)
{
	return p->rtmp->m_sb.sb_size > 0;
}

static bool is_media(uint8_t type)
{
	return type == RTMP_PACKET_TYPE_AUDIO || type == RTMP_PACKET_TYPE_VIDEO ||
	       type == RTMP_PACKET_TYPE_INFO;
}

bool player_next(struct player *p, struct player_message *ret)
{
	RTMPPacket *packet = &p->packet;

	RTMPPacket_Free(packet);
	*ret = (struct player_message){ 0 };
	if (!RTMP_ReadPacket(p->rtmp, packet)) {
		return false;
	}
	if (!RTMPPacket_IsReady(packet)) {
		return true;
	}
	if (is_media(packet->m_packetType)) {
		*ret = (struct player_message){
			.type = packet->m_packetType,
			.timestamp_ms = packet->m_nTimeStamp,
			.body = (const uint8_t *)packet->m_body,
			.size = packet->m_nBodySize,
		};
	} else if (packet->m_nBodySize > 0) {
		RTMP_ClientPacket(p->rtmp, packet);
	}
	return RTMP_IsConnected(p->rtmp);
}
