/* SPDX-License-Identifier: Apache-2.0 */
/* engine/docker_net.h - the two networks with fixed names: made when missing, refused when they are not what they must be */
/*
 * Compose trusts a network that is there: v2 warns and goes on when a drydock_internal is not internal, and the agent is
 * then on the internet. So nothing starts before the networks were looked at.
 */
#pragma once
#include "engine/docker_cli.h"
#include "engine/engine.h"

#define DOCKER_NET_INNER "drydock_internal"
#define DOCKER_NET_OUTER "drydock_egress"

enum { DOCKER_NET_SUBNET_BYTES = 64 };

/**
 * docker_net_ready() - both networks (sealed: the outer one) as they must be
 * @lock_dir:	a folder of the caller's; whoever makes a network holds its lock
 * @out_subnet:	of the inner one, IPv4; "" for sealed
 *
 * Return: 0; -EPERM for one that is wrong, with the command that removes it as the fix; or another negative errno value.
 */
int docker_net_ready(const struct docker_cli *cli, enum engine_topology topology, const char *lock_dir,
		     char out_subnet[DOCKER_NET_SUBNET_BYTES], struct err *err);

/**
 * docker_net_look() - as docker_net_ready() for one network, but makes nothing
 *
 * Return: 0; 1 when there is none of that name; or a negative errno value.
 */
int docker_net_look(const struct docker_cli *cli, const char *name, bool is_inner,
		    char out_subnet[DOCKER_NET_SUBNET_BYTES], struct err *err);

/**
 * docker_net_check() - is this what a network must be?
 * @name:	of the network
 * @is_inner:	which of the two
 * @facts:	lines KEY=VALUE as docker_net_ready() asks docker for them
 *
 * Pure. Return: 0, or -EPERM with what is wrong and the fix.
 */
int docker_net_check(const char *name, bool is_inner, struct span facts, struct err *err);
