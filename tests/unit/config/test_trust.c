/* SPDX-License-Identifier: Apache-2.0 */
/* Records of trust: by path and content, private, and worth nothing when damaged. */
#include "config/trust.h"
#include "base/fs.h"
#include "base/own.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <sys/stat.h>

static char root[64], dir[128], file[128];

static int setup(void **state)
{
	(void)state;
	(void)strcpy(root, "/tmp/drydock-trust-XXXXXX");
	if (!mkdtemp(root))
		return -1;
	(void)snprintf(dir, sizeof(dir), "%s/state/trust", root);
	(void)snprintf(file, sizeof(file), "%s/.drydock", root);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	AUTO(fd) int tmp = open("/tmp", O_DIRECTORY | O_CLOEXEC);
	return fs_remove_tree(tmp, root + strlen("/tmp/"), 1000, NULL);
}

static void content_is_trusted_and_nothing_else(void **state)
{
	(void)state;
	struct stat st;
	assert_int_equal(trust_look(dir, file, span_of("a")), TRUST_NEW);
	assert_int_equal(trust_look(NULL, file, span_of("a")), TRUST_NEW);
	assert_int_equal(trust_grant(dir, file, span_of("a\n"), NULL), 0);
	assert_int_equal(trust_look(dir, file, span_of("a\n")), TRUST_OK);
	assert_int_equal(trust_look(dir, file, span_of("a")), TRUST_CHANGED);
	assert_int_equal(trust_look(dir, file, span_of("a\nb\n")), TRUST_CHANGED);
	assert_int_equal(trust_look(dir, "/elsewhere/.drydock", span_of("a\n")), TRUST_NEW);
	assert_int_equal(stat(dir, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0700);
	assert_int_equal(trust_grant(dir, file, span_of(""), NULL), 0);
	assert_int_equal(trust_look(dir, file, (struct span){0}), TRUST_OK);
	assert_int_equal(trust_revoke(dir, file, NULL), 0);
	assert_int_equal(trust_look(dir, file, (struct span){0}), TRUST_NEW);
	assert_int_equal(trust_revoke(dir, file, NULL), -ENOENT);
}

static void a_record_gives_back_what_was_trusted(void **state)
{
	(void)state;
	struct trust_record r = {.content = {.max = TRUST_FILE_MAX_BYTES}};
	char hash[SHA256_HEX_BYTES];
	assert_int_equal(trust_read(dir, file, &r, NULL), -ENOENT);
	assert_int_equal(trust_grant(dir, file, span_of("x\n--\ny\n"), NULL), 0);
	assert_int_equal(trust_read(dir, file, &r, NULL), 0);
	sha256_hex(span_of("x\n--\ny\n"), hash);
	assert_string_equal(r.hash, hash);
	assert_string_equal(r.path, file);
	assert_int_equal(r.content.n, 7);
	buf_drop(&r.content);
	assert_true(trust_grant(dir, "/a\nb/.drydock", span_of("x"), NULL) < 0);
}

static void count(const struct trust_record *record, void *arg)
{
	(void)record;
	(*(int *)arg)++;
}

/* Every byte of the record changed in turn: it never trusts another content. */
static void a_damaged_record_trusts_nothing(void **state)
{
	(void)state;
	char hex[SHA256_HEX_BYTES], path[256];
	AUTO(buf) struct buf good = {.max = 65536};
	int n = 0;
	assert_int_equal(trust_grant(dir, file, span_of("allow a.test\n"), NULL), 0);
	sha256_hex(span_of(file), hex);
	(void)snprintf(path, sizeof(path), "%s/%s", dir, hex);
	assert_int_equal(fs_read(path, &good, NULL), 0);
	for (size_t i = 0; i < good.n; i++) {
		good.p[i] ^= 0x11;
		assert_int_equal(fs_replace(path, buf_span(&good), 0600, NULL), 0);
		assert_int_not_equal(trust_look(dir, file, span_of("allow evil.test\n")), TRUST_OK);
		good.p[i] ^= 0x11;
		assert_int_equal(fs_replace(path, span_make(good.p, i), 0600, NULL), 0);
		assert_int_not_equal(trust_look(dir, file, span_of("allow a.test\n")), TRUST_OK);
	}
	assert_int_equal(fs_replace(path, buf_span(&good), 0600, NULL), 0);
	assert_int_equal(trust_look(dir, file, span_of("allow a.test\n")), TRUST_OK);
	assert_int_equal(trust_each(dir, count, &n, NULL), 0);
	assert_int_equal(n, 1);
	assert_int_equal(chmod(path, 0622), 0);
	assert_int_equal(trust_look(dir, file, span_of("allow a.test\n")), TRUST_NEW);
	/* a record that lies under another file's name is not that file's */
	assert_int_equal(chmod(path, 0600), 0);
	char other[256];
	sha256_hex(span_of("/other/.drydock"), hex);
	(void)snprintf(other, sizeof(other), "%s/%s", dir, hex);
	assert_int_equal(rename(path, other), 0);
	assert_int_equal(trust_look(dir, "/other/.drydock", span_of("allow a.test\n")), TRUST_NEW);
}

static size_t edit(const char *line, enum trust_state want)
{
	const char *lines[] = {line, NULL};
	const struct rulefile change = {.path = file, .mode = 0644, .lines = lines, .head = "# head\n"};
	enum trust_state state = TRUST_CHANGED;
	size_t n = 99;
	struct err err = {0};
	if (trust_edit(dir, &change, false, &n, &state, &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(state, want);
	return n;
}

static enum trust_state now(void)
{
	AUTO(buf) struct buf text = {.max = TRUST_FILE_MAX_BYTES};
	assert_int_equal(trust_read_file(file, &text, NULL), 0);
	return trust_look(dir, file, buf_span(&text));
}

static void the_users_own_hand_keeps_a_trust_and_makes_none(void **state)
{
	(void)state;
	assert_int_equal(edit("allow a.test:443", TRUST_OK), 1);
	assert_int_equal(now(), TRUST_OK);
	assert_int_equal(edit("allow a.test:443", TRUST_OK), 0);
	assert_int_equal(edit("allow b.test:443", TRUST_OK), 1);
	assert_int_equal(now(), TRUST_OK);
	assert_int_equal(fs_replace(file, span_of("allow evil.test\n"), 0644, NULL), 0);
	assert_int_equal(edit("allow c.test:443", TRUST_CHANGED), 1);
	assert_int_equal(now(), TRUST_CHANGED);
	assert_int_equal(trust_revoke(dir, file, NULL), 0);
	assert_int_equal(edit("allow d.test:443", TRUST_NEW), 1);
	assert_int_equal(now(), TRUST_NEW);
}

static void only_a_plain_file_is_read(void **state)
{
	(void)state;
	AUTO(buf) struct buf text = {.max = TRUST_FILE_MAX_BYTES};
	assert_int_equal(trust_read_file(file, &text, NULL), -ENOENT);
	assert_int_equal(symlink("/etc/passwd", file), 0);
	assert_int_equal(trust_read_file(file, &text, NULL), -ELOOP);
	assert_int_equal(unlink(file), 0);
	assert_int_equal(mkfifo(file, 0600), 0);
	assert_true(trust_read_file(file, &text, NULL) < 0);
	assert_int_equal(unlink(file), 0);
	assert_int_equal(mkdir(file, 0700), 0);
	assert_true(trust_read_file(file, &text, NULL) < 0);
	assert_int_equal(text.n, 0);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
int main(void)
{
	const struct CMUnitTest tests[] = {
		T(content_is_trusted_and_nothing_else),	 T(a_record_gives_back_what_was_trusted),
		T(a_damaged_record_trusts_nothing),	 T(the_users_own_hand_keeps_a_trust_and_makes_none),
		T(only_a_plain_file_is_read),
	};
	return cmocka_run_group_tests_name("config/trust", tests, NULL, NULL);
}
