/* SPDX-License-Identifier: Apache-2.0 */
/* config/rulefile.h - adds and removes lines of a file of rules, and leaves the rest of it alone */
#pragma once
#include "base/buf.h"
#include "base/err.h"
#include "policy/rule.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

enum { RULEFILE_COMMENT_MAX_BYTES = 200, RULEFILE_MAX_BYTES = 8 << 20 };

/**
 * rulefile_rule() - the canonical text of one rule, as config/ would take it
 * @text:	`[allow|deny] SUBJECT[:PORTS] [OPTION...]`, as typed
 * @action:	what it must be; also what it is when it has no action word
 * @out:	rule_print()'s text, with an international name in ASCII; written on success
 *
 * Refuses what config_load() refuses: a wildcard over a public suffix, for one.
 *
 * Return: 0 or a negative errno value; @err names the column.
 */
int rulefile_rule(const char *text, enum rule_action action, char out[RULE_TEXT_BYTES], struct err *err);

/**
 * struct rulefile - what to change; borrowed
 * @path:	the file, in a folder that exists
 * @bare:	what a line without an action word means in it: RULE_DENY in a file named deny, else RULE_ALLOW
 * @mode:	of a file that is made: 0600 for the user's own, 0644 for a project's; one that exists keeps its mode
 * @lines:	NULL-terminated. Rules (best from rulefile_rule()) or other lines of the grammar, such as "preset npm"
 * @comment:	put behind each line that is added, as `# TEXT`; NULL for none. No control characters
 * @head:	what a file that is made begins with: comment lines; NULL for nothing
 * @was, @now:	take the whole content before and after, as seen under the lock; NULL when nobody asks
 * @out_existed: was there a file? NULL when nobody asks
 * @before:	called with @arg when all of these are known and before anybody can see the new content; a negative errno
 *		value from it leaves the file as it was. NULL for none
 */
struct rulefile {
	const char *path;
	enum rule_action bare;
	mode_t mode;
	const char *const *lines;
	const char *comment;
	const char *head;
	struct buf *was, *now;
	bool *out_existed;
	int (*before)(void *arg, struct err *err);
	void *arg;
};

/**
 * rulefile_words() - what a line of a file of rules says, so that equal lines are equal texts
 * @out:	the canonical rule, or the words with one space between them; "" for a comment or blank line
 */
void rulefile_words(struct span line, enum rule_action bare, char out[RULE_LINE_MAX_BYTES + 1]);

/**
 * rulefile_add() - append the lines that the file does not have yet, in any spelling; all or none
 * @out_changed: how many were added; may be NULL
 *
 * The file is replaced as a whole (fs_replace()), and two who change it at once wait for each other. A symlink,
 * another user's file, and something that is no file are refused; so is a file that others can write, unless
 * @mode says that others may read it (a project's file counts by its content, not by who wrote it).
 *
 * Return: 0 or a negative errno value.
 */
int rulefile_add(const struct rulefile *edit, size_t *out_changed, struct err *err);

/** rulefile_remove() - take out every line that says the same as one of the lines; refuses as rulefile_add() does */
int rulefile_remove(const struct rulefile *edit, size_t *out_changed, struct err *err);
