/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/owner.h"
#include "base/own.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum { ROW_BYTES = 512, LINK_BYTES = 64 };

/* --- the tables ------------------------------------------------------------------------------- */

/* Addresses stand as words of 32 bits in host order, as the kernel prints them; mapped IPv4 is turned into IPv4. */
static bool read_address(const char *hex, struct addr *out)
{
	struct sockaddr_storage ss = {.ss_family = AF_INET};
	uint32_t words[4] = {0};
	size_t n = strlen(hex) / 8;
	uint16_t port;

	if (n != 1 && n != 4)
		return false;
	for (size_t i = 0; i < n; i++)
		if (sscanf(hex + 8 * i, "%8" SCNx32, &words[i]) != 1)
			return false;
	struct addr raw = {.is_v6 = n == 4};
	memcpy(raw.bytes, words, 4 * n);
	(void)addr_to_sockaddr(&raw, 0, &ss);
	return addr_from_sockaddr(&ss, out, &port);
}

static bool is_unset(const struct addr *a)
{
	static const struct addr v4 = {0}, v6 = {.is_v6 = true};
	return addr_equal(a, &v4) || addr_equal(a, &v6);
}

/* Source: proc_net_tcp in the kernel's Documentation/networking; udp's rows are the same. */
static bool row_fits(const char *row, const struct owner_socket *s, uint64_t *out_inode)
{
	char local[33], remote[33];
	unsigned local_port, remote_port;
	uint64_t inode;
	struct addr from, to;

	if (sscanf(row, "%*d: %32[0-9A-F]:%4x %32[0-9A-F]:%4x %*2x %*x:%*x %*x:%*x %*x %*u %*u %" SCNu64, local,
		   &local_port, remote, &remote_port, &inode) != 5 ||
	    !inode || local_port != s->client.port || !read_address(local, &from) || !read_address(remote, &to))
		return false;
	bool is_free = s->protocol == OWNER_UDP && is_unset(&from);
	if (!is_free && !addr_equal(&from, &s->client.at))
		return false;
	bool is_connected = remote_port != 0;
	if (s->server.port && is_connected && (remote_port != s->server.port || !addr_equal(&to, &s->server.at)))
		return false;
	*out_inode = inode;
	return is_connected || s->protocol == OWNER_UDP;
}

static bool table_find(pid_t init_pid, const char *table, const struct owner_socket *s, uint64_t *out_inode)
{
	char path[64], row[ROW_BYTES];

	(void)snprintf(path, sizeof(path), "/proc/%d/net/%s", init_pid, table);
	AUTO(file) FILE *f = fopen(path, "re");
	for (int i = 0; f && i < OWNER_MAX_ROWS && fgets(row, sizeof(row), f); i++)
		if (row_fits(row, s, out_inode))
			return true;
	return false;
}

/* An IPv4 connection of an IPv6 socket stands in the other table. */
static bool find_inode(pid_t init_pid, const struct owner_socket *s, uint64_t *out)
{
	static const char *const tables[][2] = {[OWNER_TCP] = {"tcp", "tcp6"}, [OWNER_UDP] = {"udp", "udp6"}};
	const char *const *mine = tables[s->protocol];

	return (!s->client.at.is_v6 && table_find(init_pid, mine[0], s, out)) ||
	       table_find(init_pid, mine[1], s, out);
}

/* --- the processes ---------------------------------------------------------------------------- */

/* /proc/NUMBER: it stays this very process, even when the number is given to another. */
static int open_process(int proc, const char *number)
{
	return openat(proc, number, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

/* Which pid namespace it is in: a device and a number. False for processes that are none of our business. */
static bool read_space(int process, struct stat *out)
{
	return fstatat(process, "ns/pid", out, 0) == 0;
}

static bool is_number(const char *name)
{
	return *name && strspn(name, "0123456789") == strlen(name);
}

static bool holds(int process, const char *wanted, int *fds_left)
{
	int fd = openat(process, "fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	AUTO(dir) DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;

	if (fd >= 0 && !dir)
		(void)close(fd);
	while (dir && *fds_left > 0 && (entry = readdir(dir))) {
		char link[LINK_BYTES];
		if (!is_number(entry->d_name))
			continue;
		(*fds_left)--;
		ssize_t n = readlinkat(dirfd(dir), entry->d_name, link, sizeof(link) - 1);
		if (n <= 0)
			continue; /* closed meanwhile */
		link[n] = '\0';
		if (!strcmp(link, wanted))
			return true;
	}
	return false;
}

static bool describe(int process, const char *number, struct owner *out)
{
	struct owner owner = {0};

	AUTO(fd) int fd = openat(process, "comm", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, owner.name, sizeof(owner.name) - 1);
	if (n <= 0 || sscanf(number, "%d", &owner.pid) != 1)
		return false; /* it has just ended */
	owner.name[n - 1] = '\0'; /* the line's end */
	n = readlinkat(process, "exe", owner.exe, sizeof(owner.exe));
	owner.exe[n < 0 || n == (ssize_t)sizeof(owner.exe) ? 0 : n] = '\0';
	*out = owner;
	return true;
}

bool owner_find(pid_t init_pid, const struct owner_socket *socket, struct owner *out)
{
	char number[16], wanted[LINK_BYTES];
	struct stat space, other;
	uint64_t inode;
	int fds_left = OWNER_MAX_FDS, processes_left = OWNER_MAX_PROCESSES;

	AUTO(dir) DIR *proc = opendir("/proc");
	if (!proc)
		return false;
	(void)snprintf(number, sizeof(number), "%d", init_pid);
	AUTO(fd) int init = open_process(dirfd(proc), number);
	if (init < 0 || !read_space(init, &space) || !find_inode(init_pid, socket, &inode))
		return false;
	(void)snprintf(wanted, sizeof(wanted), "socket:[%" PRIu64 "]", inode);
	const struct dirent *entry;
	for (int i = 0; i < OWNER_MAX_ENTRIES && processes_left > 0 && (entry = readdir(proc)); i++) {
		if (!is_number(entry->d_name))
			continue;
		AUTO(fd) int process = open_process(dirfd(proc), entry->d_name);
		if (process < 0 || !read_space(process, &other) || other.st_ino != space.st_ino ||
		    other.st_dev != space.st_dev)
			continue;
		processes_left--;
		if (holds(process, wanted, &fds_left))
			return describe(process, entry->d_name, out);
	}
	return false;
}
