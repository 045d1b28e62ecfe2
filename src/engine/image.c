/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/image.h"
#include "base/fs.h"
#include "base/json.h"
#include "base/own.h"
#include "base/sha256.h"

#include <assert.h>
#include <elf.h>
#include <errno.h>
#include <stdio.h>
#include <sys/utsname.h>

enum {
	EXE_MAX_BYTES = 64 << 20, /* with debugging information, before it is trimmed */
	BLOCK_BYTES = 512,
	MEMBER_MAX_BYTES = 2048, /* of the configuration and the manifest */
	MAX_PROGRAM_HEADERS = 64,
};

#define EPOCH "1970-01-01T00:00:00Z"

/** struct tar_head - POSIX ustar (pax(1)) */
struct tar_head {
	char name[100], mode[8], uid[8], gid[8], size[12], mtime[12], sum[8], type, link[100];
	char magic[6], version[2], user[32], group[32], major[8], minor[8], prefix[155], pad[12];
};
static_assert(sizeof(struct tar_head) == BLOCK_BYTES, "a tar head is one block");

bool image_trim(struct buf *elf)
{
	Elf64_Ehdr head;
	size_t end = sizeof(head);

	if (elf->n < sizeof(head))
		return false;
	memcpy(&head, elf->p, sizeof(head));
	if (memcmp(head.e_ident, ELFMAG, SELFMAG) != 0 || head.e_ident[EI_CLASS] != ELFCLASS64 ||
	    head.e_phentsize != sizeof(Elf64_Phdr) || head.e_phnum == 0 || head.e_phnum > MAX_PROGRAM_HEADERS ||
	    head.e_phoff > elf->n || elf->n - head.e_phoff < head.e_phnum * sizeof(Elf64_Phdr))
		return false;
	if (head.e_phoff + head.e_phnum * sizeof(Elf64_Phdr) > end)
		end = head.e_phoff + head.e_phnum * sizeof(Elf64_Phdr);
	for (size_t i = 0; i < head.e_phnum; i++) {
		Elf64_Phdr p;
		memcpy(&p, elf->p + head.e_phoff + i * sizeof(p), sizeof(p));
		if (p.p_type == PT_INTERP || p.p_offset > elf->n || p.p_filesz > elf->n - p.p_offset)
			return false;
		if (p.p_offset + p.p_filesz > end)
			end = p.p_offset + p.p_filesz;
	}
	head.e_shoff = 0;
	head.e_shnum = head.e_shstrndx = 0;
	memcpy(elf->p, &head, sizeof(head));
	elf->n = end;
	return true;
}

static void put_zeros(struct buf *out, size_t n)
{
	static const uint8_t zeros[BLOCK_BYTES];

	for (; n; n -= n < sizeof(zeros) ? n : sizeof(zeros))
		buf_put(out, zeros, n < sizeof(zeros) ? n : sizeof(zeros));
}

/* A file, or a folder when the name ends in a slash; of root, from the epoch. */
static void put_member(struct buf *out, const char *name, unsigned mode, struct span content)
{
	struct tar_head head = {.magic = "ustar", .version = {'0', '0'}, .uid = "0000000", .gid = "0000000",
				.mtime = "00000000000", .major = "0000000", .minor = "0000000"};
	unsigned sum = 0;

	(void)snprintf(head.name, sizeof(head.name), "%s", name); /* all names are short */
	(void)snprintf(head.mode, sizeof(head.mode), "%07o", mode & 07777U);
	(void)snprintf(head.size, sizeof(head.size), "%011zo", content.n & 077777777777U);
	head.type = name[strlen(name) - 1] == '/' ? '5' : '0';
	memset(head.sum, ' ', sizeof(head.sum));
	for (size_t i = 0; i < sizeof(head); i++)
		sum += ((const uint8_t *)&head)[i];
	(void)snprintf(head.sum, sizeof(head.sum), "%06o", sum & 0777777U); /* NUL, then the space stays */
	buf_put(out, &head, sizeof(head));
	if (content.n)
		buf_put(out, content.p, content.n);
	put_zeros(out, (BLOCK_BYTES - content.n % BLOCK_BYTES) % BLOCK_BYTES);
}

static void put_end(struct buf *out)
{
	put_zeros(out, 2 * (size_t)BLOCK_BYTES);
}

static void put_layer(struct buf *out, struct span program)
{
	put_member(out, "drydock-egress", 0755, program);
	put_member(out, "run/", 0755, (struct span){0});
	put_member(out, "tmp/", 01777, (struct span){0});
	put_end(out);
}

/* The engines' names for machines are Go's. */
static const char *machine(void)
{
	static struct utsname u;

	if (uname(&u) < 0 || strcmp(u.machine, "x86_64") == 0)
		return "amd64";
	return strcmp(u.machine, "aarch64") == 0 ? "arm64" : u.machine;
}

static void put_list(struct json *j, const char *key, const char *value)
{
	json_open(j, key, '[');
	json_str(j, NULL, value);
	json_close(j, ']');
}

static void put_config(struct buf *out, const char *layer_digest)
{
	struct json j = {.out = out};
	char digest[IMAGE_ID_BYTES];

	(void)snprintf(digest, sizeof(digest), "sha256:%s", layer_digest); /* fits */
	json_open(&j, NULL, '{');
	json_str(&j, "architecture", machine());
	json_open(&j, "config", '{');
	put_list(&j, "Entrypoint", "/drydock-egress");
	put_list(&j, "Cmd", "help");
	json_str(&j, "User", "65534:65534");
	json_str(&j, "WorkingDir", "/");
	json_close(&j, '}');
	json_str(&j, "created", EPOCH);
	json_open(&j, "history", '[');
	json_open(&j, NULL, '{');
	json_str(&j, "created", EPOCH);
	json_str(&j, "created_by", "drydock build");
	json_close(&j, '}');
	json_close(&j, ']');
	json_str(&j, "os", "linux");
	json_open(&j, "rootfs", '{');
	put_list(&j, "diff_ids", digest);
	json_str(&j, "type", "layers");
	json_close(&j, '}');
	json_close(&j, '}');
}

static void put_manifest(struct buf *out, const char *config_name)
{
	struct json j = {.out = out};

	json_open(&j, NULL, '[');
	json_open(&j, NULL, '{');
	json_str(&j, "Config", config_name);
	put_list(&j, "RepoTags", IMAGE_NAME);
	put_list(&j, "Layers", "layer.tar");
	json_close(&j, '}');
	json_close(&j, ']');
}

static int read_program(int exe_fd, struct buf *out, struct err *err)
{
	if (fs_read_fd(exe_fd, "drydock-egress", out, err) < 0)
		return err->code;
	if (image_trim(out))
		return 0;
	err_set(err, ENOEXEC, "the image needs a static drydock-egress");
	return err_fix(err, "build it with: meson setup build -Dstatic=true");
}

int image_make(int exe_fd, struct buf *out, char out_id[IMAGE_ID_BYTES], struct err *err)
{
	AUTO(buf) struct buf program = {.max = EXE_MAX_BYTES};
	AUTO(buf) struct buf layer = {.max = IMAGE_MAX_BYTES};
	AUTO(buf) struct buf config = {.max = MEMBER_MAX_BYTES};
	AUTO(buf) struct buf manifest = {.max = MEMBER_MAX_BYTES};
	char digest[SHA256_HEX_BYTES], name[SHA256_HEX_BYTES + sizeof(".json")];

	if (read_program(exe_fd, &program, err) < 0)
		return err->code;
	put_layer(&layer, buf_span(&program));
	sha256_hex(buf_span(&layer), digest);
	put_config(&config, digest);
	sha256_hex(buf_span(&config), digest); /* that of the configuration is the image's id */
	(void)snprintf(name, sizeof(name), "%s.json", digest); /* fits */
	put_manifest(&manifest, name);
	put_member(out, "manifest.json", 0644, buf_span(&manifest));
	put_member(out, name, 0644, buf_span(&config));
	put_member(out, "layer.tar", 0644, buf_span(&layer));
	put_end(out);
	if (layer.is_cut || config.is_cut || manifest.is_cut || out->is_cut)
		return err_set(err, EFBIG, "the image is larger than %d MiB", IMAGE_MAX_BYTES >> 20);
	(void)snprintf(out_id, IMAGE_ID_BYTES, "sha256:%s", digest); /* fits */
	return 0;
}

int image_write(int exe_fd, int out_fd, char out_id[IMAGE_ID_BYTES], struct err *err)
{
	AUTO(buf) struct buf tar = {.max = IMAGE_MAX_BYTES};
	int rc = image_make(exe_fd, &tar, out_id, err);

	if (rc < 0 || out_fd < 0)
		return rc;
	rc = fs_write_all(out_fd, tar.p, tar.n);
	return rc < 0 ? err_set(err, -rc, "writing the image") : 0;
}
