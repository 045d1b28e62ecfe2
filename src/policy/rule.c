/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A line is words separated by spaces and tabs; '#' outside quotes starts a comment. Every message
 * carries the column of the word that is wrong.
 */
#include "policy/rule.h"
#include "base/words.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

struct line {
	struct span left;
	const uint8_t *start;
	const uint8_t *open_quote; /* a quote that the line does not close, or NULL */
	struct policy_error *err;
};

__attribute__((format(printf, 3, 4))) static enum parse bad(struct line *line, const uint8_t *at,
							     const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	(void)vsnprintf(line->err->text, sizeof(line->err->text), fmt, ap); /* cut is fine */
	va_end(ap);
	line->err->column = (unsigned)(at - line->start) + 1;
	return PARSE_BAD;
}

static bool is_blank(uint8_t c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

/* The next word, quotes included as they stand; empty at the end of the line or at a comment. */
static struct span next_word(struct line *line)
{
	const uint8_t *p = line->left.p;
	const uint8_t *end = p + line->left.n;

	while (p < end && is_blank(*p))
		p++;
	if (p < end && *p == '#')
		end = p;
	struct span word = {.p = p};
	const uint8_t *quote = NULL;
	for (; p < end && (quote || !is_blank(*p)); p++)
		if (*p == '"')
			quote = quote ? NULL : p;
	line->open_quote = quote;
	word.n = (size_t)(p - word.p);
	line->left = span_make(p, (size_t)(end - p));
	return word;
}

/* Text for a message: hostile bytes become '?'. */
struct shown {
	char text[48];
};
static struct shown show(struct span word)
{
	struct shown s = {0};
	size_t n = word.n < sizeof(s.text) - 4 ? word.n : sizeof(s.text) - 4;
	for (size_t i = 0; i < n; i++)
		s.text[i] = word.p[i] > ' ' && word.p[i] < 0x7f ? (char)word.p[i] : '?';
	if (n < word.n)
		memcpy(s.text + n, "...", 4);
	return s;
}

static bool take_decimal(struct span word, uint64_t max, uint64_t *out)
{
	uint64_t value = 0;
	if (word.n == 0 || word.n > 19)
		return false;
	for (size_t i = 0; i < word.n; i++) {
		if (word.p[i] < '0' || word.p[i] > '9')
			return false;
		value = value * 10 + (uint64_t)(word.p[i] - '0');
	}
	*out = value;
	return value <= max;
}

static enum parse parse_ports(struct line *line, struct span text, struct rule *rule)
{
	if (span_is(text, "*")) {
		if (rule->action == RULE_ALLOW)
			return bad(line, text.p, "an allow rule names its ports: write them out, "
						 "'443' or '80,443' or '9000-9100'");
		rule->ports[0] = (struct port_range){1, 65535};
		rule->n_ports = 1;
		return PARSE_DONE;
	}
	rule->n_ports = 0;
	struct span left = text;
	for (bool more = true; more;) {
		const uint8_t *comma = left.n ? memchr(left.p, ',', left.n) : NULL;
		struct span part = {left.p, comma ? (size_t)(comma - left.p) : left.n};
		more = comma != NULL;
		left.p += part.n + more;
		left.n -= part.n + more;
		const uint8_t *dash = part.n ? memchr(part.p, '-', part.n) : NULL;
		struct span first = {part.p, dash ? (size_t)(dash - part.p) : part.n};
		struct span last = dash ? span_make(dash + 1, part.n - first.n - 1) : first;
		uint64_t a, b;
		if (!take_decimal(first, 65535, &a) || !take_decimal(last, 65535, &b) || a == 0 ||
		    b < a)
			return bad(line, part.p, "'%s' is no port: 1 to 65535, or a range such as 9000-9100",
				   show(part).text);
		if (rule->n_ports == RULE_MAX_PORTS)
			return bad(line, part.p, "more than %d ports: use a range, or another rule",
				   RULE_MAX_PORTS);
		rule->ports[rule->n_ports++] = (struct port_range){(uint16_t)a, (uint16_t)b};
	}
	return PARSE_DONE;
}

/* SUBJECT without its ports; what follows the host is left in @rest, starting with ':' when there is one. */
static enum parse split_subject(struct line *line, struct span word, struct span *host,
				struct span *rest)
{
	if (word.p[0] == '[') {
		const uint8_t *end = memchr(word.p, ']', word.n);
		if (!end)
			return bad(line, word.p, "'%s' has no closing ']'", show(word).text);
		size_t n = (size_t)(end - word.p) + 1;
		while (n < word.n && word.p[n] != ':')
			n++; /* the /BITS after the bracket */
		*host = span_make(word.p, n);
	} else {
		const uint8_t *colon = memchr(word.p, ':', word.n);
		struct addr ignored;
		if (colon && memchr(colon + 1, ':', word.n - (size_t)(colon - word.p) - 1)) {
			const uint8_t *slash = memchr(word.p, '/', word.n);
			struct span bare = {word.p, slash ? (size_t)(slash - word.p) : word.n};
			if (addr_parse(bare, &ignored))
				return bad(line, word.p, "write an IPv6 address in brackets: [%s]",
					   show(bare).text);
		}
		*host = span_make(word.p, colon ? (size_t)(colon - word.p) : word.n);
	}
	*rest = span_make(word.p + host->n, word.n - host->n);
	return PARSE_DONE;
}

static enum parse parse_prefix(struct line *line, struct span host, struct rule *rule)
{
	const uint8_t *slash = memchr(host.p, '/', host.n);
	struct span text = {host.p, slash ? (size_t)(slash - host.p) : host.n};
	if (text.n >= 2 && text.p[0] == '[' && text.p[text.n - 1] == ']')
		text = span_make(text.p + 1, text.n - 2);
	if (!addr_parse(text, &rule->prefix))
		return bad(line, host.p, "'%s' is no plain IP address: write four decimal numbers, or IPv6 in brackets",
			   show(host).text);
	unsigned max = rule->prefix.is_v6 ? 128 : 32;
	uint64_t bits = max;
	if (slash && !take_decimal(span_make(slash + 1, host.n - (size_t)(slash - host.p) - 1), max, &bits))
		return bad(line, slash, "a prefix length is 0 to %u", max);
	struct addr masked = rule->prefix;
	for (unsigned i = (unsigned)bits; i < max; i++)
		masked.bytes[i / 8] &= (uint8_t)~(0x80u >> i % 8);
	if (!addr_equal(&masked, &rule->prefix))
		return bad(line, host.p, "'%s' has bits set behind its prefix length", show(host).text);
	if (bits == 0 && rule->action == RULE_ALLOW)
		return bad(line, host.p, "a prefix of length 0 would allow every address");
	rule->subject = RULE_PREFIX;
	rule->prefix_bits = (uint8_t)bits;
	return PARSE_DONE;
}

static bool is_below_text(const struct name *name, const char *parent)
{
	struct name p;
	return name_parse(span_of(parent), &p) == NAME_IS_HOST && name_is_below(name, &p);
}

/* Names that never lead to a public host: a wildcard over them opens what nobody meant. */
static bool is_inside_name(const struct name *name)
{
	static const char *const parents[] = {"internal", "local", "localhost", "localdomain",
					      "home.arpa", "lan", "intranet", "corp"};
	for (size_t i = 0; i < sizeof(parents) / sizeof(parents[0]); i++)
		if (!strcmp(name->text, parents[i]) || is_below_text(name, parents[i]))
			return true;
	return false;
}

static enum parse parse_name(struct line *line, struct span host, struct rule *rule)
{
	bool is_wild = host.n >= 2 && host.p[0] == '*' && host.p[1] == '.';
	struct span text = is_wild ? span_make(host.p + 2, host.n - 2) : host;

	if (span_is(host, "*"))
		return bad(line, host.p, "'*' would match every name: name the hosts, or *.DOMAIN");
	if (memchr(text.p, '*', text.n))
		return bad(line, host.p, "'%s': a '*' may only stand for whole labels at the front, as in *.example.com",
			   show(host).text);
	if (memchr(text.p, '/', text.n))
		return bad(line, host.p, "'%s': a rule names a host, without a path", show(host).text);
	if (memchr(text.p, '@', text.n))
		return bad(line, host.p, "'%s': a rule names a host, without a user", show(host).text);
	switch (name_parse(text, &rule->name)) {
	case NAME_IS_HOST:
		break;
	case NAME_IS_ADDRESS:
		return bad(line, host.p, "'%s' is another spelling of an IP address: write it plainly",
			   show(host).text);
	case NAME_IS_BAD:
		return bad(line, host.p, "'%s' is no host name (letters, digits, '-', '_' and dots; international names as xn--)",
			   show(host).text);
	}
	rule->subject = is_wild ? RULE_BELOW : RULE_HOST;
	if (is_wild && rule->action == RULE_ALLOW) {
		if (!strchr(rule->name.text, '.'))
			return bad(line, host.p, "'*.%s' would match a whole top-level domain",
				   rule->name.text);
		if (is_inside_name(&rule->name))
			return bad(line, host.p, "'%s': names of the inside network are allowed one by one, without '*'",
				   show(host).text);
	}
	return PARSE_DONE;
}

/* Where "://" starts, or NULL. */
static const uint8_t *scheme_end(struct span word)
{
	for (const uint8_t *p = word.p; word.n >= 3 && (p = memchr(p, ':', (size_t)(word.p + word.n - p)));
	     p++)
		if (word.p + word.n - p >= 3 && p[1] == '/' && p[2] == '/')
			return p;
	return NULL;
}

static enum parse parse_subject(struct line *line, struct span word, struct rule *rule)
{
	struct span host = {0}, rest = {0};

	const uint8_t *end = scheme_end(word);
	if (end) {
		size_t n = (size_t)(end - word.p);
		return bad(line, word.p, "write the host alone, without '%.*s://'", (int)(n > 20 ? 20 : n),
			   (const char *)word.p);
	}
	enum parse got = split_subject(line, word, &host, &rest);
	if (got != PARSE_DONE)
		return got;
	if (host.n == 0)
		return bad(line, word.p, "no host before the ':'");
	/* IPv6 stands in brackets, so what else is an address starts with a digit: most hosts are told by one byte */
	bool is_address = host.p[0] == '[';
	if (host.p[0] >= '0' && host.p[0] <= '9') {
		const uint8_t *slash = memchr(host.p, '/', host.n);
		struct addr ignored;
		is_address = addr_parse(span_make(host.p, slash ? (size_t)(slash - host.p) : host.n), &ignored);
	}
	got = is_address ? parse_prefix(line, host, rule) : parse_name(line, host, rule);
	if (got != PARSE_DONE)
		return got;
	if (rest.n)
		return parse_ports(line, span_make(rest.p + 1, rest.n - 1), rule);
	rule->n_ports = 1;
	rule->ports[0] = rule->action == RULE_ALLOW ? (struct port_range){443, 443}
						    : (struct port_range){1, 65535};
	return PARSE_DONE;
}

/* "50M", "200", "10m": digits and one unit letter out of @units, each @factors[i] times as much. */
static bool take_scaled(struct span text, const char *units, const uint64_t *factors, uint64_t max,
			uint64_t *out)
{
	uint64_t factor = 1;
	const char *unit = text.n ? strchr(units, (char)text.p[text.n - 1]) : NULL;
	if (unit && *unit) {
		factor = factors[unit - units];
		text.n--;
	}
	uint64_t value;
	if (!take_decimal(text, max, &value) || value == 0 || value > max / factor)
		return false;
	*out = value * factor;
	return true;
}

/* Two or four digits; @at moves behind them. */
static bool take_digits(struct span *in, size_t n, unsigned *out)
{
	uint64_t value;
	if (in->n < n || !take_decimal(span_make(in->p, n), UINT32_MAX, &value))
		return false;
	*in = span_make(in->p + n, in->n - n);
	*out = (unsigned)value;
	return true;
}

static bool take_byte(struct span *in, char c)
{
	if (!in->n || in->p[0] != (uint8_t)c)
		return false;
	*in = span_make(in->p + 1, in->n - 1);
	return true;
}

/* Days since 1970-01-01 of a date in the Gregorian calendar; years count from March, so that a leap day is the last. */
static uint64_t days_of(unsigned year, unsigned month, unsigned day)
{
	unsigned y = year - (month <= 2);
	unsigned m = month + (month <= 2 ? 9 : -3U);
	return 365ULL * y + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + day - 1 - 719468;
}

/* "2026-11-24T01:00:00Z" (RFC 3339, UTC, whole seconds). */
static bool take_time(struct span in, uint64_t *out)
{
	static const uint8_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	unsigned year, month, day, h, m, s;

	if (!take_digits(&in, 4, &year) || !take_byte(&in, '-') || !take_digits(&in, 2, &month) ||
	    !take_byte(&in, '-') || !take_digits(&in, 2, &day) || !take_byte(&in, 'T') ||
	    !take_digits(&in, 2, &h) || !take_byte(&in, ':') || !take_digits(&in, 2, &m) ||
	    !take_byte(&in, ':') || !take_digits(&in, 2, &s) || !take_byte(&in, 'Z') || in.n)
		return false;
	if (year < 1970 || month < 1 || month > 12 || h > 23 || m > 59 || s > 59)
		return false;
	bool is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
	if (day < 1 || day > (unsigned)days[month - 1] + (month == 2 && is_leap))
		return false;
	*out = days_of(year, month, day) * 86400 + h * 3600 + m * 60 + s;
	return *out > 0;
}

static enum parse parse_budget(struct line *line, struct span key, struct span value,
			       struct rule_budget *b)
{
	static const uint64_t sizes[] = {1ull << 10, 1ull << 20, 1ull << 30, 1ull << 40};
	static const uint64_t times[] = {1, 60, 3600, 86400};
	uint64_t n = 0;
	bool is_ok;

	if (span_is(key, "up") || span_is(key, "down")) {
		is_ok = take_scaled(value, "KMGT", sizes, 1ull << 60, &n);
		*(span_is(key, "up") ? &b->up_bytes : &b->down_bytes) = n;
	} else if (span_is(key, "conns")) {
		is_ok = take_scaled(value, "", NULL, UINT32_MAX, &n);
		b->conns = (uint32_t)n;
	} else if (span_is(key, "rate")) {
		bool has_unit = value.n > 2 && !memcmp(value.p + value.n - 2, "/s", 2);
		is_ok = has_unit &&
			take_scaled(span_make(value.p, value.n - 2), "", NULL, UINT32_MAX, &n);
		b->rate_per_s = (uint32_t)n;
	} else if (span_is(key, "until")) {
		if (!take_time(value, &b->until_s))
			return bad(line, value.p, "'until=%s' is no time: write it in UTC, until=2026-11-24T01:00:00Z",
				   show(value).text);
		is_ok = true;
	} else { /* for */
		is_ok = take_scaled(value, "smhd", times, UINT32_MAX, &n);
		b->for_s = (uint32_t)n;
	}
	if (!is_ok)
		return bad(line, value.p, "'%s=%s' is no amount: up=50M down=2G conns=200 rate=20/s for=10m",
			   show(key).text, show(value).text);
	return PARSE_DONE;
}

static const struct {
	const char *word;
	uint32_t bit;
} options[] = {
	{"private", RULE_PRIVATE}, {"loopback", RULE_LOOPBACK}, {"raw", RULE_RAW},
	{"tls", RULE_TLS},	   {"http", RULE_HTTP},		{"ech", RULE_ECH},
	{"no-sni", RULE_NO_SNI},
};
enum { N_OPTIONS = sizeof(options) / sizeof(options[0]) };

static const char *const keys[] = {"up",    "down",  "conns", "rate", "for",
				   "until", "class", "risk",  "why"};
enum { N_KEYS = sizeof(keys) / sizeof(keys[0]), FIRST_DATA_KEY = 6 };

static enum parse parse_key(struct line *line, struct span key, struct span value, struct rule *rule)
{
	for (size_t i = 0; i < N_KEYS; i++) {
		if (!span_is(key, keys[i]))
			continue;
		if (value.n == 0)
			return bad(line, key.p, "'%s=' has no value", keys[i]);
		if (i >= FIRST_DATA_KEY)
			return PARSE_DONE; /* for people */
		if (rule->action != RULE_ALLOW)
			return bad(line, key.p, "'%s=' belongs to allow rules", keys[i]);
		return parse_budget(line, key, value, &rule->budget);
	}
	const char *meant = words_closest(key, keys, N_KEYS);
	return bad(line, key.p, "unknown option '%s='%s%s%s", show(key).text,
		   meant ? " - did you mean '" : "", meant ? meant : "", meant ? "='?" : "");
}

static enum parse parse_option(struct line *line, struct span word, struct rule *rule)
{
	const char *names[N_OPTIONS];
	const uint8_t *equals = memchr(word.p, '=', word.n);

	if (equals) {
		size_t n = (size_t)(equals - word.p);
		return parse_key(line, span_make(word.p, n), span_make(equals + 1, word.n - n - 1), rule);
	}
	for (size_t i = 0; i < N_OPTIONS; i++) {
		names[i] = options[i].word;
		if (!span_is(word, options[i].word))
			continue;
		if (rule->action != RULE_ALLOW)
			return bad(line, word.p, "'%s' belongs to allow rules", options[i].word);
		rule->options |= options[i].bit;
		uint32_t judges = rule->options & (RULE_RAW | RULE_TLS | RULE_HTTP);
		if (judges & (judges - 1))
			return bad(line, word.p, "only one of raw, tls and http");
		return PARSE_DONE;
	}
	const char *meant = words_closest(word, names, N_OPTIONS);
	return bad(line, word.p, "unknown option '%s'%s%s%s", show(word).text,
		   meant ? " - did you mean '" : "", meant ? meant : "", meant ? "'?" : "");
}

static const char *const actions[] = {
	[RULE_ALLOW] = "allow", [RULE_DENY] = "deny", [RULE_TELEMETRY] = "telemetry"};
enum { N_ACTIONS = sizeof(actions) / sizeof(actions[0]) };

bool rule_is_option(struct span word)
{
	const uint8_t *equals = word.n ? memchr(word.p, '=', word.n) : NULL;
	struct span key = {word.p, equals ? (size_t)(equals - word.p) : word.n};
	for (size_t i = 0; i < N_OPTIONS; i++)
		if (span_is(key, options[i].word))
			return true;
	for (size_t i = 0; i < N_KEYS; i++)
		if (span_is(key, keys[i]))
			return true;
	return false;
}

/* True when the second word is an option, as behind a host; false when there is none, or another. */
static bool is_option_next(struct line line)
{
	return rule_is_option(next_word(&line));
}

/* A bare first word that is no host: a setting, or an action written wrong. */
static enum parse check_bare(struct line *line, struct span word)
{
	static const char *const settings[] = {"preset", "env",	    "keep",  "arg",	"mount",
					       "limit",	 "lock",    "title", "command", "source",
					       "budget"};
	for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++)
		if (span_is(word, settings[i]))
			return bad(line, word.p,
				   "'%s' is a setting, and only rules may stand here (a host of that name "
				   "is written 'allow %s')", settings[i], settings[i]);
	for (size_t i = 0; i < word.n; i++)
		if (strchr(".:[/*", word.p[i]))
			return PARSE_DONE;
	struct line rest = *line;
	if (next_word(&rest).n == 0 || is_option_next(*line))
		return PARSE_DONE;
	const char *meant = words_closest(word, actions, N_ACTIONS);
	return bad(line, word.p, "unknown word '%s'%s%s%s", show(word).text, meant ? " - did you mean '" : "",
		   meant ? meant : "", meant ? "'?" : "");
}

/* Reads the action, if it is written, and leaves the subject in @out. */
static enum parse parse_action(struct line *line, struct rule *rule, struct span *out)
{
	struct span word = next_word(line);
	if (word.n == 0)
		return bad(line, line->start, "no rule on this line");
	for (size_t i = 0; i < N_ACTIONS; i++) {
		if (!span_is(word, actions[i]))
			continue;
		rule->action = (enum rule_action)i;
		*out = next_word(line);
		return out->n ? PARSE_DONE : bad(line, word.p, "'%s' names no host", actions[i]);
	}
	*out = word;
	return check_bare(line, word);
}

enum parse rule_parse(struct span text, struct rule *out, struct policy_error *err)
{
	struct rule rule = {0};
	struct line line = {.left = text, .start = text.p, .err = err};
	struct span word = {0};

	if (text.n > RULE_LINE_MAX_BYTES)
		return bad(&line, text.p, "longer than %d bytes", RULE_LINE_MAX_BYTES);
	enum parse got = parse_action(&line, &rule, &word);
	if (got == PARSE_DONE)
		got = parse_subject(&line, word, &rule);
	while (got == PARSE_DONE) {
		word = next_word(&line);
		if (line.open_quote)
			return bad(&line, line.open_quote, "this quote is not closed");
		if (word.n == 0) {
			*out = rule;
			return PARSE_DONE;
		}
		got = parse_option(&line, word, &rule);
	}
	return got;
}

/* snprintf that never runs over: RULE_TEXT_BYTES holds the longest rule. */
__attribute__((format(printf, 3, 4))) static void put(char *out, size_t *used, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	int n = vsnprintf(out + *used, RULE_TEXT_BYTES - *used, fmt, ap);
	va_end(ap);
	if (n > 0)
		*used += (size_t)n < RULE_TEXT_BYTES - *used ? (size_t)n : RULE_TEXT_BYTES - *used - 1;
}

static void print_subject(const struct rule *rule, char *out, size_t *used)
{
	if (rule->subject != RULE_PREFIX) {
		put(out, used, "%s%s", rule->subject == RULE_BELOW ? "*." : "", rule->name.text);
		return;
	}
	char text[ADDR_TEXT_BYTES];
	addr_print(&rule->prefix, text);
	put(out, used, rule->prefix.is_v6 ? "[%s]" : "%s", text);
	if (rule->prefix_bits != (rule->prefix.is_v6 ? 128 : 32))
		put(out, used, "/%u", rule->prefix_bits);
}

static void put_time(char *out, size_t *used, uint64_t unix_s)
{
	uint64_t days = unix_s / 86400 + 719468; /* since 0000-03-01 */
	uint64_t era = days / 146097;
	uint64_t doe = days % 146097;
	uint64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	uint64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	uint64_t mp = (5 * doy + 2) / 153;
	unsigned day = (unsigned)(doy - (153 * mp + 2) / 5 + 1);
	unsigned month = (unsigned)(mp < 10 ? mp + 3 : mp - 9);
	unsigned s = (unsigned)(unix_s % 86400);
	put(out, used, " until=%04" PRIu64 "-%02u-%02uT%02u:%02u:%02uZ", yoe + era * 400 + (month <= 2), month, day,
	    s / 3600, s / 60 % 60, s % 60);
}

void rule_print(const struct rule *rule, char out[RULE_TEXT_BYTES])
{
	size_t used = 0;

	put(out, &used, "%s ", actions[rule->action]);
	print_subject(rule, out, &used);
	if (rule->action != RULE_ALLOW && rule->n_ports == 1 && rule->ports[0].first == 1 &&
	    rule->ports[0].last == 65535) {
		put(out, &used, ":*");
	} else {
		for (size_t i = 0; i < rule->n_ports; i++) {
			const struct port_range *r = &rule->ports[i];
			put(out, &used, r->first == r->last ? "%s%u" : "%s%u-%u", i ? "," : ":", r->first,
			    r->last);
		}
	}
	for (size_t i = 0; i < N_OPTIONS; i++)
		if (rule->options & options[i].bit)
			put(out, &used, " %s", options[i].word);
	const struct rule_budget *b = &rule->budget;
	if (b->up_bytes)
		put(out, &used, " up=%" PRIu64, b->up_bytes);
	if (b->down_bytes)
		put(out, &used, " down=%" PRIu64, b->down_bytes);
	if (b->conns)
		put(out, &used, " conns=%" PRIu32, b->conns);
	if (b->rate_per_s)
		put(out, &used, " rate=%" PRIu32 "/s", b->rate_per_s);
	if (b->for_s)
		put(out, &used, " for=%" PRIu32 "s", b->for_s);
	if (b->until_s)
		put_time(out, &used, b->until_s);
}

enum parse rule_parse_budget(struct span text, struct rule_budget *out, struct policy_error *err)
{
	struct rule_budget budget = {0};
	struct line line = {.left = text, .start = text.p, .err = err};

	if (text.n > RULE_LINE_MAX_BYTES)
		return bad(&line, text.p, "longer than %d bytes", RULE_LINE_MAX_BYTES);
	(void)next_word(&line); /* "budget" */
	for (bool is_first = true;; is_first = false) {
		struct span word = next_word(&line);
		if (word.n == 0 && is_first)
			return bad(&line, text.p, "'budget' limits nothing: budget up=1G conns=5000 rate=50/s");
		if (word.n == 0)
			break;
		const uint8_t *equals = memchr(word.p, '=', word.n);
		struct span key = {word.p, equals ? (size_t)(equals - word.p) : word.n};
		size_t i = 0;
		while (i < FIRST_DATA_KEY && !span_is(key, keys[i]))
			i++;
		if (!equals || i == FIRST_DATA_KEY)
			return bad(&line, word.p, "'%s' is no limit: up= down= conns= rate= for= until=", show(word).text);
		if (parse_budget(&line, key, span_make(equals + 1, word.n - key.n - 1), &budget) != PARSE_DONE)
			return PARSE_BAD;
	}
	*out = budget;
	return PARSE_DONE;
}
