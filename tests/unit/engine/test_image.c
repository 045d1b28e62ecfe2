/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/engine/test_image.c - the image's tar: what is in it, how large, and that it is always the same */
#include "engine/image.h"
#include "base/own.h"
#include "base/sha256.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/mman.h>
#include <cmocka.h>

enum { CODE_BYTES = 3000, DEBUG_BYTES = 5000 };

/* A program of one segment, and what a compiler leaves behind it. */
static struct buf make_elf(uint32_t second_type)
{
	struct buf b = {.max = 1 << 20};
	static const uint8_t code[CODE_BYTES] = {0x90}, debug[DEBUG_BYTES] = "symbols";
	Elf64_Ehdr head = {.e_ident = ELFMAG, .e_phoff = sizeof(head), .e_phentsize = sizeof(Elf64_Phdr),
			   .e_phnum = 2, .e_shoff = 4096, .e_shnum = 3, .e_shstrndx = 2};
	Elf64_Phdr segments[] = {{.p_type = PT_LOAD}, {.p_type = second_type}};

	head.e_ident[EI_CLASS] = ELFCLASS64;
	segments[0].p_filesz = sizeof(head) + sizeof(segments) + CODE_BYTES;
	buf_put(&b, &head, sizeof(head));
	buf_put(&b, segments, sizeof(segments));
	buf_put(&b, code, sizeof(code));
	buf_put(&b, debug, sizeof(debug));
	assert_false(b.is_cut);
	return b;
}

static int as_file(const struct buf *b)
{
	int fd = memfd_create("exe", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, b->p, b->n), b->n);
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	return fd;
}

static void only_what_is_loaded_stays_of_a_program(void **state)
{
	(void)state;
	AUTO(buf) struct buf b = make_elf(PT_NOTE);
	Elf64_Ehdr head;

	assert_true(image_trim(&b));
	assert_int_equal(b.n, sizeof(Elf64_Ehdr) + 2 * sizeof(Elf64_Phdr) + CODE_BYTES);
	memcpy(&head, b.p, sizeof(head));
	assert_int_equal(head.e_shoff, 0);
	assert_int_equal(head.e_shnum, 0);
	size_t n = b.n;
	assert_true(image_trim(&b));
	assert_int_equal(b.n, n);
}

static void what_is_no_static_program_is_refused(void **state)
{
	(void)state;
	AUTO(buf) struct buf dynamic = make_elf(PT_INTERP);
	AUTO(buf) struct buf whole = make_elf(PT_NOTE);
	struct err err = {0};
	char id[IMAGE_ID_BYTES];

	assert_false(image_trim(&dynamic));
	for (size_t n = 0; n < sizeof(Elf64_Ehdr) + 2 * sizeof(Elf64_Phdr) + CODE_BYTES; n += 97) {
		struct buf cut = {.p = whole.p, .n = n, .max = n};
		assert_false(image_trim(&cut));
	}
	AUTO(fd) int fd = as_file(&dynamic);
	assert_int_equal(image_write(fd, -1, id, &err), -ENOEXEC);
	assert_non_null(strstr(err.text, "static"));
}

static void the_same_program_gives_the_same_image(void **state)
{
	(void)state;
	AUTO(buf) struct buf exe = make_elf(PT_NOTE);
	AUTO(buf) struct buf first = {.max = IMAGE_MAX_BYTES};
	AUTO(buf) struct buf second = {.max = IMAGE_MAX_BYTES};
	char first_id[IMAGE_ID_BYTES], second_id[IMAGE_ID_BYTES], only_id[IMAGE_ID_BYTES];
	struct err err = {0};
	AUTO(fd) int a = as_file(&exe);
	AUTO(fd) int b = as_file(&exe);

	assert_int_equal(image_make(a, &first, first_id, &err), 0);
	assert_int_equal(image_make(b, &second, second_id, &err), 0);
	assert_int_equal(first.n, second.n);
	assert_memory_equal(first.p, second.p, first.n);
	assert_string_equal(first_id, second_id);
	assert_int_equal(first.n % 512, 0);
	exe.p[sizeof(Elf64_Ehdr) + 2 * sizeof(Elf64_Phdr)] ^= 1; /* another program is another image */
	AUTO(fd) int c = as_file(&exe);
	assert_int_equal(image_write(c, -1, only_id, &err), 0);
	assert_string_not_equal(only_id, first_id);
}

/* The next line of a command's output, without its newline. */
static void expect_line(FILE *from, const char *start)
{
	char line[4096];

	assert_non_null(fgets(line, sizeof(line), from));
	line[strcspn(line, "\n")] = '\0';
	if (strncmp(line, start, strlen(start)) != 0)
		fail_msg("'%s' does not start with '%s'", line, start);
}

static void tar_reads_it_and_the_id_is_the_configurations_digest(void **state)
{
	(void)state;
	AUTO(buf) struct buf exe = make_elf(PT_NOTE);
	char path[] = "/tmp/drydock-image.XXXXXX", command[200], id[IMAGE_ID_BYTES], line[200];
	struct err err = {0};
	AUTO(fd) int in = as_file(&exe);
	AUTO(fd) int out = mkstemp(path);

	assert_int_equal(image_write(in, out, id, &err), 0);
	(void)snprintf(command, sizeof(command), "tar tvf %s --numeric-owner --utc", path);
	FILE *list = popen(command, "r");
	expect_line(list, "-rw-r--r-- 0/0");
	expect_line(list, "-rw-r--r-- 0/0");
	expect_line(list, "-rw-r--r-- 0/0");
	assert_int_equal(pclose(list), 0);
	(void)snprintf(command, sizeof(command), "tar xOf %s layer.tar | tar tv --numeric-owner --utc", path);
	list = popen(command, "r");
	expect_line(list, "-rwxr-xr-x 0/0            3176 1970-01-01 00:00 drydock-egress");
	expect_line(list, "drwxr-xr-x 0/0               0 1970-01-01 00:00 run/");
	expect_line(list, "drwxrwxrwt 0/0               0 1970-01-01 00:00 tmp/");
	assert_int_equal(pclose(list), 0);
	(void)snprintf(command, sizeof(command), "tar xOf %s %s.json | sha256sum", path, id + strlen("sha256:"));
	list = popen(command, "r");
	assert_non_null(fgets(line, sizeof(line), list));
	assert_memory_equal(line, id + strlen("sha256:"), 64);
	assert_int_equal(pclose(list), 0);
	(void)unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_what_is_loaded_stays_of_a_program),
		cmocka_unit_test(what_is_no_static_program_is_refused),
		cmocka_unit_test(the_same_program_gives_the_same_image),
		cmocka_unit_test(tar_reads_it_and_the_id_is_the_configurations_digest),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
