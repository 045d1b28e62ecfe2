/* SPDX-License-Identifier: Apache-2.0 */
/* cli/exit.h - what the program's exit codes mean */
#pragma once

enum exit_code {
	EXIT_OK = 0,
	EXIT_FAILED = 1,
	EXIT_USAGE = 2,
	EXIT_DENIED = 3,	 /* policy says no */
	EXIT_NOT_TRUSTED = 4,	 /* project file not trusted, and nobody to ask */
	EXIT_CANNOT_CONTAIN = 5, /* doctor: this machine cannot contain */
	EXIT_NO_SESSION = 6,
	EXIT_TIMEOUT = 124,
	EXIT_NOTHING_RAN = 125, /* drydock failed before the command started */
	EXIT_NOT_EXECUTABLE = 126,
	EXIT_NOT_FOUND = 127,
	EXIT_SIGNAL = 128, /* + number of the signal */
};
