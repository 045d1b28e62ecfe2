/* SPDX-License-Identifier: Apache-2.0 */
/* confine/gen/seccomp_gen.c - turns the .def tables into BPF when drydock is built; prints C */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <seccomp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

/* libseccomp's SCMP_A0() and its sisters leave the second datum out where one is enough */
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"

static void die(const char *what, int rc)
{
	fprintf(stderr, "seccomp_gen: %s: error %d\n", what, -rc);
	exit(1);
}

static void keep(scmp_filter_ctx ctx, const char *what, int call, unsigned n,
		 const struct scmp_arg_cmp *args)
{
	int rc = seccomp_rule_add_array(ctx, SCMP_ACT_ALLOW, call, n, args);
	if (rc < 0 && rc != -EEXIST) /* a table may widen what an earlier row kept */
		die(what, rc);
}

static void deny(scmp_filter_ctx ctx, const char *what, int call, int errnum, unsigned n,
		 const struct scmp_arg_cmp *args)
{
	int rc = seccomp_rule_add_array(ctx, SCMP_ACT_ERRNO((unsigned)errnum), call, n, args);
	if (rc < 0)
		die(what, rc);
}

/* An allow-list over socket()'s first argument, in a filter whose default is to allow: refuse the gaps. */
static void deny_families(scmp_filter_ctx ctx)
{
	static const unsigned kept[] = {AF_UNIX, AF_INET, AF_INET6, AF_NETLINK};

	for (unsigned family = 0; family <= AF_NETLINK; family++) {
		int is_kept = 0;
		for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++)
			is_kept |= family == kept[i];
		struct scmp_arg_cmp is_family = SCMP_A0(SCMP_CMP_MASKED_EQ, 0xffffffff, family);
		if (!is_kept)
			deny(ctx, "socket family", SCMP_SYS(socket), EAFNOSUPPORT, 1, &is_family);
	}
	struct scmp_arg_cmp above = SCMP_A0(SCMP_CMP_GT, AF_NETLINK);
	deny(ctx, "socket family", SCMP_SYS(socket), EAFNOSUPPORT, 1, &above);
}

#define KEEP(call, why) keep(ctx, #call, SCMP_SYS(call), 0, NULL);
#define KEEP_IF(call, why, ...)                                                                    \
	{                                                                                          \
		const struct scmp_arg_cmp args[] = {__VA_ARGS__};                                  \
		keep(ctx, #call, SCMP_SYS(call), sizeof(args) / sizeof(args[0]), args);            \
	}
#define DENY(call, errnum, why) deny(ctx, #call, SCMP_SYS(call), errnum, 0, NULL);
#define DENY_IF(call, errnum, why, ...)                                                            \
	{                                                                                          \
		const struct scmp_arg_cmp args[] = {__VA_ARGS__};                                  \
		deny(ctx, #call, SCMP_SYS(call), errnum, sizeof(args) / sizeof(args[0]), args);    \
	}
#define DENY_SOCKET_FAMILIES(why) deny_families(ctx);

/* The kernel runs what libseccomp exports; it goes out as an array of C initialisers. */
static void print_program(const char *name, scmp_filter_ctx ctx)
{
	struct {
		uint16_t code;
		uint8_t jt, jf;
		uint32_t k;
	} insn;
	size_t n = 0;
	FILE *f = tmpfile();
	if (!f)
		die("tmpfile", -errno);
	int rc = seccomp_export_bpf(ctx, fileno(f));
	if (rc < 0)
		die(name, rc);
	rewind(f);
	printf("static const struct sock_filter %s_insns[] = {\n", name);
	for (; fread(&insn, sizeof(insn), 1, f) == 1; n++)
		printf("\t{0x%02x, %u, %u, 0x%08x},\n", insn.code, insn.jt, insn.jf, insn.k);
	printf("};\nconst struct seccomp_program seccomp_%s = {%s_insns, %zu};\n\n", name, name, n);
	fclose(f);
	seccomp_release(ctx);
}

static scmp_filter_ctx begin(uint32_t action)
{
	scmp_filter_ctx ctx = seccomp_init(action);
	if (!ctx)
		die("seccomp_init", -ENOMEM);
	int rc = seccomp_attr_set(ctx, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
	if (rc == 0)
		rc = seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	if (rc < 0)
		die("seccomp_attr_set", rc);
	return ctx;
}

#ifdef DRYDOCK_SANITIZED
#define SANITIZER_DEF "confine/gen/sanitizer.def"
#else
#define SANITIZER_DEF "confine/gen/nothing.def"
#endif

int main(void)
{
	scmp_filter_ctx ctx;

	printf("/* Made by confine/gen/seccomp_gen.c. */\n#include \"confine/seccomp.h\"\n\n");
	ctx = begin(SCMP_ACT_ALLOW);
#include "confine/agent.def"
	print_program("agent", ctx);

	ctx = begin(SCMP_ACT_KILL_PROCESS);
#include "jail/init.def"
#include SANITIZER_DEF
	print_program("jail_init", ctx);

	ctx = begin(SCMP_ACT_KILL_PROCESS);
#include "egress/worker/sandbox.def"
#include SANITIZER_DEF
	print_program("worker", ctx);

	ctx = begin(SCMP_ACT_KILL_PROCESS);
#include "egress/broker/sandbox.def"
#include SANITIZER_DEF
	print_program("broker", ctx);

	ctx = begin(SCMP_ACT_KILL_PROCESS);
#include "egress/resolver/sandbox.def"
#include SANITIZER_DEF
	print_program("resolver", ctx);
	return 0;
}
