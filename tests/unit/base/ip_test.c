/* Addresses and networks. */
#include "check.h"

#include "base/ip.h"

static struct ip parsed(const char *text)
{
    struct ip ip = {{0}};

    CHECK_CASE(text, ip_parse(text, &ip));
    return ip;
}

TEST(text_comes_back_as_rfc5952)
{
    static const struct {
        const char *text, *wanted;
    } CASES[] = {
        {"0.0.0.0", "0.0.0.0"},
        {"255.255.255.255", "255.255.255.255"},
        {"198.51.100.7", "198.51.100.7"},
        {"::", "::"},
        {"::1", "::1"},
        {"1::", "1::"},
        {"2001:DB8::A", "2001:db8::a"},
        {"2001:0db8:0000:0000:0000:0000:0002:0001", "2001:db8::2:1"},
        {"2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"},
        {"2001:db8::1:1:1:1:1", "2001:db8:0:1:1:1:1:1"},
        {"2001:0:0:1:0:0:0:1", "2001:0:0:1::1"},
        {"2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"},
        {"0:0:0:1:0:0:0:0", "0:0:0:1::"},
        {"1:0:0:2:3:4:5:6", "1::2:3:4:5:6"},
        {"1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8"},
        {"1:2:3:4:5:6:0:0", "1:2:3:4:5:6::"},
        {"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
        {"::ffff:192.0.2.1", "192.0.2.1"},
        {"::ffff:c000:201", "192.0.2.1"},
        {"64:ff9b::192.0.2.33", "64:ff9b::c000:221"},
    };

    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        struct ip ip = parsed(CASES[i].text);
        char text[IP_TEXT_BYTES];

        CHECK(ip_format(text, &ip) == strlen(CASES[i].wanted));
        CHECK_STR(text, CASES[i].wanted);
    }
}

TEST(what_is_no_address)
{
    static const char *const BAD[] = {
        "",           "1",
        "1.2.3",      "1.2.3.4.5",
        "256.1.1.1",  "01.2.3.4",
        "1.2.3.04",   "1.2.3.4 ",
        " 1.2.3.4",   "1.2.3.-4",
        "1..2.3",     "0x1.2.3.4",
        "1.2.3.",     ":",
        ":::",        "1::2::3",
        "1:2:3",      "12345::",
        "g::",        "::1%eth0",
        "[::1]",      "1:2:3:4:5:6:7:8:9",
        "::1.2.3",    "::ffff:1.2.3.256",
        "::1/128",    "::ffff:01.2.3.4",
        "1.2.3.4/32", "1:2:3:4:5:6:7:",
        "1234.1.1.1", ":1:2:3:4:5:6:7",
        "1,2,3,4",    "0000000000000000000000000000000000000000000000000000000000::1",
    };
    struct ip ip = {{7}};

    for (size_t i = 0; i < ARRAY_LEN(BAD); i++)
        CHECK_CASE(BAD[i], !ip_parse(BAD[i], &ip));
    CHECK(ip.bytes[0] == 7);
}

TEST(v4_is_mapped)
{
    static const uint8_t WANTED[16] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 2, 1};
    struct ip ip = parsed("192.0.2.1"), six = parsed("2001:db8::1"), back = ip_from_v4(0xc0000201);

    CHECK(memcmp(ip.bytes, WANTED, 16) == 0);
    CHECK(ip_is_v4(&ip) && ip_v4(&ip) == 0xc0000201 && !ip_is_v4(&six));
    CHECK(ip_equal(&ip, &back) && ip_compare(&ip, &six) < 0 && ip_compare(&six, &ip) > 0);
}

TEST(networks)
{
    static const struct {
        const char *text, *low, *high, *wanted;
    } CASES[] = {
        {"10.0.0.0/8", "10.0.0.0", "10.255.255.255", "10.0.0.0/8"},
        {"0.0.0.0/0", "0.0.0.0", "255.255.255.255", "0.0.0.0/0"},
        {"192.0.2.1", "192.0.2.1", "192.0.2.1", "192.0.2.1/32"},
        {"192.0.2.128/25", "192.0.2.128", "192.0.2.255", "192.0.2.128/25"},
        {"2001:db8::/32", "2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", "2001:db8::/32"},
        {"::/0", "::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "::/0"},
        {"2001:db8::1/128", "2001:db8::1", "2001:db8::1", "2001:db8::1/128"},
        {"2001:db8::8000:0/97", "2001:db8::8000:0", "2001:db8::ffff:ffff", "2001:db8::8000:0/97"},
    };

    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        struct cidr cidr;
        struct ip low = parsed(CASES[i].low), high = parsed(CASES[i].high);
        char text[CIDR_TEXT_BYTES];

        CHECK_CASE(CASES[i].text, cidr_parse(CASES[i].text, &cidr));
        CHECK_CASE(CASES[i].text, ip_equal(&cidr.low, &low) && ip_equal(&cidr.high, &high));
        CHECK_CASE(CASES[i].text, cidr.v4 == ip_is_v4(&low));
        CHECK(cidr_format(text, &cidr) == strlen(CASES[i].wanted));
        CHECK_STR(text, CASES[i].wanted);
        CHECK(cidr_contains(&cidr, &low) && cidr_contains(&cidr, &high));
    }
}

TEST(what_is_no_network)
{
    static const char *const BAD[] = {
        "10.0.0.1/8",
        "10.0.0.0/33",
        "10.0.0.0/",
        "10.0.0.0/08",
        "10.0.0.0/-1",
        "10.0.0.0/8/8",
        "10.0.0/8",
        "2001:db8::/129",
        "2001:db8::1/64",
        "/8",
        "",
        "10.0.0.0/ 8",
        "::ffff:10.0.0.0/104",
        "10.0.0.0/0008",
        "10.0.0.0/8 ",
    };
    struct cidr cidr;

    for (size_t i = 0; i < ARRAY_LEN(BAD); i++)
        CHECK_CASE(BAD[i], !cidr_parse(BAD[i], &cidr));
}

TEST(containment_and_surroundings)
{
    struct ip inside = parsed("10.1.2.3"), outside = parsed("11.0.0.0"), six = parsed("::a01:203");
    struct cidr cidr = cidr_around(&inside, 8);
    char text[CIDR_TEXT_BYTES];

    CHECK(cidr_contains(&cidr, &inside) && !cidr_contains(&cidr, &outside));
    CHECK(!cidr_contains(&cidr, &six));
    (void)cidr_format(text, &cidr);
    CHECK_STR(text, "10.0.0.0/8");
    six = parsed("2001:db8:1234:5678::9");
    cidr = cidr_around(&six, 48);
    (void)cidr_format(text, &cidr);
    CHECK_STR(text, "2001:db8:1234::/48");
    CHECK_ABORTS((void)cidr_around(&inside, 33));
}

/* The edges of each registry entry, and its exceptions. */
static const char *const GLOBAL[] = {
    "1.0.0.0",        "8.8.8.8",         "9.255.255.255",    "11.0.0.0",        "100.63.255.255",
    "100.128.0.0",    "126.255.255.255", "128.0.0.0",        "169.253.255.255", "169.255.0.0",
    "172.15.255.255", "172.32.0.0",      "192.0.0.9",        "192.0.0.10",      "192.0.1.0",
    "192.0.3.0",      "192.167.255.255", "192.169.0.0",      "198.17.255.255",  "198.20.0.0",
    "198.51.99.255",  "198.51.101.0",    "203.0.112.255",    "203.0.114.0",     "223.255.255.255",
    "2001:1::1",      "2001:1::2",       "2001:1::3",        "2001:3::1",       "2001:4:112::1",
    "2001:20::1",     "2001:3f::1",      "2001:200::",       "2001:db7::",      "2001:db9::",
    "2600::1",        "3ffe::1",         "64:ff9b::102:304", "fbff::",
};
static const char *const LOCAL[] = {
    "0.0.0.0",
    "0.255.255.255",
    "10.0.0.0",
    "10.255.255.255",
    "100.64.0.0",
    "100.127.255.255",
    "127.0.0.1",
    "169.254.169.254",
    "172.16.0.0",
    "172.31.255.255",
    "192.0.0.8",
    "192.0.0.11",
    "192.0.2.255",
    "192.88.99.1",
    "192.168.255.255",
    "198.18.0.0",
    "198.19.255.255",
    "198.51.100.0",
    "203.0.113.255",
    "224.0.0.1",
    "239.255.255.255",
    "240.0.0.0",
    "255.255.255.255",
    "::",
    "::1",
    "64:ff9b:1::1",
    "100::1",
    "100:0:0:1::1",
    "2001::1",
    "2001:1::4",
    "2001:2::1",
    "2001:10::1",
    "2001:1ff::",
    "2001:db8::1",
    "3fff::1",
    "3fff:fff::",
    "5f00::1",
    "fc00::",
    "fdff::1",
    "fe80::1",
    "febf::1",
    "fec0::1",
    "ff00::",
    "ff02::1",
    "::ffff:10.0.0.1",
};

TEST(global_addresses)
{
    for (size_t i = 0; i < ARRAY_LEN(GLOBAL); i++) {
        struct ip ip = parsed(GLOBAL[i]);

        CHECK_CASE(GLOBAL[i], ip_is_global(&ip));
    }
    for (size_t i = 0; i < ARRAY_LEN(LOCAL); i++) {
        struct ip ip = parsed(LOCAL[i]);

        CHECK_CASE(LOCAL[i], !ip_is_global(&ip));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_comes_back_as_rfc5952),
        cmocka_unit_test(what_is_no_address),
        cmocka_unit_test(v4_is_mapped),
        cmocka_unit_test(networks),
        cmocka_unit_test(what_is_no_network),
        cmocka_unit_test(containment_and_surroundings),
        cmocka_unit_test(global_addresses),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
