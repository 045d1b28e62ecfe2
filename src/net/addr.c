/* SPDX-License-Identifier: Apache-2.0 */
#include "net/addr.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>

/* IANA IPv4 and IPv6 special-purpose registries (RFC 6890 and later), first match wins. */
static const struct {
	uint8_t net[4];
	uint8_t bits;
	uint8_t class;
} blocks_v4[] = {
	{{169, 254, 169, 254}, 32, ADDR_METADATA}, /* AWS, GCP, Azure, OpenStack ... */
	{{169, 254, 169, 253}, 32, ADDR_METADATA}, /* AWS DNS */
	{{169, 254, 170, 2}, 32, ADDR_METADATA},   /* AWS ECS credentials */
	{{169, 254, 170, 23}, 32, ADDR_METADATA},  /* AWS EKS pod identity */
	{{100, 100, 100, 200}, 32, ADDR_METADATA}, /* Alibaba */
	{{168, 63, 129, 16}, 32, ADDR_METADATA},   /* Azure wire server */
	{{192, 0, 0, 192}, 32, ADDR_METADATA},	   /* Oracle */
	{{0, 0, 0, 0}, 8, ADDR_SPECIAL},	   /* "this network" */
	{{10, 0, 0, 0}, 8, ADDR_PRIVATE},
	{{100, 64, 0, 0}, 10, ADDR_PRIVATE}, /* RFC 6598 */
	{{127, 0, 0, 0}, 8, ADDR_LOOPBACK},
	{{169, 254, 0, 0}, 16, ADDR_LINK},
	{{172, 16, 0, 0}, 12, ADDR_PRIVATE},
	{{192, 0, 0, 0}, 24, ADDR_SPECIAL},
	{{192, 0, 2, 0}, 24, ADDR_SPECIAL},
	{{192, 31, 196, 0}, 24, ADDR_SPECIAL}, /* AS112 */
	{{192, 52, 193, 0}, 24, ADDR_SPECIAL}, /* AMT */
	{{192, 88, 99, 0}, 24, ADDR_SPECIAL},  /* 6to4 relay anycast */
	{{192, 168, 0, 0}, 16, ADDR_PRIVATE},
	{{192, 175, 48, 0}, 24, ADDR_SPECIAL}, /* AS112 */
	{{198, 18, 0, 0}, 15, ADDR_SPECIAL},   /* benchmarking; ours for synthetic answers */
	{{198, 51, 100, 0}, 24, ADDR_SPECIAL},
	{{203, 0, 113, 0}, 24, ADDR_SPECIAL},
	{{224, 0, 0, 0}, 4, ADDR_SPECIAL}, /* multicast */
	{{240, 0, 0, 0}, 4, ADDR_SPECIAL}, /* reserved, broadcast */
};

static const struct {
	uint8_t net[16];
	uint8_t bits;
	uint8_t class;
} blocks_v6[] = {
	{{0xfd, 0x00, 0x0e, 0xc2}, 32, ADDR_METADATA}, /* AWS: fd00:ec2::254, ::253, ::23 */
	{{0xfd, 0x20, 0x00, 0xce, [14] = 0x02, [15] = 0x54}, 128, ADDR_METADATA}, /* GCP fd20:ce::254 */
	{{0xfd, 0x00, 0x00, 0x42, [15] = 0x42}, 128, ADDR_METADATA}, /* Scaleway fd00:42::42 */
	{{0x00, 0x64, 0xff, 0x9b}, 96, ADDR_PUBLIC}, /* NAT64 well-known prefix: what lies inside decides */
	{{[15] = 1}, 128, ADDR_LOOPBACK},
	{{0}, 128, ADDR_SPECIAL},
	{{0x01}, 64, ADDR_SPECIAL},		   /* 100::/64 discard */
	{{0x20, 0x01, 0x0d, 0xb8}, 32, ADDR_SPECIAL}, /* documentation */
	{{0x20, 0x01}, 23, ADDR_SPECIAL},	   /* IETF protocol assignments, Teredo */
	{{0x20, 0x02}, 16, ADDR_SPECIAL},	   /* 6to4 */
	{{0x3f, 0xff}, 20, ADDR_SPECIAL},	   /* documentation, RFC 9637 */
	{{0x5f, 0x00}, 16, ADDR_SPECIAL},	   /* SRv6 SIDs */
	{{0xfc}, 7, ADDR_PRIVATE},
	{{0xfe, 0x80}, 10, ADDR_LINK},
	{{0xfe, 0xc0}, 10, ADDR_LINK}, /* site-local, withdrawn but routed by some */
	{{0xff}, 8, ADDR_SPECIAL},     /* multicast */
	{{0x20}, 3, ADDR_PUBLIC},      /* global unicast 2000::/3 */
};

static bool bits_equal(const uint8_t *a, const uint8_t *b, unsigned bits)
{
	unsigned whole = bits / 8, rest = bits % 8;
	if (memcmp(a, b, whole) != 0)
		return false;
	return rest == 0 || ((a[whole] ^ b[whole]) >> (8 - rest)) == 0;
}

static enum addr_class classify_v4(const uint8_t *bytes)
{
	for (size_t i = 0; i < sizeof(blocks_v4) / sizeof(blocks_v4[0]); i++)
		if (bits_equal(bytes, blocks_v4[i].net, blocks_v4[i].bits))
			return (enum addr_class)blocks_v4[i].class;
	return ADDR_PUBLIC;
}

/* Of two readings of one address the one that is harder to open counts. */
static enum addr_class worse(enum addr_class a, enum addr_class b)
{
	static const uint8_t rank[ADDR_CLASSES] = {
		[ADDR_PUBLIC] = 0,   [ADDR_PRIVATE] = 1, [ADDR_SPECIAL] = 2,
		[ADDR_LOOPBACK] = 3, [ADDR_LINK] = 4,	 [ADDR_METADATA] = 5,
	};
	return rank[a] >= rank[b] ? a : b;
}

/* The class of the IPv4 addresses that a v6 one carries for a translator or tunnel; public when it has none. */
static enum addr_class classify_inner(const uint8_t *b)
{
	static const uint8_t nat64[12] = {0x00, 0x64, 0xff, 0x9b};
	static const uint8_t nat64_local[6] = {0x00, 0x64, 0xff, 0x9b, 0x00, 0x01};
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
	static const uint8_t translated[12] = {[8] = 0xff, [9] = 0xff}; /* ::ffff:0:0/96, RFC 2765 */
	static const uint8_t zero[12];

	if (!memcmp(b, nat64, 12) || !memcmp(b, mapped, 12) || !memcmp(b, translated, 12) || !memcmp(b, zero, 12))
		return classify_v4(b + 12);
	if (!memcmp(b, nat64_local, 6)) { /* RFC 6052: the /48 form, or a /96 prefix chosen below it */
		const uint8_t split[4] = {b[6], b[7], b[9], b[10]};
		return worse(classify_v4(split), classify_v4(b + 12));
	}
	if (b[0] == 0x20 && b[1] == 0x02)
		return classify_v4(b + 2); /* 6to4, RFC 3056 */
	if (b[0] == 0x20 && b[1] == 0x01 && b[2] == 0 && b[3] == 0) { /* Teredo, RFC 4380: server; client, inverted */
		const uint8_t client[4] = {(uint8_t)~b[12], (uint8_t)~b[13], (uint8_t)~b[14], (uint8_t)~b[15]};
		return worse(classify_v4(b + 4), classify_v4(client));
	}
	if ((b[8] == 0x00 || b[8] == 0x02) && b[9] == 0 && b[10] == 0x5e && b[11] == 0xfe)
		return classify_v4(b + 12); /* ISATAP, RFC 5214 */
	return ADDR_PUBLIC;
}

static enum addr_class classify_outer(const uint8_t *bytes)
{
	for (size_t i = 0; i < sizeof(blocks_v6) / sizeof(blocks_v6[0]); i++)
		if (bits_equal(bytes, blocks_v6[i].net, blocks_v6[i].bits))
			return (enum addr_class)blocks_v6[i].class;
	return ADDR_SPECIAL; /* outside 2000::/3 nothing is routed */
}

static enum addr_class classify_v6(const uint8_t *bytes)
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
	enum addr_class inner = classify_inner(bytes);
	if (!memcmp(bytes, mapped, 12))
		return inner;
	enum addr_class outer = classify_outer(bytes);
	return outer == ADDR_SPECIAL && inner != ADDR_PUBLIC ? inner : worse(outer, inner);
}

enum addr_class addr_classify(const struct addr *a)
{
	return a->is_v6 ? classify_v6(a->bytes) : classify_v4(a->bytes);
}

const char *addr_class_word(enum addr_class c)
{
	static const char *const words[] = {
		[ADDR_PUBLIC] = "public",   [ADDR_PRIVATE] = "private",
		[ADDR_LOOPBACK] = "loopback", [ADDR_LINK] = "link-local",
		[ADDR_METADATA] = "metadata", [ADDR_SPECIAL] = "special-purpose",
	};
	return c < ADDR_CLASSES ? words[c] : "unknown";
}

static struct addr unmapped(const uint8_t bytes[16])
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
	struct addr a = {.is_v6 = memcmp(bytes, mapped, 12) != 0};
	memcpy(a.bytes, a.is_v6 ? bytes : bytes + 12, a.is_v6 ? 16 : 4);
	return a;
}

bool addr_parse(struct span in, struct addr *out)
{
	char text[ADDR_TEXT_BYTES];
	uint8_t bytes[16];

	if (in.n == 0 || in.n >= sizeof(text) || memchr(in.p, 0, in.n))
		return false;
	memcpy(text, in.p, in.n);
	text[in.n] = '\0';
	if (inet_pton(AF_INET, text, bytes) == 1) {
		struct addr a = {0};
		memcpy(a.bytes, bytes, 4);
		*out = a;
		return true;
	}
	if (inet_pton(AF_INET6, text, bytes) != 1)
		return false;
	*out = unmapped(bytes);
	return true;
}

/* One number of inet_aton(3): decimal, 0 octal, 0x hex. An empty hex number ("0x") counts as zero. */
static bool take_number(struct cursor *c, uint64_t *out)
{
	uint64_t value = 0;
	unsigned base = 10;
	size_t digits = 0;

	if (c->left.n && c->left.p[0] == '0') {
		(void)take_u8(c);
		digits = 1;
		base = 8;
		if (c->left.n && (c->left.p[0] | 0x20) == 'x') {
			(void)take_u8(c);
			base = 16;
		}
	}
	while (c->left.n && c->left.p[0] != '.') {
		uint8_t ch = take_u8(c);
		unsigned digit = ch >= '0' && ch <= '9' ? (unsigned)(ch - '0')
				 : (ch | 0x20) >= 'a' && (ch | 0x20) <= 'f'
					 ? (unsigned)((ch | 0x20) - 'a' + 10)
					 : 99;
		if (base == 8 && (digit == 8 || digit == 9))
			base = 10; /* some readers give up on octal here: still a number to us */
		if (digit >= base || value > UINT32_MAX)
			return false;
		value = value * base + digit;
		digits++;
	}
	*out = value;
	return digits > 0;
}

static bool parse_loose_v4(struct span in, struct addr *out)
{
	struct cursor c = {.left = in};
	uint64_t parts[4];
	size_t n = 0;

	while (c.left.n) {
		if (n == 4 || !take_number(&c, &parts[n++]))
			return false;
		if (c.left.n)
			(void)take_u8(&c); /* the dot; a last one may end the input */
	}
	if (n == 0)
		return false;
	uint32_t value = 0;
	for (size_t i = 0; i < n; i++) {
		uint64_t max = i + 1 < n ? 255 : UINT32_MAX >> (8 * (n - 1));
		if (parts[i] > max)
			return false;
		value |= i + 1 < n ? (uint32_t)parts[i] << (24 - 8 * i) : (uint32_t)parts[i];
	}
	struct addr a = {.bytes = {(uint8_t)(value >> 24), (uint8_t)(value >> 16),
				   (uint8_t)(value >> 8), (uint8_t)value}};
	*out = a;
	return true;
}

bool addr_parse_any(struct span in, struct addr *out)
{
	if (in.n >= 2 && in.p[0] == '[' && in.p[in.n - 1] == ']') {
		in.p++;
		in.n -= 2;
	}
	const uint8_t *zone = in.n ? memchr(in.p, '%', in.n) : NULL;
	if (zone)
		in.n = (size_t)(zone - in.p);
	if (addr_parse(in, out))
		return true;
	return in.n && !memchr(in.p, ':', in.n) && parse_loose_v4(in, out);
}

void addr_print(const struct addr *a, char out[ADDR_TEXT_BYTES])
{
	if (!inet_ntop(a->is_v6 ? AF_INET6 : AF_INET, a->bytes, out, ADDR_TEXT_BYTES))
		out[0] = '\0'; /* the buffer is long enough for both families */
}

bool addr_from_sockaddr(const struct sockaddr_storage *ss, struct addr *out, uint16_t *out_port)
{
	if (ss->ss_family == AF_INET) {
		struct sockaddr_in in4;
		memcpy(&in4, ss, sizeof(in4));
		*out = (struct addr){0};
		memcpy(out->bytes, &in4.sin_addr, 4);
		*out_port = ntohs(in4.sin_port);
		return true;
	}
	if (ss->ss_family == AF_INET6) {
		struct sockaddr_in6 in6;
		memcpy(&in6, ss, sizeof(in6));
		*out = unmapped(in6.sin6_addr.s6_addr);
		*out_port = ntohs(in6.sin6_port);
		return true;
	}
	return false;
}

socklen_t addr_to_sockaddr(const struct addr *a, uint16_t port, struct sockaddr_storage *out)
{
	memset(out, 0, sizeof(*out));
	if (!a->is_v6) {
		struct sockaddr_in in4 = {.sin_family = AF_INET, .sin_port = htons(port)};
		memcpy(&in4.sin_addr, a->bytes, 4);
		memcpy(out, &in4, sizeof(in4));
		return sizeof(in4);
	}
	struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
	memcpy(&in6.sin6_addr, a->bytes, 16);
	memcpy(out, &in6, sizeof(in6));
	return sizeof(in6);
}

bool addr_in_prefix(const struct addr *a, const struct addr *net, unsigned bits)
{
	return a->is_v6 == net->is_v6 && bits <= (a->is_v6 ? 128u : 32u) &&
	       bits_equal(a->bytes, net->bytes, bits);
}

bool addr_equal(const struct addr *a, const struct addr *b)
{
	return a->is_v6 == b->is_v6 && memcmp(a->bytes, b->bytes, a->is_v6 ? 16 : 4) == 0;
}
