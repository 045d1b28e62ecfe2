/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/egress/test_audit.c - the chain, and what happens when the disk is full */
#include "egress/broker/audit.h"
#include "base/own.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/resource.h>
#include <cmocka.h>

static const char zeros[] = "0000000000000000000000000000000000000000000000000000000000000000";

static int open_log(FILE **out)
{
	*out = tmpfile();
	assert_non_null(*out);
	assert_int_equal(fcntl(fileno(*out), F_SETFL, O_APPEND), 0);
	return fileno(*out);
}

static size_t read_log(int fd, char *text, size_t max)
{
	ssize_t got = pread(fd, text, max - 1, 0);
	assert_true(got >= 0);
	text[got] = '\0';
	return (size_t)got;
}

/* Follows the chain as a reader would; returns the number of lines. */
static size_t verify(int fd)
{
	static char text[1 << 20];
	char prev[SHA256_HEX_BYTES];
	size_t n = 0;

	memcpy(prev, zeros, sizeof(prev));
	(void)read_log(fd, text, sizeof(text));
	for (char *line = text; *line; n++) {
		char *end = strchr(line, '\n');
		assert_non_null(end);
		const char *said = strstr(line, "\"prev\":\"");
		assert_true(said && said < end);
		assert_memory_equal(said + 8, prev, 64);
		sha256_hex(span_make(line, (size_t)(end - line)), prev);
		line = end + 1;
	}
	return n;
}

static void every_line_carries_the_hash_of_the_one_before(void **state)
{
	(void)state;
	AUTO(file) FILE *log = NULL;
	struct audit a;
	struct err err = {0};
	int fd = open_log(&log);
	assert_int_equal(audit_init(&a, fd, "shop-7f3a", &err), 0);
	for (uint64_t i = 1; i <= 20; i++) {
		struct audit_record r = {
			.event = "dns", .name = span_of("a.example"), .has_verdict = true};
		assert_int_equal(audit_write(&a, &r), i);
	}
	assert_int_equal(verify(fd), 20);
}

static void a_log_that_is_there_is_continued(void **state)
{
	(void)state;
	AUTO(file) FILE *log = NULL;
	struct audit a;
	struct err err = {0};
	int fd = open_log(&log);
	for (int run = 0; run < 3; run++) {
		assert_int_equal(audit_init(&a, fd, "s", &err), 0);
		(void)audit_write(&a, &(struct audit_record){.event = "start"});
		(void)audit_write(&a, &(struct audit_record){.event = "end"});
	}
	assert_int_equal(verify(fd), 6);
}

static void a_line_cut_short_by_a_crash_is_ended_first(void **state)
{
	(void)state;
	AUTO(file) FILE *log = NULL;
	struct audit a;
	struct err err = {0};
	char text[1024], hash[SHA256_HEX_BYTES];
	int fd = open_log(&log);
	assert_int_equal(write(fd, "{\"v\":1", 6), 6);
	assert_int_equal(audit_init(&a, fd, "s", &err), 0);
	(void)audit_write(&a, &(struct audit_record){.event = "start"});
	(void)read_log(fd, text, sizeof(text));
	assert_memory_equal(text, "{\"v\":1\n{", 8);
	sha256_hex(span_of("{\"v\":1"), hash);
	assert_non_null(strstr(text, hash));
}

static void a_log_that_cannot_be_read_back_is_refused_unless_empty(void **state)
{
	(void)state;
	char path[] = "/tmp/drydock-test-audit-XXXXXX";
	AUTO(fd) int made = mkstemp(path);
	AUTO(fd) int fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
	struct audit a;
	struct err err = {0};
	assert_true(made >= 0 && fd >= 0);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(audit_init(&a, fd, "s", &err), 0);
	(void)audit_write(&a, &(struct audit_record){.event = "start"});
	assert_true(audit_init(&a, fd, "s", &err) < 0);
	assert_non_null(strstr(err.text, "chain"));
}

static void a_record_holds_what_was_decided_and_hostile_bytes_are_escaped(void **state)
{
	(void)state;
	AUTO(file) FILE *log = NULL;
	struct audit a;
	struct err err = {0};
	char text[2048];
	struct addr at = {.bytes = {192, 0, 2, 7}};
	int fd = open_log(&log);
	assert_int_equal(audit_init(&a, fd, "s", &err), 0);
	const struct audit_record r = {.event = "refuse",
				       .flow = 9,
				       .has_flow = true,
				       .protocol = "connect",
				       .name = span_make("x\"\n\x1b[31m\xff", 9),
				       .port = 443,
				       .has_verdict = true,
				       .reason = "private-address",
				       .rule_file = "/etc/drydock/allow",
				       .rule_line = 12,
				       .address = &at,
				       .client = &at,
				       .client_port = 5000,
				       .has_counts = true,
				       .up_bytes = 1,
				       .down_bytes = 2,
				       .ms = 3};
	(void)audit_write(&a, &r);
	(void)read_log(fd, text, sizeof(text));
	assert_non_null(strstr(
		text, "\"session\":\"s\",\"seq\":1,\"event\":\"refuse\",\"flow\":9,"
		      "\"protocol\":\"connect\",\"name\":\"x\\\"\\n\\u001b[31m\xef\xbf\xbd\","
		      "\"port\":443,\"verdict\":\"deny\",\"reason\":\"private-address\","
		      "\"rule\":\"/etc/drydock/allow:12\",\"address\":\"192.0.2.7\","
		      "\"client\":\"192.0.2.7\",\"client_port\":5000,\"up\":1,\"down\":2,"
		      "\"ms\":3,\"prev\":\""));
}

static void what_a_full_disk_swallows_is_counted_and_the_chain_holds(void **state)
{
	(void)state;
	AUTO(file) FILE *log = NULL;
	struct audit a;
	struct err err = {0};
	char text[8192];
	struct rlimit was, small;
	int fd = open_log(&log);
	(void)signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(audit_init(&a, fd, "s", &err), 0);
	(void)audit_write(&a, &(struct audit_record){.event = "start"});
	size_t line_bytes = read_log(fd, text, sizeof(text));
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &was), 0);
	small = was;
	small.rlim_cur =
		line_bytes + line_bytes / 2; /* the next line fits half: it is taken back */
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	for (uint64_t i = 2; i <= 4; i++)
		assert_int_equal(audit_write(&a, &(struct audit_record){.event = "dns"}), i);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &was), 0);
	assert_int_equal(read_log(fd, text, sizeof(text)), line_bytes);
	(void)audit_write(&a, &(struct audit_record){.event = "end"});
	(void)read_log(fd, text, sizeof(text));
	assert_non_null(strstr(text, "\"seq\":5,\"event\":\"gap\",\"lost\":3,"));
	assert_non_null(strstr(text, "\"seq\":6,\"event\":\"end\","));
	assert_int_equal(verify(fd), 3);
}

static void without_a_log_decisions_are_numbered_all_the_same(void **state)
{
	(void)state;
	struct audit a;
	struct err err = {0};
	assert_int_equal(audit_init(&a, -1, "s", &err), 0);
	assert_int_equal(audit_write(&a, &(struct audit_record){.event = "start"}), 1);
	assert_int_equal(audit_write(&a, &(struct audit_record){.event = "end"}), 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_line_carries_the_hash_of_the_one_before),
		cmocka_unit_test(a_log_that_is_there_is_continued),
		cmocka_unit_test(a_line_cut_short_by_a_crash_is_ended_first),
		cmocka_unit_test(a_log_that_cannot_be_read_back_is_refused_unless_empty),
		cmocka_unit_test(a_record_holds_what_was_decided_and_hostile_bytes_are_escaped),
		cmocka_unit_test(what_a_full_disk_swallows_is_counted_and_the_chain_holds),
		cmocka_unit_test(without_a_log_decisions_are_numbered_all_the_same),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
