/* SPDX-License-Identifier: Apache-2.0 */
/* A session's record read back: what is there, what is missing, what is no record at all. */
#include "report/meta.h"
#include "base/fs.h"
#include "base/own.h"
#include "base/span.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <string.h>

static char path[] = "/tmp/drydock-meta-XXXXXX";

static int read_text(const char *text, struct meta *out)
{
	assert_int_equal(fs_replace(path, span_of(text), 0600, NULL), 0);
	return meta_read(path, out, NULL);
}

static void a_record_is_read_whole(void **state)
{
	(void)state;
	struct meta m;
	assert_int_equal(read_text("{\"v\":1,\"session\":\"a-1\",\"mode\":\"contain\",\"engine\":\"native\",\"project\":\"/p\","
				   "\"cwd\":\"/p/x\",\"command\":[\"sh\",\"-c\",\"x\"],\"layers\":\"l\",\"pid\":7,"
				   "\"mounts\":[{\"path\":\"/m\",\"writable\":true},{\"path\":\"/n\",\"writable\":false}],"
				   "\"started\":\"s\",\"ended\":\"e\",\"exit\":3,\"refused\":4,\"later\":{}}",
				   &m),
			 0);
	assert_string_equal(m.engine, "native");
	assert_string_equal(m.project, "/p");
	assert_int_equal(m.n_argv, 3);
	assert_string_equal(m.argv[2], "x");
	assert_int_equal(m.n_mounts, 2);
	assert_true(m.mounts[0].is_writable);
	assert_false(m.mounts[1].is_writable);
	assert_int_equal(m.pid, 7);
	assert_true(m.has_ended);
	assert_int_equal(m.exit_code, 3);
	assert_int_equal(m.n_refused, 4);
	meta_drop(&m);
}

static void what_is_missing_or_of_another_kind_reads_as_nothing(void **state)
{
	(void)state;
	struct meta m;
	assert_int_equal(read_text("{\"command\":[1,null,\"x\"],\"mounts\":[3],\"refused\":-5,\"engine\":{}}", &m), 0);
	assert_string_equal(m.engine, "");
	assert_string_equal(m.project, "");
	assert_int_equal(m.n_argv, 1);
	assert_string_equal(m.mounts[0].path, "");
	assert_false(m.has_ended);
	assert_int_equal(m.n_refused, 0);
	meta_drop(&m);
}

static void what_is_no_record_is_an_error(void **state)
{
	(void)state;
	struct meta m = {.exit_code = 77};
	static const char *const bad[] = {"", "[]", "{", "null", "{\"a\":1,\"a\":2}", "\xff"};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(read_text(bad[i], &m), -EINVAL);
	assert_int_equal(m.exit_code, 77);
	assert_int_equal(meta_read("/nonexistent/meta.json", &m, NULL), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_record_is_read_whole),
		cmocka_unit_test(what_is_missing_or_of_another_kind_reads_as_nothing),
		cmocka_unit_test(what_is_no_record_is_an_error),
	};
	AUTO(fd) int fd = mkstemp(path);
	if (fd < 0)
		return 1;
	int rc = cmocka_run_group_tests_name("report/meta", tests, NULL, NULL);
	(void)unlink(path);
	return rc;
}
