/* SPDX-License-Identifier: Apache-2.0 */
/* engine/image.h - the sidecar's container image, written as the tar that `docker load` reads */
/*
 * FROM scratch in effect: one layer with the static drydock-egress and the folders that tmpfs is mounted over (a folder
 * that the engine makes itself is root's, and wins over the tmpfs options when a container starts again). No builder,
 * no base image, no network. The same program gives the same bytes and so the same image id on every engine: whether
 * the image that is there is the current one is one `docker image inspect`.
 */
#pragma once
#include "base/buf.h"
#include "base/err.h"

#define IMAGE_NAME "drydock-egress:latest"

enum { IMAGE_ID_BYTES = 72, IMAGE_MAX_BYTES = 4 << 20 }; /* "sha256:", 64 digits, NUL */

/**
 * image_make() - the tar with its image id
 * @exe_fd:	drydock-egress, readable. Only what the kernel loads goes in: no symbols, no debugging information
 * @out:	appended to; its maximum should be IMAGE_MAX_BYTES
 *
 * Return: 0; -ENOEXEC when the program is no ELF or is not static; or another negative errno value.
 */
int image_make(int exe_fd, struct buf *out, char out_id[IMAGE_ID_BYTES], struct err *err);

/**
 * image_write() - image_make(), written to @out_fd
 * @out_fd:	a file, or the standard input of `docker load`; -1: only the id is wanted
 */
int image_write(int exe_fd, int out_fd, char out_id[IMAGE_ID_BYTES], struct err *err);

/** image_trim() - cut an ELF program down to its segments, in place; false when it is none, or needs a loader */
bool image_trim(struct buf *elf);
