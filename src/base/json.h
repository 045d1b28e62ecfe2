/* SPDX-License-Identifier: Apache-2.0 */
/* base/json.h - writes JSON: one object a line, or one document (RFC 8259) */
#pragma once
#include "base/buf.h"

/**
 * struct json - a writer over a buf; start from `struct json j = {.out = &buf};`
 *
 * Commas are put where they belong. Misuse (a value without a key inside an object) is the caller's
 * bug. What does not fit sets out->is_cut; check it once at the end.
 */
struct json {
	struct buf *out;
	bool needs_comma;
};

/** json_open() / json_close() - '{' '}' or '[' ']'; @key is NULL at top level and inside lists */
void json_open(struct json *j, const char *key, char bracket);
void json_close(struct json *j, char bracket);

/**
 * json_text() - a string value of any bytes
 *
 * Valid UTF-8 is kept but for what can fool a reader: control characters, DEL, C1, bidirectional
 * and zero-width characters are written as \uXXXX. A byte that is no UTF-8 becomes U+FFFD.
 */
void json_text(struct json *j, const char *key, struct span value);
void json_str(struct json *j, const char *key, const char *value);
void json_u64(struct json *j, const char *key, uint64_t value);
void json_i64(struct json *j, const char *key, int64_t value);
void json_bool(struct json *j, const char *key, bool value);
