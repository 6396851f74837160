/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Names of the roles, for the supervisor that starts workers and for the workers. */
#include <stddef.h>

#include <understudy/worker.h>

const char *worker_role_str(enum worker_role role)
{
	static const char *const names[ROLES] = {
		[ROLE_NONE] = "none",
		[ROLE_INGEST_RTMP] = "ingest-rtmp",
		[ROLE_INGEST_SRT] = "ingest-srt",
		[ROLE_INGEST_AV] = "ingest-av",
		[ROLE_SWITCH] = "switch",
		[ROLE_RELAY_RTMP] = "relay-rtmp",
		[ROLE_RELAY_FLV] = "relay-flv",
		[ROLE_RESOLVE] = "resolve",
		[ROLE_RELAY_FILE] = "relay-file",
		[ROLE_RELAY_AV] = "relay-av",
		[ROLE_RELAY_SRT] = "relay-srt",
		[ROLE_WITNESS] = "witness",
		[ROLE_WITNESS_FILE] = "witness-file",
		[ROLE_PROBE] = "probe",
		[ROLE_INGEST_AV_PULL] = "ingest-av-pull",
		[ROLE_HISTORY] = "history",
		[ROLE_INGEST_FILE] = "ingest-file",
		[ROLE_SLATE] = "slate",
		[ROLE_INGEST_RTMP_PULL] = "ingest-rtmp-pull",
		[ROLE_INGEST_RTMP_TUNNEL] = "ingest-rtmp-tunnel",
		[ROLE_PRACTICE] = "practice",
	};

	return (unsigned)role < ROLES ? names[role] : "unknown";
}
