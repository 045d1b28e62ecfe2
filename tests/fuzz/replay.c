/* SPDX-License-Identifier: Apache-2.0 */
/* Runs a fuzz target over every file of a corpus folder, so that old findings are tried on each test run. */
#include "base/fs.h"
#include "base/own.h"

#include <limits.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int main(int argc, char **argv)
{
	AUTO(dir) DIR *dir = argc == 2 ? opendir(argv[1]) : NULL;
	if (!dir) {
		fprintf(stderr, "usage: %s CORPUS_FOLDER (which must exist)\n", argv[0]);
		return 2;
	}
	size_t n = 0;
	struct dirent *entry;
	while ((entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		char path[PATH_MAX];
		struct buf input = {.max = 1 << 20};
		struct err err = {0};
		if (snprintf(path, sizeof(path), "%s/%s", argv[1], entry->d_name) >=
			    (int)sizeof(path) ||
		    fs_read(path, &input, &err) < 0) {
			fprintf(stderr, "%s\n", err.text);
			return 1;
		}
		(void)LLVMFuzzerTestOneInput(input.p, input.n); /* findings abort */
		buf_drop(&input);
		n++;
	}
	printf("%zu inputs\n", n);
	return n ? 0 : 1;
}
