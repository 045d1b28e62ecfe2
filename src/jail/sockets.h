/* SPDX-License-Identifier: Apache-2.0 */
/* jail/sockets.h - which UNIX sockets of the host listen at a path */
#pragma once
#include "base/err.h"

#include <stddef.h>

/**
 * sockets_list() - paths of listening (or unconnected datagram) UNIX sockets, from /proc/net/unix
 * @out_paths:	sorted heap array of heap strings; free with sockets_free(). Each once, its folder a real path
 *
 * A socket bound by a relative path is not among them: the kernel does not tell its folder.
 * Source: proc(5), /proc/net/unix. Sockets bound in another mount namespace may be listed with a path that
 * means nothing here; covering it then finds nothing to cover.
 */
int sockets_list(char ***out_paths, size_t *out_n, struct err *err);
void sockets_free(char **paths, size_t n);
