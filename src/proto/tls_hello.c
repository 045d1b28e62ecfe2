/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Records are joined into scratch first, then the handshake message is read from there. The hello must
 * end exactly where a record ends: bytes after it in the same record would be read by the server but
 * judged by nobody.
 */
#include "proto/tls_hello.h"

enum {
	RECORD_CHANGE_CIPHER_SPEC = 20,
	RECORD_ALERT = 21,
	RECORD_HANDSHAKE = 22,
	RECORD_DATA = 23,
	RECORD_HEAD_BYTES = 5,
	RECORD_MAX_BYTES = 16384,
	RECORD_SEALED_MAX_BYTES = RECORD_MAX_BYTES + 256,
	ALERT_BYTES = 2,
	ALERT_WARNING = 1,
	RECORDS_MAX_BYTES = 2 * TLS_HELLO_MAX_BYTES, /* of all together: records of one byte cost six */
	HANDSHAKE_CLIENT_HELLO = 1,
	HANDSHAKE_SERVER_HELLO = 2,
	RANDOM_BYTES = 32,
	HANDSHAKE_HEAD_BYTES = 4,
	EXT_SERVER_NAME = 0,
	EXT_EARLY_DATA = 42,
	EXT_ECH = 0xfe0d,
	EXT_ECH_DRAFT_FIRST = 0xfe08,
	EXT_ESNI = 0xffce,
	MAX_EXTENSIONS = 128,
};

static enum parse bad(const char **why, const char *text)
{
	*why = text;
	return PARSE_BAD;
}

/* RFC 6066 section 3: a list of names, of which exactly one, of type host_name, is borne. */
static bool read_server_name(struct span body, struct tls_hello *out)
{
	struct cursor c = {.left = body};
	struct cursor list = {.left = take(&c, take_u16(&c))};
	if (c.ran_out || c.left.n)
		return false;
	uint8_t type = take_u8(&list);
	struct span name = take(&list, take_u16(&list));
	if (list.ran_out || list.left.n || type != 0 || name.n == 0 || name.n > sizeof(out->sni))
		return false;
	out->has_sni = true;
	out->sni_n = (uint8_t)name.n;
	memcpy(out->sni, name.p, name.n);
	return true;
}

static enum parse read_extensions(struct span all, struct tls_hello *out, const char **why)
{
	struct cursor c = {.left = all};
	uint16_t seen[MAX_EXTENSIONS];
	size_t n_seen = 0;

	while (c.left.n) {
		uint16_t type = take_u16(&c);
		struct span body = take(&c, take_u16(&c));
		if (c.ran_out)
			return bad(why, "an extension runs over the end");
		for (size_t i = 0; i < n_seen; i++)
			if (seen[i] == type)
				return bad(why, "an extension stands twice");
		if (n_seen == MAX_EXTENSIONS)
			return bad(why, "too many extensions");
		seen[n_seen++] = type;
		if (type == EXT_SERVER_NAME && !read_server_name(body, out))
			return bad(why, "a server_name that is not one host name");
		if ((type >= EXT_ECH_DRAFT_FIRST && type <= EXT_ECH) || type == EXT_ESNI)
			out->has_ech = true;
		if (type == EXT_EARLY_DATA)
			out->has_early_data = true;
	}
	return PARSE_DONE;
}

static enum parse read_hello(struct span body, struct tls_hello *out, const char **why)
{
	struct cursor c = {.left = body};
	uint16_t version = take_u16(&c);
	(void)take(&c, RANDOM_BYTES);
	struct span session = take(&c, take_u8(&c));
	struct span suites = take(&c, take_u16(&c));
	struct span compression = take(&c, take_u8(&c));

	if (c.ran_out)
		return bad(why, "a field runs over the end of the hello");
	if (version >> 8 != 3)
		return bad(why, "no version of TLS");
	if (session.n > 32 || suites.n < 2 || suites.n % 2 || compression.n < 1)
		return bad(why, "a field has an impossible length");
	if (c.left.n == 0)
		return PARSE_DONE; /* before RFC 3546 there were no extensions */
	struct span extensions = take(&c, take_u16(&c));
	if (c.ran_out || c.left.n)
		return bad(why, "the extensions do not end with the hello");
	return read_extensions(extensions, out, why);
}

enum parse tls_hello_parse(struct span in, uint8_t scratch[TLS_HELLO_MAX_BYTES],
			   struct tls_hello *out, const char **why)
{
	struct cursor c = {.left = in};
	size_t joined = 0, need = HANDSHAKE_HEAD_BYTES;

	while (joined < need) {
		size_t have = c.left.n, before = joined;
		const uint8_t *p = c.left.p;
		if (have >= 1 && p[0] != RECORD_HANDSHAKE)
			return bad(why, joined ? "another record inside the hello" : "no TLS handshake");
		if (have >= 2 && p[1] != 3)
			return bad(why, "no version of TLS");
		(void)take(&c, 3);
		uint16_t n = take_u16(&c);
		if (have >= RECORD_HEAD_BYTES && (n == 0 || n > RECORD_MAX_BYTES))
			return bad(why, "a record of impossible length");
		if (in.n - have + RECORD_HEAD_BYTES + n > RECORDS_MAX_BYTES)
			return bad(why, "too many records");
		struct span body = take(&c, n);
		/* What is there of an unfinished record may already show that it never can be whole. */
		size_t part = c.ran_out && have > RECORD_HEAD_BYTES ? have - RECORD_HEAD_BYTES : 0;
		const uint8_t *bytes = c.ran_out ? p + (part ? RECORD_HEAD_BYTES : 0) : body.p;
		size_t n_bytes = c.ran_out ? part : body.n;
		if (joined + n_bytes > TLS_HELLO_MAX_BYTES)
			return bad(why, "a hello longer than 64 KiB");
		if (n_bytes)
			memcpy(scratch + joined, bytes, n_bytes);
		joined += n_bytes;
		if (joined >= 1 && scratch[0] != HANDSHAKE_CLIENT_HELLO)
			return bad(why, "no ClientHello");
		if (joined >= HANDSHAKE_HEAD_BYTES) {
			need = HANDSHAKE_HEAD_BYTES +
			       ((size_t)scratch[1] << 16 | (size_t)scratch[2] << 8 | scratch[3]);
			if (need > TLS_HELLO_MAX_BYTES)
				return bad(why, "a hello longer than 64 KiB");
			if (before + n > need)
				return bad(why, "bytes after the hello in its record");
		}
		if (c.ran_out)
			return PARSE_MORE;
	}
	struct tls_hello hello = {.bytes = in.n - c.left.n};
	enum parse got = read_hello(
		span_make(scratch + HANDSHAKE_HEAD_BYTES, need - HANDSHAKE_HEAD_BYTES), &hello, why);
	if (got == PARSE_DONE)
		*out = hello;
	return got;
}

/* The SHA-256 of "HelloRetryRequest", which stands where a ServerHello has its random. */
static const uint8_t retry_random[RANDOM_BYTES] = {
	0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91,
	0xc2, 0xa2, 0x11, 0x16, 0x7a, 0xbb, 0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c};

/* Takes one record that does not matter; false when there is none at the front. A cut one makes the cursor run out. */
static bool skip_record(struct cursor *c, uint8_t type, size_t max_bytes)
{
	struct cursor at = *c;

	if (at.ran_out || at.left.n == 0 || at.left.p[0] != type)
		return false;
	(void)take(&at, 3);
	uint16_t n = take_u16(&at);
	if (!at.ran_out && (n == 0 || n > max_bytes))
		return false;
	(void)take(&at, n);
	*c = at;
	return true;
}

/* A warning tells nothing of what comes behind it. */
static bool skip_warning(struct cursor *c)
{
	const uint8_t *p = c->left.p;

	if (c->left.n > RECORD_HEAD_BYTES && p[0] == RECORD_ALERT && p[RECORD_HEAD_BYTES] != ALERT_WARNING)
		return false;
	return skip_record(c, RECORD_ALERT, ALERT_BYTES);
}

enum parse tls_answer_parse(struct span in, bool *out_is_retry)
{
	struct cursor c = {.left = in};
	uint8_t head[HANDSHAKE_HEAD_BYTES + 2 + RANDOM_BYTES];
	size_t n = 0;

	while (skip_warning(&c))
		;
	while (!c.ran_out && n < sizeof(head)) {
		uint8_t type = take_u8(&c);
		(void)take(&c, 2);
		uint16_t left = take_u16(&c);
		if (c.ran_out)
			break;
		if (type != RECORD_HANDSHAKE || left == 0) {
			*out_is_retry = false;
			return PARSE_DONE;
		}
		size_t part = left < sizeof(head) - n ? left : sizeof(head) - n;
		struct span bytes = take(&c, part);
		if (!c.ran_out)
			memcpy(head + n, bytes.p, part);
		n += part;
	}
	if (c.ran_out && in.n < TLS_ANSWER_BYTES)
		return PARSE_MORE;
	*out_is_retry = !c.ran_out && head[0] == HANDSHAKE_SERVER_HELLO &&
			memcmp(head + HANDSHAKE_HEAD_BYTES + 2, retry_random, RANDOM_BYTES) == 0;
	return PARSE_DONE;
}

enum parse tls_retry_parse(struct span in, uint8_t scratch[TLS_HELLO_MAX_BYTES],
			   struct tls_hello *out, const char **why)
{
	struct cursor c = {.left = in};
	struct tls_hello hello;

	while (skip_record(&c, RECORD_CHANGE_CIPHER_SPEC, 1) || skip_record(&c, RECORD_ALERT, ALERT_BYTES) ||
	       skip_record(&c, RECORD_DATA, RECORD_SEALED_MAX_BYTES))
		;
	if (c.ran_out || c.left.n == 0)
		return PARSE_MORE;
	enum parse got = tls_hello_parse(c.left, scratch, &hello, why);
	if (got != PARSE_DONE)
		return got;
	hello.bytes += in.n - c.left.n;
	*out = hello;
	return PARSE_DONE;
}
