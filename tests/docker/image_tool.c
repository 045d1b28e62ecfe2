/* SPDX-License-Identifier: Apache-2.0 */
/* tests/docker/image_tool.c - writes the sidecar's image to standard output: image_tool PROGRAM */
#include "base/own.h"
#include "engine/image.h"

#include <fcntl.h>
#include <stdio.h>

int main(int argc, char **argv)
{
	struct err err = {0};
	char id[IMAGE_ID_BYTES];
	AUTO(fd) int exe = argc == 2 ? open(argv[1], O_RDONLY | O_CLOEXEC) : -1;

	if (image_write(exe, STDOUT_FILENO, id, &err) < 0) {
		fprintf(stderr, "image_tool: %s\n", err.text);
		return 1;
	}
	fprintf(stderr, "%s\n", id);
	return 0;
}
