/* SPDX-License-Identifier: Apache-2.0 */
#include "report/segments.h"

#include <errno.h>
#include <limits.h>
#include <stdint.h>
#include <string.h>

void segments_close(struct segments *s)
{
	for (size_t i = 0; i < s->n; i++)
		(void)fclose(s->files[i]); /* read only */
	*s = (struct segments){0};
}

struct record_reader segments_reader(struct segments *s)
{
	for (size_t i = 0; i < s->n; i++)
		rewind(s->files[i]);
	return (struct record_reader){.in = s->files[0], .more = s->files + 1, .n_more = s->n - 1};
}

/* The number of its first record; UINT64_MAX for a file that has none, which goes last. */
static uint64_t first_seq(FILE *in)
{
	struct record_reader reader = {.in = in};
	const struct record *r = record_next(&reader);
	uint64_t seq = r ? r->seq : UINT64_MAX;

	record_reader_drop(&reader);
	rewind(in);
	return seq;
}

static void sort(struct segments *s)
{
	for (size_t i = 1; i < s->n; i++)
		for (size_t j = i; j > 0 && s->first_seqs[j] < s->first_seqs[j - 1]; j--) {
			uint64_t seq = s->first_seqs[j];
			FILE *file = s->files[j];
			char name[sizeof(s->names[0])];
			memcpy(name, s->names[j], sizeof(name));
			s->first_seqs[j] = s->first_seqs[j - 1];
			s->files[j] = s->files[j - 1];
			memcpy(s->names[j], s->names[j - 1], sizeof(name));
			s->first_seqs[j - 1] = seq;
			s->files[j - 1] = file;
			memcpy(s->names[j - 1], name, sizeof(name));
		}
}

bool segments_are_same(const struct segments *a, const struct segments *b)
{
	bool is_same = a->n == b->n;

	for (size_t i = 0; is_same && i < a->n; i++)
		is_same = a->first_seqs[i] == b->first_seqs[i] && !strcmp(a->names[i], b->names[i]);
	return is_same;
}

bool segments_has_empty(const struct segments *s)
{
	return s->n && s->first_seqs[s->n - 1] == UINT64_MAX; /* it went last */
}

int segments_open(const char *path, struct segments *out, struct err *err)
{
	struct segments s = {0};
	const char *slash = strrchr(path, '/');

	for (int i = 0; i < SEGMENTS_MAX; i++) {
		char name[PATH_MAX + 8], suffix[4] = "";
		if (i)
			(void)snprintf(suffix, sizeof(suffix), ".%d", i);
		(void)snprintf(name, sizeof(name), "%.*s%s", PATH_MAX, path, suffix);
		FILE *file = fopen(name, "re");
		if (!file && errno == ENOENT && i)
			continue;
		if (!file) {
			int why = errno;
			segments_close(&s);
			return err_set(err, why, "opening '%s'", name);
		}
		(void)snprintf(s.names[s.n], sizeof(s.names[0]), "%.11s%s", slash ? slash + 1 : path, suffix);
		s.first_seqs[s.n] = i ? first_seq(file) : 0; /* the first stays the first */
		s.files[s.n++] = file;
	}
	sort(&s);
	*out = s;
	return 0;
}
