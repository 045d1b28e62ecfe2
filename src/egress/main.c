/* SPDX-License-Identifier: Apache-2.0 */
/* egress/main.c - drydock-egress: one program, executed once for each process of the egress */
#include "base/log.h"
#include "build_config.h"
#include "egress/broker/process.h"
#include "egress/health.h"
#include "egress/holder.h"
#include "egress/resolver/process.h"
#include "egress/serve.h"
#include "egress/sidecar.h"
#include "egress/worker/worker.h"

#include <stdio.h>
#include <string.h>

static int version_main(int argc, char **argv)
{
	(void)argc, (void)argv;
	return printf("drydock-egress %s\n", DRYDOCK_VERSION) < 0;
}

static int help_main(int argc, char **argv)
{
	(void)argc, (void)argv;
	static const char text[] =
		"usage: drydock-egress serve --listen ADDRESS:PORT --rules FILE [--audit FILE]\n"
		"                            [--session ID] [--resolver ADDRESS:PORT]... [--hosts "
		"FILE]\n"
		"       drydock-egress sidecar --rules FILE --agent-name NAME [--inner SUBNET]\n"
		"                              [--audit FILE] [--control PATH] [--session ID]\n"
		"       drydock-egress sidecar --rules FILE --holder SOCKET [--audit FILE] ...\n"
		"       drydock-egress holder --sock SOCKET --ports PORT,...\n"
		"       drydock-egress health\n"
		"       drydock-egress version\n"
		"\n"
		"A proxy (CONNECT and absolute-form HTTP) that lets through what the rules allow "
		"and nothing\n"
		"else. It runs in the foreground until SIGTERM. See drydock-egress(8), "
		"drydock-policy(5).\n";
	return fputs(text, stdout) < 0;
}

/* worker, broker and resolver are for `serve` to start. */
static const struct {
	const char *word;
	int (*run)(int argc, char **argv);
} commands[] = {
	{"sidecar", sidecar_main},   {"health", health_main},	{"holder", holder_main},
	{"serve", serve_main},	     {"worker", worker_main},	{"broker", broker_main},
	{"resolver", resolver_main}, {"version", version_main}, {"--version", version_main},
	{"help", help_main},	     {"--help", help_main},
};

#ifdef DRYDOCK_SANITIZED
/* The leak checker traces its own process, which none of these processes permits. Leaks show in the unit tests. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
	return "detect_leaks=0";
}
#endif

int main(int argc, char **argv)
{
	log_name("drydock-egress");
	for (size_t i = 0; argc > 1 && i < sizeof(commands) / sizeof(commands[0]); i++)
		if (strcmp(argv[1], commands[i].word) == 0)
			return commands[i].run(argc - 1, argv + 1);
	log_line("no such command; see 'drydock-egress help'");
	return 2;
}
