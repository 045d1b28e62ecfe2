/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/egress/test_worker_guard.c - C-40 a sidecar serves its own agent: by address, by token, and health to itself */
#include "worker_rig.h"

#include <unistd.h>

static const char agent[] = "127.0.0.2", stranger[] = "127.0.0.3";
static const char connect_request[] = "CONNECT a.example:22 HTTP/1.1\r\nHost: a.example:22\r\n";

static int up(void **state)
{
	struct wire_terms terms = {.is_guarded = 1, .tells_health = 1, .token_n = 6};

	memcpy(terms.token, "tok123", 6);
	return rig_up_on_terms(state, &terms);
}

static int client(const char *from)
{
	return rig_connect_from(from, "127.0.0.1", RIG_PROXY_PORT);
}

/* A client that asked for a.example:22 with @field among its fields. */
static int asking(const char *from, const char *field)
{
	int fd = client(from);

	rig_send(fd, connect_request);
	rig_send(fd, field);
	rig_send(fd, "\r\n");
	return fd;
}

static void serve(struct rig *r, int fd)
{
	rig_refuse(r, rig_take_open(r, "a.example", 22).flow, REASON_NOT_ALLOWLISTED);
	assert_non_null(strstr(rig_read_all(fd), "\r\nX-Proxy-Error: blocked-by-allowlist\r\n"));
	(void)close(fd);
}

static void the_agent_is_served_once_its_address_is_known(void **state)
{
	struct rig *r = *state;
	int fd = asking(agent, "");

	rig_clients(r, rig_take_ask_clients(r), agent);
	serve(r, fd);
	serve(r, asking(agent, "")); /* while the answer is fresh nobody is asked again */
	rig_is_silent(r);
}

static void whoever_else_connects_is_cut_off_unread(void **state)
{
	struct rig *r = *state;
	int fd = asking(stranger, "Proxy-Authorization: Basic ZHJ5ZG9jazp0b2sxMjM=\r\n");

	rig_clients(r, rig_take_ask_clients(r), agent);
	struct wire_note note = rig_take_note(r, REASON_WRONG_SESSION);
	assert_memory_equal(note.name, stranger, note.name_n);
	rig_expect_reset(fd);
	(void)close(fd);
	fd = asking(stranger, "");
	rig_clients(r, rig_take_ask_clients(r), NULL); /* the agent has no address yet */
	rig_take_note(r, REASON_WRONG_SESSION);
	rig_expect_reset(fd);
	(void)close(fd);
	serve(r, (fd = asking(agent, ""), rig_clients(r, rig_take_ask_clients(r), agent), fd));
}

static void an_answer_serves_those_that_came_before_its_question(void **state)
{
	struct rig *r = *state;
	int first = asking(agent, "");
	uint64_t ask = rig_take_ask_clients(r);
	int late = asking(agent, "");

	rig_is_silent(r); /* one question at a time */
	rig_clients(r, ask, NULL);
	rig_take_note(r, REASON_WRONG_SESSION);
	rig_expect_reset(first);
	(void)close(first);
	rig_clients(r, rig_take_ask_clients(r), agent);
	serve(r, late);
}

static void a_client_that_leaves_while_it_is_held_is_forgotten(void **state)
{
	struct rig *r = *state;
	int fd = asking(agent, "");
	uint64_t ask = rig_take_ask_clients(r);

	(void)close(fd);
	rig_clients(r, ask, agent);
	struct wire_open q = rig_take_open(r, "a.example", 22); /* what it said is still there */
	rig_refuse(r, q.flow, REASON_NOT_ALLOWLISTED);
	serve(r, asking(agent, ""));
}

static void credentials_may_be_missing_but_not_wrong(void **state)
{
	static const char *const wrong[] = {
		"Proxy-Authorization: Basic ZHJ5ZG9jazp3cm9uZw==\r\n",
		"Proxy-Authorization: Basic ZHJ5ZG9jazp0b2sxMjM\r\n",
		"Proxy-Authorization: Bearer ZHJ5ZG9jazp0b2sxMjM=\r\n",
		"Proxy-Authorization: Basic\r\n",
		"Proxy-Authorization: Basic ZHJ5ZG9jazp0b2sxMjM=\r\nProxy-Authorization: Basic eDp5\r\n",
	};
	struct rig *r = *state;
	int fd = asking(agent, "proxy-authorization: BASIC ZHJ5ZG9jazp0b2sxMjM=\r\n");

	rig_clients(r, rig_take_ask_clients(r), agent);
	serve(r, fd);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		fd = asking(agent, wrong[i]);
		rig_take_note(r, REASON_WRONG_SESSION);
		assert_non_null(strstr(rig_read_all(fd), "wrong-session"));
		(void)close(fd);
	}
	serve(r, asking(agent, ""));
}

static void every_request_of_a_connection_shows_its_credentials_and_none_is_forwarded(void **state)
{
	struct rig *r = *state;
	int fd = client(agent);

	rig_send(fd, "GET http://a.example/1 HTTP/1.1\r\nHost: a.example\r\n"
		     "Proxy-Authorization: Basic ZHJ5ZG9jazp0b2sxMjM=\r\n\r\n");
	rig_clients(r, rig_take_ask_clients(r), agent);
	struct wire_open q = rig_take_open(r, "a.example", 80);
	int server = rig_grant(r, q.flow, JUDGE_HTTP, 0, "a.example");
	assert_string_equal(rig_read_head(server), "GET /1 HTTP/1.1\r\nHost: a.example\r\n\r\n");
	rig_send(server, "HTTP/1.1 204 No Content\r\n\r\n");
	(void)rig_read_head(fd);
	rig_send(fd, "GET http://a.example/2 HTTP/1.1\r\nHost: a.example\r\n"
		     "Proxy-Authorization: Basic ZHJ5ZG9jazp3cm9uZw==\r\n\r\n");
	rig_take_close(r, q.flow, REASON_NONE);
	rig_take_note(r, REASON_WRONG_SESSION);
	assert_non_null(strstr(rig_read_all(fd), "wrong-session"));
	(void)close(fd);
	(void)close(server);
}

static void health_is_told_to_the_listeners_own_address_and_nothing_else_is(void **state)
{
	static const char health[] = "GET /health HTTP/1.1\r\nHost: health\r\n\r\n";
	struct rig *r = *state;
	int fd = rig_client();

	rig_send(fd, health);
	assert_non_null(strstr(rig_read_all(fd), "HTTP/1.1 200 OK\r\n"));
	(void)close(fd);
	fd = rig_client();
	rig_send(fd, "GET /other HTTP/1.1\r\nHost: health\r\n\r\n");
	rig_expect_reset(fd);
	(void)close(fd);
	fd = asking("127.0.0.1", "Proxy-Authorization: Basic ZHJ5ZG9jazp0b2sxMjM=\r\n");
	rig_expect_reset(fd);
	(void)close(fd);
	rig_is_silent(r);
	fd = client(agent); /* the agent has no business with it */
	rig_send(fd, health);
	rig_clients(r, rig_take_ask_clients(r), agent);
	rig_take_note(r, REASON_MALFORMED);
	assert_non_null(strstr(rig_read_all(fd), "HTTP/1.1 400 "));
	(void)close(fd);
}

#define GUARDED(test) cmocka_unit_test_setup_teardown(test, up, rig_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		GUARDED(the_agent_is_served_once_its_address_is_known),
		GUARDED(whoever_else_connects_is_cut_off_unread),
		GUARDED(an_answer_serves_those_that_came_before_its_question),
		GUARDED(a_client_that_leaves_while_it_is_held_is_forgotten),
		GUARDED(credentials_may_be_missing_but_not_wrong),
		GUARDED(every_request_of_a_connection_shows_its_credentials_and_none_is_forwarded),
		GUARDED(health_is_told_to_the_listeners_own_address_and_nothing_else_is),
	};
	if (!rig_namespace())
		return 77;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
