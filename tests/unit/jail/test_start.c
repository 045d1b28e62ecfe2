/* SPDX-License-Identifier: Apache-2.0 */
/* Builds real jails: as whoever runs the test, and what runs inside tells by its exit code.: C-21, C-23 */
#include "base/fs.h"
#include "base/own.h"
#include "jail/start.h"
#include "jail/userns.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

enum { AGENT_ID = 64123 };

static char project[] = "/var/tmp/drydock-test-XXXXXX";

static int run_in(const char *script, void (*change)(struct jail_settings *))
{
	char *argv[] = {(char *)"/bin/sh", (char *)"-c", (char *)(uintptr_t)script, NULL};
	char *envp[] = {(char *)"PATH=/usr/bin:/bin", (char *)"HOME=/home/tester", NULL};
	bool is_root = geteuid() == 0 && userns_is_initial();
	struct jail_settings s = {
		.session_id = "test-0001", .uid = geteuid(), .gid = getegid(),
		.agent_uid = is_root ? AGENT_ID : geteuid(), .agent_gid = is_root ? AGENT_ID : getegid(),
		.is_unnamed = is_root,
		.home = "/home/tester", .project = project, .cwd = project, .argv = argv, .envp = envp,
		.net = JAIL_NET_NONE,
	};
	if (change)
		change(&s);
	struct plan *plan = NULL;
	struct jail jail;
	struct err err = {0};
	if (plan_make(&s, NULL, 0, &plan, &err) < 0)
		fail_msg("%s", err.text);
	int rc = jail_start(&s, plan, -1, &jail, &err);
	plan_free(plan);
	if (rc < 0)
		fail_msg("%s (%s)", err.text, err.fix);
	if (jail.exec_errno) {
		int why = jail.exec_errno;
		(void)jail_wait(&jail);
		return -why;
	}
	return jail_wait(&jail);
}

static void the_exit_code_is_the_commands(void **state)
{
	(void)state;
	assert_int_equal(run_in("exit 42", NULL), 42);
	assert_int_equal(run_in("kill -9 $$", NULL), 128 + 9);
}

static void set_missing_command(struct jail_settings *s)
{
	static char *argv[] = {(char *)"no-such-command", NULL};
	s->argv = argv;
}

static void a_missing_command_is_reported_as_such(void **state)
{
	(void)state;
	assert_int_equal(run_in("", set_missing_command), -ENOENT);
}

static void the_project_can_be_written_and_its_files_belong_to_the_caller(void **state)
{
	(void)state;
	assert_int_equal(run_in("echo hello > made && mkdir sub", NULL), 0);
	char path[128];
	(void)snprintf(path, sizeof(path), "%s/made", project);
	struct stat st, folder;
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(stat(project, &folder), 0);
	assert_int_equal(st.st_uid, folder.st_uid);
}

static void the_system_cannot_be_written(void **state)
{
	(void)state;
	assert_int_equal(run_in("! touch /usr/x 2>/dev/null && ! touch /etc/x 2>/dev/null && "
				"! touch /x 2>/dev/null && touch /tmp/x && touch $HOME/x", NULL), 0);
}

static void no_right_is_left(void **state)
{
	(void)state;
	assert_int_equal(run_in("grep -q '^CapEff:.0000000000000000$' /proc/self/status && "
				"grep -q '^CapBnd:.0000000000000000$' /proc/self/status && "
				"grep -q '^NoNewPrivs:.1$' /proc/self/status && "
				"grep -q '^Seccomp:.2$' /proc/self/status && ! unshare -U true 2>/dev/null", NULL), 0);
}

static void nothing_under_proc_sys_is_writable(void **state)
{
	(void)state;
	assert_int_equal(run_in("! find /proc/sys -type f -writable 2>/dev/null | grep -q . && "
				"! echo x 2>/dev/null > /proc/sysrq-trigger && ! touch /sys/x 2>/dev/null", NULL), 0);
}

static void keep_root(struct jail_settings *s)
{
	s->agent_uid = s->uid;
	s->agent_gid = s->gid;
	s->as_root = true;
}

static void nothing_under_proc_sys_is_writable_as_root_either(void **state)
{
	(void)state;
	/* access(2) tells of read-only mounts to root too; three files are tried for real. */
	assert_int_equal(run_in("! find /proc/sys -type f -writable 2>/dev/null | grep . && "
				"for f in /proc/sys/kernel/core_pattern /proc/sys/vm/drop_caches "
				"/proc/sys/net/ipv4/ip_forward /proc/sysrq-trigger; do "
				"if ( : >> $f ) 2>/dev/null; then echo $f; exit 1; fi; done; id -u | grep -q '^0$'",
				keep_root), geteuid() == 0 ? 0 : 1);
}

static void inherited_descriptors_are_closed(void **state)
{
	(void)state;
	AUTO(fd) int leak = open("/etc/passwd", O_RDONLY); /* on purpose without O_CLOEXEC */
	assert_true(leak >= 0);
	assert_int_equal(run_in("test \"$(ls /proc/self/fd | tr '\\n' ' ')\" = '0 1 2 3 '", NULL), 0);
}

static void protected_entries_stay_as_they_are(void **state)
{
	(void)state;
	char cmd[512];
	(void)snprintf(cmd, sizeof(cmd), "mkdir -p %s/.git/hooks %s/.claude && touch %s/.git/config %s/.envrc "
					 "%s/.claude/settings.json", project, project, project, project, project);
	assert_int_equal(system(cmd), 0);
	assert_int_equal(run_in("! touch .git/hooks/x 2>/dev/null && ! mv .git y 2>/dev/null && "
				"! echo x 2>/dev/null >> .git/config && ! mv .claude z 2>/dev/null && "
				"! rm -rf .git/hooks 2>/dev/null && ! rm .envrc 2>/dev/null && touch .git/index", NULL), 0);
}

static void the_home_is_empty_and_other_processes_are_unseen(void **state)
{
	(void)state;
	assert_int_equal(run_in("test -z \"$(ls -A $HOME)\" && test $(ls -d /proc/[0-9]* | wc -l) -le 5", NULL), 0);
}

static void the_agent_has_a_name(void **state)
{
	(void)state;
	/* Ordinary users have theirs; an unallocated id gets one. */
	assert_int_equal(run_in("test \"$(id -u)\" -lt 1000 -o -n \"$(id -un)\" && id -un >/dev/null", NULL), 0);
}

static int make_project(void **state)
{
	(void)state;
	return mkdtemp(project) ? 0 : -1;
}

static int remove_project(void **state)
{
	(void)state;
	AUTO(fd) int dir = open("/var/tmp", O_RDONLY | O_DIRECTORY);
	return fs_remove_tree(dir, strrchr(project, '/') + 1, 1000, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_exit_code_is_the_commands),
		cmocka_unit_test(a_missing_command_is_reported_as_such),
		cmocka_unit_test(the_project_can_be_written_and_its_files_belong_to_the_caller),
		cmocka_unit_test(the_system_cannot_be_written),
		cmocka_unit_test(no_right_is_left),
		cmocka_unit_test(nothing_under_proc_sys_is_writable),
		cmocka_unit_test(nothing_under_proc_sys_is_writable_as_root_either),
		cmocka_unit_test(inherited_descriptors_are_closed),
		cmocka_unit_test(protected_entries_stay_as_they_are),
		cmocka_unit_test(the_agent_has_a_name),
		cmocka_unit_test(the_home_is_empty_and_other_processes_are_unseen),
	};
	return cmocka_run_group_tests(tests, make_project, remove_project);
}
