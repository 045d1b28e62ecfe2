/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/jail/test_gitconfig.c - C-101: what git writes in daily work is let be, what makes it
 * run programs is not */
#include "jail/gitconfig.h"
#include "base/fs.h"
#include "base/own.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

static const char was[] =
	"[core]\n\trepositoryformatversion = 0\n\tfilemode = true\n[alias]\n\tlg = log --graph\n"
	"[remote \"origin\"]\n\turl = https://git.example/a.git\n";

static bool adds(const char *more)
{
	char text[1024];
	(void)snprintf(text, sizeof(text), "%s%s", was, more);
	return gitconfig_is_harmless(span_of(was), span_of(text));
}

static void daily_work_is_let_be(void **state)
{
	(void)state;
	static const char *const lines[] = {
		"",
		"# a comment\n; another\n\n",
		"[user]\n\tname = Somebody Else\n\temail = a@b.example\n",
		"[branch \"topic/one\"]\n\tremote = origin\n\tmerge = "
		"refs/heads/topic/one\n\trebase = true\n",
		"[remote \"fork\"]\n\turl = git@git.example:me/a.git\n\tfetch = "
		"+refs/heads/*:refs/remotes/fork/*\n",
		"[remote \"Origin\"]\n\tpushURL = ssh://git.example/a\n",
		"[pull]\n\tff = only\n[fetch]\n\tprune = true\n",
		"[submodule \"lib\"]\n\tactive = true\n\turl = ../lib.git\n",
		"[CORE]\n\tautocrlf = input\n",
		"[core] ignorecase = true\n",
		"[alias]\n\tlg = log --graph\n", /* as it was */
	};
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		if (!adds(lines[i]))
			fail_msg("refused: %s", lines[i]);
	assert_true(gitconfig_is_harmless(
		span_of(was), span_of("[core]\n\tfilemode = true\n"))); /* less than before */
}

static void what_runs_programs_is_not(void **state)
{
	(void)state;
	static const char *const lines[] = {
		"[core]\n\tfsmonitor = touch x\n",
		"[core]\n\thooksPath = .x\n",
		"[core] sshCommand = x\n",
		"[core]\n\tworktree = /\n",
		"[Core]\n\tFSMonitor = x\n",
		"[core]\n\tpager = x\n",
		"[alias]\n\tst = !x\n",
		"[alias]\n\tlg = !x\n",
		"[filter \"x\"]\n\tclean = x\n",
		"[diff \"x\"]\n\ttextconv = x\n",
		"[include]\n\tpath = /tmp/x\n",
		"[includeIf \"gitdir:/\"]\n\tpath = /tmp/x\n",
		"[credential]\n\thelper = !x\n",
		"[url \"x\"]\n\tinsteadOf = https\n",
		"[remote \"x\"]\n\turl = ext::sh -c x\n",
		"[remote \"x\"]\n\turl = -oProxyCommand=x\n",
		"[remote \"x\"]\n\tuploadpack = x\n",
		"[remote \"x\"]\n\tvcs = x\n",
		"[submodule \"x\"]\n\tupdate = !x\n",
		"[branch \"x\"]\n\tmergeoptions = -s x\n",
		"[extensions]\n\tworktreeConfig = true\n",
		"[gpg]\n\tprogram = x\n",
		/* ways around a reader of lines */
		"[user]\n\tname = x\\\n",
		"[user]\n\tname = \"x\n",
		"[core.alias]\n\tx = y\n",
		"[alias \"\"]\n\tx = y\n",
		"[user]\n\tname email = x\n",
		"[user\n",
		"[user \"a\\\"b\"]\n",
		"[]\n\tx = y\n",
		"x = y\n",
		"[user] [core] fsmonitor = x\n",
		"[branch \"a\"]\n\tremote = !x\n",
		"[core]\n\tlg = log --graph\n",
	};
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		if (adds(lines[i]))
			fail_msg("let be: %s", lines[i]);
	char nul[] = "[user]\n\tname = x\0y\n";
	assert_false(gitconfig_is_harmless(span_of(was),
					   span_make((const uint8_t *)nul, sizeof(nul) - 1)));
	assert_false(gitconfig_is_harmless(span_of(""), span_of("[alias]\n\tlg = log --graph\n")));
}

static int n_moved;
static void moved(const char *path, const char *to, void *arg)
{
	struct stat st;
	(void)path, (void)arg;
	assert_int_equal(lstat(to, &st), 0);
	n_moved++;
}

static void a_bad_file_is_moved_away_and_the_good_one_is_back(void **state)
{
	(void)state;
	char root[] = "/tmp/drydock-gitconfig-XXXXXX", path[64], session[64];
	struct gitconfig g;
	struct err err = {0};
	AUTO(buf) struct buf text = {.max = 4096};

	assert_non_null(mkdtemp(root));
	(void)snprintf(path, sizeof(path), "%s/config", root);
	(void)snprintf(session, sizeof(session), "%s/session", root);
	assert_int_equal(mkdir(session, 0700), 0);
	assert_int_equal(fs_replace(path, span_of(was), 0640, &err), 0);
	gitconfig_begin(root, &g);
	assert_int_equal(gitconfig_check(&g, session, moved, NULL, &err), 0);
	assert_int_equal(fs_replace(path, span_of("[user]\n\tname = good\n"), 0640, &err), 0);
	assert_int_equal(gitconfig_check(&g, session, moved, NULL, &err), 0);
	assert_int_equal(fs_replace(path, span_of("[core]\n\tfsmonitor = x\n"), 0640, &err), 0);
	assert_int_equal(gitconfig_check(&g, session, moved, NULL, &err), 1);
	assert_int_equal(n_moved, 1);
	assert_int_equal(fs_read(path, &text, &err), 0);
	assert_true(span_is(buf_span(&text), "[user]\n\tname = good\n"));
	assert_int_equal(remove(path), 0);
	assert_int_equal(symlink("/etc/hostname", path), 0); /* a link is no file to go by */
	assert_int_equal(gitconfig_check(&g, session, moved, NULL, &err), 1);
	struct stat st;
	assert_int_equal(lstat(path, &st), 0);
	assert_true(S_ISREG(st.st_mode));
	gitconfig_end(&g);
	AUTO(fd) int dir = open("/tmp", O_RDONLY | O_DIRECTORY);
	assert_int_equal(fs_remove_tree(dir, root + 5, 100, NULL), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(daily_work_is_let_be),
		cmocka_unit_test(what_runs_programs_is_not),
		cmocka_unit_test(a_bad_file_is_moved_away_and_the_good_one_is_back),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
