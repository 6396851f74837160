/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Every message between supervisor and workers: its size, how many descriptors come with it,
 * and which fields must hold before a receiver may rely on them. Supervisor and all workers.
 */
#include <string.h>

#include "messages.h"

/* clang-format off */
#define TEXT(type, member) \
	{ offsetof(struct type, member), sizeof(((struct type *)0)->member), true, 0, 1, 0 }
#define LIMIT(type, member, most) \
	{ offsetof(struct type, member), sizeof(((struct type *)0)->member), false, most, 1, 0 }
#define EACH(type, array, member, is_text, most) \
	{ offsetof(struct type, array[0].member), sizeof(((struct type *)0)->array[0].member), \
	  is_text, most, sizeof(((struct type *)0)->array) / sizeof(((struct type *)0)->array[0]), \
	  sizeof(((struct type *)0)->array[0]) }
#define EACH_TEXT(type, array, member) EACH(type, array, member, true, 0)
#define EACH_LIMIT(type, array, member, most) EACH(type, array, member, false, most)
#define BODY(type) .name = #type, .size = sizeof(struct type)

static const struct ipc_kind kinds[IPC_TYPES] = {
	[IPC_STOP] = { BODY(ipc_stop), .fields = {
		LIMIT(ipc_stop, unpublish, 1),
	} },
	[IPC_ALIVE] = { BODY(ipc_alive) },
	[IPC_INGEST_START] = { BODY(ipc_ingest_start), .fds_min = 1, .fds_max = 3, .fields = {
		LIMIT(ipc_ingest_start, is_tls, 1),
		TEXT(ipc_ingest_start, peer),
	} },
	[IPC_PUBLISH_ASK] = { BODY(ipc_publish_ask), .fields = {
		TEXT(ipc_publish_ask, app),
		TEXT(ipc_publish_ask, stream),
		TEXT(ipc_publish_ask, encoder),
	} },
	[IPC_PUBLISH_ANSWER] = { BODY(ipc_publish_answer), .fds_max = 2, .fields = {
		LIMIT(ipc_publish_answer, is_allowed, 1),
		TEXT(ipc_publish_answer, reason),
		TEXT(ipc_publish_answer, show),
		TEXT(ipc_publish_answer, feed),
	} },
	[IPC_FEED_PACE] = { BODY(ipc_feed_pace) },
	[IPC_FEED_FAULT] = { BODY(ipc_feed_fault), .fields = {
		LIMIT(ipc_feed_fault, fault, FEED_FAULTS - 1),
	} },
	[IPC_FEED_RING] = { BODY(ipc_feed_ring), .fds_min = 1, .fds_max = 2 },
	[IPC_RING_READY] = { BODY(ipc_ring_ready) },
	[IPC_INGEST_STATUS] = { BODY(ipc_ingest_status), .fields = {
		TEXT(ipc_ingest_status, encoder),
	} },
	[IPC_INGEST_CLOSED] = { BODY(ipc_ingest_closed), .fields = {
		LIMIT(ipc_ingest_closed, is_clean, 1),
		TEXT(ipc_ingest_closed, cause),
	} },
	[IPC_SRT_START] = { BODY(ipc_srt_start), .fds_min = 1, .fds_max = 1 },
	[IPC_SRT_FEEDS] = { BODY(ipc_srt_feeds), .fields = {
		LIMIT(ipc_srt_feeds, count, IPC_SRT_FEEDS_MAX),
		EACH_TEXT(ipc_srt_feeds, feeds, passphrase),
		EACH_TEXT(ipc_srt_feeds, feeds, show),
		EACH_TEXT(ipc_srt_feeds, feeds, feed),
	} },
	[IPC_SRT_ACCEPTED] = { BODY(ipc_srt_accepted), .fields = {
		TEXT(ipc_srt_accepted, show),
		TEXT(ipc_srt_accepted, feed),
		TEXT(ipc_srt_accepted, peer),
	} },
	[IPC_SRT_CARRY] = { BODY(ipc_srt_carry), .fds_min = 1, .fds_max = 1 },
	[IPC_SRT_DROP] = { BODY(ipc_srt_drop) },
	[IPC_CALLER_STATUS] = { BODY(ipc_caller_status) },
	[IPC_SRT_CLOSED] = { BODY(ipc_srt_closed), .fields = {
		TEXT(ipc_srt_closed, cause),
	} },
	[IPC_STREAM_START] = { BODY(ipc_stream_start), .fds_min = 2, .fds_max = 3, .fields = {
		TEXT(ipc_stream_start, show),
		TEXT(ipc_stream_start, feed),
	} },
	[IPC_PULL_START] = { BODY(ipc_pull_start), .fds_min = 2, .fds_max = 3, .fields = {
		LIMIT(ipc_pull_start, allow_private, 1),
		TEXT(ipc_pull_start, show),
		TEXT(ipc_pull_start, feed),
		TEXT(ipc_pull_start, url),
		TEXT(ipc_pull_start, passphrase),
	} },
	[IPC_TUNNEL_START] = { BODY(ipc_tunnel_start), .fds_min = 1, .fds_max = 2, .fields = {
		LIMIT(ipc_tunnel_start, allow_private, 1),
		LIMIT(ipc_tunnel_start, endpoint.is_tls, 1),
		TEXT(ipc_tunnel_start, endpoint.host),
		TEXT(ipc_tunnel_start, endpoint.app),
		TEXT(ipc_tunnel_start, endpoint.stream),
		TEXT(ipc_tunnel_start, endpoint.tc_url),
	} },
	[IPC_TS_STATUS] = { BODY(ipc_ts_status) },
	[IPC_SWITCH_START] = { BODY(ipc_switch_start), .fds_min = 1, .fds_max = 2, .fields = {
		TEXT(ipc_switch_start, show),
		LIMIT(ipc_switch_start, return_mode, RETURN_NEVER),
		LIMIT(ipc_switch_start, on_mismatch, MISMATCH_REFUSE),
		LIMIT(ipc_switch_start, feed_count, TIMELINE_FEEDS_MAX),
		LIMIT(ipc_switch_start, is_reference_settled, 1),
		LIMIT(ipc_switch_start, fills_silence, 1),
		EACH_LIMIT(ipc_switch_start, feeds, is_slate, 1),
		EACH_TEXT(ipc_switch_start, feeds, name),
	} },
	[IPC_SOURCE_OPEN] = { BODY(ipc_source_open), .fds_min = 1, .fds_max = 2 },
	[IPC_SOURCE_CLOSE] = { BODY(ipc_source_close), .fields = {
		TEXT(ipc_source_close, cause),
	} },
	[IPC_SOURCE_LEAVING] = { BODY(ipc_source_leaving), .fields = {
		LIMIT(ipc_source_leaving, is_leaving, 1),
		TEXT(ipc_source_leaving, cause),
	} },
	[IPC_SOURCE_RELEASED] = { BODY(ipc_source_released) },
	[IPC_READER_ADD] = { BODY(ipc_reader_add), .fds_min = 1, .fds_max = 1 },
	[IPC_READER_REMOVE] = { BODY(ipc_reader_remove) },
	[IPC_TAKE] = { BODY(ipc_take) },
	[IPC_SWITCH_HEALTH] = { BODY(ipc_switch_health) },
	[IPC_SWITCH_SETTLE] = { BODY(ipc_switch_settle), .fields = {
		LIMIT(ipc_switch_settle, is_settled, 1),
	} },
	[IPC_SWITCH_BEGIN] = { BODY(ipc_switch_begin) },
	[IPC_FEED_REHEARSE] = { BODY(ipc_feed_rehearse), .fields = {
		LIMIT(ipc_feed_rehearse, is_rehearsed, 1),
	} },
	[IPC_SOURCE_LOSS] = { BODY(ipc_source_loss) },
	[IPC_SWITCH_STATUS] = { BODY(ipc_switch_status), .fields = {
		LIMIT(ipc_switch_status, timeline.is_on, 1),
		TEXT(ipc_switch_status, timeline.why),
		LIMIT(ipc_switch_status, timeline.feed_count, TIMELINE_FEEDS_MAX),
		EACH_LIMIT(ipc_switch_status, timeline.feeds, state, FEED_LIVE),
		EACH_LIMIT(ipc_switch_status, timeline.feeds, has_video, 1),
		EACH_LIMIT(ipc_switch_status, timeline.feeds, has_audio, 1),
		EACH_LIMIT(ipc_switch_status, timeline.feeds, is_compatible, 1),
		EACH_LIMIT(ipc_switch_status, timeline.feeds, symptom_count, TIMELINE_SIGNALS),
	} },
	[IPC_SWITCH_EVENT] = { BODY(ipc_switch_event), .fields = {
		LIMIT(ipc_switch_event, event.kind, TIMELINE_EVENT_KINDS - 1),
		TEXT(ipc_switch_event, event.cause),
	} },
	[IPC_RELAY_START] = { BODY(ipc_relay_start), .fds_min = 1, .fds_max = 3, .fields = {
		TEXT(ipc_relay_start, show),
	} },
	[IPC_SHOW_RING] = { BODY(ipc_show_ring), .fds_min = 1, .fds_max = 2 },
	[IPC_DESTINATION_ADD] = { BODY(ipc_destination_add), .fields = {
		LIMIT(ipc_destination_add, endpoint_count, IPC_ENDPOINTS_MAX),
		LIMIT(ipc_destination_add, allow_redirect, 1),
		LIMIT(ipc_destination_add, tracks, IPC_TRACKS_MAIN),
		TEXT(ipc_destination_add, name),
		TEXT(ipc_destination_add, user),
		TEXT(ipc_destination_add, password),
		EACH_LIMIT(ipc_destination_add, endpoints, is_tls, 1),
		EACH_TEXT(ipc_destination_add, endpoints, host),
		EACH_TEXT(ipc_destination_add, endpoints, app),
		EACH_TEXT(ipc_destination_add, endpoints, stream),
		EACH_TEXT(ipc_destination_add, endpoints, tc_url),
	} },
	[IPC_DESTINATION_REMOVE] = { BODY(ipc_destination_remove), .fields = {
		LIMIT(ipc_destination_remove, unpublish, 1),
	} },
	[IPC_DESTINATION_CUT] = { BODY(ipc_destination_cut) },
	[IPC_PROBE_START] = { BODY(ipc_probe_start), .fds_max = 1 },
	[IPC_PROBE_ASK] = { BODY(ipc_probe_ask), .fields = {
		LIMIT(ipc_probe_ask, is_tls, 1),
		TEXT(ipc_probe_ask, host),
	} },
	[IPC_PROBE_ANSWER] = { BODY(ipc_probe_answer), .fields = {
		TEXT(ipc_probe_answer, error),
	} },
	[IPC_DESTINATION_STATUS] = { BODY(ipc_destination_status), .fields = {
		LIMIT(ipc_destination_status, state, DESTINATION_STATES - 1),
		TEXT(ipc_destination_status, last_error),
		TEXT(ipc_destination_status, why),
		LIMIT(ipc_destination_status, endpoint, IPC_ENDPOINTS_MAX - 1),
		TEXT(ipc_destination_status, remark),
		LIMIT(ipc_destination_status, srt.is_known, 1),
	} },
	[IPC_OUTPUT_START] = { BODY(ipc_output_start), .fds_min = 1, .fds_max = 3, .fields = {
		LIMIT(ipc_output_start, kind, OUTPUT_KINDS - 1),
		LIMIT(ipc_output_start, is_listener, 1),
		TEXT(ipc_output_start, show),
		TEXT(ipc_output_start, name),
		TEXT(ipc_output_start, host),
		TEXT(ipc_output_start, path),
		TEXT(ipc_output_start, user),
		TEXT(ipc_output_start, password),
		TEXT(ipc_output_start, stream),
		TEXT(ipc_output_start, passphrase),
	} },
	[IPC_FILE_ASK] = { BODY(ipc_file_ask), .fields = {
		LIMIT(ipc_file_ask, role, FILE_ROLES - 1),
	} },
	[IPC_FILE_GIVE] = { BODY(ipc_file_give), .fds_max = 1, .fields = {
		LIMIT(ipc_file_give, role, FILE_ROLES - 1),
		TEXT(ipc_file_give, error),
		TEXT(ipc_file_give, name),
	} },
	[IPC_FILE_DONE] = { BODY(ipc_file_done), .fields = {
		LIMIT(ipc_file_done, role, FILE_ROLES - 1),
		LIMIT(ipc_file_done, is_kept, 1),
	} },
	[IPC_ERRAND_DONE] = { BODY(ipc_errand_done), .fds_max = 1, .fields = {
		TEXT(ipc_errand_done, path),
	} },
	[IPC_LOOP_START] = { BODY(ipc_loop_start), .fds_min = 1, .fds_max = 3 },
	[IPC_LOOP_REPORT] = { BODY(ipc_loop_report), .fields = {
		LIMIT(ipc_loop_report, is_usable, 1),
		TEXT(ipc_loop_report, remark),
	} },
	[IPC_SLATE_START] = { BODY(ipc_slate_start), .fds_min = 2, .fds_max = 3, .fields = {
		TEXT(ipc_slate_start, text),
	} },
	[IPC_SLATE_DONE] = { BODY(ipc_slate_done), .fields = {
		LIMIT(ipc_slate_done, is_good, 1),
		TEXT(ipc_slate_done, error),
	} },
	[IPC_RESOLVE_ASK] = { BODY(ipc_resolve_ask), .fields = {
		TEXT(ipc_resolve_ask, host),
	} },
	[IPC_RESOLVE_ANSWER] = { BODY(ipc_resolve_answer), .fields = {
		LIMIT(ipc_resolve_answer, count, IPC_ADDRESSES_MAX),
		TEXT(ipc_resolve_answer, error),
	} },
	[IPC_WITNESS_START] = { BODY(ipc_witness_start), .fds_min = 1, .fds_max = 1, .fields = {
		TEXT(ipc_witness_start, show),
	} },
	[IPC_WITNESS_TWINS] = { BODY(ipc_witness_twins), .fields = {
		LIMIT(ipc_witness_twins, count, TIMELINE_FEEDS_MAX),
	} },
	[IPC_WITNESS_MARK] = { BODY(ipc_witness_mark) },
	[IPC_WITNESS_FILE] = { BODY(ipc_witness_file), .fds_min = 1, .fds_max = 1 },
	[IPC_WITNESS_MEDIA] = { BODY(ipc_witness_media), .fields = {
		LIMIT(ipc_witness_media, kind, PACKET_AUDIO),
		TEXT(ipc_witness_media, codec),
	} },
	[IPC_WITNESS_EVENT] = { BODY(ipc_witness_event), .fields = {
		LIMIT(ipc_witness_event, event.kind, WITNESS_KINDS - 1),
		LIMIT(ipc_witness_event, event.media, PACKET_AUDIO),
	} },
	[IPC_HISTORY_START] = { BODY(ipc_history_start), .fds_min = 1, .fds_max = 1 },
	[IPC_HISTORY_EVENT] = { BODY(ipc_history_event), .fields = {
		TEXT(ipc_history_event, show),
		TEXT(ipc_history_event, kind),
		TEXT(ipc_history_event, text),
		TEXT(ipc_history_event, extra),
	} },
	[IPC_HISTORY_STATE] = { BODY(ipc_history_state), .fields = {
		LIMIT(ipc_history_state, what, HISTORY_WHATS - 1),
		LIMIT(ipc_history_state, class, LEDGER_CLASSES - 1),
		TEXT(ipc_history_state, show),
		TEXT(ipc_history_state, name),
		TEXT(ipc_history_state, state),
		TEXT(ipc_history_state, cause),
	} },
	[IPC_HISTORY_WHOLE] = { BODY(ipc_history_whole) },
	[IPC_HISTORY_LOST] = { BODY(ipc_history_lost) },
	[IPC_HISTORY_DRILL] = { BODY(ipc_history_drill), .fields = {
		LIMIT(ipc_history_drill, passed, 1),
		TEXT(ipc_history_drill, show),
		TEXT(ipc_history_drill, scenario),
		TEXT(ipc_history_drill, report),
	} },
	[IPC_HISTORY_STATUS] = { BODY(ipc_history_status), .fields = {
		LIMIT(ipc_history_status, is_broken, 1),
		TEXT(ipc_history_status, error),
		TEXT(ipc_history_status, remark),
	} },
	[IPC_HISTORY_READ] = { BODY(ipc_history_read), .fds_min = 2, .fds_max = 2, .fields = {
		LIMIT(ipc_history_read, subject, HISTORY_SUBJECTS - 1),
		LIMIT(ipc_history_read, is_running, 1),
		TEXT(ipc_history_read, show),
	} },
	[IPC_WITNESS_SUMMARY] = { BODY(ipc_witness_summary) },
	[IPC_PRACTICE_START] = { BODY(ipc_practice_start), .fds_min = 1, .fds_max = 1, .fields = {
		TEXT(ipc_practice_start, stream),
	} },
	[IPC_PRACTICE_STATUS] = { BODY(ipc_practice_status) },
	[IPC_WITNESS_END] = { BODY(ipc_witness_end), .fields = {
		TEXT(ipc_witness_end, error),
	} },
};
/* clang-format on */

static_assert(sizeof(struct ipc_switch_status) <= IPC_BODY_MAX, "the largest upward message fits");
static_assert(sizeof(struct ipc_srt_feeds) <= IPC_BODY_MAX, "a piece of the feed table fits");
static_assert(sizeof(struct ipc_switch_start) <= IPC_BODY_MAX, "a show with all feeds fits");
static_assert(sizeof(struct ipc_resolve_answer) <= IPC_BODY_MAX, "all addresses fit");
static_assert(sizeof(struct ipc_history_drill) <= IPC_BODY_MAX, "a drill's report fits");
static_assert(sizeof(struct ipc_destination_add) <= IPC_BODY_MAX, "a destination fits");

const struct ipc_kind *ipc_kind_of(uint32_t type)
{
	return type < IPC_TYPES && kinds[type].name != NULL ? &kinds[type] : NULL;
}

const char *ipc_type_str(enum ipc_type type)
{
	const struct ipc_kind *kind = ipc_kind_of((uint32_t)type);

	return kind != NULL ? kind->name + strlen("ipc_") : "unknown";
}

size_t ipc_body_size(enum ipc_type type)
{
	const struct ipc_kind *kind = ipc_kind_of((uint32_t)type);

	return kind != NULL ? kind->size : 0;
}

static bool is_field_sound(const struct ipc_field *field, const unsigned char *at)
{
	uint32_t four;
	uint16_t two;

	if (field->is_text) {
		return memchr(at, '\0', field->size) != NULL;
	}
	switch (field->size) {
	case 1:
		return at[0] <= field->max;
	case sizeof two:
		memcpy(&two, at, sizeof two);
		return two <= field->max;
	default:
		memcpy(&four, at, sizeof four);
		return four <= field->max;
	}
}

bool ipc_is_body_sound(const struct ipc_kind *kind, const void *body)
{
	for (size_t i = 0; i < IPC_FIELDS_MAX && kind->fields[i].size > 0; i++) {
		const struct ipc_field *field = &kind->fields[i];
		const unsigned char *at = (const unsigned char *)body + field->offset;

		for (size_t n = 0; n < field->count; n++) {
			if (!is_field_sound(field, at + n * field->stride)) {
				return false;
			}
		}
	}
	return true;
}

const char *destination_state_str(enum destination_state state)
{
	static const char *const names[DESTINATION_STATES] = {
		[DESTINATION_IDLE] = "idle",       [DESTINATION_DIALING] = "dialing",
		[DESTINATION_LIVE] = "live",       [DESTINATION_BACKING_OFF] = "backing_off",
		[DESTINATION_REFUSED] = "refused", [DESTINATION_HELD] = "held",
		[DESTINATION_STOPPED] = "stopped",
	};

	return (uint32_t)state < DESTINATION_STATES ? names[state] : "unknown";
}
