/* SPDX-License-Identifier: Apache-2.0 */
/* config/registries.h - inside config/: package registries that the user's own tools are set to use */
/*
 * A company has mirrors, and its people have them in npmrc, pip.conf, cargo's configuration or apt's sources. Where the
 * preset of such an ecosystem is taken, the hosts of these files are allowed too, and the file is the rule's origin.
 * Only files of the user's home and of /etc are read: a project's own would let a repository choose. Of a URL only the
 * host and the port are taken, so no credential that it holds goes anywhere.
 */
#pragma once
#include "config/loader.h"

enum { REGISTRIES_MAX = 64, REGISTRIES_FILE_MAX_BYTES = 1 << 20 };

/**
 * registries_add() - the registries of every preset of @l->wanted
 * @check:	says whether an open file may count; a file that may not is named in a notice and passed over
 *
 * http means port 80 and https port 443 unless the URL names another. IP addresses and localhost are left out.
 *
 * Return: 0 or a negative errno value.
 */
int registries_add(struct loader *l, int (*check)(int fd, const char *path, struct err *err), size_t *out_n);
