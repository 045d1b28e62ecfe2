/* SPDX-License-Identifier: Apache-2.0 */
/* egress/resolver/hosts.h - names the user's own hosts file gives addresses to (hosts(5)) */
#pragma once
#include "base/buf.h"
#include "net/addr.h"
#include "net/name.h"

enum { HOSTS_MAX_BYTES = 16 << 20, HOSTS_MAX_ENTRIES = 1 << 18 };

struct hosts_entry {
	uint32_t name_at; /* into names: NUL-terminated, canonical */
	struct addr addr;
};

/** struct hosts - sorted by name; start from {0} or hosts_read() */
struct hosts {
	struct buf names;
	struct hosts_entry *entries;
	size_t n, cap;
};

/**
 * hosts_read() - read a whole hosts file
 *
 * As libc does, lines that make no sense are skipped: one whose first word is no address (a zone id counts as none),
 * and words that are no host name. Pure but for memory.
 *
 * Return: 0, -ENOMEM, or -E2BIG when there are more than HOSTS_MAX_ENTRIES; @out is written on success.
 */
int hosts_read(struct span text, struct hosts *out);

void hosts_drop(struct hosts *h);

/** hosts_find() - the addresses of @name, in the order of the file, at most @max; 0 when it has none */
size_t hosts_find(const struct hosts *h, const char *name, struct addr *out, size_t max);
