/* SPDX-License-Identifier: Apache-2.0 */
/* base/clock.h - the only code that asks the time */
#pragma once
#include <stddef.h>
#include <stdint.h>

/** clock_now_ms() - monotonic milliseconds, for timers and durations; never goes back */
uint64_t clock_now_ms(void);

/** clock_wall_ms() - milliseconds since 1970-01-01 UTC, for records that people read */
uint64_t clock_wall_ms(void);

enum { CLOCK_TEXT_BYTES = sizeof("2026-11-23T16:51:36.042Z") };

/** clock_print() - @wall_ms as RFC 3339 in UTC with milliseconds, NUL-terminated */
void clock_print(uint64_t wall_ms, char out[CLOCK_TEXT_BYTES]);
