/* SPDX-License-Identifier: Apache-2.0 */
#include "base/utf8.h"

uint32_t utf8_take(struct span *text)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	uint8_t first = text->p[0];
	size_t n = first < 0x80 ? 1 : first >> 5 == 6 ? 2 : first >> 4 == 14 ? 3 : first >> 3 == 30 ? 4 : 0;
	uint32_t c = n == 1 ? first : n ? first & (0x7fu >> n) : UTF8_REPLACEMENT;

	for (size_t i = 1; i < n; i++) {
		if (i >= text->n || text->p[i] >> 6 != 2) {
			n = 0;
			break;
		}
		c = c << 6 | (text->p[i] & 0x3fu);
	}
	if (n == 0 || c < least[n] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff)) {
		c = UTF8_REPLACEMENT;
		n = 1;
	}
	text->p += n;
	text->n -= n;
	return c;
}

size_t utf8_put(uint32_t c, uint8_t out[4])
{
	if (c < 0x80) {
		out[0] = (uint8_t)c;
		return 1;
	}
	size_t n = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
	for (size_t i = n - 1; i > 0; i--) {
		out[i] = (uint8_t)(0x80 | (c & 0x3f));
		c >>= 6;
	}
	out[0] = (uint8_t)(0xf00u >> n | c);
	return n;
}

bool utf8_may_mislead(uint32_t c)
{
	static const struct {
		uint32_t first, last;
	} ranges[] = {
		{0x00, 0x1f},	  {0x7f, 0x9f},	    {0xad, 0xad},     {0x34f, 0x34f},
		{0x61c, 0x61c},	  {0x115f, 0x1160}, {0x17b4, 0x17b5}, {0x180b, 0x180f},
		{0x200b, 0x200f}, {0x2028, 0x202e}, {0x2060, 0x206f}, {0x3164, 0x3164},
		{0xfe00, 0xfe0f}, {0xfeff, 0xfeff}, {0xffa0, 0xffa0}, {0xfff0, 0xfffb},
		{0x1bca0, 0x1bca3}, {0x1d173, 0x1d17a}, {0xe0000, 0xe0fff},
	};

	for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++)
		if (c >= ranges[i].first && c <= ranges[i].last)
			return true;
	return false;
}

void utf8_put_safe(struct buf *out, struct span text, size_t max_chars)
{
	for (size_t n = 0; text.n; n++) {
		if (n == max_chars) {
			(void)buf_put(out, "...", 3); /* is_cut remembers */
			return;
		}
		bool is_stray = text.p[0] >= 0x80;
		uint8_t stray = text.p[0];
		size_t left = text.n;
		uint32_t c = utf8_take(&text);
		uint8_t kept[4];
		if (c == UTF8_REPLACEMENT && is_stray && left - text.n == 1)
			(void)buf_putf(out, "\\x%02x", stray);
		else if (c == '\\')
			(void)buf_put(out, "\\\\", 2);
		else if (utf8_may_mislead(c))
			(void)buf_putf(out, c < 0x80 ? "\\x%02x" : "\\u{%x}", c);
		else
			(void)buf_put(out, kept, utf8_put(c, kept));
	}
}
