/* SPDX-License-Identifier: Apache-2.0 */
/* egress/worker/http.h - plain HTTP, judged request by request */
/*
 * One request at a time: its head is parsed, judged, and written anew from the parsed form, so that the server
 * can read it in one way only; then its body and the response move; then the next head is read.
 * On the proxy port each request names its host (absolute form) and a change of host or port is a new question and
 * a new upstream. Inside CONNECT and transparent TCP the host is fixed, and every Host must be it.
 * After a 101 to a request that asked for one the flow is relayed unread.
 */
#pragma once
#include "egress/worker/flow.h"
#include "proto/http_head.h"

/** http_take_head() - FLOW_SNIFF, proxy port: f->in starts with the absolute-form request @head: ask for its host */
void http_take_head(struct flow *f, const struct http_head *head);

/** http_start() - FLOW_HTTP; connected. On the proxy port f->in starts with the request that asked for it */
void http_start(struct flow *f);

/** http_ready() - @events of the client's or the upstream's socket */
void http_ready(struct flow *f, bool is_client, uint32_t events);

/** http_again() - go on where a turn's limit stopped it */
void http_again(struct flow *f);

/** http_owes_head() - FLOW_HTTP: the first request, or the rest of one that was begun, is still to come */
bool http_owes_head(const struct flow *f);

/** http_wants_json() - the Accept field asks for JSON */
bool http_wants_json(const struct http_head *head);

void http_free(struct http *h);
