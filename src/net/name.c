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

/* The canonical byte for each that may stand in a name, 0 for all others. */
static const uint8_t canonical[256] = {
	['-'] = '-', ['.'] = '.', ['_'] = '_', ['0'] = '0', ['1'] = '1', ['2'] = '2', ['3'] = '3', ['4'] = '4',
	['5'] = '5', ['6'] = '6', ['7'] = '7', ['8'] = '8', ['9'] = '9',
#define LETTER(upper, lower) [upper] = lower, [lower] = lower
	LETTER('A', 'a'), LETTER('B', 'b'), LETTER('C', 'c'), LETTER('D', 'd'), LETTER('E', 'e'),
	LETTER('F', 'f'), LETTER('G', 'g'), LETTER('H', 'h'), LETTER('I', 'i'), LETTER('J', 'j'),
	LETTER('K', 'k'), LETTER('L', 'l'), LETTER('M', 'm'), LETTER('N', 'n'), LETTER('O', 'o'),
	LETTER('P', 'p'), LETTER('Q', 'q'), LETTER('R', 'r'), LETTER('S', 's'), LETTER('T', 't'),
	LETTER('U', 'u'), LETTER('V', 'v'), LETTER('W', 'w'), LETTER('X', 'x'), LETTER('Y', 'y'),
	LETTER('Z', 'z'),
#undef LETTER
};

enum name_kind name_parse(struct span in, struct name *out)
{
	char text[NAME_MAX_BYTES + 2];

	if (in.n == 0 || in.n > NAME_MAX_BYTES + 1)
		return NAME_IS_BAD;
	size_t n = in.p[in.n - 1] == '.' ? in.n - 1 : in.n;
	if (n == 0 || n > NAME_MAX_BYTES)
		return NAME_IS_BAD;
	size_t label = 0; /* where the running label starts */
	for (size_t i = 0; i < n; i++) {
		uint8_t c = canonical[in.p[i]];
		if (c == 0)
			return in.p[0] == '[' || memchr(in.p, ':', in.n) ? address_or_bad(in) : NAME_IS_BAD;
		if (c == '.') {
			if (!label_is_sound(text + label, i - label))
				return NAME_IS_BAD;
			label = i + 1;
		}
		text[i] = (char)c;
	}
	if (!label_is_sound(text + label, n - label))
		return NAME_IS_BAD;
	if (is_number(text + label, n - label))
		return address_or_bad(in);
	out->n = (uint8_t)n;
	memcpy(out->text, text, n);
	memset(out->text + n, 0, sizeof(out->text) - n); /* equal names are equal bytes */
	return NAME_IS_HOST;
}

bool name_is_below(const struct name *name, const struct name *parent)
{
	return name->n > parent->n + 1 && name->text[name->n - parent->n - 1] == '.' &&
	       memcmp(name->text + name->n - parent->n, parent->text, parent->n) == 0;
}
