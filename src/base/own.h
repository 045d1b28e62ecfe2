/* SPDX-License-Identifier: Apache-2.0 */
/* base/own.h - who gives a descriptor, a block of memory or a FILE back, and when */
#pragma once
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/*
 * AUTO(fd) int dir = open(...);   closed when `dir` goes out of scope, unless fd_take() gave it away
 * AUTO(mem) char *p = strdup(...); freed when `p` goes out of scope, unless TAKE() gave it away
 *
 * Unset descriptors are -1; 0 is a real one.
 */
#define AUTO(kind) __attribute__((cleanup(kind##_drop)))

/** TAKE() - move a pointer out of its variable, which is left NULL */
#define TAKE(p)                                                                                    \
	({                                                                                         \
		__typeof__(p) taken_ = (p);                                                        \
		(p) = NULL;                                                                        \
		taken_;                                                                            \
	})

/** fd_drop() - close *fd unless it is -1, and leave -1 behind; errno is kept */
void fd_drop(int *fd);

/** fd_take() - move a descriptor out of its variable, which is left -1 */
static inline int fd_take(int *fd)
{
	int taken = *fd;
	*fd = -1;
	return taken;
}

/** mem_drop() - free the block that *(void **)p points at; the cleanup of AUTO(mem) */
static inline void mem_drop(void *p)
{
	void **block = p;
	free(*block);
	*block = NULL;
}

/** file_drop() - fclose *f unless NULL; the cleanup of AUTO(file) */
static inline void file_drop(FILE **f)
{
	if (*f)
		(void)fclose(*f); /* readers only: nothing is buffered that could be lost */
	*f = NULL;
}

/** dir_drop() - closedir *d unless NULL; the cleanup of AUTO(dir) */
static inline void dir_drop(DIR **d)
{
	if (*d)
		(void)closedir(*d); /* reading a folder cannot lose data */
	*d = NULL;
}
