/* SPDX-License-Identifier: Apache-2.0 */
/* proto/tls_hello.h - the server name in the first bytes of a TLS connection */
#pragma once
#include "base/span.h"

enum { TLS_HELLO_MAX_BYTES = 65536 };

/**
 * struct tls_hello
 * @bytes:	bytes of @in up to the end of the record that completes the ClientHello
 * @has_sni:	server_name with one host_name entry is there
 * @sni:	its bytes, as sent, copied (a ClientHello may be split over records)
 * @has_ech:	an encrypted_client_hello extension (0xfe0d, or a draft's 0xfe08..0xfe0c, ESNI 0xffce)
 * @has_early_data: early_data is offered
 */
struct tls_hello {
	size_t bytes;
	bool has_sni;
	bool has_ech;
	bool has_early_data;
	uint8_t sni_n;
	uint8_t sni[255];
};

/**
 * tls_hello_parse() - read a ClientHello over any number of records
 * @in:		bytes from the first of the connection on; any length, may stop anywhere
 * @scratch:	TLS_HELLO_MAX_BYTES bytes of the caller's, to join records
 *
 * Strict: handshake records only until the hello is whole, version 3.x, no empty record, 128 KiB of records at
 * most, one ClientHello that ends exactly at a record's end, lengths that add up, at most 128 extensions, none
 * twice, at most one server_name entry, of type host_name. SSLv2 hellos are bad.
 * Source: RFC 8446 sections 4.1.2 and 5.1; RFC 6066 section 3; RFC 9849 (ECH).
 *
 * Return: PARSE_DONE; PARSE_MORE, when longer input may succeed; PARSE_BAD, when none can (@why is set).
 */
enum parse tls_hello_parse(struct span in, uint8_t scratch[TLS_HELLO_MAX_BYTES],
			   struct tls_hello *out, const char **why);

/** TLS_ANSWER_BYTES - so many bytes of a server always tell, even one a record */
enum { TLS_ANSWER_BYTES = 512 };

/**
 * tls_answer_parse() - does the server ask for a second ClientHello?
 * @in:		the first bytes of the server; may stop anywhere
 * @out_is_retry: a HelloRetryRequest; false for any other answer, one that is no TLS included
 *
 * Warnings before it are passed over. Source: RFC 8446 section 4.1.3 (the random that marks it).
 *
 * Return: PARSE_DONE or PARSE_MORE.
 */
enum parse tls_answer_parse(struct span in, bool *out_is_retry);

/**
 * tls_retry_parse() - read the ClientHello that follows a HelloRetryRequest
 *
 * As tls_hello_parse(), but records of other types may stand before it: the change_cipher_spec of compatibility
 * mode, early data, an alert. No handshake record but the hello's is passed over, so a server that reads a
 * ClientHello reads this one. @out->bytes counts those records too.
 */
enum parse tls_retry_parse(struct span in, uint8_t scratch[TLS_HELLO_MAX_BYTES],
			   struct tls_hello *out, const char **why);
