/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/report/test_verify.c - what counts as intact, line by line; edits of real logs are in tests/cli */
#include "report/verify.h"
#include "base/own.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

static char dir[] = "/tmp/drydock-test-verify-XXXXXX";
static char path[64];

/* A log under construction: lines are chained as the broker does it. */
struct log {
	FILE *out;
	char prev[SHA256_HEX_BYTES];
};

static struct log begin(const char *suffix, const char *prev)
{
	char name[80];
	struct log log = {0};
	(void)snprintf(name, sizeof(name), "%s%s", path, suffix);
	log.out = fopen(name, "we");
	assert_non_null(log.out);
	if (prev)
		memcpy(log.prev, prev, sizeof(log.prev));
	else
		memset(log.prev, '0', SHA256_HEX_BYTES - 1);
	return log;
}

static void put(struct log *log, unsigned seq, const char *event, const char *more)
{
	char line[512];
	(void)snprintf(line, sizeof(line), "{\"v\":1,\"time\":\"T\",\"session\":\"s\",\"seq\":%u,\"event\":\"%s\"%s,\"prev\":\"%s\"}", seq, event, more,
		       log->prev);
	assert_true(fprintf(log->out, "%s\n", line) > 0);
	sha256_hex(span_of(line), log->prev);
}

static void put_end(struct log *log, unsigned seq)
{
	put(log, seq, "end", "");
	put(log, seq + 1, "seal", "");
}

static void end(struct log *log)
{
	assert_int_equal(fclose(log->out), 0);
}

static struct verify result(void)
{
	struct verify v;
	struct err err = {0};
	assert_int_equal(verify_log(path, NULL, &v, &err), 0);
	return v;
}

static int clear(void **state)
{
	(void)state;
	static const char *const suffixes[] = {"", ".1", ".2", ".3"};
	for (size_t i = 0; i < 4; i++) {
		char name[80];
		(void)snprintf(name, sizeof(name), "%s%s", path, suffixes[i]);
		(void)unlink(name);
	}
	return 0;
}

static void a_log_with_its_end_is_sealed_and_without_it_is_not(void **state)
{
	(void)state;
	struct log log = begin("", NULL);
	put(&log, 1, "start", "");
	put(&log, 2, "gap", ",\"lost\":5");
	end(&log);
	struct verify v = result();
	assert_int_equal(v.state, VERIFY_UNSEALED);
	assert_int_equal(v.n_records, 2);
	assert_int_equal(v.n_lost, 5);
	log = begin("", NULL);
	put(&log, 1, "start", "");
	put_end(&log, 2);
	end(&log);
	v = result();
	assert_int_equal(v.state, VERIFY_SEALED);
	assert_string_equal(v.last_hash, log.prev);
}

static void every_changed_byte_shows(void **state)
{
	(void)state;
	char text[2048];
	struct log log = begin("", NULL);
	put(&log, 1, "start", "");
	put(&log, 2, "refuse", ",\"name\":\"evil.test\"");
	put(&log, 3, "end", ",\"reason\":\"asked to end\"");
	put(&log, 4, "seal", "");
	end(&log);
	assert_int_equal(result().state, VERIFY_SEALED);
	AUTO(file) FILE *f = fopen(path, "r+e");
	assert_non_null(f);
	size_t n = fread(text, 1, sizeof(text), f);
	for (size_t i = 0; i < n; i++) {
		const char other = text[i] == '7' ? '8' : '7';
		assert_int_equal(fseek(f, (long)i, SEEK_SET), 0);
		assert_int_equal(fputc(other, f), other);
		assert_int_equal(fflush(f), 0);
		assert_int_not_equal(result().state, VERIFY_SEALED);
		assert_int_equal(fseek(f, (long)i, SEEK_SET), 0);
		assert_int_equal(fputc(text[i], f), text[i]);
		assert_int_equal(fflush(f), 0);
	}
	assert_int_equal(result().state, VERIFY_SEALED);
}

static void a_hash_that_was_kept_must_be_there(void **state)
{
	(void)state;
	struct verify v;
	struct err err = {0};
	char kept[SHA256_HEX_BYTES];
	struct log log = begin("", NULL);
	put(&log, 1, "start", "");
	memcpy(kept, log.prev, sizeof(kept));
	put_end(&log, 2);
	end(&log);
	assert_int_equal(verify_log(path, kept, &v, &err), 0);
	assert_int_equal(v.state, VERIFY_SEALED);
	assert_int_equal(verify_log(path, log.prev, &v, &err), 0);
	assert_int_equal(v.state, VERIFY_SEALED);
	log = begin("", NULL); /* all of it anew, its chain whole */
	put(&log, 1, "start", ",\"reason\":\"other\"");
	put_end(&log, 2);
	end(&log);
	assert_int_equal(result().state, VERIFY_SEALED);
	assert_int_equal(verify_log(path, kept, &v, &err), 0);
	assert_int_equal(v.state, VERIFY_BROKEN);
	assert_non_null(strstr(v.why, "kept"));
}

static void a_line_cut_by_a_crash_is_borne_when_its_follower_continues_from_it(void **state)
{
	(void)state;
	struct log log = begin("", NULL);
	put(&log, 1, "start", "");
	assert_true(fprintf(log.out, "{\"v\":1,\"se\n") > 0);
	sha256_hex(span_of("{\"v\":1,\"se"), log.prev);
	put_end(&log, 2);
	end(&log);
	assert_int_equal(result().state, VERIFY_SEALED);
	log = begin("", NULL);
	put(&log, 1, "start", "");
	assert_true(fprintf(log.out, "{\"v\":1,\"se\n") > 0);
	put_end(&log, 2); /* as if the line had been put in later */
	end(&log);
	struct verify v = result();
	assert_int_equal(v.state, VERIFY_BROKEN);
	assert_non_null(strstr(v.where, ":3"));
}

static void a_file_may_begin_behind_dropped_records_only_when_a_later_one_says_so(void **state)
{
	(void)state;
	char dropped[SHA256_HEX_BYTES], more[128];
	for (int has_said = 0; has_said < 2; has_said++) {
		struct log log = begin("", NULL);
		put(&log, 1, "start", "");
		end(&log);
		struct log gone = begin(".1", log.prev); /* written over below */
		put(&gone, 2, "turn", "");
		put(&gone, 3, "dns", "");
		end(&gone);
		memcpy(dropped, gone.prev, sizeof(dropped));
		struct log second = begin(".2", dropped);
		put(&second, 4, "turn", "");
		end(&second);
		struct log newest = begin(".1", second.prev);
		(void)snprintf(more, sizeof(more), ",\"dropped_first\":2,\"dropped_last\":3,\"dropped_hash\":\"%s\"", dropped);
		put(&newest, 5, "turn", has_said ? more : "");
		put_end(&newest, 6);
		end(&newest);
		struct verify v = result();
		assert_int_equal(v.state, has_said ? VERIFY_SEALED : VERIFY_BROKEN);
		if (has_said)
			assert_int_equal(v.n_dropped, 2);
		else
			assert_string_equal(v.where, "audit.2:1");
	}
}

static void what_is_no_record_is_not_passed_over(void **state)
{
	(void)state;
	static const char *const lines[] = {"{}", "{\"seq\":1,\"prev\":\"00\"}", "null\nnull"};
	for (size_t i = 0; i < 3; i++) {
		struct log log = begin("", NULL);
		assert_true(fprintf(log.out, "%s\n", lines[i]) > 0);
		end(&log);
		assert_int_equal(result().state, VERIFY_BROKEN);
	}
	struct log log = begin("", NULL);
	assert_int_equal(fwrite("{\"v\":1}\0x\n", 1, 10, log.out), 10);
	end(&log);
	assert_int_equal(result().state, VERIFY_BROKEN);
}

static void a_log_that_is_not_there_is_an_error(void **state)
{
	(void)state;
	struct verify v;
	struct err err = {0};
	assert_int_equal(verify_log(path, NULL, &v, &err), -ENOENT);
	assert_non_null(strstr(err.text, path));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(a_log_with_its_end_is_sealed_and_without_it_is_not, clear),
		cmocka_unit_test_teardown(every_changed_byte_shows, clear),
		cmocka_unit_test_teardown(a_hash_that_was_kept_must_be_there, clear),
		cmocka_unit_test_teardown(a_line_cut_by_a_crash_is_borne_when_its_follower_continues_from_it, clear),
		cmocka_unit_test_teardown(a_file_may_begin_behind_dropped_records_only_when_a_later_one_says_so, clear),
		cmocka_unit_test_teardown(what_is_no_record_is_not_passed_over, clear),
		cmocka_unit_test(a_log_that_is_not_there_is_an_error),
	};
	if (!mkdtemp(dir))
		return 1;
	(void)snprintf(path, sizeof(path), "%s/audit", dir);
	int rc = cmocka_run_group_tests(tests, NULL, NULL);
	(void)rmdir(dir);
	return rc;
}
