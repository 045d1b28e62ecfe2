/* SPDX-License-Identifier: Apache-2.0 */
#include "base/json.h"
#include "base/utf8.h"

#include <inttypes.h>

/* How many of the first bytes stand for themselves. Most texts are nothing else, and a log has many. */
static size_t plain_bytes(struct span text)
{
	size_t n = 0;

	while (n < text.n && text.p[n] >= ' ' && text.p[n] < 0x7f && text.p[n] != '"' && text.p[n] != '\\')
		n++;
	return n;
}

static void put_string(struct buf *out, struct span text)
{
	(void)buf_put(out, "\"", 1); /* is_cut remembers */
	while (text.n) {
		size_t plain = plain_bytes(text);
		if (plain) {
			(void)buf_put(out, text.p, plain);
			text = span_make(text.p + plain, text.n - plain);
			continue;
		}
		uint32_t c = utf8_take(&text);
		uint8_t kept[4];
		if (c == '"' || c == '\\')
			(void)buf_putf(out, "\\%c", (char)c);
		else if (c == '\n')
			(void)buf_put(out, "\\n", 2);
		else if (utf8_may_mislead(c))
			(void)buf_putf(out, c > 0xffff ? "\\ud%03x\\ud%03x" : "\\u%04x",
				       c > 0xffff ? 0x800 + ((c - 0x10000) >> 10) : c,
				       0xc00 + ((c - 0x10000) & 0x3ff));
		else
			(void)buf_put(out, kept, utf8_put(c, kept));
	}
	(void)buf_put(out, "\"", 1);
}

static void put_key(struct json *j, const char *key)
{
	if (j->needs_comma)
		(void)buf_put(j->out, ",", 1);
	j->needs_comma = true;
	if (key) {
		put_string(j->out, span_of(key));
		(void)buf_put(j->out, ":", 1);
	}
}

void json_open(struct json *j, const char *key, char bracket)
{
	put_key(j, key);
	(void)buf_put(j->out, &bracket, 1);
	j->needs_comma = false;
}

void json_close(struct json *j, char bracket)
{
	(void)buf_put(j->out, &bracket, 1);
	j->needs_comma = true;
}

void json_text(struct json *j, const char *key, struct span value)
{
	put_key(j, key);
	put_string(j->out, value);
}

void json_str(struct json *j, const char *key, const char *value)
{
	json_text(j, key, span_of(value));
}

void json_u64(struct json *j, const char *key, uint64_t value)
{
	char digits[20]; /* UINT64_MAX has as many */
	size_t at = sizeof(digits);

	do
		digits[--at] = (char)('0' + value % 10);
	while (value /= 10);
	put_key(j, key);
	(void)buf_put(j->out, digits + at, sizeof(digits) - at);
}

void json_i64(struct json *j, const char *key, int64_t value)
{
	put_key(j, key);
	(void)buf_putf(j->out, "%" PRId64, value);
}

void json_bool(struct json *j, const char *key, bool value)
{
	put_key(j, key);
	(void)buf_putf(j->out, "%s", value ? "true" : "false");
}
