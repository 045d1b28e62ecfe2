/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every address is local (AnyIP), so packets to anywhere loop back through lo. For TCP the first packet of a
 * connection meets TPROXY in prerouting, which hands it to one listening socket whatever its address and port;
 * getsockname() there tells where it was meant to go. Without TPROXY a wildcard listener inside the jail would
 * swallow connections meant for other hosts. Loopback destinations are left alone: development servers work.
 */
#include "jail/netns.h"
#include "base/own.h"
#include "jail/netlink.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

enum { LO_INDEX = 1, ACK = NLM_F_ACK, NEW = NLM_F_CREATE | NLM_F_ACK, ICMP_ECHO_V4 = 8, ICMP_ECHO_V6 = 128 };

static int open_netlink(int protocol, struct err *err)
{
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol);
	if (fd < 0) {
		err_set(err, errno, "opening %s netlink", protocol == NETLINK_ROUTE ? "route" : "netfilter");
		return err_fix(err, "load nf_tables, or use a kernel built with CONFIG_NF_TABLES");
	}
	return fd;
}

static void put_lo_up(struct netlink *nl)
{
	struct ifinfomsg link = {.ifi_family = AF_UNSPEC, .ifi_index = LO_INDEX, .ifi_flags = IFF_UP,
				 .ifi_change = IFF_UP};
	netlink_begin(nl, RTM_NEWLINK, ACK, &link, sizeof(link));
	netlink_end(nl);
}

static void put_local_default(struct netlink *nl, uint8_t family)
{
	struct rtmsg route = {.rtm_family = family, .rtm_table = RT_TABLE_LOCAL, .rtm_protocol = RTPROT_BOOT,
			      .rtm_scope = RT_SCOPE_HOST, .rtm_type = RTN_LOCAL};
	netlink_begin(nl, RTM_NEWROUTE, NEW, &route, sizeof(route));
	netlink_put_u32(nl, RTA_OIF, LO_INDEX);
	netlink_end(nl);
}

int netns_set_up_lo(struct err *err)
{
	AUTO(fd) int fd = open_netlink(NETLINK_ROUTE, err);
	if (fd < 0)
		return fd;
	struct netlink nl = {.fd = fd};
	put_lo_up(&nl);
	int rc = netlink_send(&nl);
	return rc < 0 ? err_set(err, -rc, "bringing up lo in the jail") : 0;
}

static int set_up_routes(struct err *err)
{
	AUTO(fd) int fd = open_netlink(NETLINK_ROUTE, err);
	if (fd < 0)
		return fd;
	struct netlink nl = {.fd = fd};
	put_lo_up(&nl);
	put_local_default(&nl, AF_INET);
	int rc = netlink_send(&nl);
	if (rc < 0) {
		err_set(err, -rc, "making every IPv4 address local in the jail");
		return err_fix(err, "if AppArmor restricts user namespaces, load drydock's profile");
	}
	put_local_default(&nl, AF_INET6);
	rc = netlink_send(&nl);
	/* No IPv6 in this kernel, or switched off for lo (disable_ipv6): nothing can leave by it, so nothing is led. */
	if (rc < 0 && rc != -EAFNOSUPPORT && rc != -EOPNOTSUPP && rc != -EACCES)
		return err_set(err, -rc, "making every IPv6 address local in the jail");
	return 0;
}

/* One family's rules. */
struct rules {
	struct netlink *nl;
	uint8_t family;
};

static void begin_nft(const struct rules *r, uint16_t type, uint16_t flags)
{
	struct nfgenmsg head = {.nfgen_family = r->family, .version = NFNETLINK_V0};
	netlink_begin(r->nl, (uint16_t)(NFNL_SUBSYS_NFTABLES << 8 | type), flags, &head, sizeof(head));
}

static void put_chain(const struct rules *r, const char *name, uint32_t hook, int priority, const char *type)
{
	begin_nft(r, NFT_MSG_NEWCHAIN, NEW);
	netlink_put_text(r->nl, NFTA_CHAIN_TABLE, "drydock");
	netlink_put_text(r->nl, NFTA_CHAIN_NAME, name);
	size_t nest = netlink_nest(r->nl, NFTA_CHAIN_HOOK);
	netlink_put_be32(r->nl, NFTA_HOOK_HOOKNUM, hook);
	netlink_put_be32(r->nl, NFTA_HOOK_PRIORITY, (uint32_t)priority);
	netlink_unnest(r->nl, nest);
	netlink_put_be32(r->nl, NFTA_CHAIN_POLICY, NF_ACCEPT);
	netlink_put_text(r->nl, NFTA_CHAIN_TYPE, type);
	netlink_end(r->nl);
}

/* A rule is a list of expressions; each writes or compares register 1. */
static size_t begin_rule(const struct rules *r, const char *chain)
{
	begin_nft(r, NFT_MSG_NEWRULE, NEW | NLM_F_APPEND);
	netlink_put_text(r->nl, NFTA_RULE_TABLE, "drydock");
	netlink_put_text(r->nl, NFTA_RULE_CHAIN, chain);
	return netlink_nest(r->nl, NFTA_RULE_EXPRESSIONS);
}

static void end_rule(const struct rules *r, size_t rule)
{
	netlink_unnest(r->nl, rule);
	netlink_end(r->nl);
}

struct expr {
	size_t elem, data;
};

static struct expr begin_expr(const struct rules *r, const char *name)
{
	struct expr e = {.elem = netlink_nest(r->nl, NFTA_LIST_ELEM)};
	netlink_put_text(r->nl, NFTA_EXPR_NAME, name);
	e.data = netlink_nest(r->nl, NFTA_EXPR_DATA);
	return e;
}

static void end_expr(const struct rules *r, struct expr e)
{
	netlink_unnest(r->nl, e.data);
	netlink_unnest(r->nl, e.elem);
}

static void put_value(const struct rules *r, uint16_t type, const void *p, size_t n)
{
	size_t nest = netlink_nest(r->nl, type);
	netlink_put(r->nl, NFTA_DATA_VALUE, p, n);
	netlink_unnest(r->nl, nest);
}

static void load_payload(const struct rules *r, uint32_t base, uint32_t offset, uint32_t n)
{
	struct expr e = begin_expr(r, "payload");
	netlink_put_be32(r->nl, NFTA_PAYLOAD_DREG, NFT_REG_1);
	netlink_put_be32(r->nl, NFTA_PAYLOAD_BASE, base);
	netlink_put_be32(r->nl, NFTA_PAYLOAD_OFFSET, offset);
	netlink_put_be32(r->nl, NFTA_PAYLOAD_LEN, n);
	end_expr(r, e);
}

static void mask_register(const struct rules *r, const void *mask, size_t n)
{
	static const uint8_t zero[16];
	struct expr e = begin_expr(r, "bitwise");
	netlink_put_be32(r->nl, NFTA_BITWISE_SREG, NFT_REG_1);
	netlink_put_be32(r->nl, NFTA_BITWISE_DREG, NFT_REG_1);
	netlink_put_be32(r->nl, NFTA_BITWISE_LEN, (uint32_t)n);
	put_value(r, NFTA_BITWISE_MASK, mask, n);
	put_value(r, NFTA_BITWISE_XOR, zero, n);
	end_expr(r, e);
}

static void compare(const struct rules *r, uint32_t op, const void *p, size_t n)
{
	struct expr e = begin_expr(r, "cmp");
	netlink_put_be32(r->nl, NFTA_CMP_SREG, NFT_REG_1);
	netlink_put_be32(r->nl, NFTA_CMP_OP, op);
	put_value(r, NFTA_CMP_DATA, p, n);
	end_expr(r, e);
}

static void match_l4(const struct rules *r, uint8_t protocol)
{
	struct expr e = begin_expr(r, "meta");
	netlink_put_be32(r->nl, NFTA_META_DREG, NFT_REG_1);
	netlink_put_be32(r->nl, NFTA_META_KEY, NFT_META_L4PROTO);
	end_expr(r, e);
	compare(r, NFT_CMP_EQ, &protocol, 1);
}

/* Destination in 127.0.0.0/8, or ::1. */
static void match_loopback(const struct rules *r)
{
	if (r->family == NFPROTO_IPV4) {
		static const uint8_t mask[4] = {255, 0, 0, 0}, net[4] = {127, 0, 0, 0};
		load_payload(r, NFT_PAYLOAD_NETWORK_HEADER, 16, 4);
		mask_register(r, mask, 4);
		compare(r, NFT_CMP_EQ, net, 4);
	} else {
		static const uint8_t one[16] = {[15] = 1};
		load_payload(r, NFT_PAYLOAD_NETWORK_HEADER, 24, 16);
		compare(r, NFT_CMP_EQ, one, 16);
	}
}

static void put_verdict(const struct rules *r, uint32_t code)
{
	struct expr e = begin_expr(r, "immediate");
	netlink_put_be32(r->nl, NFTA_IMMEDIATE_DREG, NFT_REG_VERDICT);
	size_t data = netlink_nest(r->nl, NFTA_IMMEDIATE_DATA);
	size_t verdict = netlink_nest(r->nl, NFTA_DATA_VERDICT);
	netlink_put_be32(r->nl, NFTA_VERDICT_CODE, code);
	netlink_unnest(r->nl, verdict);
	netlink_unnest(r->nl, data);
	end_expr(r, e);
}

static void load_register(const struct rules *r, uint32_t reg, const void *p, size_t n)
{
	struct expr e = begin_expr(r, "immediate");
	netlink_put_be32(r->nl, NFTA_IMMEDIATE_DREG, reg);
	put_value(r, NFTA_IMMEDIATE_DATA, p, n);
	end_expr(r, e);
}

static void put_reject(const struct rules *r)
{
	struct expr e = begin_expr(r, "reject");
	uint8_t port_unreachable = r->family == NFPROTO_IPV4 ? 3 : 4;
	netlink_put_be32(r->nl, NFTA_REJECT_TYPE, NFT_REJECT_ICMP_UNREACH);
	netlink_put(r->nl, NFTA_REJECT_ICMP_CODE, &port_unreachable, 1);
	end_expr(r, e);
}

/* SYN without ACK, whatever the rest: to our socket. */
static void put_tproxy_rule(const struct rules *r)
{
	static const uint8_t syn_ack = 0x12, syn = 0x02, v4[4] = {127, 0, 0, 1}, v6[16] = {[15] = 1};
	uint16_t port_be = htons(NETNS_TRANSPARENT_PORT);
	size_t rule = begin_rule(r, "prerouting");

	match_l4(r, IPPROTO_TCP);
	load_payload(r, NFT_PAYLOAD_TRANSPORT_HEADER, 13, 1);
	mask_register(r, &syn_ack, 1);
	compare(r, NFT_CMP_EQ, &syn, 1);
	bool is_v4 = r->family == NFPROTO_IPV4;
	load_register(r, NFT_REG_1, is_v4 ? v4 : v6, is_v4 ? 4 : 16);
	load_register(r, NFT_REG_2, &port_be, 2);
	struct expr e = begin_expr(r, "tproxy");
	netlink_put_be32(r->nl, NFTA_TPROXY_FAMILY, r->family);
	netlink_put_be32(r->nl, NFTA_TPROXY_REG_ADDR, NFT_REG_1);
	netlink_put_be32(r->nl, NFTA_TPROXY_REG_PORT, NFT_REG_2);
	end_expr(r, e);
	put_verdict(r, NF_ACCEPT);
	end_rule(r, rule);
}

static void put_udp_port_rule(const struct rules *r, uint32_t offset)
{
	uint16_t port_be = htons(NETNS_DNS_PORT);
	size_t rule = begin_rule(r, "output");
	match_l4(r, IPPROTO_UDP);
	load_payload(r, NFT_PAYLOAD_TRANSPORT_HEADER, offset, 2);
	compare(r, NFT_CMP_EQ, &port_be, 2);
	put_verdict(r, NF_ACCEPT);
	end_rule(r, rule);
}

static void put_family(const struct rules *r)
{
	uint8_t icmp = r->family == NFPROTO_IPV4 ? IPPROTO_ICMP : IPPROTO_ICMPV6;
	uint8_t echo = r->family == NFPROTO_IPV4 ? ICMP_ECHO_V4 : ICMP_ECHO_V6;
	size_t rule;

	begin_nft(r, NFT_MSG_NEWTABLE, NEW);
	netlink_put_text(r->nl, NFTA_TABLE_NAME, "drydock");
	netlink_end(r->nl);
	put_chain(r, "prerouting", NF_INET_PRE_ROUTING, -150, "filter");
	put_chain(r, "output", NF_INET_LOCAL_OUT, 0, "filter");

	rule = begin_rule(r, "prerouting");
	match_loopback(r);
	put_verdict(r, NF_ACCEPT);
	end_rule(r, rule);
	put_tproxy_rule(r);

	rule = begin_rule(r, "output");
	match_loopback(r);
	put_verdict(r, NF_ACCEPT);
	end_rule(r, rule);
	put_udp_port_rule(r, 2); /* to a DNS server */
	put_udp_port_rule(r, 0); /* its answer */
	rule = begin_rule(r, "output");
	match_l4(r, IPPROTO_UDP);
	put_reject(r);
	end_rule(r, rule);
	rule = begin_rule(r, "output");
	match_l4(r, icmp);
	load_payload(r, NFT_PAYLOAD_TRANSPORT_HEADER, 0, 1);
	compare(r, NFT_CMP_EQ, &echo, 1);
	put_verdict(r, NF_DROP);
	end_rule(r, rule);
}

static int set_up_rules(struct err *err)
{
	AUTO(fd) int fd = open_netlink(NETLINK_NETFILTER, err);
	if (fd < 0)
		return fd;
	struct netlink nl = {.fd = fd};
	struct nfgenmsg batch = {.nfgen_family = AF_UNSPEC, .version = NFNETLINK_V0,
				 .res_id = htons(NFNL_SUBSYS_NFTABLES)};
	netlink_begin(&nl, NFNL_MSG_BATCH_BEGIN, 0, &batch, sizeof(batch));
	netlink_end(&nl);
	put_family(&(struct rules){.nl = &nl, .family = NFPROTO_IPV4});
	put_family(&(struct rules){.nl = &nl, .family = NFPROTO_IPV6});
	netlink_begin(&nl, NFNL_MSG_BATCH_END, 0, &batch, sizeof(batch));
	netlink_end(&nl);
	int rc = netlink_send(&nl);
	if (rc < 0) {
		err_set(err, -rc, "installing the jail's packet rules (nf_tables, tproxy)");
		return err_fix(err, "as root: modprobe -a nf_tables nft_tproxy nft_reject_ipv4 nft_reject_ipv6, or use "
				    "a kernel that has them");
	}
	return 0;
}

int netns_set_up(struct err *err)
{
	int rc = set_up_routes(err);
	return rc < 0 ? rc : set_up_rules(err);
}

struct listener {
	enum wire_listener_kind kind;
	bool is_v6, is_udp, is_transparent;
	uint16_t port;
	bool is_any; /* every address, else loopback */
};

static int listen_one(const struct listener *l, struct err *err)
{
	static const int on = 1, off = 0;
	int domain = l->is_v6 ? AF_INET6 : AF_INET;
	AUTO(fd) int fd = socket(domain, (l->is_udp ? SOCK_DGRAM : SOCK_STREAM) | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0) {
		int why = err_set(err, errno, "making a listening socket in the jail");
		if (l->is_v6)
			(void)err_fix(err, "this kernel has no IPv6: boot it without ipv6.disable=1 (sysctl "
					   "net.ipv6.conf.all.disable_ipv6=1 keeps it unused)");
		return why;
	}
	int rc = l->is_udp ? 0 : setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (rc == 0 && l->is_v6)
		rc = setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, l->is_any ? &off : &on, sizeof(on));
	if (rc == 0 && l->is_transparent)
		rc = setsockopt(fd, IPPROTO_IP, IP_TRANSPARENT, &on, sizeof(on)) |
		     setsockopt(fd, IPPROTO_IPV6, IPV6_TRANSPARENT, &on, sizeof(on));
	if (rc == 0 && l->is_udp)
		rc = setsockopt(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, &on, sizeof(on)) |
		     setsockopt(fd, IPPROTO_IPV6, IPV6_FREEBIND, &on, sizeof(on));
	if (rc < 0)
		return err_set(err, errno, "preparing a listening socket in the jail");
	struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(l->port)};
	struct sockaddr_in in4 = {.sin_family = AF_INET, .sin_port = htons(l->port),
				  .sin_addr.s_addr = htonl(l->is_any ? INADDR_ANY : INADDR_LOOPBACK)};
	if (!l->is_any)
		in6.sin6_addr = in6addr_loopback;
	const void *sa = l->is_v6 ? (const void *)&in6 : (const void *)&in4;
	if (bind(fd, sa, l->is_v6 ? sizeof(in6) : sizeof(in4)) < 0)
		return err_set(err, errno, "binding port %u in the jail", l->port);
	if (!l->is_udp && listen(fd, SOMAXCONN) < 0)
		return err_set(err, errno, "listening on port %u in the jail", l->port);
	return fd_take(&fd);
}

int netns_listen(int out_fds[WIRE_MAX_LISTENERS], struct wire_listeners *out, struct err *err)
{
	static const struct listener all[] = {
		{LISTEN_PROXY, false, false, false, NETNS_PROXY_PORT, false},
		{LISTEN_TRANSPARENT, true, false, true, NETNS_TRANSPARENT_PORT, true},
		{LISTEN_DNS_UDP, true, true, false, NETNS_DNS_PORT, true},
		{LISTEN_DNS_TCP, false, false, false, NETNS_DNS_PORT, false},
		{LISTEN_DNS_TCP, true, false, false, NETNS_DNS_PORT, false},
	};
	struct wire_listeners made = {0};

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		int fd = listen_one(&all[i], err);
		if (fd == -EADDRNOTAVAIL && all[i].is_v6 && !all[i].is_any)
			continue; /* IPv6 is switched off for lo: there is no ::1 to ask at */
		if (fd < 0) {
			while (made.n > 0)
				(void)close(out_fds[--made.n]);
			return fd;
		}
		made.kind[made.n] = (uint8_t)all[i].kind;
		out_fds[made.n++] = fd;
	}
	*out = made;
	return 0;
}
