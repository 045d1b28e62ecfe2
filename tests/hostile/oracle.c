/* SPDX-License-Identifier: Apache-2.0 */
#include "oracle.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

uint16_t oracle_ports[ORACLE_PORTS];
#define P oracle_ports

const char *const oracle_addresses[] = {
	"127.77.0.1", "127.77.0.2", "127.77.0.3", /* where names lead */
	"127.77.0.9",				  /* a deny rule names it */
	"127.77.1.2", "127.77.1.4",		  /* an address rule opens them */
	"127.77.1.3",				  /* in its prefix, but denied */
	"127.77.2.1",				  /* nobody speaks of it */
	"127.0.0.1",				  /* the user's own machine */
};
const size_t oracle_n_addresses = sizeof(oracle_addresses) / sizeof(oracle_addresses[0]);

void oracle_rules(char out[ORACLE_RULES_BYTES])
{
	(void)snprintf(out, ORACLE_RULES_BYTES,
		       "allow one.example:%u loopback raw\n"
		       "allow *.wild.example:%u,%u loopback raw\n"
		       "deny bad.wild.example\n"
		       "deny *.bad.wild.example:%u\n"
		       "allow closed.example:%u raw\n"
		       "allow range.example:%u raw\n"
		       "allow mix.example:%u loopback raw\n"
		       "telemetry t.example\n"
		       "allow t.example:%u loopback raw\n"
		       "allow host.drydock.internal:%u raw\n"
		       "allow 127.77.1.0/28:%u raw\n"
		       "deny 127.77.1.3:%u\n"
		       "deny 127.77.0.9\n",
		       P[0], P[0], P[1], P[1], P[0], P[2], P[0], P[0], P[1], P[2], P[2]);
}

static bool is_at(struct in_addr at, const char *text)
{
	return at.s_addr == inet_addr(text);
}

static bool is_good_target(struct in_addr at)
{
	return is_at(at, "127.77.0.1") || is_at(at, "127.77.0.2") || is_at(at, "127.77.0.3");
}

/* The address rules alone. */
static bool address_rules_open(struct in_addr at, uint16_t port)
{
	return port == P[2] && (ntohl(at.s_addr) & 0xfffffff0u) == 0x7f4d0100u && !is_at(at, "127.77.1.3");
}

bool oracle_may_be_reached(struct in_addr at, uint16_t port)
{
	if (is_good_target(at))
		return port == P[0] || port == P[1];
	if (is_at(at, "127.0.0.1"))
		return port == P[1];
	return address_rules_open(at, port);
}

static bool is_label(const char *p, size_t n)
{
	return n >= 1 && n <= 63 && p[0] != '-' && p[n - 1] != '-';
}

bool oracle_canon(const uint8_t *name, size_t n, char *out)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789-_.";

	if (n && name[n - 1] == '.')
		n--;
	if (n == 0 || n > 253)
		return false;
	for (size_t i = 0; i < n; i++) {
		char c = (char)name[i];
		if (c >= 'A' && c <= 'Z')
			c = (char)(c + 32);
		if (c == '\0' || !strchr(letters, c))
			return false;
		out[i] = c;
	}
	out[n] = '\0';
	for (const char *p = out;; p++) {
		size_t label = strcspn(p, ".");
		if (!is_label(p, label))
			return false;
		p += label;
		if (!*p)
			return true;
	}
}

static bool ends_in(const char *name, const char *end)
{
	size_t n = strlen(name), m = strlen(end);

	return n > m && strcmp(name + n - m, end) == 0;
}

/* One rule a line, in words. */
static bool name_is_open(const char *name, uint16_t port, bool *out_loopback)
{
	*out_loopback = true;
	if (strcmp(name, "one.example") == 0 || strcmp(name, "mix.example") == 0)
		return port == P[0];
	if (strcmp(name, "host.drydock.internal") == 0)
		return port == P[1];
	if (strcmp(name, "bad.wild.example") == 0 || strcmp(name, "t.example") == 0)
		return false;
	if (ends_in(name, ".bad.wild.example"))
		return port == P[0];
	if (ends_in(name, ".wild.example"))
		return port == P[0] || port == P[1];
	*out_loopback = false;
	if (strcmp(name, "closed.example") == 0)
		return port == P[0];
	return strcmp(name, "range.example") == 0 && port == P[2];
}

bool oracle_is_allowed_somewhere(const char *name)
{
	bool ignored;

	return name_is_open(name, P[0], &ignored) || name_is_open(name, P[1], &ignored) ||
	       name_is_open(name, P[2], &ignored);
}

static struct oracle_answer wild_answer(const char *name)
{
	uint32_t h = 2166136261u;

	for (const char *p = name; *p; p++)
		h = (h ^ (uint8_t)*p) * 16777619u;
	h ^= h >> 15;
	switch (h % 12) {
	case 0:
		return (struct oracle_answer){0, 2, {"127.77.0.1", "127.77.0.9"}, 0};
	case 1:
		return (struct oracle_answer){0, 1, {"127.77.0.9"}, 60};
	case 2:
		return (struct oracle_answer){1, 0, {NULL}, 0};
	case 3:
		return (struct oracle_answer){2, 0, {NULL}, 0};
	case 4:
		return (struct oracle_answer){0, 1, {"::ffff:127.77.0.2"}, 60};
	case 5:
		return (struct oracle_answer){0, 3, {"127.77.0.1", "127.77.0.2", "127.77.0.3"}, 60};
	case 6:
		return (struct oracle_answer){0, 1, {"127.77.0.3"}, 0};
	default:
		return (struct oracle_answer){0, 1, {"127.77.0.2"}, 60};
	}
}

void oracle_answer(const char *name, struct oracle_answer *out)
{
	static const struct {
		const char *name;
		struct oracle_answer is;
	} known[] = {
		{"one.example", {0, 1, {"127.77.0.1"}, 60}},
		{"closed.example", {0, 1, {"127.77.0.1"}, 0}},
		{"range.example", {0, 1, {"127.77.1.2"}, 60}},
		{"mix.example", {0, 2, {"127.77.0.1", "127.77.0.9"}, 60}},
	};

	*out = (struct oracle_answer){.status = 1};
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (strcmp(name, known[i].name) == 0)
			*out = known[i].is;
	if (ends_in(name, ".wild.example"))
		*out = wild_answer(name);
}

/* May the name's rule lead there? 127.77.0.9 is denied to everybody. */
static bool address_is_open(const char *text, bool loopback, uint16_t port)
{
	struct in_addr at;

	if (strncmp(text, "::ffff:", 7) == 0)
		text += 7;
	if (inet_pton(AF_INET, text, &at) != 1 || is_at(at, "127.77.0.9") ||
	    (is_at(at, "127.77.1.3") && port == P[2]))
		return false;
	return (loopback && ntohl(at.s_addr) >> 24 == 127) || address_rules_open(at, port);
}

static bool is_strict_v4(const uint8_t *name, size_t n, struct in_addr *out)
{
	char text[256];

	if (n == 0 || n > 15 || memchr(name, 0, n))
		return false;
	memcpy(text, name, n);
	text[n] = '\0';
	return inet_pton(AF_INET, text, out) == 1;
}

enum oracle_expected oracle_expect(const uint8_t *name, size_t n, uint16_t port)
{
	struct in_addr literal;
	struct oracle_answer a;
	char text[256];
	bool loopback;

	if (memchr(name, ':', n) && !memchr(name, '.', n))
		return ORACLE_EITHER; /* IPv6 text: only where it leads is judged */
	if (memchr(name, ':', n))
		return name[0] == '[' || name[0] == ':' ? ORACLE_EITHER : ORACLE_DENY;
	if (is_strict_v4(name, n, &literal))
		return address_rules_open(literal, port) ? ORACLE_ALLOW : ORACLE_DENY;
	if (!oracle_canon(name, n, text) || !name_is_open(text, port, &loopback))
		return ORACLE_DENY;
	if (strcmp(text, "host.drydock.internal") == 0)
		return ORACLE_ALLOW;
	oracle_answer(text, &a);
	if (a.status || a.n == 0)
		return ORACLE_DENY;
	for (size_t i = 0; i < a.n; i++)
		if (!address_is_open(a.texts[i], loopback, port))
			return ORACLE_DENY;
	return ORACLE_ALLOW;
}

bool oracle_leads_right(const uint8_t *name, size_t n, uint16_t asked_port, struct in_addr at, uint16_t port,
			bool is_lying)
{
	struct in_addr literal;
	struct oracle_answer a;
	char text[256], at_text[INET_ADDRSTRLEN];
	bool loopback;

	if (asked_port != port || !oracle_may_be_reached(at, port))
		return false;
	if (is_strict_v4(name, n, &literal))
		return literal.s_addr == at.s_addr && address_rules_open(at, port);
	if (memchr(name, ':', n))
		return address_rules_open(at, port);
	if (!oracle_canon(name, n, text) || !name_is_open(text, port, &loopback))
		return false;
	if (strcmp(text, "host.drydock.internal") == 0)
		return is_at(at, "127.0.0.1");
	(void)inet_ntop(AF_INET, &at, at_text, sizeof(at_text));
	if (is_lying)
		return address_is_open(at_text, loopback, port);
	oracle_answer(text, &a);
	for (size_t i = 0; i < a.n; i++) {
		const char *answer = a.texts[i];
		if (strncmp(answer, "::ffff:", 7) == 0)
			answer += 7;
		if (strcmp(answer, at_text) == 0)
			return oracle_expect(name, n, port) == ORACLE_ALLOW;
	}
	return false;
}
