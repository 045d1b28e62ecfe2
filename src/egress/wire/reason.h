/* SPDX-License-Identifier: Apache-2.0 */
/* egress/wire/reason.h - why a flow was refused: one closed set for log, denial, why and docs */
#pragma once
#include <stdint.h>

/* X(NAME, word, X-Proxy-Error word, one sentence for people) */
#define REASONS(X)                                                                                 \
	X(NONE, "ok", "", "allowed")                                                               \
	X(MALFORMED, "malformed", "blocked-by-policy",                                             \
	  "the request could be read in more than one way, or in none")                            \
	X(IP_LITERAL, "ip-literal", "blocked-by-policy",                                           \
	  "an address was asked for, not a name, and no address rule covers it")                   \
	X(DENIED_BY_RULE, "denied-by-rule", "blocked-by-denylist", "a deny rule matches this host") \
	X(NOT_ALLOWLISTED, "not-allowlisted", "blocked-by-allowlist",                              \
	  "no allow rule matches this host")                                                       \
	X(PORT_NOT_ALLOWED, "port-not-allowed", "blocked-by-allowlist",                            \
	  "the host is allowed, but not on this port")                                             \
	X(TELEMETRY_OFF, "telemetry-off", "blocked-by-denylist", "telemetry, off on purpose")      \
	X(PRIVATE_ADDRESS, "private-address", "blocked-by-policy",                                 \
	  "the name leads to an address that is not public and that its rule does not open")       \
	X(NO_SUCH_NAME, "no-such-name", "blocked-by-policy",                                       \
	  "the name is allowed, but the resolver does not know it")                                \
	X(UNREACHABLE, "unreachable", "blocked-by-policy",                                         \
	  "the name is allowed, but none of its addresses answered")                               \
	X(SNI_MISMATCH, "sni-mismatch", "blocked-by-policy",                                       \
	  "the TLS server name is not the name that was asked for")                                \
	X(NO_SNI, "no-sni", "blocked-by-policy", "the TLS hello names no server")                  \
	X(ECH_REFUSED, "ech-refused", "blocked-by-policy",                                         \
	  "the TLS hello hides its server name (ECH)")                                             \
	X(NOT_TLS, "not-tls", "blocked-by-policy", "a TLS port, but the first bytes are not TLS")  \
	X(HOST_MISMATCH, "host-mismatch", "blocked-by-policy",                                     \
	  "the HTTP Host is not the name that was asked for")                                      \
	X(METHOD_NOT_ALLOWED, "method-not-allowed", "blocked-by-method-policy",                    \
	  "the rule does not allow this method")                                                   \
	X(BUDGET, "budget", "blocked-by-policy", "a budget of the rule or the session is spent")           \
	X(CLOSED, "closed-from-outside", "blocked-by-policy", "the user closed or refused it")              \
	X(WRONG_SESSION, "wrong-session", "blocked-by-policy",                                     \
	  "the client, or the token that it sent, is not of this session")

enum reason {
#define X(NAME, word, header, text) REASON_##NAME,
	REASONS(X)
#undef X
		REASON_COUNT
};

/** reason_word() / reason_header() / reason_text() - the columns; @reason may be any number: "unknown" then */
const char *reason_word(uint32_t reason);
const char *reason_header(uint32_t reason);
const char *reason_text(uint32_t reason);
