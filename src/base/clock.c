/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"

#include <stdio.h>
#include <string.h>
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

/*
 * Days since 1970-01-01 to a date of the proleptic Gregorian calendar. The year is taken to start on 1 March, so
 * that the leap day is its last; 146097 days make 400 years. gmtime_r(3) would open /etc/localtime on its
 * first call, which a confined process must not.
 */
static void put_date(uint64_t days, unsigned *year, unsigned *month, unsigned *day)
{
	uint64_t z = days + 719468; /* days from 0000-03-01 */
	uint64_t era = z / 146097;
	unsigned of_era = (unsigned)(z % 146097);
	unsigned year_of_era = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
	unsigned of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
	unsigned from_march = (5 * of_year + 2) / 153;

	*day = of_year - (153 * from_march + 2) / 5 + 1;
	*month = from_march < 10 ? from_march + 3 : from_march - 9;
	*year = (unsigned)(era * 400) + year_of_era + (*month <= 2);
}

void clock_print(uint64_t wall_ms, char out[CLOCK_TEXT_BYTES])
{
	char text[80]; /* the compiler cannot see that every number is short */
	unsigned year, month, day;
	uint64_t seconds = wall_ms / 1000;
	unsigned of_day = (unsigned)(seconds % 86400);

	put_date(seconds / 86400, &year, &month, &day);
	(void)snprintf(text, sizeof(text), "%04u-%02u-%02uT%02u:%02u:%02u.%03uZ", year % 10000,
		       month, day, of_day / 3600, of_day / 60 % 60, of_day % 60,
		       (unsigned)(wall_ms % 1000));
	memcpy(out, text, CLOCK_TEXT_BYTES - 1);
	out[CLOCK_TEXT_BYTES - 1] = '\0';
}
