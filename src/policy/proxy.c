/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/proxy.h"

#include <stdarg.h>
#include <stdio.h>

static const char word_proxy[] = "upstream-proxy";
static const char word_except[] = "no-upstream-proxy";

struct line {
	struct span whole;
	struct policy_error *err;
};

__attribute__((format(printf, 3, 4))) static enum parse bad(const struct line *line, const uint8_t *at, const char *fmt,
							     ...)
{
	va_list ap;
	va_start(ap, fmt);
	(void)vsnprintf(line->err->text, sizeof(line->err->text), fmt, ap); /* cut is fine */
	va_end(ap);
	line->err->column = (unsigned)(at - line->whole.p) + 1;
	return PARSE_BAD;
}

static bool is_blank(uint8_t c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

static struct span next_word(struct span *left)
{
	while (left->n && is_blank(left->p[0]))
		*left = span_make(left->p + 1, left->n - 1);
	struct span word = {.p = left->p};
	if (left->n && left->p[0] == '#')
		return word;
	while (word.n < left->n && !is_blank(left->p[word.n]))
		word.n++;
	*left = span_make(left->p + word.n, left->n - word.n);
	return word;
}

bool proxy_is_line(struct span line)
{
	struct span word = next_word(&line);
	return span_is(word, word_proxy) || span_is(word, word_except);
}

static int hex_digit(uint8_t c)
{
	return c >= '0' && c <= '9' ? c - '0' : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10 : -1;
}

/* USER:PASSWORD with its percent-encoding undone; false for a bad one, or for control characters. */
static bool decode(struct span in, uint8_t *out, size_t max, size_t *out_n)
{
	size_t n = 0;
	for (size_t i = 0; i < in.n; i++) {
		uint8_t c = in.p[i];
		if (c == '%') {
			int high = i + 2 < in.n ? hex_digit(in.p[i + 1]) : -1;
			int low = i + 2 < in.n ? hex_digit(in.p[i + 2]) : -1;
			if (high < 0 || low < 0)
				return false;
			c = (uint8_t)(high << 4 | low);
			i += 2;
		}
		if (n == max || c < ' ' || c == 0x7f)
			return false;
		out[n++] = c;
	}
	*out_n = n;
	return true;
}

/* RFC 4648 section 4. @out has room for four characters for every three bytes begun, and a NUL. */
static void put_base64(const uint8_t *in, size_t n, char *out)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	for (size_t i = 0; i < n; i += 3) {
		uint32_t three = (uint32_t)in[i] << 16 | (i + 1 < n ? (uint32_t)in[i + 1] << 8 : 0) |
				 (i + 2 < n ? (uint32_t)in[i + 2] : 0);
		*out++ = digits[three >> 18];
		*out++ = digits[three >> 12 & 63];
		*out++ = i + 1 < n ? digits[three >> 6 & 63] : '=';
		*out++ = i + 2 < n ? digits[three & 63] : '=';
	}
	*out = '\0';
}

static bool take_port(struct span text, uint16_t *out)
{
	unsigned port = 0;
	if (text.n == 0 || text.n > 5 || text.p[0] == '0')
		return false;
	for (size_t i = 0; i < text.n; i++) {
		if (text.p[i] < '0' || text.p[i] > '9')
			return false;
		port = port * 10 + (unsigned)(text.p[i] - '0');
	}
	*out = (uint16_t)port;
	return port <= UINT16_MAX;
}

static enum parse take_host(const struct line *line, struct span text, struct proxy *p)
{
	const uint8_t *colon = text.n ? memrchr(text.p, ':', text.n) : NULL;
	if (!colon || !take_port(span_make(colon + 1, text.n - (size_t)(colon - text.p) - 1), &p->port))
		return bad(line, text.p, "the proxy's port is missing: http://HOST:PORT");
	struct span host = {text.p, (size_t)(colon - text.p)};
	if (host.n > 2 && host.p[0] == '[' && host.p[host.n - 1] == ']')
		host = span_make(host.p + 1, host.n - 2);
	p->has_address = addr_parse(host, &p->address);
	if (!p->has_address && name_parse(host, &p->name) != NAME_IS_HOST)
		return bad(line, text.p, "the proxy is no host name and no plain address");
	return PARSE_DONE;
}

bool proxy_equal(const struct proxy *a, const struct proxy *b)
{
	if (a->is_set != b->is_set || a->has_address != b->has_address || a->port != b->port || strcmp(a->auth, b->auth) != 0)
		return false;
	return a->has_address ? addr_equal(&a->address, &b->address) : !strcmp(a->name.text, b->name.text);
}

static enum parse take_url(const struct line *line, struct span url, struct proxy *into)
{
	static const char scheme[] = "http://";
	size_t n = sizeof(scheme) - 1;
	struct proxy p = *into;
	uint8_t auth[PROXY_AUTH_BYTES / 4 * 3 - 3];
	size_t auth_n = 0;

	if (url.n <= n || memcmp(url.p, scheme, n) != 0)
		return bad(line, url.n ? url.p : line->whole.p, "an upstream proxy is written http://[USER:PASSWORD@]HOST:PORT");
	struct span rest = {url.p + n, url.n - n};
	if (rest.p[rest.n - 1] == '/')
		rest.n--;
	const uint8_t *at = rest.n ? memrchr(rest.p, '@', rest.n) : NULL;
	p.auth[0] = '\0';
	if (at) {
		struct span user = {rest.p, (size_t)(at - rest.p)};
		if (!decode(user, auth, sizeof(auth), &auth_n))
			return bad(line, user.p, "user and password of the proxy are too long, or badly percent-encoded");
		put_base64(auth, auth_n, p.auth);
		rest = span_make(at + 1, rest.n - user.n - 1);
	}
	if (take_host(line, rest, &p) != PARSE_DONE)
		return PARSE_BAD;
	p.is_set = true;
	if (into->is_set && !proxy_equal(into, &p))
		return bad(line, url.p, "there is another upstream proxy already: one is spoken to");
	*into = p;
	return PARSE_DONE;
}

static enum parse take_except(const struct line *line, struct span list, struct proxy *into)
{
	struct proxy p = *into;

	while (list.n) {
		const uint8_t *comma = memchr(list.p, ',', list.n);
		struct span one = {list.p, comma ? (size_t)(comma - list.p) : list.n};
		size_t used = one.n + (comma != NULL);
		list = span_make(list.p + used, list.n - used);
		if (span_is(one, "*")) {
			p.except_all = true;
			continue;
		}
		if (one.n && one.p[0] == '.') /* the same as without it: the name and all below */
			one = span_make(one.p + 1, one.n - 1);
		struct name name;
		if (name_parse(one, &name) != NAME_IS_HOST)
			return bad(line, one.p, "no-upstream-proxy takes names: a,b.example,*");
		if (p.n_except == PROXY_MAX_EXCEPT)
			return bad(line, one.p, "more than %d names behind no-upstream-proxy", PROXY_MAX_EXCEPT);
		p.except[p.n_except++] = name;
	}
	*into = p;
	return PARSE_DONE;
}

enum parse proxy_parse(struct span text, struct proxy *into, struct policy_error *err)
{
	struct line line = {text, err};
	struct span left = text, word = next_word(&left), value = next_word(&left), more = next_word(&left);
	bool is_except = span_is(word, word_except);

	if (value.n == 0)
		return bad(&line, word.p, is_except ? "no-upstream-proxy takes names: a,b.example,*"
						    : "an upstream proxy is written http://[USER:PASSWORD@]HOST:PORT");
	if (more.n)
		return bad(&line, more.p, "one word too many");
	return is_except ? take_except(&line, value, into) : take_url(&line, value, into);
}

bool proxy_is_for(const struct proxy *proxy, const struct name *name)
{
	if (!proxy->is_set || proxy->except_all)
		return false;
	for (size_t i = 0; i < proxy->n_except; i++)
		if (!strcmp(proxy->except[i].text, name->text) || name_is_below(name, &proxy->except[i]))
			return false;
	return true;
}

void proxy_print(const struct proxy *proxy, char out[PROXY_TEXT_BYTES])
{
	char text[ADDR_TEXT_BYTES];

	if (!proxy->has_address) {
		(void)snprintf(out, PROXY_TEXT_BYTES, "%s:%u", proxy->name.text, proxy->port); /* fits */
		return;
	}
	addr_print(&proxy->address, text);
	(void)snprintf(out, PROXY_TEXT_BYTES, proxy->address.is_v6 ? "[%s]:%u" : "%s:%u", text, proxy->port); /* fits */
}
