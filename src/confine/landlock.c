/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Distribution headers lag behind kernels, so the constants are written out here (uapi/linux/landlock.h).
 * Rights that the running kernel's ABI does not know are masked off: it would refuse the whole ruleset.
 */
#include "confine/landlock.h"
#include "base/own.h"
#include "confine/privs.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#define FS_EXECUTE	(1ull << 0)
#define FS_WRITE_FILE	(1ull << 1)
#define FS_READ_FILE	(1ull << 2)
#define FS_READ_DIR	(1ull << 3)
#define FS_REFER	(1ull << 13) /* ABI 2 */
#define FS_TRUNCATE	(1ull << 14) /* ABI 3 */
#define FS_IOCTL_DEV	(1ull << 15) /* ABI 5 */
#define FS_RESOLVE_UNIX (1ull << 16) /* ABI 9 */
#define FS_ALL_ABI1	((1ull << 13) - 1)
#define NET_BIND_TCP	(1ull << 0) /* ABI 4 */
#define NET_CONNECT_TCP (1ull << 1) /* ABI 4 */
#define SCOPE_ABSTRACT	(1ull << 0) /* ABI 6 */
#define SCOPE_SIGNAL	(1ull << 1) /* ABI 6 */

enum { CREATE_VERSION = 1, RULE_PATH_BENEATH = 1 };

struct ruleset_attr {
	uint64_t fs, net, scoped;
};
struct path_attr {
	uint64_t allowed;
	int32_t parent_fd;
} __attribute__((packed));

int landlock_abi(void)
{
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, CREATE_VERSION);
	return abi < 0 ? 0 : (int)abi;
}

static uint64_t fs_rights(int abi)
{
	uint64_t rights = FS_ALL_ABI1;
	if (abi >= 2)
		rights |= FS_REFER;
	if (abi >= 3)
		rights |= FS_TRUNCATE;
	if (abi >= 5)
		rights |= FS_IOCTL_DEV;
	if (abi >= 9)
		rights |= FS_RESOLVE_UNIX;
	return rights;
}

static size_t attr_bytes(int abi)
{
	return abi >= 6 ? 24 : abi >= 4 ? 16 : 8;
}

static int make_ruleset(int abi, const struct ruleset_attr *attr, struct err *err)
{
	long fd = syscall(SYS_landlock_create_ruleset, attr, attr_bytes(abi), 0);
	return fd < 0 ? err_set(err, errno, "making a Landlock ruleset") : (int)fd;
}

static int add_path(int ruleset, const struct landlock_path *p, uint64_t handled, struct err *err)
{
	AUTO(fd) int fd = open(p->path, O_PATH | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT || errno == EACCES
			       ? 0
			       : err_set(err, errno, "opening '%s' for Landlock", p->path);
	struct stat st;
	if (fstat(fd, &st) < 0)
		return err_set(err, errno, "looking at '%s' for Landlock", p->path);
	uint64_t allowed = FS_EXECUTE | FS_READ_FILE | FS_READ_DIR;
	if (p->is_writable)
		allowed = handled;
	if (!S_ISDIR(st.st_mode))
		allowed &= FS_EXECUTE | FS_READ_FILE | FS_WRITE_FILE | FS_TRUNCATE | FS_IOCTL_DEV |
			   FS_RESOLVE_UNIX;
	struct path_attr attr = {.allowed = allowed & handled, .parent_fd = fd};
	if (syscall(SYS_landlock_add_rule, ruleset, RULE_PATH_BENEATH, &attr, 0) < 0)
		return err_set(err, errno, "adding '%s' to the Landlock ruleset", p->path);
	return 0;
}

static int enforce(int ruleset, struct err *err)
{
	if (syscall(SYS_landlock_restrict_self, ruleset, 0) < 0)
		return err_set(err, errno, "entering the Landlock domain");
	return 0;
}

int landlock_restrict(const struct landlock_path *paths, size_t n_paths, struct err *err)
{
	int abi = landlock_abi();
	if (abi < 1)
		return err_set(err, ENOSYS, "Landlock");
	struct ruleset_attr attr = {.fs = fs_rights(abi)};
	AUTO(fd) int ruleset = make_ruleset(abi, &attr, err);
	if (ruleset < 0)
		return ruleset;
	for (size_t i = 0; i < n_paths; i++) {
		int rc = add_path(ruleset, &paths[i], attr.fs, err);
		if (rc < 0)
			return rc;
	}
	return enforce(ruleset, err);
}

int landlock_nothing(unsigned may, struct err *err)
{
	int abi = landlock_abi();
	if (abi < 1)
		return 0; /* second layer only: the filter has taken open() away as well */
	struct ruleset_attr attr = {.fs = fs_rights(abi)};
	if (abi >= 4)
		attr.net = NET_BIND_TCP | (may & LANDLOCK_MAY_CONNECT ? 0 : NET_CONNECT_TCP);
	if (abi >= 6)
		attr.scoped = SCOPE_ABSTRACT | (may & LANDLOCK_MAY_SIGNAL ? 0 : SCOPE_SIGNAL);
	int rc = privs_no_new(err);
	if (rc < 0)
		return rc;
	AUTO(fd) int ruleset = make_ruleset(abi, &attr, err);
	return ruleset < 0 ? ruleset : enforce(ruleset, err);
}
