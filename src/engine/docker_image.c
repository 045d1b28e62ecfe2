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

int docker_image_id(const struct docker_cli *cli, const char *ref, char out_id[IMAGE_ID_BYTES], struct err *err)
{
	static struct tool_args args; /* big; used and dropped here */
	struct tool tool;
	int status = 0;

	docker_cli_begin(cli, &args, "image", "inspect", "--format", "{{.Id}}", ref, NULL);
	int rc = docker_cli_call(cli, &args, &tool, &status, err);
	if (rc < 0)
		return rc;
	struct span id = tool_trim(buf_span(&tool.out));
	if (status == 0 && id.n < IMAGE_ID_BYTES)
		(void)snprintf(out_id, IMAGE_ID_BYTES, "%.*s", (int)id.n, (const char *)id.p);
	else if (tool.err.n && memmem(tool.err.p, tool.err.n, "o such image", 12))
		rc = 1;
	else
		rc = tool_complain(&tool, err);
	tool_drop(&tool);
	return rc;
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

int docker_image_ready(const struct docker_cli *cli, bool *out_was_loaded, struct err *err)
{
	char have[IMAGE_ID_BYTES] = "", want[IMAGE_ID_BYTES];

	int rc = docker_image_id(cli, IMAGE_NAME, have, err);
	if (rc < 0)
		return rc;
	AUTO(fd) int tar = make_tar(want, err);
	if (tar < 0)
		return err->code;
	bool is_current = rc == 0 && !strcmp(have, want);
	if (out_was_loaded)
		*out_was_loaded = !is_current;
	return is_current ? 0 : load(cli, tar, err);
}
