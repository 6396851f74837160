/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * understudy-slate: encodes one slate to match a feed, and ends. Started by the supervisor when
 * a show's format becomes known or changes; far from the path of the media, behind everybody else
 * (SCHED_IDLE). The file, the font and the picture come as descriptors: it opens none. It blocks
 * on them and on nothing else.
 */
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <libavutil/log.h>

#include <understudy/ipc.h>
#include <understudy/log.h>
#include <understudy/text.h>
#include <understudy/worker.h>

#include "canvas.h"
#include "encode.h"

/* A slate with a plain ground is better than none. */
static void draw(struct canvas *canvas, const struct ipc_slate_start *start, int font, int picture)
{
	char why[CANVAS_TEXT];

	if (picture >= 0 && canvas_draw_picture(canvas, picture, why) != 0) {
		log_warn("the slate is made without its picture: %s", why);
		picture = -1;
	}
	if (start->text[0] != '\0' &&
	    canvas_draw_text(canvas, font, start->text, picture >= 0, why) != 0) {
		log_warn("the slate is made without its text: %s", why);
	}
}

static void make(const struct ipc_slate_start *start, struct ipc_message *m,
		 struct ipc_slate_done *done)
{
	const struct codec_params *video = &start->format.video;
	int file = ipc_take_fd(m, 0), font = ipc_take_fd(m, 1), picture = ipc_take_fd(m, 2);
	bool has_video = video->codec != CODEC_NONE;
	struct canvas canvas = { 0 };
	int length_ms = 0;

	if (has_video) {
		length_ms = canvas_init(&canvas, video->width, video->height);
	}
	if (length_ms == 0) {
		if (has_video) {
			draw(&canvas, start, font, picture);
		}
		length_ms = encode_slate(&start->format, has_video ? &canvas : NULL, file,
					 done->error);
	} else {
		text_copy(done->error, sizeof(done->error), "no memory for the slate");
	}
	done->is_good = length_ms > 0 && fsync(file) == 0;
	done->length_ms = length_ms > 0 ? (uint32_t)length_ms : 0;
	canvas_finish(&canvas);
}

int main(void)
{
	const struct sched_param idle = { 0 };
	struct ipc_slate_done done = { 0 };
	static struct ipc_message m;

	worker_begin(ROLE_SLATE);
	(void)sched_setscheduler(0, SCHED_IDLE, &idle); /* as far as it may: no matter otherwise */
	av_log_set_level(AV_LOG_ERROR);
	if (!worker_first_order(IPC_SLATE_START, &m)) {
		return EXIT_FAILURE;
	}
	make((const struct ipc_slate_start *)(const void *)m.body, &m, &done);
	ipc_message_finish(&m);
	return ipc_send(WORKER_CONTROL_FD, IPC_SLATE_DONE, &done, NULL, 0) == 0 ? EXIT_SUCCESS
										: EXIT_FAILURE;
}
