/* SPDX-License-Identifier: Apache-2.0 */
#include "net/name.h"
#include "net/addr.h"

static bool is_digit(uint8_t c)
{
	return c >= '0' && c <= '9';
}

static bool is_hex(uint8_t c)
{
	return is_digit(c) || ((c | 0x20) >= 'a' && (c | 0x20) <= 'f');
}

/* What a URL parser takes for a number: all digits, or 0x and hex digits (maybe none). */
static bool is_number(const char *label, size_t n)
{
	const uint8_t *p = (const uint8_t *)label;
	bool is_hex_form = n >= 2 && p[0] == '0' && p[1] == 'x';

	for (size_t i = is_hex_form ? 2 : 0; i < n; i++)
		if (is_hex_form ? !is_hex(p[i]) : !is_digit(p[i]))
			return false;
	return n > 0;
}

/* One label of canonical text: its letters were checked by the caller. */
static bool label_is_sound(const char *label, size_t n)
{
	return n > 0 && n <= NAME_LABEL_MAX_BYTES && label[0] != '-' && label[n - 1] != '-';
}

static enum name_kind address_or_bad(struct span in)
{
	struct addr a;
	return addr_parse_any(in, &a) ? NAME_IS_ADDRESS : NAME_IS_BAD;
}

enum name_kind name_parse(struct span in, struct name *out)
{
	struct name name = {0};

	if (in.n == 0 || in.n > NAME_MAX_BYTES + 1)
		return NAME_IS_BAD;
	if (in.p[0] == '[' || memchr(in.p, ':', in.n))
		return address_or_bad(in);
	size_t n = in.p[in.n - 1] == '.' ? in.n - 1 : in.n;
	if (n == 0 || n > NAME_MAX_BYTES)
		return NAME_IS_BAD;
	size_t label = 0; /* where the running label starts */
	for (size_t i = 0; i < n; i++) {
		uint8_t c = in.p[i];
		if (c >= 'A' && c <= 'Z')
			c = (uint8_t)(c | 0x20);
		if (c == '.') {
			if (!label_is_sound(name.text + label, i - label))
				return NAME_IS_BAD;
			label = i + 1;
		} else if (!(c >= 'a' && c <= 'z') && !is_digit(c) && c != '-' && c != '_') {
			return NAME_IS_BAD;
		}
		name.text[i] = (char)c;
	}
	if (!label_is_sound(name.text + label, n - label))
		return NAME_IS_BAD;
	if (is_number(name.text + label, n - label))
		return address_or_bad(in);
	name.n = (uint8_t)n;
	*out = name;
	return NAME_IS_HOST;
}

bool name_is_below(const struct name *name, const struct name *parent)
{
	return name->n > parent->n + 1 && name->text[name->n - parent->n - 1] == '.' &&
	       memcmp(name->text + name->n - parent->n, parent->text, parent->n) == 0;
}
