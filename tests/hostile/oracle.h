/* SPDX-License-Identifier: Apache-2.0 */
/* tests/hostile/oracle.h - the test's own reading of its policy: plain tables, no code of drydock's */
/*
 * Places are addresses of 127.0.0.0/8 times four ports. Few of them may ever be reached; the test listens at all of
 * them, and a connection to one of the others is an escape, whoever asked for it.
 */
#pragma once
#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { ORACLE_PORTS = 4, ORACLE_RULES_BYTES = 2048, ORACLE_ANSWERS = 4 };

/** oracle_ports - the ports of the test; rules open the first three in places, the fourth nowhere */
extern uint16_t oracle_ports[ORACLE_PORTS];

extern const char *const oracle_addresses[];
extern const size_t oracle_n_addresses;

/** oracle_rules() - the policy text that the tables stand for */
void oracle_rules(char out[ORACLE_RULES_BYTES]);

/** oracle_may_be_reached() - may anybody's connection arrive at this place? */
bool oracle_may_be_reached(struct in_addr at, uint16_t port);

/** oracle_canon() - lower case, one last dot less; false when it is no plain host name. @out holds 256 bytes */
bool oracle_canon(const uint8_t *name, size_t n, char *out);

/** oracle_is_allowed_somewhere() - does a rule open the canonical @name on any port? */
bool oracle_is_allowed_somewhere(const char *name);

/** struct oracle_answer - what this test's DNS says for one name, always the same */
struct oracle_answer {
	int status; /* as enum wire_resolved_status */
	size_t n;
	const char *texts[ORACLE_ANSWERS]; /* addresses as text */
	uint32_t ttl_s;
};
void oracle_answer(const char *name, struct oracle_answer *out);

enum oracle_expected { ORACLE_DENY, ORACLE_ALLOW, ORACLE_EITHER };

/** oracle_expect() - the verdict on a request; its addresses are those of oracle_answer() */
enum oracle_expected oracle_expect(const uint8_t *name, size_t n, uint16_t port);

/**
 * oracle_leads_right() - may a socket for this request lead to @at:@port?
 * @is_lying:	the resolver of this run answers what it likes, so any address that the rules open is right
 */
bool oracle_leads_right(const uint8_t *name, size_t n, uint16_t asked_port, struct in_addr at, uint16_t port,
			bool is_lying);
