/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/docker_image.h"
#include "base/fs.h"
#include "base/own.h"
#include "engine/egress.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

int docker_image_ask_id(const struct docker_cli *cli, const char *ref, struct tool *out_asked, struct err *err)
{
	static struct tool_args args; /* big; used and dropped here */

	docker_cli_begin(cli, &args, "image", "inspect", "--format", "{{.Id}}", ref, NULL);
	return docker_cli_start(cli, &args, out_asked, err);
}

int docker_image_read_id(struct tool *asked, char out_id[IMAGE_ID_BYTES], struct err *err)
{
	int status = 0;
	int rc = tool_finish(asked, &status, err);
	struct span id = tool_trim(buf_span(&asked->out));

	if (rc == 0 && status == 0 && id.n < IMAGE_ID_BYTES)
		(void)snprintf(out_id, IMAGE_ID_BYTES, "%.*s", (int)id.n, id.n ? (const char *)id.p : "");
	else if (rc == 0 && asked->err.n && memmem(asked->err.p, asked->err.n, "o such image", 12))
		rc = 1;
	else if (rc == 0)
		rc = tool_complain(asked, err);
	tool_drop(asked);
	return rc;
}

int docker_image_id(const struct docker_cli *cli, const char *ref, char out_id[IMAGE_ID_BYTES], struct err *err)
{
	struct tool asked;
	int rc = docker_image_ask_id(cli, ref, &asked, err);
	return rc < 0 ? rc : docker_image_read_id(&asked, out_id, err);
}

/* Makes the tar as a file without a name; -1 with @err. */
static int make_tar(char out_id[IMAGE_ID_BYTES], struct err *err)
{
	AUTO(fd) int program = egress_open_program(O_RDONLY, err);
	if (program < 0)
		return -1;
	AUTO(fd) int tar = memfd_create("drydock-egress.tar", MFD_CLOEXEC);
	if (tar < 0) {
		err_set(err, errno, "making a file for the image");
		return -1;
	}
	if (image_write(program, tar, out_id, err) < 0)
		return -1;
	if (lseek(tar, 0, SEEK_SET) < 0) {
		err_set(err, errno, "reading the image back");
		return -1;
	}
	return fd_take(&tar);
}

static int load(const struct docker_cli *cli, int tar, struct err *err)
{
	static struct tool_args args; /* big; used and dropped here */
	struct tool tool;
	int status = 0;

	docker_cli_begin(cli, &args, "load", "--quiet", NULL);
	int rc = tool_start("docker", &args, cli->env.vars, tar, &tool, err);
	tool_args_drop(&args);
	if (rc < 0)
		return rc;
	rc = tool_finish(&tool, &status, err);
	if (rc == 0 && status != 0)
		rc = tool_complain(&tool, err);
	tool_drop(&tool);
	return rc < 0 ? err_add(err, "loading image '%s'", IMAGE_NAME) : 0;
}

int docker_image_load(const struct docker_cli *cli, char out_id[IMAGE_ID_BYTES], struct err *err)
{
	AUTO(fd) int tar = make_tar(out_id, err);
	return tar < 0 ? err->code : load(cli, tar, err);
}

int docker_image_ready(const struct docker_cli *cli, struct tool *asked, struct err *err)
{
	char have[IMAGE_ID_BYTES] = "", want[IMAGE_ID_BYTES];

	AUTO(fd) int tar = make_tar(want, err); /* while docker thinks */
	if (tar < 0) {
		tool_drop(asked);
		return err->code;
	}
	int rc = docker_image_read_id(asked, have, err);
	if (rc < 0)
		return rc;
	return rc == 0 && !strcmp(have, want) ? 0 : load(cli, tar, err);
}
