/* SPDX-License-Identifier: Apache-2.0 */
#include "report/meta.h"
#include "base/buf.h"
#include "base/fs.h"

#include <errno.h>
#include <jansson.h>

enum { META_MAX_BYTES = 4 << 20 };

static const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));
	return text ? text : "";
}

static void read_lists(json_t *root, struct meta *out)
{
	size_t i;
	json_t *item;
	json_array_foreach(json_object_get(root, "command"), i, item)
	{
		if (out->n_argv < META_MAX_WORDS && json_is_string(item))
			out->argv[out->n_argv++] = json_string_value(item);
	}
	json_array_foreach(json_object_get(root, "mounts"), i, item)
	{
		if (out->n_mounts == META_MAX_MOUNTS)
			break;
		out->mounts[out->n_mounts].path = text_of(item, "path");
		out->mounts[out->n_mounts++].is_writable = json_is_true(json_object_get(item, "writable"));
	}
}

int meta_read(const char *path, struct meta *out, struct err *err)
{
	struct buf text = {.max = META_MAX_BYTES};
	json_error_t why;
	int rc = fs_read(path, &text, err);
	if (rc < 0) {
		buf_drop(&text);
		return rc;
	}
	json_t *root = json_loadb((const char *)text.p, text.n, JSON_REJECT_DUPLICATES, &why);
	buf_drop(&text);
	if (!json_is_object(root)) {
		json_decref(root);
		return err_set(err, EINVAL, "'%s' is no session's record", path);
	}
	json_int_t refused = json_integer_value(json_object_get(root, "refused"));
	*out = (struct meta){
		.mode = text_of(root, "mode"),
		.engine = text_of(root, "engine"),
		.project = text_of(root, "project"),
		.cwd = text_of(root, "cwd"),
		.layers = text_of(root, "layers"),
		.started = text_of(root, "started"),
		.ended = text_of(root, "ended"),
		.pid = json_integer_value(json_object_get(root, "pid")),
		.exit_code = (int)json_integer_value(json_object_get(root, "exit")),
		.n_refused = refused > 0 ? (uint64_t)refused : 0,
		.has_ended = json_object_get(root, "ended") != NULL,
		.parsed = root,
	};
	read_lists(root, out);
	return 0;
}

void meta_drop(struct meta *meta)
{
	json_decref(meta->parsed);
	*meta = (struct meta){0};
}
