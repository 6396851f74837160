/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Commands, taken apart and written. Pure. Reading works in place on the message body, which
 * is foreign; writing goes through a small buffer that lives for one command.
 */
#include <math.h>
#include <string.h>

#include <understudy/text.h>

#include "command.h"

/* ---- reading ---- */

bool command_copy_string(const struct amf_value *v, char *to, size_t size)
{
	/* False for a NUL inside as well: it would make a secret equal to a shorter one. */
	return v->type == AMF_STRING && text_copy_bytes(to, size, v->string, v->size);
}

bool command_read_string(struct command *c, char *to, size_t size)
{
	struct amf_value v;

	return amf_read(&c->arguments, &v) && command_copy_string(&v, to, size);
}

bool command_is(const struct message *m)
{
	return m->type == MESSAGE_COMMAND || m->type == MESSAGE_COMMAND_AMF3;
}

bool command_parse(const struct message *m, struct command *ret)
{
	struct command c = { .stream = m->stream };
	size_t format = m->type == MESSAGE_COMMAND_AMF3 && m->size > 0 && m->body[0] == 0;
	struct amf_value name, transaction;

	c.arguments = amf_reader_over(m->body + format, m->size - format);
	if (!amf_read(&c.arguments, &name) || name.type != AMF_STRING ||
	    !amf_read(&c.arguments, &transaction) || transaction.type != AMF_NUMBER) {
		return false;
	}
	if (!command_copy_string(&name, c.name, sizeof(c.name))) {
		c.name[0] = '\0';
	}
	c.transaction = isfinite(transaction.number) ? transaction.number : 0;
	*ret = c;
	return true;
}

static bool is_key(const char *name, uint32_t size, const char *text)
{
	return size == strlen(text) && memcmp(name, text, size) == 0;
}

bool command_is_enhanced_key(const char *name, uint32_t size)
{
	return is_key(name, size, "fourCcList") || is_key(name, size, "videoFourCcInfoMap") ||
	       is_key(name, size, "audioFourCcInfoMap") || is_key(name, size, "capsEx");
}

static struct amf_value *info_slot(struct command_info *info, const char *name, uint32_t size)
{
	static const struct {
		const char *name;
		size_t offset;
	} slots[] = {
		{ "level", offsetof(struct command_info, level) },
		{ "code", offsetof(struct command_info, code) },
		{ "description", offsetof(struct command_info, description) },
		{ "tcUrl", offsetof(struct command_info, tc_url) },
	};

	for (size_t i = 0; i < sizeof(slots) / sizeof(slots[0]); i++) {
		if (is_key(name, size, slots[i].name)) {
			return (struct amf_value *)((char *)info + slots[i].offset);
		}
	}
	return NULL;
}

/* The items of a fourCcList; what is no FourCC or finds no room is passed over. */
static bool read_codecs(struct amf_reader *r, uint32_t count, struct command_info *info)
{
	for (uint32_t i = 0; i < count; i++) {
		size_t used = strlen(info->codecs);
		struct amf_value v;

		if (!amf_read(r, &v) || !amf_skip_rest(r, &v)) {
			return false;
		}
		if (v.type == AMF_STRING && (v.size == 4 || amf_is_string(&v, "*")) &&
		    used + 1 + v.size < sizeof(info->codecs)) {
			info->codecs[used] = ' ';
			text_escape(info->codecs + used + 1, sizeof(info->codecs) - used - 1,
				    v.string, v.size);
		}
	}
	return true;
}

/* What servers that are one of many put beside a refusal: { code: 302, redirect: "rtmp://..." } */
static bool read_elsewhere(struct amf_reader *r, struct command_info *info)
{
	const char *name;
	uint32_t size;

	for (;;) {
		struct amf_value v;

		if (!amf_read_key(r, &name, &size)) {
			return false;
		}
		if (!name) {
			return true;
		}
		if (!amf_read(r, &v) || !amf_skip_rest(r, &v)) {
			return false;
		}
		if (is_key(name, size, "redirect")) {
			info->redirect = v;
		}
	}
}

static bool read_info_members(struct amf_reader *r, struct command_info *info)
{
	const char *name;
	uint32_t size;

	for (;;) {
		struct amf_value v, *slot;

		if (!amf_read_key(r, &name, &size)) {
			return false;
		}
		if (!name) {
			return true;
		}
		if (!amf_read(r, &v)) {
			return false;
		}
		info->is_enhanced |= command_is_enhanced_key(name, size);
		if (is_key(name, size, "fourCcList") && v.type == AMF_STRICT_ARRAY) {
			if (!read_codecs(r, v.size, info)) {
				return false;
			}
			continue;
		}
		if (is_key(name, size, "ex") && v.type == AMF_OBJECT) {
			if (!read_elsewhere(r, info)) {
				return false;
			}
			continue;
		}
		if (!amf_skip_rest(r, &v)) {
			return false;
		}
		if (is_key(name, size, "capsEx") && v.type == AMF_NUMBER && v.number >= 0 &&
		    v.number <= UINT16_MAX) {
			info->caps = (unsigned)v.number;
		}
		slot = info_slot(info, name, size);
		if (slot) {
			*slot = v;
		}
	}
}

bool command_read_info(struct command *c, struct command_info *ret)
{
	struct amf_value v;
	struct command_info info = {
		.level.type = AMF_UNDEFINED,
		.code.type = AMF_UNDEFINED,
		.description.type = AMF_UNDEFINED,
		.tc_url.type = AMF_UNDEFINED,
		.redirect.type = AMF_UNDEFINED,
	};

	if (!amf_read(&c->arguments, &v)) {
		return false;
	}
	if (v.type == AMF_OBJECT || v.type == AMF_ECMA_ARRAY) {
		if (!read_info_members(&c->arguments, &info)) {
			return false;
		}
	} else if (!amf_skip_rest(&c->arguments, &v)) {
		return false;
	}
	*ret = info;
	return true;
}

/* ---- what servers answer ---- */

bool command_read_connected(struct command *c, struct command_info *properties,
			    struct command_info *info)
{
	if (!command_read_info(c, properties)) {
		return false;
	}
	if (reader_left(&c->arguments.in) == 0) {
		*info = *properties;
		return true;
	}
	return command_read_info(c, info);
}

bool command_read_created(struct command *c, uint32_t *ret)
{
	struct amf_value v;

	return amf_skip(&c->arguments) && amf_read(&c->arguments, &v) && amf_get_u32(&v, ret);
}

/* The info object is the second argument, but some servers leave the null before it out. */
bool command_read_status(struct command *c, struct command_info *ret)
{
	if (!command_read_info(c, ret)) {
		return false;
	}
	return ret->code.type != AMF_UNDEFINED || reader_left(&c->arguments.in) == 0 ||
	       command_read_info(c, ret);
}

void command_escape_value(const struct amf_value *v, char *to, size_t size)
{
	bool is_text = v->type == AMF_STRING || v->type == AMF_LONG_STRING;

	text_escape(to, size, is_text ? v->string : "", is_text ? v->size : 0);
}

/* ---- writing ---- */

void command_begin(struct buffer *b, const char *name, double transaction)
{
	buffer_init(b, COMMAND_BYTES_MAX);
	/* All room at once, so that no later step can fail: every argument is bounded. */
	if (!buffer_reserve(b, COMMAND_BYTES_MAX)) {
		buffer_init(b, 0);
	}
	amf_put_string(b, name);
	amf_put_number(b, transaction);
}

void command_put_property(struct buffer *b, const char *key, const char *value)
{
	amf_put_key(b, key);
	amf_put_string(b, value);
}

/* { "*": CanForward }: whatever the codec, it is passed on and not decoded. */
static void put_forward_map(struct buffer *b, const char *key)
{
	amf_put_key(b, key);
	amf_put_object(b);
	amf_put_key(b, "*");
	amf_put_number(b, CAN_FORWARD);
	amf_put_end(b);
}

void command_put_enhanced(struct buffer *b, const char *const *codecs, unsigned caps)
{
	uint32_t count = 0;

	while (codecs[count]) {
		count++;
	}
	amf_put_key(b, "fourCcList");
	amf_put_strict_array(b, count);
	for (uint32_t i = 0; i < count; i++) {
		amf_put_string(b, codecs[i]);
	}
	put_forward_map(b, "videoFourCcInfoMap");
	put_forward_map(b, "audioFourCcInfoMap");
	amf_put_key(b, "capsEx");
	amf_put_number(b, caps);
}

int command_send(struct wire *w, struct buffer *b, uint32_t csid, uint32_t stream)
{
	struct message m = { .type = MESSAGE_COMMAND, .stream = stream, .size = buffer_size(b) };
	int status = RTMP_NO_MEMORY;

	if (m.size > 0) {
		m.body = buffer_bytes(b);
		status = wire_send(w, csid, &m);
	}
	buffer_finish(b);
	return status;
}

int command_send_status(struct wire *w, const char *name, double transaction, uint32_t stream,
			const char *const status[3])
{
	struct buffer b;

	command_begin(&b, name, transaction);
	amf_put_null(&b);
	amf_put_object(&b);
	command_put_property(&b, "level", status[0]);
	command_put_property(&b, "code", status[1]);
	command_put_property(&b, "description", status[2]);
	amf_put_end(&b);
	return command_send(w, &b, CSID_STATUS, stream);
}
