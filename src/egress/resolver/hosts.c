/* SPDX-License-Identifier: Apache-2.0 */
#include "egress/resolver/hosts.h"

#include <errno.h>
#include <stdlib.h>

static struct span next_line(struct span *text)
{
	const uint8_t *end = text->n ? memchr(text->p, '\n', text->n) : NULL;
	size_t n = end ? (size_t)(end - text->p) : text->n;
	struct span line = {text->p, n};

	text->p += n;
	text->n -= n;
	if (end) {
		text->p++;
		text->n--;
	}
	const uint8_t *comment = n ? memchr(line.p, '#', n) : NULL;
	if (comment)
		line.n = (size_t)(comment - line.p);
	return line;
}

static bool is_blank(uint8_t c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

static struct span next_word(struct span *line)
{
	while (line->n && is_blank(line->p[0])) {
		line->p++;
		line->n--;
	}
	struct span word = {line->p, 0};
	while (line->n && !is_blank(line->p[0])) {
		line->p++;
		line->n--;
		word.n++;
	}
	return word;
}

static int add(struct hosts *h, const struct addr *addr, const struct name *name)
{
	if (h->n == HOSTS_MAX_ENTRIES)
		return -E2BIG;
	if (h->n == h->cap) {
		size_t cap = h->cap ? h->cap * 2 : 32;
		struct hosts_entry *grown = reallocarray(h->entries, cap, sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		h->entries = grown;
		h->cap = cap;
	}
	h->entries[h->n] = (struct hosts_entry){.name_at = (uint32_t)h->names.n, .addr = *addr};
	if (!buf_put(&h->names, name->text, name->n + 1U))
		return -ENOMEM;
	h->n++;
	return 0;
}

static int read_line(struct hosts *h, struct span line)
{
	struct addr addr;
	struct name name;
	struct span word = next_word(&line);

	if (!word.n || !addr_parse(word, &addr))
		return 0;
	for (word = next_word(&line); word.n; word = next_word(&line)) {
		if (name_parse(word, &name) != NAME_IS_HOST)
			continue;
		int rc = add(h, &addr, &name);
		if (rc < 0)
			return rc;
	}
	return 0;
}

/* By name, then by place in the file, which the place of the name's text tells. */
static int compare(const void *a, const void *b, void *names)
{
	const struct hosts_entry *x = a, *y = b;
	const char *text = names;
	int by_name = strcmp(text + x->name_at, text + y->name_at);

	return by_name ? by_name : (x->name_at > y->name_at) - (x->name_at < y->name_at);
}

int hosts_read(struct span text, struct hosts *out)
{
	struct hosts h = {.names = {.max = 2 * HOSTS_MAX_BYTES}};

	while (text.n) {
		int rc = read_line(&h, next_line(&text));
		if (rc < 0) {
			hosts_drop(&h);
			return rc;
		}
	}
	if (h.n)
		qsort_r(h.entries, h.n, sizeof(h.entries[0]), compare, h.names.p);
	*out = h;
	return 0;
}

void hosts_drop(struct hosts *h)
{
	buf_drop(&h->names);
	free(h->entries);
	*h = (struct hosts){0};
}

size_t hosts_find(const struct hosts *h, const char *name, struct addr *out, size_t max)
{
	const char *text = (const char *)h->names.p;
	size_t low = 0, high = h->n, n = 0;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (strcmp(text + h->entries[middle].name_at, name) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	for (; low < h->n && n < max && strcmp(text + h->entries[low].name_at, name) == 0; low++)
		out[n++] = h->entries[low].addr;
	return n;
}
