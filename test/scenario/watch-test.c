/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The watch can fail: each rule is broken once, and named. A show in order breaks none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "watch.h"

#define FRAME_90k 3000
#define FRAME_US 33333
#define DELAY_US 1000000

/* Two feeds with a picture each 33 ms, an IDR each second, arriving in time. */
struct show {
	struct watch watch;
	unsigned connections[2];
};

static struct packet picture(unsigned feed, unsigned n)
{
	return (struct packet){ .kind = PACKET_VIDEO,
				.type = PACKET_FRAME,
				.flags = n % 30 == 0 ? PACKET_KEY : 0,
				.size = 100 + n,
				.fingerprint = n,
				.feed = (uint16_t)(feed + 1),
				.incarnation = 1,
				.source_seq = n,
				.dts_90k = (int64_t)n * FRAME_90k,
				.pts_90k = (int64_t)n * FRAME_90k,
				.arrival_us = START_US + (int64_t)n * FRAME_US };
}

static void open_show(struct show *show)
{
	const struct timeline_config config = { .delay_us = DELAY_US,
						.stall_us = 500000,
						.hole_us = 200000,
						.return_after_us = 30000000,
						.feed_count = 2,
						.feeds = { { .id = 1 }, { .id = 2 } } };

	watch_init(&show->watch, &config);
	for (unsigned feed = 0; feed < 2; feed++) {
		struct watch_connection how = { .feed = (uint16_t)(feed + 1), .incarnation = 1 };

		how.frame_90k[PACKET_VIDEO] = FRAME_90k;
		show->connections[feed] = watch_connected(&show->watch, &how, START_US);
		for (unsigned n = 0; n < 300; n++) {
			struct watch_packet p = { .packet = picture(feed, n) };

			watch_arrived(&show->watch, show->connections[feed], &p);
		}
	}
}

static int setup(void **state)
{
	static struct show show;

	open_show(&show);
	*state = &show;
	return 0;
}

static int teardown(void **state)
{
	struct show *show = *state;

	watch_finish(&show->watch);
	return 0;
}

static int64_t due_us(const struct packet *p)
{
	return START_US + DELAY_US + p->dts_90k * 100 / 9;
}

static void send_at(struct show *show, const struct packet *p, int64_t now_us)
{
	const struct timeline_step step = { .action = TIMELINE_SEND,
					    .seq = p->source_seq,
					    .packet = *p };

	watch_sent(&show->watch, &step, START_US + DELAY_US, now_us);
}

/* Pictures from..to of a feed as they should leave; the first one may be a splice. */
static void send(struct show *show, unsigned feed, unsigned from, unsigned to)
{
	for (unsigned n = from; n < to; n++) {
		struct packet p = picture(feed, n);

		p.flags |= n == from ? PACKET_SPLICE : 0;
		send_at(show, &p, due_us(&p));
	}
}

static void assert_breaks(const struct show *show, const char *rule)
{
	assert_string_equal(show->watch.rule, rule);
}

static void a_show_in_order_breaks_no_rule(void **state)
{
	struct show *show = *state;

	send(show, 0, 0, 90);
	send(show, 1, 90, 200);
	watch_end(&show->watch, START_US + 60000000);
	assert_breaks(show, "");
}

static void order_dts_falls_across_tracks(void **state)
{
	struct show *show = *state;
	struct packet p = picture(0, 10);

	send(show, 0, 0, 20);
	p.kind = PACKET_AUDIO;
	send_at(show, &p, due_us(&p));
	assert_breaks(show, "order");
}

static void rises_the_same_dts_twice(void **state)
{
	struct show *show = *state;
	struct packet p = picture(0, 20);

	send(show, 0, 0, 20);
	p.dts_90k = 19 * FRAME_90k;
	send_at(show, &p, due_us(&p));
	assert_breaks(show, "rises");
}

static void rises_by_less_than_rtmp_can_tell(void **state)
{
	struct show *show = *state;
	struct packet p = picture(0, 20);

	send(show, 0, 0, 20);
	p.dts_90k = 19 * FRAME_90k + 89;
	send_at(show, &p, due_us(&p));
	assert_breaks(show, "rises");
}

static void rises_pts_before_dts(void **state)
{
	struct show *show = *state;
	struct packet p = picture(0, 20);

	send(show, 0, 0, 20);
	p.pts_90k = p.dts_90k - 1;
	send_at(show, &p, due_us(&p));
	assert_breaks(show, "rises");
}

static void origin_another_content(void **state)
{
	struct show *show = *state;
	struct packet p = picture(0, 20);

	send(show, 0, 0, 20);
	p.fingerprint++;
	send_at(show, &p, due_us(&p));
	assert_breaks(show, "origin");
}

static void origin_a_connection_that_never_was(void **state)
{
	struct show *show = *state;
	struct packet p = picture(0, 20);

	send(show, 0, 0, 20);
	p.incarnation = 2;
	send_at(show, &p, due_us(&p));
	assert_breaks(show, "origin");
}

static void once_a_packet_leaves_again(void **state)
{
	struct show *show = *state;
	struct packet p = picture(0, 19);

	send(show, 0, 0, 20);
	p.dts_90k += FRAME_90k;
	p.pts_90k += FRAME_90k;
	send_at(show, &p, due_us(&p));
	assert_breaks(show, "once");
}

static void sequence_a_packet_behind_a_later_one(void **state)
{
	struct show *show = *state;
	struct packet p = picture(0, 20), later = picture(0, 21);

	send(show, 0, 0, 20);
	send_at(show, &later, due_us(&later));
	p.dts_90k += 2 * FRAME_90k;
	p.pts_90k += 2 * FRAME_90k;
	send_at(show, &p, due_us(&p));
	assert_breaks(show, "sequence");
}

static void splice_unsaid(void **state)
{
	struct show *show = *state;
	struct packet p = picture(1, 30);

	send(show, 0, 0, 30);
	send_at(show, &p, due_us(&p));
	assert_breaks(show, "splice");
}

static void access_a_splice_in_the_middle_of_a_gop(void **state)
{
	struct show *show = *state;

	send(show, 0, 0, 31);
	send(show, 1, 31, 32);
	assert_breaks(show, "access");
}

static void constant_the_live_feed_is_moved(void **state)
{
	struct show *show = *state;
	struct packet p = picture(0, 20);

	send(show, 0, 0, 20);
	p.dts_90k += 100;
	p.pts_90k += 100;
	send_at(show, &p, due_us(&p));
	assert_breaks(show, "constant");
}

static void early_before_it_is_due(void **state)
{
	struct show *show = *state;
	struct packet p = picture(0, 20);

	send(show, 0, 0, 20);
	send_at(show, &p, due_us(&p) - 2000);
	assert_breaks(show, "early");
}

static void burst_a_second_at_once(void **state)
{
	struct show *show = *state;
	struct packet last = picture(0, 60);

	for (unsigned n = 0; n < 60; n++) {
		struct packet p = picture(0, n);

		p.flags |= n == 0 ? PACKET_SPLICE : 0;
		send_at(show, &p, due_us(&last));
	}
	assert_breaks(show, "burst");
}

static void memory_too_much_for_a_source(void **state)
{
	struct show *show = *state;

	watch_held(&show->watch, 2u << 20, 1, START_US);
	assert_breaks(show, "");
	watch_held(&show->watch, 4u << 20, 1, START_US);
	assert_breaks(show, "memory");
}

static void memory_of_what_ended_long_ago(void **state)
{
	struct show *show = *state;

	watch_closed(&show->watch, show->connections[0], START_US);
	watch_closed(&show->watch, show->connections[1], START_US);
	watch_held(&show->watch, 0, 2, START_US + DELAY_US + 9000000);
	assert_breaks(show, "");
	watch_held(&show->watch, 0, 2, START_US + DELAY_US + 11000000);
	assert_breaks(show, "memory");
}

static void failback_twice_in_a_hold_time(void **state)
{
	struct show *show = *state;
	const struct timeline_event e = { .kind = TIMELINE_SPLICED,
					  .from = 2,
					  .to = 1,
					  .cause = "a preferred feed is healthy again" };

	watch_event(&show->watch, &e, START_US);
	watch_event(&show->watch, &e, START_US + 30000000);
	assert_breaks(show, "");
	watch_event(&show->watch, &e, START_US + 59000000);
	assert_breaks(show, "failback");
}

static void failback_at_once_is_the_operators_right(void **state)
{
	struct show *show = *state;
	const struct timeline_event e = { .kind = TIMELINE_SPLICED,
					  .from = 2,
					  .to = 1,
					  .cause = "a preferred feed is healthy again" };

	watch_event(&show->watch, &e, START_US);
	watch_taken(&show->watch, 0);
	watch_event(&show->watch, &e, START_US + 1000000);
	assert_breaks(show, "");
}

static void doubled_two_feeds_too_close(void **state)
{
	struct show *show = *state;
	int64_t nearer_90k = FRAME_90k * 6 / 10;

	send(show, 0, 0, 90);
	for (unsigned n = 90; n < 150; n++) {
		struct packet p = picture(1, n);

		p.flags |= n == 90 ? PACKET_SPLICE : 0;
		p.dts_90k -= nearer_90k;
		p.pts_90k -= nearer_90k;
		send_at(show, &p, due_us(&p));
	}
	assert_breaks(show, "");
	watch_end(&show->watch, START_US + 60000000);
	assert_breaks(show, "doubled");
}

static void report_a_gap(struct show *show)
{
	const struct timeline_event e = { .kind = TIMELINE_SPLICED, .from = 1, .to = 2 };

	watch_event(&show->watch, &e, START_US + DELAY_US + 120 * FRAME_US);
}

static void gap_that_the_other_feed_could_have_filled(void **state)
{
	struct show *show = *state;

	send(show, 0, 0, 115);
	watch_closed(&show->watch, show->connections[0], START_US + 116 * FRAME_US);
	report_a_gap(show);
	send(show, 1, 150, 250); /* its IDR at 120 would be late, but there is one at 90 */
	assert_breaks(show, "");
	watch_end(&show->watch, START_US + 60000000);
	assert_breaks(show, "gap");
}

/* The left feed ends at 116, the other one closes at 140, and is shown no more. */
static void close_both(struct show *show)
{
	show->watch.connections[0].count = 116;
	show->watch.connections[1].count = 140;
	send(show, 0, 0, 115);
	watch_closed(&show->watch, show->connections[0], START_US + 116 * FRAME_US);
	watch_closed(&show->watch, show->connections[1], START_US + 140 * FRAME_US);
	report_a_gap(show);
}

/* Who is back at once, and then stays. */
static void connect_again(struct show *show, unsigned from)
{
	struct watch_connection how = { .feed = 1, .incarnation = 2 };

	how.frame_90k[PACKET_VIDEO] = FRAME_90k;
	show->connections[0] = watch_connected(&show->watch, &how,
					       START_US + (int64_t)from * FRAME_US);
	for (unsigned n = 0; n < 300; n++) {
		struct watch_packet p = { .packet = picture(0, n) };

		watch_arrived(&show->watch, show->connections[0], &p);
	}
	for (unsigned n = from; n < 300; n++) {
		struct packet p = picture(0, n);

		p.incarnation = 2;
		p.flags |= n == from ? PACKET_SPLICE : 0;
		send_at(show, &p, due_us(&p));
	}
}

static void gap_that_was_shorter_with_what_was_left_of_a_closed_feed(void **state)
{
	struct show *show = *state;

	close_both(show);
	connect_again(show, 180);
	assert_breaks(show, "");
	watch_end(&show->watch, START_US + 60000000);
	assert_breaks(show, "gap");
}

static void gap_nothing_is_left_of_a_feed_that_was_taken_away(void **state)
{
	struct show *show = *state;

	show->watch.connections[1].was_leaving = true;
	close_both(show);
	connect_again(show, 180);
	watch_end(&show->watch, START_US + 60000000);
	assert_breaks(show, "");
}

static void gap_that_nobody_could_have_filled_is_none(void **state)
{
	struct show *show = *state;

	for (unsigned n = 90; n < 150; n++) { /* the other one was away as well */
		show->watch.connections[1].packets[n].packet.type = PACKET_END;
	}
	for (unsigned n = 115; n < 300; n++) {
		show->watch.connections[0].packets[n].packet.type = PACKET_END;
	}
	send(show, 0, 0, 115);
	watch_closed(&show->watch, show->connections[0], START_US + 116 * FRAME_US);
	report_a_gap(show);
	send(show, 1, 150, 250);
	watch_end(&show->watch, START_US + 60000000);
	assert_breaks(show, "");
}

/* The show goes over to the other feed and back, by which the first one is moved. */
static void move_back_by(struct show *show, int64_t by_90k)
{
	struct packet other = picture(1, 60);

	other.kind = show->watch.connections[1].packets[60].packet.kind = PACKET_AUDIO;
	other.flags |= PACKET_SPLICE;
	send(show, 0, 0, 60);
	send_at(show, &other, due_us(&other));
	for (unsigned n = 60; n < 150; n++) {
		struct packet p = picture(0, n);

		p.flags |= n == 60 ? PACKET_SPLICE : 0;
		p.dts_90k += by_90k;
		p.pts_90k += by_90k;
		send_at(show, &p, due_us(&p));
	}
	assert_breaks(show, "");
	watch_end(&show->watch, START_US + 60000000);
}

static void gap_that_a_splice_back_has_made_is_none(void **state)
{
	struct show *show = *state;

	move_back_by(show, 7 * FRAME_90k);
	assert_breaks(show, "");
}

static void gap_that_a_splice_back_has_made_too_long(void **state)
{
	struct show *show = *state;

	report_a_gap(show);
	move_back_by(show, 9 * FRAME_90k);
	assert_breaks(show, "gap");
}

static void report_of_a_pause_that_goes_on(void **state)
{
	struct show *show = *state;
	const struct timeline_event pause = { .kind = TIMELINE_STARVED, .from = 1 };
	const struct timeline_event twins = { .kind = TIMELINE_TWINS, .from = 1, .to = 2 };

	watch_overwritten(&show->watch, show->connections[0], START_US + 60 * FRAME_US);
	send(show, 0, 0, 60);
	watch_event(&show->watch, &pause, START_US);
	watch_event(&show->watch, &twins, START_US + 1);
	send(show, 0, 90, 180);
	watch_end(&show->watch, START_US + 60000000);
	assert_breaks(show, "");
}

static void report_a_gap_unsaid(void **state)
{
	struct show *show = *state;

	watch_overwritten(&show->watch, show->connections[0], START_US + 60 * FRAME_US);
	send(show, 0, 0, 60);
	send(show, 0, 90, 180);
	watch_end(&show->watch, START_US + 60000000);
	assert_breaks(show, "report");
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(a_show_in_order_breaks_no_rule),
		CASE(order_dts_falls_across_tracks),
		CASE(rises_the_same_dts_twice),
		CASE(rises_by_less_than_rtmp_can_tell),
		CASE(rises_pts_before_dts),
		CASE(origin_another_content),
		CASE(origin_a_connection_that_never_was),
		CASE(once_a_packet_leaves_again),
		CASE(sequence_a_packet_behind_a_later_one),
		CASE(splice_unsaid),
		CASE(access_a_splice_in_the_middle_of_a_gop),
		CASE(constant_the_live_feed_is_moved),
		CASE(early_before_it_is_due),
		CASE(burst_a_second_at_once),
		CASE(memory_too_much_for_a_source),
		CASE(memory_of_what_ended_long_ago),
		CASE(failback_twice_in_a_hold_time),
		CASE(failback_at_once_is_the_operators_right),
		CASE(doubled_two_feeds_too_close),
		CASE(gap_that_the_other_feed_could_have_filled),
		CASE(gap_that_was_shorter_with_what_was_left_of_a_closed_feed),
		CASE(gap_nothing_is_left_of_a_feed_that_was_taken_away),
		CASE(gap_that_nobody_could_have_filled_is_none),
		CASE(gap_that_a_splice_back_has_made_is_none),
		CASE(gap_that_a_splice_back_has_made_too_long),
		CASE(report_of_a_pause_that_goes_on),
		CASE(report_a_gap_unsaid),
	};

	return cmocka_run_group_tests_name("watch", tests, NULL, NULL);
}
