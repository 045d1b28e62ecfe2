/* SPDX-License-Identifier: Apache-2.0 */
/* config/loader.h - inside config/: one file's lines, taken into the configuration being built */
#pragma once
#include "config/config.h"
#include "policy/rule.h"

enum config_layer { LAYER_PRESET, LAYER_ETC, LAYER_USER, LAYER_PROJECT, LAYER_FLAG };

/**
 * struct loader - a configuration under construction
 * @is_locked:	/etc said `lock`: allows of other layers are left out and counted in @n_locked_out
 * @wanted:	presets asked for so far, NAME or NAME+CLASS, in the order met; each is read once
 * @wanted_fully: those of them that somebody else than the project asked for; of the others only allows are taken
 * @wanted_by_etc: those of them that /etc asked for, and with a lock the only ones whose allows count
 * @mark_file, @mark_line: what a reader of the policy text takes the next line for; NULL at first
 */
struct loader {
	const struct config_input *in;
	struct config *out;
	struct err *err;
	bool is_locked;
	size_t n_locked_out;
	struct text_list wanted;
	struct text_list wanted_fully;
	struct text_list wanted_by_etc;
	char *mark_file;
	unsigned mark_line;
};

/**
 * struct loader_file - where a line stands
 * @name:	as messages and origins show it
 * @bare:	what a rule without an action word means here: RULE_ALLOW or RULE_DENY
 * @preset:	the preset's name; NULL outside presets
 * @classes:	NULL-terminated list of preset classes whose allows are taken; NULL outside presets
 * @seen:	bit i: the preset has a rule of classes[i]
 * @allows_only: of a preset that only the project named nothing else is taken
 * @is_from_etc: allows count although there is a lock
 */
struct loader_file {
	const char *name;
	enum config_layer layer;
	enum rule_action bare;
	const char *preset;
	const char *const *classes;
	unsigned seen;
	bool allows_only;
	bool is_from_etc;
	unsigned line;
	size_t n_allows;
};

/** loader_line() - take one line; 0 or a negative errno value with @err "FILE:LINE:COLUMN: reason" */
int loader_line(struct loader *l, struct loader_file *file, struct span line);

/** text_list_add() - append a copy; false when memory ran out */
bool text_list_add(struct text_list *list, struct span text);
bool text_list_has(const struct text_list *list, struct span text);
void text_list_drop(struct text_list *list);
