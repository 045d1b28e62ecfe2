/* SPDX-License-Identifier: Apache-2.0 */
/* net/endpoint.h - an address with a port, as people write it: 127.0.0.1:3128, [::1]:53 */
#pragma once
#include "net/addr.h"

struct endpoint {
	struct addr at;
	uint16_t port; /* host order */
};

/**
 * endpoint_parse() - read ADDRESS:PORT or [IPV6]:PORT
 *
 * The address is strict (addr_parse()), the port decimal, 0 to 65535, without sign or leading zeros.
 * @out is written on success only.
 */
bool endpoint_parse(struct span in, struct endpoint *out);

enum { ENDPOINT_TEXT_BYTES = ADDR_TEXT_BYTES + 8 };
/** endpoint_print() - the text that endpoint_parse() reads, NUL-terminated */
void endpoint_print(const struct endpoint *e, char out[ENDPOINT_TEXT_BYTES]);
