/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/egress/test_worker_denial.c - what a refused client reads, and that hostile host names cannot shape it */
#include "base/own.h"
#include "egress/worker/denial.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static char text[DENIAL_MAX_BYTES + 1];
static const char *session = "";

static const char *say(enum reason reason, struct span host, uint16_t port, bool wants_json)
{
	AUTO(buf) struct buf out = {.max = DENIAL_MAX_BYTES};
	struct wire_refused why = {.reason = reason, .decision = 42, .origin_line = 7};
	struct denial d = {&why, host, port, wants_json, false, 1795452696036, session};

	if (reason == REASON_DENIED_BY_RULE)
		strcpy(why.origin_file, "/etc/drydock/policy");
	assert_true(denial_http(&d, &out));
	memcpy(text, out.p, out.n);
	text[out.n] = '\0';
	return text;
}

static void a_refusal_names_host_reason_and_way_out(void **state)
{
	(void)state;
	assert_string_equal(
		say(REASON_NOT_ALLOWLISTED, span_of("evil.example"), 443, false),
		"HTTP/1.1 403 Blocked by drydock: evil.example not on the allowlist\r\n"
		"Proxy-Status: drydock; error=http_request_denied; details=\"no rule for evil.example:443\"\r\n"
		"X-Proxy-Error: blocked-by-allowlist\r\n"
		"X-Drydock-Decision: 42\r\n"
		"Content-Type: text/plain; charset=utf-8\r\n"
		"Content-Length: 464\r\n"
		"Cache-Control: no-store\r\n"
		"Connection: close\r\n"
		"\r\n"
		"BLOCKED BY POLICY (drydock): evil.example:443\n"
		"reason:  not-allowlisted - no allow rule matches this host. It was not contacted and not resolved.\n"
		"rule:    default-deny\n"
		"decision: 42   time: 2026-11-23T16:51:36.036Z\n"
		"retry:   will not help; every other route out is closed too (direct TCP, DNS, IP literals).\n"
		"agent:   do not look for a way around. Go on without it, or tell your user what you need and why.\n"
		"human:   outside the jail:   drydock run -a evil.example ...\n");
}

static void within_a_session_the_way_out_is_into_it(void **state)
{
	(void)state;
	session = "shop-7f3a";
	const char *said = say(REASON_NOT_ALLOWLISTED, span_of("evil.example"), 8443, false);
	assert_non_null(strstr(said, "\nsession: shop-7f3a   decision: 42   time: "));
	assert_non_null(strstr(said, "\nhuman:   outside the jail:   drydock allow evil.example:8443 --session shop-7f3a\n"
				     "               or for good:   drydock allow evil.example:8443\n"));
	said = say(REASON_NOT_ALLOWLISTED, span_of("evil.example"), 443, true);
	assert_non_null(strstr(said, "\"human_command\":\"drydock allow evil.example --session shop-7f3a\""));
	assert_non_null(strstr(said, "\"session\":\"shop-7f3a\""));
	assert_null(strstr(say(REASON_PRIVATE_ADDRESS, span_of("a.example"), 443, false), "human:"));
	session = "";
}

static void every_reason_has_a_status_and_a_text(void **state)
{
	(void)state;
	for (int r = REASON_NONE + 1; r < REASON_COUNT; r++) {
		const char *said = say((enum reason)r, span_of("a.example"), 80, false);
		int status = r == REASON_MALFORMED					? 400
			     : r == REASON_NO_SUCH_NAME || r == REASON_UNREACHABLE ? 502
										     : 403;
		assert_int_equal(atoi(said + 9), status);
		assert_non_null(strstr(said, reason_word((uint32_t)r)));
		assert_null(strstr(said, ":  \r\n"));
	}
}

static void a_rule_that_denied_is_named(void **state)
{
	(void)state;
	assert_non_null(strstr(say(REASON_DENIED_BY_RULE, span_of("a.example"), 443, false),
			       "\nrule:    /etc/drydock/policy:7\n"));
}

static void no_rule_is_suggested_where_a_rule_would_not_help(void **state)
{
	(void)state;
	assert_non_null(strstr(say(REASON_PORT_NOT_ALLOWED, span_of("a.example"), 22, false),
			       "drydock run -a a.example:22 ..."));
	assert_null(strstr(say(REASON_DENIED_BY_RULE, span_of("a.example"), 443, false), "drydock run"));
	assert_null(strstr(say(REASON_ECH_REFUSED, span_of("a.example"), 443, false), "drydock run"));
}

static void a_hostile_host_cannot_write_a_line_or_a_quote(void **state)
{
	static const char host[] = "x\r\nSet-Cookie: a=b\r\n\r\n<b>\"\\\x1b[31m\xe2\x80\xae";

	(void)state;
	for (int json = 0; json < 2; json++) {
		const char *said = say(REASON_NOT_ALLOWLISTED, span_of(host), 443, json);
		const char *body = strstr(said, "\r\n\r\n");
		assert_non_null(body);
		assert_null(strstr(said, "Set-Cookie: "));
		assert_null(strchr(said, '<'));
		assert_null(strchr(said, '\x1b'));
		assert_null(strstr(said, "\xe2\x80\xae"));
		assert_non_null(strstr(said, "403 Blocked by drydock: x??Set-Cookie:?a?b????"));
	}
}

static void a_long_host_is_cut(void **state)
{
	char host[255];

	(void)state;
	memset(host, 'a', sizeof(host));
	const char *said = say(REASON_NOT_ALLOWLISTED, span_make(host, sizeof(host)), 443, false);
	assert_true(strlen(said) < 1500);
}

static void json_has_the_same_facts(void **state)
{
	(void)state;
	const char *said = say(REASON_NOT_ALLOWLISTED, span_of("evil.example"), 443, true);
	assert_non_null(strstr(said, "\r\nContent-Type: application/problem+json\r\n"));
	assert_non_null(strstr(said, "\r\n\r\n{\"type\":\"urn:drydock:not-allowlisted\",\"title\":\"no allow rule "
				     "matches this host\",\"status\":403,\"host\":\"evil.example\",\"port\":443,"
				     "\"rule\":\"default-deny\",\"decision\":42,"));
	assert_non_null(strstr(said, "\"retryable\":false,\"human_command\":\"drydock run -a evil.example ...\"}"));
}

static void an_ssh_disconnect_is_a_well_formed_packet(void **state)
{
	AUTO(buf) struct buf out = {.max = DENIAL_MAX_BYTES};
	struct wire_refused why = {.reason = REASON_NOT_ALLOWLISTED};
	struct denial d = {&why, span_of("git.example"), 22, false, false, 0, ""};
	size_t line = strlen("SSH-2.0-drydock\r\n");

	(void)state;
	assert_true(denial_ssh(&d, &out));
	assert_memory_equal(out.p, "SSH-2.0-drydock\r\n", line);
	struct cursor c = {.left = span_make(out.p + line, out.n - line)};
	struct cursor packet = {.left = take(&c, take_u32(&c))};
	uint8_t padding = take_u8(&packet);
	assert_int_equal((out.n - line) % 8, 0);
	assert_int_equal(c.left.n, 0);
	assert_true(padding >= 4);
	assert_int_equal(take_u8(&packet), 1);
	assert_int_equal(take_u32(&packet), 11);
	struct span message = take(&packet, take_u32(&packet));
	assert_true(span_is(message, "Blocked by drydock: git.example:22 not on the allowlist"));
	assert_int_equal(take_u32(&packet), 0);
	assert_int_equal(packet.left.n, padding);
	assert_false(packet.ran_out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_refusal_names_host_reason_and_way_out),
		cmocka_unit_test(within_a_session_the_way_out_is_into_it),
		cmocka_unit_test(every_reason_has_a_status_and_a_text),
		cmocka_unit_test(a_rule_that_denied_is_named),
		cmocka_unit_test(no_rule_is_suggested_where_a_rule_would_not_help),
		cmocka_unit_test(a_hostile_host_cannot_write_a_line_or_a_quote),
		cmocka_unit_test(a_long_host_is_cut),
		cmocka_unit_test(json_has_the_same_facts),
		cmocka_unit_test(an_ssh_disconnect_is_a_well_formed_packet),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
