/* SPDX-License-Identifier: Apache-2.0 */
/* cli/cmd.h - the commands of the program, in one table */
#pragma once
#include "base/buf.h"

/*
 * X(name, group, what it does). Help, suggestions and dispatch follow from the rows. Each command
 * is `int cmd_NAME(char **argv)`: argv holds the words after the name; the result is the exit code.
 */
#define COMMANDS(X)                                                                                \
	X(run, "Start here", "run a command in a contained session")                               \
	X(shell, "Start here", "open your shell in a session")                                     \
	X(doctor, "Start here", "check that this machine can contain, and how well")               \
	X(why, "Start here", "explain the last refusals, and how to allow them")                   \
	X(exec, "Sessions", "run one more command in a session that runs")                         \
	X(ls, "Sessions", "the sessions that run, and those that ended")                          \
	X(inspect, "Sessions", "all that is known of one session")                                 \
	X(stop, "Sessions", "end running sessions")                                                \
	X(gc, "Sessions", "remove what killed sessions left, and old records")                     \
	X(allow, "Policy", "add a rule that allows, for you, this project or a session")           \
	X(deny, "Policy", "add a rule that refuses; it wins over every allow")                     \
	X(rules, "Policy", "the rules in force, and where each comes from")                        \
	X(check, "Policy", "test a destination against the rules, without connecting")             \
	X(trust, "Policy", "review a project's .drydock, and agree to it")                             \
	X(init, "Policy", "write a .drydock for this project")                                     \
	X(preset, "Policy", "ready-made groups of rules")                                          \
	X(learn, "Policy", "turn what a session was refused into rules")                           \
	X(log, "Evidence", "what a session was allowed and refused")                               \
	X(report, "Evidence", "a session on one page, to show to somebody")                        \
	X(watch, "Evidence", "see decisions as they are made, and answer them")                     \
	X(mode, "Set-up", "which mode is in force, and choosing one")                              \
	X(build, "Set-up", "make the docker engine's images")                                       \
	X(render, "Set-up", "print the docker engine's compose files, merged")                      \
	X(completion, "Set-up", "what a shell needs to complete command lines")                   \
	X(version, "Set-up", "print the version")                                                  \
	X(help, "Set-up", "this text, or the help of a command")

#define X(name, group, text) int cmd_##name(char **argv);
COMMANDS(X)
#undef X

/* cmd_NAME_help() prints the usage of a command, for `drydock help NAME` and `drydock NAME --help` */
#define X(name, group, text) void cmd_##name##_help(struct buf *out);
COMMANDS(X)
#undef X

/** cmd_run_command() - as cmd_run(), of @command instead of the words behind the options, unless it is NULL */
int cmd_run_command(char **argv, char **command);

/** cmd_probe() - runs inside a jail for `doctor` and says what it could do; not for people */
int cmd_probe(char **argv);

/** cmd_complete() - answers the scripts of `completion`; not for people */
int cmd_complete(char **argv);

/** cmd_text() - what command @name does, in a few words; NULL when there is no such command */
const char *cmd_text(const char *name);

/** cmd_names() - all names, NULL-terminated */
const char *const *cmd_names(void);

/** cmd_print_help() - the help of command @name, or of the program for NULL; false when there is no
 * such command */
bool cmd_print_help(const char *name, struct buf *out);

/** cmd_show_help() - `drydock NAME --help`: the help of a command on stdout; returns the exit code */
int cmd_show_help(const char *name);
