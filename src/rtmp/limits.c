/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a hostile peer may cost, and the words for what went wrong. Pure. */
#include <understudy/rtmp.h>

#define KIB 1024u
#define MIB (1024u * 1024u)
#define SECONDS INT64_C(1000000)

void rtmp_limits_default(struct rtmp_limits *ret)
{
	*ret = (struct rtmp_limits){
		.command_bytes = 16 * KIB,
		.data_bytes = 64 * KIB,
		.audio_bytes = 256 * KIB,
		.video_bytes = 8 * MIB, /* a 4K60 IDR at 100 Mbit/s stays below 4 MiB */
		.partial_bytes = 12 * MIB,
		.chunk_streams = 16,
		.output_bytes = 64 * KIB,
		.unauthorised_bytes = 64 * KIB,
		.messages_per_second = 5000,
		.chunks_per_second = 100000,
		.handshake_us = 5 * SECONDS,
		.connect_us = 10 * SECONDS,
		.publish_us = 20 * SECONDS,
		.idle_us = 30 * SECONDS,
	};
}

const char *rtmp_error_str(int error)
{
	switch ((enum rtmp_error)error) {
	case RTMP_OK:
		return "no error";
	case RTMP_NOT_RTMP:
		return "the peer speaks no RTMP (or RTMPE): check protocol and port in the URL";
	case RTMP_IS_TLS:
		return "the peer speaks TLS, this is plain RTMP: use rtmps:// and its port";
	case RTMP_IS_HTTP:
		return "the peer speaks HTTP, this is RTMP: check the port in the URL";
	case RTMP_BAD_CHUNK:
		return "malformed chunk: a header refers to a chunk stream that is not open";
	case RTMP_BAD_MESSAGE:
		return "malformed protocol message";
	case RTMP_BAD_COMMAND:
		return "malformed or unexpected command";
	case RTMP_TOO_LARGE:
		return "a message, or all unfinished ones together, are larger than allowed";
	case RTMP_TOO_FAST:
		return "too many chunks or messages a second, or answers are not read";
	case RTMP_TOO_EARLY:
		return "media, or too many bytes, came before publishing was allowed";
	case RTMP_TIMEOUT:
		return "the peer took too long";
	case RTMP_NO_MEMORY:
		return "out of memory";
	case RTMP_ENDED:
		return "the session has ended";
	}
	return "unknown error";
}
