/* SPDX-License-Identifier: Apache-2.0 */
/* egress/worker/http_rewrite.h - writes a parsed HTTP head anew, so that it can be read in one way only */
/*
 * What frames and routes a message (Host, Content-Length, Transfer-Encoding, Connection, Upgrade) is written from
 * the parsed values, never copied. Fields between the client and its proxy (hop-by-hop, Proxy-*) are left out.
 */
#pragma once
#include "base/buf.h"
#include "proto/http_head.h"

/**
 * http_rewrite_request() - append @head in origin form
 * @host:	canonical; IPv6 addresses get their brackets here
 * @port:	host byte order; 80 is not written
 *
 * Return: false when it does not fit.
 */
bool http_rewrite_request(const struct http_head *head, struct span host, uint16_t port,
			  struct buf *out);

/**
 * http_rewrite_response() - append @head for the client
 * @to_minor:	HTTP/1.x of the request
 * @closes:	the connection ends after this response
 */
bool http_rewrite_response(const struct http_head *head, uint8_t to_minor, bool closes,
			   struct buf *out);

/**
 * http_rewrite_upgrades() - an upgrade that is passed on: to websocket and to nothing else
 *
 * After h2c, TLS (RFC 2817) or SPDY the connection could carry requests for other hosts, unjudged. Whoever
 * offers those is answered as if he had not: RFC 9110 7.8 lets a server ignore an Upgrade.
 */
bool http_rewrite_upgrades(const struct http_head *head);
