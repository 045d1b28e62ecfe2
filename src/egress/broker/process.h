/* SPDX-License-Identifier: Apache-2.0 */
/* egress/broker/process.h - the broker as a process: starts its two peers, confines itself, runs until an end */
/*
 * drydock-egress broker --session ID --rules-name FILE [--server ADDRESS:PORT]... [--bound N] [--ask MS]
 *                       [--rules-file FILE]
 * with the descriptors of egress/wire/fds.h. It is started by `serve`, not by people.
 *
 * Rules are loaded first: when one is bad nothing is started and nothing listens. When the worker, the resolver or the
 * broker itself ends or breaks the protocol, the channels end, all three end, and nothing starts again.
 */
#pragma once

/** broker_main() - exit status: 0 after SIGTERM or SIGINT (SIGHUP too, without a rules file), or asked by the control
 * socket; 1 when something failed; 2 for bad rules */
int broker_main(int argc, char **argv);
