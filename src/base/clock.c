/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"

#include <stdio.h>
#include <time.h>

static uint64_t read_ms(clockid_t which)
{
	struct timespec ts;
	(void)clock_gettime(which, &ts); /* cannot fail for these two clocks */
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

uint64_t clock_now_ms(void)
{
	return read_ms(CLOCK_MONOTONIC);
}

uint64_t clock_wall_ms(void)
{
	return read_ms(CLOCK_REALTIME);
}

void clock_print(uint64_t wall_ms, char out[CLOCK_TEXT_BYTES])
{
	time_t seconds = (time_t)(wall_ms / 1000);
	struct tm tm;
	char whole[sizeof("2026-11-23T16:51:36")];

	if (!gmtime_r(&seconds, &tm) || !strftime(whole, sizeof(whole), "%Y-%m-%dT%H:%M:%S", &tm))
		whole[0] = '\0';
	(void)snprintf(out, CLOCK_TEXT_BYTES, "%s.%03uZ", whole, (unsigned)(wall_ms % 1000));
}
