/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Opening and reading pulled URLs (fetch.h). ingest-av-pull. */
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include <libavformat/avformat.h>
#include <libavutil/log.h>

#include <understudy/input.h>
#include <understudy/net.h>
#include <understudy/text.h>
#include <understudy/ts.h>

#include "fetch.h"

#define WORDS_BYTES 160
#define SRT_UNIT_BYTES "1456" /* the largest message there is: peers decide */
#define OPENED_MAX 64         /* URLs without media between: a large master playlist has twenty */
#define ENDED "Stream ends prematurely"
#define NO_SRT "Connection to URL failed"
#define UDP_BUFFER_BYTES "4194304" /* in the kernel: half a second of 50 Mb/s */

/* ---- what libavformat says ---- */

static char last_words[WORDS_BYTES];

/* URLs hold credentials, and what servers say may be anything. */
static void without_urls(char *line)
{
	char *at;

	while ((at = strstr(line, "://")) != NULL) {
		char *begin = at;

		while (begin > line && strchr(" '\"(", begin[-1]) == NULL) {
			begin--;
		}
		size_t size = strcspn(at, " '\")");
		memmove(begin, "URL", 3); /* shorter than any of them */
		memmove(begin + 3, at + size, strlen(at + size) + 1);
	}
}

static void on_library_log(void *object, int level, const char *format, va_list arguments)
{
	char line[2 * WORDS_BYTES];
	int prefix = 0;

	if (level > AV_LOG_ERROR) {
		return;
	}
	av_log_format_line2(object, level, format, arguments, line, sizeof(line), &prefix);
	line[strcspn(line, "\r\n")] = '\0';
	without_urls(line);
	text_escape(last_words, sizeof(last_words), line, strlen(line));
}

void fetch_begin_log(void)
{
	av_log_set_level(AV_LOG_ERROR);
	av_log_set_callback(on_library_log);
}

void fetch_explain(int error, char *to, size_t size)
{
	char text[96];

	switch (error) {
	case AVERROR_HTTP_UNAUTHORIZED:
		text_copy(to, size, "the server refuses the user name or password");
		return;
	case AVERROR_HTTP_FORBIDDEN:
		text_copy(to, size, "the server refuses access");
		return;
	case AVERROR_HTTP_NOT_FOUND:
		text_copy(to, size, "the server does not know that path");
		return;
	case AVERROR_PROTOCOL_NOT_FOUND:
	case AVERROR(EINVAL):
		text_copy(to, size, "it leads to a URL that cannot be followed");
		return;
	case AVERROR_INVALIDDATA:
		text_copy(to, size, "what comes is no stream that can be read");
		return;
	default:
		break;
	}
	if (error > -1000 && error != AVERROR(EIO)) {
		text_copy(to, size, net_error_str(error));
	} else if (strncmp(last_words, NO_SRT, strlen(NO_SRT)) == 0) {
		/* libsrt knows more, but libavformat does not ask. */
		text_copy(
			to, size,
			"no SRT listener answers there, or it refuses the stream id or passphrase");
	} else if (last_words[0] != '\0') {
		text_copy(to, size, last_words);
	} else {
		if (av_strerror(error, text, sizeof(text)) < 0) {
			text_format(text, sizeof(text), "error %d", error);
		}
		text_copy(to, size, text);
	}
}

/* ---- URLs ---- */

void fetch_split(const char *url, struct fetch_address *ret)
{
	const char *query = strchr(url, '?');

	av_url_split(ret->scheme, sizeof(ret->scheme), NULL, 0, ret->host, sizeof(ret->host),
		     &ret->port, NULL, 0, url);
	ret->query = query != NULL ? query + 1 : "";
}

static int hex_value(char c)
{
	return c >= '0' && c <= '9'   ? c - '0'
	       : c >= 'a' && c <= 'f' ? c - 'a' + 10
	       : c >= 'A' && c <= 'F' ? c - 'A' + 10
				      : -1;
}

/* "a=1&b=%32": the decoded value of a name; false if it is not there or too long. */
static bool query_find(const char *query, const char *name, char *to, size_t size)
{
	size_t bytes = strlen(name), used = 0;

	while (*query != '\0' && (strncmp(query, name, bytes) != 0 || query[bytes] != '=')) {
		query += strcspn(query, "&");
		query += *query == '&';
	}
	if (*query == '\0') {
		return false;
	}
	for (query += bytes + 1; *query != '\0' && *query != '&'; query++) {
		if (used + 1 >= size) {
			return false;
		}
		if (query[0] == '%' && hex_value(query[1]) >= 0 && hex_value(query[2]) >= 0) {
			to[used++] = (char)(hex_value(query[1]) << 4 | hex_value(query[2]));
			query += 2;
		} else {
			to[used++] = *query;
		}
	}
	to[used] = '\0';
	return true;
}

/* ---- options ---- */

static const char web_protocols[] = "http,https,tcp,tls,crypto";

static int set(AVDictionary **options, const char *name, const char *value)
{
	return av_dict_set(options, name, value, 0);
}

/* The certificates are in memory: opening them again by this name needs no right to any file. */
static int set_trust(const struct fetch *f, AVDictionary **options)
{
	char path[32];
	int error = set(options, "tls_verify", "1");

	text_format(path, sizeof(path), "/proc/self/fd/%d", f->trust);
	return error < 0 ? error : set(options, "ca_file", path);
}

int fetch_options(const struct fetch *f, const char *scheme, AVDictionary **options)
{
	static const char *const http[][2] = {
		{ "user_agent", "understudy/" UNDERSTUDY_VERSION },
		{ "icy", "0" },
		{ "seekable", "0" },
		{ "protocol_whitelist", web_protocols },
	};
	static const char *const udp[][2] = {
		{ "fifo_size", "0" }, /* no thread of its own */
		{ "buffer_size", UDP_BUFFER_BYTES },
		{ "protocol_whitelist", "udp,rtp" },
	};
	bool is_http = strncmp(scheme, "http", 4) == 0;
	const char *const(*table)[2] = is_http ? http : udp;
	size_t count = is_http ? sizeof(http) / sizeof(http[0]) : sizeof(udp) / sizeof(udp[0]);
	int error = 0;

	for (size_t i = 0; error >= 0 && i < count; i++) {
		error = set(options, table[i][0], table[i][1]);
	}
	return error >= 0 && is_http ? set_trust(f, options) : error;
}

/* Milliseconds, as everybody but libavformat writes them. */
uint32_t fetch_latency_ms(const struct ipc_pull_start *start, const struct fetch_address *address)
{
	char value[16];

	if (strcmp(address->scheme, "srt") != 0) {
		return 0;
	}
	if (start->latency_ms == 0 && query_find(address->query, "latency", value, sizeof(value))) {
		return (uint32_t)strtoul(value, NULL, 10);
	}
	return start->latency_ms;
}

/* A caller. */
static int srt_options(const struct ipc_pull_start *start, const struct fetch_address *address,
		       AVDictionary **options)
{
	char value[IPC_KEY + 1];
	uint32_t latency_ms = fetch_latency_ms(start, address);
	int error = 0;

	set(options, "mode", "caller");
	set(options, "pkt_size", SRT_UNIT_BYTES);
	set(options, "protocol_whitelist", "srt");
	av_dict_set_int(options, "connect_timeout", start->connect_us / 1000, 0);
	if (query_find(address->query, "streamid", value, sizeof(value))) {
		error = set(options, "streamid", value);
	}
	if (start->passphrase[0] != '\0') {
		error |= set(options, "passphrase", start->passphrase);
	} else if (query_find(address->query, "passphrase", value, sizeof(value))) {
		error |= set(options, "passphrase", value);
	}
	if (latency_ms > 0) {
		error |= av_dict_set_int(options, "latency", (int64_t)latency_ms * 1000, 0);
	}
	explicit_bzero(value, sizeof(value));
	return error < 0 ? AVERROR(ENOMEM) : 0;
}

/* Only there where the URL says, not on every address; groups are joined. */
static int udp_options(const struct fetch *f, const struct fetch_address *address,
		       AVDictionary **options)
{
	struct sockaddr_storage at;
	char value[FETCH_HOST];
	int error = fetch_options(f, address->scheme, options);
	bool is_group = net_parse_address(address->host, 0, &at) > 0 &&
			(at.ss_family == AF_INET
				 ? IN_MULTICAST(ntohl(((struct sockaddr_in *)&at)->sin_addr.s_addr))
				 : IN6_IS_ADDR_MULTICAST(&((struct sockaddr_in6 *)&at)->sin6_addr));

	if (error >= 0 && !is_group) {
		error = set(options, "localaddr", address->host);
	} else if (error >= 0 && query_find(address->query, "localaddr", value, sizeof(value))) {
		error = set(options, "localaddr", value);
	}
	if (error >= 0 && query_find(address->query, "sources", value, sizeof(value))) {
		error = set(options, "sources", value);
	}
	return error;
}

/* ---- the stream ---- */

int fetch_open(struct fetch *f, const struct ipc_pull_start *start)
{
	struct fetch_address address;
	AVDictionary *options = NULL;
	char url[IPC_URL];
	int error;

	fetch_split(start->url, &address);
	text_copy(url, sizeof(url), start->url);
	if (strcmp(address.scheme, "srt") == 0) {
		error = srt_options(start, &address, &options);
	} else if (strcmp(address.scheme, "udp") == 0 || strcmp(address.scheme, "rtp") == 0) {
		f->is_rtp = address.scheme[0] == 'r';
		error = udp_options(f, &address, &options);
	} else {
		error = fetch_options(f, address.scheme, &options);
	}
	if (strncmp(address.scheme, "http", 4) != 0) {
		url[strcspn(url, "?")] = '\0'; /* what counts of it is an option now */
	}
	if (f->is_rtp) {
		memcpy(url, "udp", 3);
	}
	if (error >= 0) {
		error = avio_open2(&f->io, url, AVIO_FLAG_READ, &f->interrupt, &options);
	}
	av_dict_free(&options);
	explicit_bzero(url, sizeof(url));
	return error < 0 ? error : 0;
}

/* ---- demultiplexers that open URLs themselves ---- */

void fetch_mark_progress(struct fetch *f)
{
	f->opened = 0;
}

const char *fetch_trouble(const struct fetch *f)
{
	return f->trouble;
}

/* What a playlist names. It must not lead to files or anywhere else than to the web, and not for
 * ever from one to the next. libavformat hands on neither the certificates nor anything else. */
static int on_open(AVFormatContext *format, AVIOContext **io, const char *url, int flags,
		   AVDictionary **options)
{
	struct fetch *f = format->opaque;
	size_t scheme = strcspn(url, ":");
	bool is_web = (scheme == 4 && strncasecmp(url, "http", scheme) == 0) ||
		      (scheme == 5 && strncasecmp(url, "https", scheme) == 0) ||
		      strncmp(url, "crypto+http", 11) == 0;
	int error;

	if (f->trouble[0] != '\0') {
		return AVERROR_EXIT;
	}
	if (!is_web) {
		text_format(f->trouble, sizeof(f->trouble),
			    "it leads to a URL that is not of the web (%.*s:)",
			    scheme < 12 ? (int)scheme : 12, url);
		return AVERROR_EXIT;
	}
	if (++f->opened > OPENED_MAX) {
		text_copy(f->trouble, sizeof(f->trouble),
			  "it leads from one playlist to the next and never to media");
		return AVERROR_EXIT;
	}
	error = fetch_options(f, "http", options);
	return error < 0 ? error : f->open(format, io, url, flags, options);
}

static int format_options(const char *name, AVDictionary **options)
{
	static const struct {
		const char *format, *name, *value;
	} table[] = {
		{ "hls", "protocol_whitelist", web_protocols },
		/* What may be opened is decided in on_open(), not by the endings of names. */
		{ "hls", "allowed_extensions", "ALL" },
		{ "hls", "allowed_segment_extensions", "ALL" },
		{ "hls", "extension_picky", "0" },
		{ "hls", "http_persistent", "0" },
		{ "hls", "http_multiple", "0" },
		{ "hls", "seg_format_options", "max_packet_size=4194304" },
		{ "hls", "format_whitelist", "hls,mpegts,aac,mp3,ac3,eac3,mov" },
		{ "ogg", "protocol_whitelist", web_protocols },
		{ "rtsp", "protocol_whitelist", "tcp" },
		{ "rtsp", "rtsp_transport", "tcp" },
		{ "rtsp", "user_agent", "understudy/" UNDERSTUDY_VERSION },
		{ "rtsp", "allowed_media_types", "video+audio" },
	};
	int error = 0;

	for (size_t i = 0; error >= 0 && i < sizeof(table) / sizeof(table[0]); i++) {
		if (strcmp(table[i].format, name) == 0) {
			error = set(options, table[i].name, table[i].value);
		}
	}
	return error;
}

int fetch_open_format(struct fetch *f, const struct ipc_pull_start *start, const char *name,
		      AVFormatContext **ret)
{
	AVFormatContext *format = avformat_alloc_context();
	AVDictionary *options = NULL;
	int error = format != NULL ? format_options(name, &options) : AVERROR(ENOMEM);

	if (error >= 0) {
		input_prepare(format);
		format->interrupt_callback = f->interrupt;
		format->opaque = f;
		f->open = format->io_open;
		if (strcmp(name, "rtsp") != 0) {
			format->io_open = on_open;
		}
		error = avformat_open_input(&format, start->url, av_find_input_format(name),
					    &options); /* frees on failure */
	} else {
		avformat_free_context(format);
	}
	av_dict_free(&options);
	if (error >= 0) {
		*ret = format;
	}
	return error < 0 ? error : 0;
}

void fetch_close(struct fetch *f)
{
	avio_closep(&f->io);
}

int fetch_read(struct fetch *f, uint8_t *to, int room)
{
	int got = avio_read_partial(f->io, to, room);

	while (f->is_rtp && got > 0) {
		size_t at, size = ts_in_rtp(to, (size_t)got, &at);

		if (size > 0) {
			memmove(to, to + at, size);
			return (int)size;
		}
		got = avio_read_partial(f->io, to, room);
	}
	/* A server that closes without having said how much it would send has ended the stream. */
	bool is_end = got == AVERROR_EOF ||
		      (got == AVERROR(EIO) && strncmp(last_words, ENDED, strlen(ENDED)) == 0);
	return is_end ? 0 : got;
}
