/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/base/test_sha256.c - the known answers of FIPS 180-4, and every way to cut the input */
#include "base/sha256.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

static void check(const char *text, const char *hex)
{
	char got[SHA256_HEX_BYTES];
	sha256_hex(span_of(text), got);
	assert_string_equal(got, hex);
}

static void the_published_examples_come_out(void **state)
{
	(void)state;
	check("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
	check("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	check("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
	      "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
	check("abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopq"
	      "klmnopqrlmnopqrsmnopqrstnopqrstu",
	      "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1");
}

static void a_million_letters_come_out(void **state)
{
	(void)state;
	struct sha256 h;
	uint8_t digest[SHA256_BYTES];
	static const uint8_t first[] = {0xcd, 0xc7, 0x6e, 0x5c, 0x99, 0x14, 0xfb, 0x92};
	char block[1000];

	memset(block, 'a', sizeof(block));
	sha256_init(&h);
	for (int i = 0; i < 1000; i++)
		sha256_put(&h, span_make(block, sizeof(block)));
	sha256_end(&h, digest);
	assert_memory_equal(digest, first, sizeof(first));
}

static void the_digest_does_not_depend_on_how_the_input_is_cut(void **state)
{
	(void)state;
	uint8_t input[200], whole[SHA256_BYTES], cut[SHA256_BYTES];
	struct sha256 h;

	for (size_t i = 0; i < sizeof(input); i++)
		input[i] = (uint8_t)(i * 7);
	for (size_t n = 0; n <= sizeof(input); n++) {
		sha256_init(&h);
		sha256_put(&h, span_make(input, n));
		sha256_end(&h, whole);
		for (size_t at = 0; at <= n; at += 13) {
			sha256_init(&h);
			sha256_put(&h, span_make(input, at));
			sha256_put(&h, span_make(input + at, n - at));
			sha256_end(&h, cut);
			assert_memory_equal(whole, cut, sizeof(whole));
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_published_examples_come_out),
		cmocka_unit_test(a_million_letters_come_out),
		cmocka_unit_test(the_digest_does_not_depend_on_how_the_input_is_cut),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
