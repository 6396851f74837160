/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Slates that are made (file: auto): when one is needed, where it is kept, and which one is played.
 *
 *   the show's format is known --steady for some seconds--> understudy-slate encodes into a file
 *   beside the others --good--> it takes its place: SHOW.FEED.MARK.mp4 in state_directory/slates
 *
 * MARK stands for all that a slate depends on, so that one of an earlier run is taken again where
 * it fits and made anew where it does not. There is one slate a feed; until the first format is
 * known there is none, since a platform that saw a slate of another format first would see it
 * change.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <xxhash.h>

#include <understudy/clock.h>
#include <understudy/codec.h>
#include <understudy/log.h>
#include <understudy/text.h>

#include "supervisor.h"

#define STEADY 3 /* statuses, of one a second */
#define TEXT_DEFAULT "We'll be right back"
#define ENDING ".mp4"
#define MARK_DIGITS 16

static const char *const fonts[] = {
	"/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf",
	"/usr/share/fonts/truetype/liberation/LiberationSans-Regular.ttf",
	"/usr/share/fonts/truetype/noto/NotoSans-Regular.ttf",
};

/* ---- what it has to look like ---- */

/* False: it is not known yet. */
static bool slate_format(const struct show *show, struct format *ret)
{
	*ret = show->status.timeline.reference;
	if (ret->video.codec == CODEC_NONE) {
		return ret->is_measured && ret->audio.codec != CODEC_NONE;
	}
	if (ret->video.fps_milli != 0) {
		ret->fps_milli = ret->video.fps_milli;
	}
	return ret->is_measured && ret->video.width > 0 && ret->video.height > 0 &&
	       ret->fps_milli > 0;
}

static const char *slate_text(const struct feed *feed)
{
	return feed->config->text != NULL ? feed->config->text : TEXT_DEFAULT;
}

/* Not of what is measured anew each second: frame rate and key frame distance, where the codec
 * header does not say them. */
static uint64_t slate_mark(const struct feed *feed, const struct format *format)
{
	const struct codec_params *v = &format->video, *a = &format->audio;
	const char *text = slate_text(feed);
	char bytes[2048];

	text_format(bytes, sizeof(bytes), "%x %u %u %u %u %u %u %u %u %x %u %u %lld %lld %s",
		    v->codec, v->width, v->height, v->profile, v->level, v->bit_depth, v->chroma,
		    v->reorder_frames, v->fps_milli, a->codec, a->sample_rate, a->channels,
		    (long long)feed->slate.picture.st_size,
		    (long long)feed->slate.picture.st_mtim.tv_sec, text);
	return XXH3_64bits(bytes, strlen(bytes));
}

/* ---- where it is kept ---- */

static void slate_directory(const struct supervisor *sup, char to[PATH_MAX])
{
	text_format(to, PATH_MAX, "%s/slates", sup->state_directory);
}

static void slate_prefix(const struct feed *feed, char to[4 * IPC_NAME])
{
	/* Names have no dots: no other show's feed has the same. */
	text_format(to, 4 * IPC_NAME, "%s.%s.", feed->show->config->name, feed->config->name);
}

static bool slate_path(const struct feed *feed, uint64_t mark, const char *ending,
		       char to[PATH_MAX])
{
	char directory[PATH_MAX], prefix[4 * IPC_NAME];

	slate_directory(feed->show->supervisor, directory);
	slate_prefix(feed, prefix);
	return text_format(to, PATH_MAX, "%s/%s%016llx%s", directory, prefix,
			   (unsigned long long)mark, ending);
}

/* The mark of a file's name; false if it is no slate of the feed. */
static bool slate_parse(const struct feed *feed, const char *name, uint64_t *ret_mark)
{
	char prefix[4 * IPC_NAME], *end;
	size_t size;

	slate_prefix(feed, prefix);
	size = strlen(prefix);
	if (strncmp(name, prefix, size) != 0 ||
	    strlen(name + size) != MARK_DIGITS + sizeof(ENDING) - 1) {
		return false;
	}
	*ret_mark = strtoull(name + size, &end, 16);
	return end == name + size + MARK_DIGITS && strcmp(end, ENDING) == 0;
}

/* Calls for each slate of the feed; what `take` does with it is its affair. */
static void slate_each(struct feed *feed,
		       void (*take)(struct feed *feed, const char *name, uint64_t mark))
{
	char directory[PATH_MAX];
	const struct dirent *entry;
	uint64_t mark;

	slate_directory(feed->show->supervisor, directory);
	DIR *files = opendir(directory);
	while (files != NULL && (entry = readdir(files)) != NULL) {
		if (slate_parse(feed, entry->d_name, &mark)) {
			take(feed, entry->d_name, mark);
		}
	}
	if (files != NULL) {
		closedir(files);
	}
}

static void slate_take_found(struct feed *feed, const char *name, uint64_t mark)
{
	if (slate_path(feed, mark, ENDING, feed->slate.path)) {
		feed->slate.mark = mark;
	}
}

static void slate_remove_old(struct feed *feed, const char *name, uint64_t mark)
{
	char path[PATH_MAX];

	if (mark != feed->slate.mark && slate_path(feed, mark, ENDING, path)) {
		(void)unlink(path);
	}
}

void slate_find(struct feed *feed)
{
	const char *picture = feed->config->picture;

	if (picture == NULL || stat(picture, &feed->slate.picture) < 0) {
		feed->slate.picture = (struct stat){ .st_size = 0 }; /* a mark, too */
	}
	if (feed->config->source == SOURCE_SLATE && feed->slate.path[0] == '\0') {
		slate_each(feed, slate_take_found);
	}
}

/* ---- making one ---- */

static int open_font(const struct supervisor *sup)
{
	int fd = -1;

	for (size_t i = 0; fd < 0 && i < sizeof(fonts) / sizeof(fonts[0]); i++) {
		fd = open(fonts[i], O_RDONLY | O_CLOEXEC);
	}
	return fd >= 0 ? fd : fcntl(sup->null_fd, F_DUPFD_CLOEXEC, 0);
}

static int open_picture(const struct feed *feed)
{
	struct ipc_file_mark mark;
	int fd = -1;

	if (feed->config->picture != NULL) {
		fd = files_open_regular(feed->config->picture, &mark);
		if (fd < 0) {
			log_warn("cannot read path=%s: %s; the slate is made without its picture "
				 "show=%s feed=%s",
				 feed->config->picture, strerror(-fd), feed->show->config->name,
				 feed->config->name);
		}
	}
	return fd;
}

/* The unfinished file; it gets its name when it is whole. */
static int open_part(const struct feed *feed)
{
	char path[PATH_MAX];

	if (!slate_path(feed, feed->slate.next_mark, ".part", path)) {
		return -ENAMETOOLONG;
	}
	int error = files_make_parents(path, 0750);
	(void)unlink(path); /* somebody before us may still write to it */
	int fd = error == 0 ? open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0640) : error;
	return fd >= 0 || error != 0 ? fd : -errno;
}

static void slate_fail(struct feed *feed, const char *why)
{
	feed->slate.failed_mark = feed->slate.next_mark;
	events_add(feed->show->supervisor, feed->show->config->name, "slate_failed",
		   json_pack("{s:s}", "feed", feed->config->name),
		   "feed %s: %s; give it a file of its own instead of auto", feed->config->name,
		   why);
}

static void slate_order(struct feed *feed, const struct format *format, int part)
{
	struct ipc_slate_start start = { .format = *format };
	int fds[3] = { part, open_font(feed->show->supervisor), open_picture(feed) };

	text_copy(start.text, sizeof(start.text), slate_text(feed));
	child_send(feed->slate.maker, IPC_SLATE_START, &start, fds, fds[2] >= 0 ? 3 : 2);
	for (int i = 1; i < 3; i++) {
		if (fds[i] >= 0) {
			close(fds[i]);
		}
	}
}

static void slate_make(struct feed *feed, const struct format *format)
{
	char label[2 * IPC_NAME], why[IPC_TEXT];
	int part = open_part(feed);

	if (part < 0) {
		text_format(why, sizeof(why), "no slate can be kept in %s/slates: %s",
			    feed->show->supervisor->state_directory, strerror(-part));
		slate_fail(feed, why);
		return;
	}
	text_format(label, sizeof(label), "slate %s/%s", feed->show->config->name,
		    feed->config->name);
	feed->slate.maker = child_spawn(feed->show->supervisor, ROLE_SLATE, &slate_ops, feed,
					label);
	if (feed->slate.maker != NULL) {
		slate_order(feed, format, part);
	}
	close(part);
}

static void slate_use(struct feed *feed, uint32_t length_ms)
{
	struct slate *slate = &feed->slate;
	char part[PATH_MAX];

	if (!slate_path(feed, slate->next_mark, ".part", part) ||
	    !slate_path(feed, slate->next_mark, ENDING, slate->path) ||
	    rename(part, slate->path) < 0) {
		slate->path[0] = '\0';
		slate_fail(feed, "the slate that was made cannot be renamed");
		return;
	}
	slate->mark = slate->next_mark;
	slate_each(feed, slate_remove_old);
	events_add(feed->show->supervisor, feed->show->config->name, "slate_made",
		   json_pack("{s:s}", "feed", feed->config->name),
		   "feed %s: a slate of the show's format is ready (%u ms)", feed->config->name,
		   length_ms);
	pull_retire(feed, "a new slate takes its place");
	pull_start(feed);
}

static void slate_message(struct child *child, struct ipc_message *m)
{
	const struct ipc_slate_done *done = (const struct ipc_slate_done *)m->body;
	struct feed *feed = child->owner;
	char why[2 * IPC_TEXT];

	if (child->is_stopping) {
		return; /* it has said how it went, or nobody wants to know */
	}
	if (m->type != IPC_SLATE_DONE) {
		child_kill(child, "it sent a message that is not its business");
		return;
	}
	if (done->is_good) {
		slate_use(feed, done->length_ms);
	} else {
		text_escape(why, sizeof(why), done->error, strlen(done->error));
		slate_fail(feed, why);
	}
	child->is_stopping = true; /* it has done its work: its end is no news */
}

static void slate_remove_part(const struct feed *feed)
{
	char part[PATH_MAX];

	if (slate_path(feed, feed->slate.next_mark, ".part", part)) {
		(void)unlink(part);
	}
}

static void slate_exited(struct child *child, const char *cause)
{
	struct feed *feed = child->owner;
	struct slate *slate = &feed->slate;

	slate->maker = NULL;
	if (slate->mark != slate->next_mark && slate->failed_mark != slate->next_mark &&
	    !feed->show->supervisor->is_ending) {
		slate_fail(feed, cause);
	}
	slate_remove_part(feed); /* gone already if it was good */
}

const struct child_ops slate_ops = { slate_message, slate_exited };

/* ---- when ---- */

static void slate_consider_feed(struct feed *feed, const struct format *format)
{
	struct slate *slate = &feed->slate;
	uint64_t mark = slate_mark(feed, format);

	if (slate->maker != NULL || mark == slate->mark || mark == slate->failed_mark) {
		slate->steady = 0;
		return;
	}
	slate->steady = mark == slate->next_mark ? slate->steady + 1 : 1;
	slate->next_mark = mark;
	if (slate->steady >= STEADY) {
		slate->steady = 0;
		slate_make(feed, format);
	}
}

void slate_consider(struct show *show)
{
	struct format format;
	struct feed *feed;
	bool is_known = slate_format(show, &format);

	TAILQ_FOREACH(feed, &show->feeds, entry) {
		if (is_known && feed->config->source == SOURCE_SLATE && show->is_started) {
			slate_consider_feed(feed, &format);
		}
	}
}

void slate_forget(struct feed *feed)
{
	if (feed->slate.maker != NULL) {
		child_disown(feed->slate.maker);
		child_kill(feed->slate.maker, NULL);
		feed->slate.maker = NULL;
		slate_remove_part(feed);
	}
}
