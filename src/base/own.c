/* SPDX-License-Identifier: Apache-2.0 */
#include "base/own.h"

#include <errno.h>

void fd_drop(int *fd)
{
	int saved = errno;

	if (*fd >= 0)
		(void)close(*fd); /* Linux frees the number whatever close() answers */
	*fd = -1;
	errno = saved;
}
