/* SPDX-License-Identifier: Apache-2.0 */
/* engine/agreed.h - a project file that the user wrote or agreed to while a session runs stays where it is */
#pragma once
#include <stdbool.h>

/** struct agreed - both borrowed; @trust_dir: NULL agrees to nothing */
struct agreed {
	const char *project, *trust_dir;
};

/**
 * agreed_is() - for struct protect: is @entry the project's .drydock, with a content that is trusted?
 *
 * `drydock allow --project` and the p key of `drydock watch` make such a file from outside. One that the command makes
 * is trusted only when it says, byte for byte, what the user agreed to.
 */
bool agreed_is(const char *entry, void *agreed);
