/* SPDX-License-Identifier: Apache-2.0 */
/* egress/worker/front.h - the first bytes of each kind of flow, to one question for the broker */
#pragma once
#include "egress/worker/flow.h"
#include "proto/tls_hello.h"

#include <sys/socket.h>

struct worker;
struct listener;
struct dns_ask;
LIST_HEAD(dns_ask_list, dns_ask);

/** front_proxy_read() - FLOW_SNIFF on the proxy port: CONNECT, a request for http://, or SOCKS */
void front_proxy_read(struct flow *f);
/** front_connect_opened() - CONNECT was granted and connected: say 200 and judge what comes */
void front_connect_opened(struct flow *f);

/** front_socks_read() - FLOW_SNIFF whose first byte is 4 or 5 */
void front_socks_read(struct flow *f);
void front_socks_opened(struct flow *f);
void front_socks_refused(struct flow *f, enum reason reason);

/** front_transparent_start() - a connection whose own address is the destination that was asked for */
void front_transparent_start(struct flow *f);
/** front_judge() - connected: go on as the rule and the port say: relay, TLS check or HTTP */
void front_judge(struct flow *f);

/** front_tls_parse() - tls_hello_parse() of f->in */
enum parse front_tls_parse(struct flow *f, struct tls_hello *out, const char **why);
/** front_tls_read() - FLOW_CHECK, FLOW_RETRY: read the ClientHello, compare, forward those very bytes */
void front_tls_read(struct flow *f);
/** front_tls_answered() - FLOW_ANSWER: relay, unless the server wants another hello */
void front_tls_answered(struct flow *f);

/** front_dns_read() - FLOW_DNS: questions with a length in front (RFC 7766) */
void front_dns_read(struct flow *f);
/** front_dns_close() - the flow ends: forget its question */
void front_dns_close(struct flow *f);
/** front_dns_udp() - answer waiting datagrams, each from the address it was sent to */
void front_dns_udp(struct listener *l);
/** front_dns_drop() - forget every question that waits for the broker */
void front_dns_drop(struct worker *w);
