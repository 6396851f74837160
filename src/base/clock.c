/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The clocks (clock.h). Every program; never blocks (vDSO; clock_boot() reads from /proc). */
#include <fcntl.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include <understudy/clock.h>

static int64_t clock_read_us(clockid_t id)
{
	struct timespec t;

	clock_gettime(id, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

int64_t clock_monotonic_us(void)
{
	return clock_read_us(CLOCK_MONOTONIC);
}

int64_t clock_next_beat_us(int64_t after_us, int64_t every_us)
{
	return (after_us / every_us + 1) * every_us;
}

int64_t clock_wall_us(void)
{
	return clock_read_us(CLOCK_REALTIME);
}

int64_t clock_boot_us(void)
{
	return clock_read_us(CLOCK_BOOTTIME);
}

/* The first eight digits and the four behind them, of a random id: enough to tell boots apart. */
uint64_t clock_boot(void)
{
	int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	char text[37] = "";
	ssize_t got = fd >= 0 ? read(fd, text, sizeof(text) - 1) : -1;

	if (fd >= 0) {
		close(fd);
	}
	if (got < 13) {
		return 0;
	}
	text[8] = text[13] = '\0';
	return (uint64_t)strtoul(text, NULL, 16) << 16 | strtoul(text + 9, NULL, 16);
}
