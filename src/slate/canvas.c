/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a slate shows (canvas.h). slate. */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <ft2build.h>
#include FT_FREETYPE_H

#include <libavcodec/avcodec.h>
#include <libavutil/imgutils.h>
#include <libswscale/swscale.h>

#include <understudy/text.h>

#include "canvas.h"

#define FILE_BYTES_MAX ((size_t)64 << 20)
#define PIXELS_MAX ((int64_t)100 << 20)
#define LINES_MAX 12

static const uint8_t ground[3] = { 24, 26, 32 };

int canvas_init(struct canvas *c, unsigned width, unsigned height)
{
	*c = (struct canvas){ .width = width, .height = height };
	c->pixels = malloc((size_t)width * height * 3);
	if (c->pixels == NULL) {
		return -ENOMEM;
	}
	for (size_t i = 0; i < (size_t)width * height; i++) {
		memcpy(c->pixels + i * 3, ground, 3);
	}
	return 0;
}

void canvas_finish(struct canvas *c)
{
	free(c->pixels);
	*c = (struct canvas){ 0 };
}

/* `share` of 255 of the colour comes over what is there. */
static void blend(struct canvas *c, int x, int y, const uint8_t colour[3], unsigned share)
{
	if (x < 0 || y < 0 || x >= (int)c->width || y >= (int)c->height) {
		return;
	}
	uint8_t *at = c->pixels + ((size_t)y * c->width + (size_t)x) * 3;

	for (int i = 0; i < 3; i++) {
		at[i] = (uint8_t)((at[i] * (255 - share) + colour[i] * share + 127) / 255);
	}
}

/* The whole file, padded with zeros as the library's readers want it. */
static uint8_t *read_file(int fd, size_t *ret_size)
{
	off_t size = lseek(fd, 0, SEEK_END);
	uint8_t *bytes;
	size_t at = 0;

	if (size <= 0 || (size_t)size > FILE_BYTES_MAX) {
		return NULL;
	}
	bytes = calloc(1, (size_t)size + AV_INPUT_BUFFER_PADDING_SIZE);
	while (bytes != NULL && at < (size_t)size) {
		ssize_t got = pread(fd, bytes + at, (size_t)size - at, (off_t)at);

		if (got <= 0) {
			free(bytes);
			return NULL;
		}
		at += (size_t)got;
	}
	*ret_size = at;
	return bytes;
}

/* ---- the picture ---- */

static enum AVCodecID picture_codec(const uint8_t *bytes, size_t size)
{
	static const uint8_t png[] = { 0x89, 'P', 'N', 'G' }, jpeg[] = { 0xff, 0xd8, 0xff };

	if (size > sizeof(png) && memcmp(bytes, png, sizeof(png)) == 0) {
		return AV_CODEC_ID_PNG;
	}
	if (size > sizeof(jpeg) && memcmp(bytes, jpeg, sizeof(jpeg)) == 0) {
		return AV_CODEC_ID_MJPEG;
	}
	if (size > 12 && memcmp(bytes, "RIFF", 4) == 0 && memcmp(bytes + 8, "WEBP", 4) == 0) {
		return AV_CODEC_ID_WEBP;
	}
	return AV_CODEC_ID_NONE;
}

static AVFrame *decode(const uint8_t *bytes, size_t size)
{
	const AVCodec *codec = avcodec_find_decoder(picture_codec(bytes, size));
	AVCodecContext *context = codec != NULL ? avcodec_alloc_context3(codec) : NULL;
	AVPacket *packet = av_packet_alloc();
	AVFrame *frame = av_frame_alloc();
	bool is_decoded = false;

	if (context != NULL && packet != NULL && frame != NULL) {
		context->max_pixels = PIXELS_MAX;
		packet->data = (uint8_t *)(uintptr_t)bytes;
		packet->size = (int)size;
		is_decoded = avcodec_open2(context, codec, NULL) == 0 &&
			     avcodec_send_packet(context, packet) == 0 &&
			     avcodec_send_packet(context, NULL) == 0 &&
			     avcodec_receive_frame(context, frame) == 0;
	}
	if (!is_decoded) {
		av_frame_free(&frame);
	}
	av_packet_free(&packet);
	avcodec_free_context(&context);
	return frame;
}

/* Red, green, blue and how much of it, `width` x `height`. */
static uint8_t *scale(const AVFrame *frame, int width, int height)
{
	struct SwsContext *scaler = sws_getContext(frame->width, frame->height,
						   (enum AVPixelFormat)frame->format, width, height,
						   AV_PIX_FMT_RGBA, SWS_BICUBIC, NULL, NULL, NULL);
	uint8_t *pixels = av_malloc((size_t)width * (size_t)height * 4 +
				    AV_INPUT_BUFFER_PADDING_SIZE);
	uint8_t *planes[4] = { pixels };
	int strides[4] = { width * 4 };

	if (scaler != NULL && pixels != NULL) {
		sws_scale(scaler, (const uint8_t *const *)frame->data, frame->linesize, 0,
			  frame->height, planes, strides);
	} else {
		av_freep(&pixels);
	}
	sws_freeContext(scaler);
	return pixels;
}

static int place_picture(struct canvas *c, const AVFrame *frame)
{
	int64_t by_width = (int64_t)c->width * frame->height;
	int64_t by_height = (int64_t)c->height * frame->width;
	bool is_wide = by_width < by_height;
	int width = is_wide ? (int)c->width : (int)(by_height / frame->height);
	int height = is_wide ? (int)(by_width / frame->width) : (int)c->height;

	width = width > 0 ? width : 1;
	height = height > 0 ? height : 1;
	uint8_t *pixels = scale(frame, width, height);
	if (pixels == NULL) {
		return -ENOMEM;
	}
	for (int y = 0; y < height; y++) {
		for (int x = 0; x < width; x++) {
			const uint8_t *from = pixels + ((size_t)y * (size_t)width + (size_t)x) * 4;

			blend(c, ((int)c->width - width) / 2 + x, ((int)c->height - height) / 2 + y,
			      from, from[3]);
		}
	}
	av_free(pixels);
	return 0;
}

int canvas_draw_picture(struct canvas *c, int fd, char why[CANVAS_TEXT])
{
	size_t size = 0;
	uint8_t *bytes = read_file(fd, &size);
	AVFrame *frame = bytes != NULL ? decode(bytes, size) : NULL;
	int error = frame != NULL ? place_picture(c, frame) : -EBADMSG;

	if (error == -EBADMSG) {
		text_copy(why, CANVAS_TEXT, "the picture is no PNG, JPEG or WebP that can be read");
	} else if (error != 0) {
		text_copy(why, CANVAS_TEXT, "no memory for the picture");
	}
	av_frame_free(&frame);
	free(bytes);
	return error;
}

/* ---- words ---- */

struct line {
	const char *text;
	size_t bytes;
	int width; /* pixels */
};

/* The next character; what is no UTF-8 is shown as a question mark. */
static unsigned long next_character(const char **at, const char *end)
{
	const unsigned char *p = (const unsigned char *)*at;
	unsigned more = *p >= 0xf0 ? 3 : *p >= 0xe0 ? 2 : *p >= 0xc0 ? 1 : 0;
	unsigned long character = more == 0 ? *p : *p & (0x3fU >> more);

	if (*p >= 0x80 && (more == 0 || (size_t)(end - *at) <= more)) {
		++*at;
		return '?';
	}
	for (unsigned i = 1; i <= more; i++) {
		character = character << 6 | (p[i] & 0x3f);
	}
	*at += 1 + more;
	return character;
}

static int line_width(FT_Face face, const struct line *line)
{
	const char *at = line->text, *end = line->text + line->bytes;
	FT_Pos width = 0;

	while (at < end) {
		if (FT_Load_Char(face, next_character(&at, end), FT_LOAD_DEFAULT) == 0) {
			width += face->glyph->advance.x;
		}
	}
	return (int)(width / 64);
}

static void draw_glyph(struct canvas *c, const FT_GlyphSlot glyph, int x, int y)
{
	static const uint8_t white[3] = { 240, 240, 240 };
	const FT_Bitmap *bitmap = &glyph->bitmap;

	for (int row = 0; row < (int)bitmap->rows; row++) {
		for (int column = 0; column < (int)bitmap->width; column++) {
			blend(c, x + glyph->bitmap_left + column, y - glyph->bitmap_top + row,
			      white, bitmap->buffer[row * bitmap->pitch + column]);
		}
	}
}

static void draw_line(struct canvas *c, FT_Face face, const struct line *line, int y)
{
	const char *at = line->text, *end = line->text + line->bytes;
	FT_Pos x = ((FT_Pos)c->width - line->width) / 2 * 64;

	while (at < end) {
		if (FT_Load_Char(face, next_character(&at, end), FT_LOAD_RENDER) == 0) {
			draw_glyph(c, face->glyph, (int)(x / 64), y);
			x += face->glyph->advance.x;
		}
	}
}

static unsigned split_lines(const char *text, struct line lines[LINES_MAX])
{
	unsigned count = 0;

	while (*text != '\0' && count < LINES_MAX) {
		size_t bytes = strcspn(text, "\n");

		lines[count++] = (struct line){ .text = text, .bytes = bytes };
		text += bytes + (text[bytes] == '\n');
	}
	return count;
}

/* As large as a title may be, and smaller until every line fits. */
static int fit(const struct canvas *c, FT_Face face, struct line *lines, unsigned count)
{
	int size = (int)c->height / 10, widest;

	do {
		widest = 0;
		size = size > 6 ? size : 6;
		FT_Set_Pixel_Sizes(face, 0, (FT_UInt)size);
		for (unsigned i = 0; i < count; i++) {
			lines[i].width = line_width(face, &lines[i]);
			widest = lines[i].width > widest ? lines[i].width : widest;
		}
		if ((widest <= (int)c->width * 9 / 10 &&
		     size * 3 / 2 * (int)count <= (int)c->height * 9 / 10) ||
		    size <= 6) {
			return size;
		}
		size -= size / 16 + 1;
	} while (true);
}

/* So that words can be read on any picture. */
static void darken(struct canvas *c, int from, int to)
{
	for (int y = from; y < to; y++) {
		for (int x = 0; x < (int)c->width; x++) {
			blend(c, x, y, ground, 190);
		}
	}
}

static void draw_lines(struct canvas *c, FT_Face face, const char *text, bool is_at_foot)
{
	struct line lines[LINES_MAX];
	unsigned count = split_lines(text, lines);
	int size = fit(c, face, lines, count), pitch = size * 3 / 2;
	int height = pitch * (int)count;
	int top = is_at_foot ? (int)c->height - height - size : ((int)c->height - height) / 2;

	if (is_at_foot) {
		darken(c, top - size / 2, (int)c->height);
	}
	for (unsigned i = 0; i < count; i++) {
		draw_line(c, face, &lines[i], top + pitch * (int)i + size);
	}
}

int canvas_draw_text(struct canvas *c, int font, const char *text, bool is_at_foot,
		     char why[CANVAS_TEXT])
{
	FT_Library library = NULL;
	FT_Face face = NULL;
	size_t size = 0;
	uint8_t *bytes = read_file(font, &size);
	int error = -ENOENT;

	if (bytes != NULL && FT_Init_FreeType(&library) == 0 &&
	    FT_New_Memory_Face(library, bytes, (FT_Long)size, 0, &face) == 0) {
		draw_lines(c, face, text, is_at_foot);
		error = 0;
	} else {
		text_copy(why, CANVAS_TEXT, "no font for the text: install fonts-dejavu-core");
	}
	if (face != NULL) {
		FT_Done_Face(face);
	}
	if (library != NULL) {
		FT_Done_FreeType(library);
	}
	free(bytes);
	return error;
}
