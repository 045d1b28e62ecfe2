/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The new root is built on a tmpfs by descriptor: every target is opened beneath it with openat2(2), following
 * no symbolic link out of it, and mounts are moved onto descriptors, so that nothing a hostile project holds can
 * lead a mount astray. The steps come parents first.
 */
#include "jail/mounts.h"
#include "base/own.h"
#include "jail/userns.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/mount.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>

/* mount(2) of libc next to linux/mount.h: the two headers do not go together. */
int mount(const char *, const char *, const char *, unsigned long, const void *);
int umount2(const char *, int);
enum { MAX_OWNERS = 16, RENEW_TRIES = 64 };
enum { FLAG_PRIVATE = 1 << 18, FLAG_REC = 16384, DETACH = 2 };

struct builder {
	int root; /* the new root's folder */
};

static int attr_set(int fd, uint64_t attrs, int idmap_fd, bool is_recursive)
{
	struct mount_attr attr = {.attr_set = attrs | (idmap_fd >= 0 ? (uint64_t)MOUNT_ATTR_IDMAP : 0),
				  .userns_fd = (uint64_t)(idmap_fd >= 0 ? (unsigned)idmap_fd : 0u)};
	unsigned flags = AT_EMPTY_PATH | (is_recursive ? AT_RECURSIVE : 0);
	return syscall(SYS_mount_setattr, fd, "", flags, &attr, sizeof(attr)) < 0 ? -errno : 0;
}

/* User namespaces for idmapped mounts, one an owner; a session has few. */
struct idmaps {
	uid_t agent_uid;
	gid_t agent_gid;
	size_t n;
	struct {
		uid_t uid;
		gid_t gid;
		int fd;
	} of[MAX_OWNERS];
};

static void idmaps_drop(struct idmaps *maps)
{
	while (maps->n)
		fd_drop(&maps->of[--maps->n].fd);
}

static int idmap_for(struct idmaps *maps, const struct stat *st, struct err *err)
{
	for (size_t i = 0; i < maps->n; i++)
		if (maps->of[i].uid == st->st_uid && maps->of[i].gid == st->st_gid)
			return maps->of[i].fd;
	if (maps->n == MAX_OWNERS)
		return err_set(err, E2BIG, "showing files of more than %d owners as the agent's own", MAX_OWNERS);
	int fd;
	int rc = userns_for_idmap(st->st_uid, st->st_gid, maps->agent_uid, maps->agent_gid, &fd, err);
	if (rc < 0)
		return rc;
	maps->of[maps->n].uid = st->st_uid;
	maps->of[maps->n].gid = st->st_gid;
	maps->of[maps->n++].fd = fd;
	return fd;
}

static int take_tree(const struct step *step, struct idmaps *maps, int *out, struct err *err)
{
	unsigned flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_SYMLINK_NOFOLLOW;
	struct stat st;
	if (lstat(step->host, &st) < 0) {
		if (step->is_optional && (errno == ENOENT || errno == EACCES || errno == ENOTDIR))
			return 0;
		return err_set(err, errno, "showing '%s'", step->host);
	}
	if (S_ISLNK(st.st_mode))
		return 0; /* /bin and friends: becomes a link again */
	if (!step->is_idmapped)
		flags |= AT_RECURSIVE;
	AUTO(fd) int fd = (int)syscall(SYS_open_tree, AT_FDCWD, step->host, flags);
	if (fd < 0 && step->is_optional && (errno == ENOENT || errno == EACCES))
		return 0;
	if (fd < 0 && errno == EINVAL)
		return err_set(err, errno, "showing '%s' (mounted below another user's namespace?)",
			       step->host);
	if (fd < 0)
		return err_set(err, errno, "showing '%s'", step->host);
	int idmap = step->is_idmapped ? idmap_for(maps, &st, err) : -1;
	if (step->is_idmapped && idmap < 0)
		return idmap;
	uint64_t attrs = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | (step->is_writable ? 0 : MOUNT_ATTR_RDONLY);
	int rc = attr_set(fd, attrs, idmap, !step->is_idmapped);
	if (rc == -EINVAL && step->is_idmapped) {
		err_set(err, -rc, "showing '%s' as the agent's own: its file system knows no idmapped mounts",
			step->host);
		return err_fix(err, "run drydock as an ordinary user, move the project to ext4, xfs or btrfs, "
				    "or accept root's files with --as-root");
	}
	if (rc < 0)
		return err_set(err, -rc, "making '%s' %s", step->host,
			       step->is_writable ? "nosuid" : "read-only");
	*out = fd_take(&fd);
	return 0;
}

int mounts_take(const struct plan *plan, int *trees, uid_t agent_uid, gid_t agent_gid, struct err *err)
{
	struct idmaps maps = {.agent_uid = agent_uid, .agent_gid = agent_gid};
	int rc = 0;

	for (size_t i = 0; i < plan->n_steps; i++)
		trees[i] = -1;
	for (size_t i = 0; rc == 0 && i < plan->n_steps; i++)
		if (plan->steps[i].kind == STEP_BIND)
			rc = take_tree(&plan->steps[i], &maps, &trees[i], err);
	idmaps_drop(&maps);
	return rc;
}

static int open_beneath(int root, const char *path, uint64_t flags)
{
	struct open_how how = {.flags = flags | O_CLOEXEC,
			       .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS};
	while (*path == '/')
		path++;
	long fd = syscall(SYS_openat2, root, *path ? path : ".", &how, sizeof(how));
	return fd < 0 ? -errno : (int)fd;
}

/* The folder that holds @path, made on the way where it is missing; *out_last points into @path. */
static int open_parent(const struct builder *b, const char *path, const char **out_last)
{
	char part[PATH_MAX];
	const char *last = strrchr(path, '/') + 1;
	*out_last = last;
	AUTO(fd) int dir = fcntl(b->root, F_DUPFD_CLOEXEC, 3);
	if (dir < 0)
		return -errno;
	for (const char *p = path; p < last;) {
		p += strspn(p, "/");
		size_t n = strcspn(p, "/");
		if (p >= last || n == 0)
			break;
		if ((size_t)(p - path) + n >= sizeof(part))
			return -ENAMETOOLONG;
		memcpy(part, path, (size_t)(p - path) + n);
		part[(size_t)(p - path) + n] = '\0';
		int next = open_beneath(b->root, part, O_PATH | O_DIRECTORY);
		if (next == -ENOENT) {
			char name[NAME_MAX + 1];
			if (n > NAME_MAX)
				return -ENAMETOOLONG;
			memcpy(name, p, n);
			name[n] = '\0';
			if (mkdirat(dir, name, 0755) < 0)
				return -errno;
			next = openat(dir, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
			if (next < 0)
				return -errno;
		}
		if (next < 0)
			return next;
		fd_drop(&dir);
		dir = next;
		p += n;
	}
	return fd_take(&dir);
}

/* A descriptor of the place @path, made as a folder or an empty file where it is missing. */
static int open_place(const struct builder *b, const char *path, bool is_dir)
{
	const char *last;
	if (!strcmp(path, "/"))
		return open_beneath(b->root, ".", O_PATH | O_DIRECTORY);
	AUTO(fd) int dir = open_parent(b, path, &last);
	if (dir < 0)
		return dir;
	int fd = openat(dir, last, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (fd >= 0)
		return fd;
	if (errno != ENOENT)
		return -errno;
	if (is_dir ? mkdirat(dir, last, 0755) < 0 : mknodat(dir, last, S_IFREG | 0644, 0) < 0)
		return -errno;
	fd = openat(dir, last, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static int move_onto(int tree, int place)
{
	return syscall(SYS_move_mount, tree, "", place, "",
		       MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) < 0
		       ? -errno
		       : 0;
}

static int new_fs(const char *type, const char *const options[][2], unsigned attrs)
{
	AUTO(fd) int fs = (int)syscall(SYS_fsopen, type, FSOPEN_CLOEXEC);
	if (fs < 0)
		return -errno;
	for (size_t i = 0; options && options[i][0]; i++)
		if (syscall(SYS_fsconfig, fs, FSCONFIG_SET_STRING, options[i][0], options[i][1], 0) < 0)
			return -errno;
	if (syscall(SYS_fsconfig, fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return -errno;
	int fd = (int)syscall(SYS_fsmount, fs, FSMOUNT_CLOEXEC, attrs);
	return fd < 0 ? -errno : fd;
}

static int mount_new(const struct builder *b, const char *type, const char *const options[][2],
		     unsigned attrs, const char *inside)
{
	AUTO(fd) int tree = new_fs(type, options, attrs);
	if (tree < 0)
		return tree;
	AUTO(fd) int place = open_place(b, inside, true);
	return place < 0 ? place : move_onto(tree, place);
}

static int step_tmpfs(const struct builder *b, const struct step *step)
{
	char size[24];
	bool is_shared = strcmp(step->inside, "/tmp") == 0 || strcmp(step->inside, "/var/tmp") == 0;
	(void)snprintf(size, sizeof(size), "%llu", (unsigned long long)step->size_bytes); /* 20 digits */
	const char *options[][2] = {{"size", size}, {"mode", is_shared ? "1777" : "0755"}, {NULL, NULL}};
	return mount_new(b, "tmpfs", options, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV, step->inside);
}

static int step_link(const struct builder *b, const char *inside, const char *target)
{
	const char *last;
	AUTO(fd) int dir = open_parent(b, inside, &last);
	if (dir < 0)
		return dir;
	return symlinkat(target, dir, last) < 0 && errno != EEXIST ? -errno : 0;
}

static int step_bind(const struct builder *b, const struct step *step, int *tree)
{
	if (*tree < 0) {
		char target[PATH_MAX];
		ssize_t n = readlink(step->host, target, sizeof(target) - 1);
		if (n <= 0)
			return 0; /* the host does not have it: mounts_take() saw to that */
		target[n] = '\0';
		return step_link(b, step->inside, target);
	}
	struct stat st;
	if (fstat(*tree, &st) < 0)
		return -errno;
	AUTO(fd) int place = open_place(b, step->inside, S_ISDIR(st.st_mode));
	if (place < 0)
		return place;
	int rc = move_onto(*tree, place);
	fd_drop(tree);
	return rc;
}

/* No symbolic link may stand on the way. */
static int open_itself(int root, const char *path)
{
	struct open_how how = {.flags = O_PATH | O_CLOEXEC,
			       .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS};
	int fd = (int)syscall(SYS_openat2, root, path + 1, &how, sizeof(how));
	return fd < 0 ? -errno : fd;
}

static int bind_over_itself(int place, bool is_read_only)
{
	AUTO(fd) int tree = (int)syscall(SYS_open_tree, place, "",
					 OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH);
	if (tree < 0)
		return -errno;
	int rc = is_read_only ? attr_set(tree, MOUNT_ATTR_RDONLY, -1, false) : 0;
	return rc < 0 ? rc : move_onto(tree, place);
}

static int step_rebind(const struct builder *b, const struct step *step)
{
	AUTO(fd) int place = open_itself(b->root, step->inside);
	return place < 0 ? place : bind_over_itself(place, step->kind == STEP_PROTECT);
}

static int renew_once(int root, const char *path, bool is_read_only)
{
	struct statx st;

	AUTO(fd) int place = open_itself(root, path);
	if (place == -ENOENT || place == -ENOTDIR)
		return 0;
	if (place < 0)
		return place;
	if (statx(place, "", AT_EMPTY_PATH, STATX_TYPE, &st) < 0)
		return -errno;
	if (st.stx_attributes & STATX_ATTR_MOUNT_ROOT)
		return 0;
	int rc = bind_over_itself(place, is_read_only);
	return rc < 0 ? rc : 1;
}

int mounts_renew(const char *path, bool is_read_only)
{
	int rc = -ENOENT;

	AUTO(fd) int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root < 0)
		return -errno;
	for (int i = 0; rc == -ENOENT && i < RENEW_TRIES; i++) /* it was replaced once more, between two calls */
		rc = renew_once(root, path, is_read_only);
	return rc;
}

static int step_mask(const struct builder *b, const char *inside)
{
	AUTO(fd) int place = open_beneath(b->root, inside, O_PATH | O_NOFOLLOW);
	if (place < 0)
		return place;
	struct stat st;
	if (fstat(place, &st) < 0)
		return -errno;
	if (S_ISDIR(st.st_mode)) {
		AUTO(fd) int tree = new_fs("tmpfs", NULL, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID |
								  MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
		return tree < 0 ? tree : move_onto(tree, place);
	}
	AUTO(fd) int nothing = (int)syscall(SYS_open_tree, b->root, "dev/null",
					    OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	if (nothing < 0)
		return -errno;
	return move_onto(nothing, place);
}

static int step_proc(const struct builder *b)
{
	static const char *const read_only[] = {"/proc/sys", "/proc/bus", "/proc/fs", "/proc/irq",
						"/proc/sysrq-trigger"};
	int rc = mount_new(b, "proc", NULL, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC,
			   "/proc");
	for (size_t i = 0; rc == 0 && i < sizeof(read_only) / sizeof(read_only[0]); i++) {
		char path[32];
		(void)snprintf(path, sizeof(path), "%s", read_only[i]); /* all short */
		struct step ro = {.kind = STEP_PROTECT, .inside = path};
		rc = step_rebind(b, &ro);
		if (rc == -ENOENT)
			rc = 0; /* this kernel has no such file */
	}
	return rc;
}

static int step_sys(const struct builder *b)
{
	return mount_new(b, "sysfs", NULL,
			 MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC, "/sys");
}

/* Devices cannot be made in a user namespace: the host's are bound one by one. */
static int bind_device(const struct builder *b, const char *path)
{
	AUTO(fd) int tree =
		(int)syscall(SYS_open_tree, AT_FDCWD, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	if (tree < 0)
		return -errno;
	AUTO(fd) int place = open_place(b, path, false);
	return place < 0 ? place : move_onto(tree, place);
}

static int step_dev(const struct builder *b)
{
	static const char *const devices[] = {"/dev/null",   "/dev/zero",    "/dev/full",
					      "/dev/random", "/dev/urandom", "/dev/tty"};
	static const char *const links[][2] = {{"/dev/fd", "/proc/self/fd"},
					       {"/dev/stdin", "/proc/self/fd/0"},
					       {"/dev/stdout", "/proc/self/fd/1"},
					       {"/dev/stderr", "/proc/self/fd/2"},
					       {"/dev/ptmx", "pts/ptmx"}};
	static const char *const dev[][2] = {{"size", "65536"}, {"mode", "0755"}, {NULL, NULL}};
	static const char *const pts[][2] = {{"ptmxmode", "0666"}, {"mode", "0620"}, {NULL, NULL}};
	static const char *const shm[][2] = {{"size", "50%"}, {"mode", "1777"}, {NULL, NULL}};

	int rc = mount_new(b, "tmpfs", dev, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC, "/dev");
	for (size_t i = 0; rc == 0 && i < sizeof(devices) / sizeof(devices[0]); i++)
		rc = bind_device(b, devices[i]);
	for (size_t i = 0; rc == 0 && i < sizeof(links) / sizeof(links[0]); i++)
		rc = step_link(b, links[i][0], links[i][1]);
	if (rc == 0)
		rc = mount_new(b, "devpts", pts, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC, "/dev/pts");
	if (rc == 0)
		rc = mount_new(b, "tmpfs", shm, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC,
			       "/dev/shm");
	return rc;
}

/* The text becomes a file of a detached tmpfs, which is bound over the place itself, never over what it links to. */
static int step_file(const struct builder *b, const struct step *step)
{
	static const char *const options[][2] = {{"size", "16384"}, {NULL, NULL}};
	AUTO(fd) int fs = new_fs("tmpfs", options, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
	if (fs < 0)
		return fs;
	AUTO(fd) int file = openat(fs, "file", O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0444);
	size_t n = strlen(step->host);
	if (file < 0 || write(file, step->host, n) != (ssize_t)n)
		return errno ? -errno : -EIO;
	fd_drop(&file);
	AUTO(fd) int tree =
		(int)syscall(SYS_open_tree, fs, "file", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	if (tree < 0)
		return -errno;
	int rc = attr_set(tree, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV, -1, false);
	if (rc < 0)
		return rc;
	AUTO(fd) int place = open_place(b, step->inside, false);
	return place < 0 ? place : move_onto(tree, place);
}

static int carry_out(const struct builder *b, const struct step *step, int *tree)
{
	switch (step->kind) {
	case STEP_TMPFS:
		return step_tmpfs(b, step);
	case STEP_DIR: {
		AUTO(fd) int place = open_place(b, step->inside, true);
		return place < 0 ? place : 0;
	}
	case STEP_LINK:
		return step_link(b, step->inside, step->host);
	case STEP_BIND:
		return step_bind(b, step, tree);
	case STEP_PROTECT:
	case STEP_PIN:
		return step_rebind(b, step);
	case STEP_MASK:
		return step_mask(b, step->inside);
	case STEP_PROC:
		return step_proc(b);
	case STEP_SYS:
		return step_sys(b);
	case STEP_DEV:
		return step_dev(b);
	case STEP_FILE:
		return step_file(b, step);
	case STEP_KINDS:
		break;
	}
	return -EINVAL;
}

static int explain(const struct step *step, int rc, struct err *err)
{
	err_set(err, -rc, "mounting '%s' in the jail", step->inside);
	if (rc == -ELOOP)
		return err_fix(err, "replace the symbolic link at '%s' by what it points to: what runs on the host "
				    "later is protected by its path", step->inside);
	if (step->kind == STEP_PROC && rc == -EPERM)
		return err_fix(err, "this container masks parts of /proc: start it with --security-opt "
				    "systempaths=unconfined, or run drydock outside of it");
	if (step->kind == STEP_SYS && rc == -EPERM)
		return err_fix(err, "mount it outside first (mount -t sysfs sysfs /sys): the kernel gives a session no more of it "
				    "than is seen here; in a container: --security-opt systempaths=unconfined");
	if (rc == -EROFS)
		return err_fix(err, "make '%s' on the host, so that there is a place to mount on", step->inside);
	return rc;
}

int mounts_build(const struct plan *plan, int *trees, struct err *err)
{
	struct builder b = {.root = -1};

	if (mount(NULL, "/", NULL, FLAG_REC | FLAG_PRIVATE, NULL) < 0)
		return err_set(err, errno, "making mounts private");
	/* Step 0 is the root: a tmpfs over /tmp, which is hidden in any case and exists everywhere. */
	AUTO(fd) int tree = new_fs("tmpfs", (const char *const[][2]){{"size", "8388608"}, {"mode", "0755"}, {NULL, NULL}},
				   MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV);
	if (tree < 0)
		return err_set(err, -tree, "making the jail's root");
	if (syscall(SYS_move_mount, tree, "", AT_FDCWD, "/tmp", MOVE_MOUNT_F_EMPTY_PATH) < 0)
		return err_set(err, errno, "mounting the jail's root on /tmp");
	AUTO(fd) int root = fd_take(&tree);
	b.root = root;
	for (size_t i = 1; i < plan->n_steps; i++) {
		const struct step *step = &plan->steps[i];
		int rc = carry_out(&b, step, &trees[i]);
		if ((rc == -ENOENT || rc == -ENOTDIR) && step->is_optional)
			continue;
		if (rc == -EROFS && step->is_optional && step->kind == STEP_FILE)
			continue; /* no such file in /etc: nothing there to be misled by */
		if (rc < 0)
			return explain(step, rc, err);
	}
	if (attr_set(root, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV, -1, false) < 0)
		return err_set(err, errno, "making the jail's root read-only");
	if (fchdir(root) < 0 || syscall(SYS_pivot_root, ".", ".") < 0)
		return err_set(err, errno, "changing to the jail's root");
	if (umount2(".", DETACH) < 0 || chdir("/") < 0)
		return err_set(err, errno, "leaving the host's root");
	return 0;
}
