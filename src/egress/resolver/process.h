/* SPDX-License-Identifier: Apache-2.0 */
/* egress/resolver/process.h - the resolver as a process: reads the hosts file, confines itself, answers */
/* drydock-egress resolver [--server ADDRESS:PORT]... with the descriptors of egress/wire/fds.h */
#pragma once

/** resolver_main() - exit status: 0 when the broker ended, 1 when something failed */
int resolver_main(int argc, char **argv);
