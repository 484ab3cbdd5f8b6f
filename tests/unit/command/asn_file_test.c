/* Tables of autonomous systems as people have them: forms, networks within networks, bad lines. */
#include "temp.h"

#include <stdlib.h>

#include "base/own.h"
#include "command/asn_file.h"

struct place {
    char folder[64], path[80];
};

static struct place place_new(const char *text)
{
    struct place place = {.folder = "/tmp/pairwatch-asn-XXXXXX"};
    FILE *file;

    (void)temp_folder(place.folder);
    (void)snprintf(place.path, sizeof place.path, "%s/a", place.folder);
    file = fopen(place.path, "w");
    CHECK(file != NULL && fputs(text, file) >= 0 && fclose(file) == 0);
    return place;
}

static void place_done(struct place *place)
{
    (void)temp_folder_drop(place->folder);
}

/* The number of the system that has the address, 0 for none. */
static uint32_t number_at(const struct asn_file *file, const char *text)
{
    struct ip ip;
    int length;
    int64_t system;

    CHECK(ip_parse(text, &ip));
    system = asn_find(&file->table, 0, prefix_key(&ip, &length));
    if (length == PREFIX_BITS_V6)
        system = asn_find(&file->table, 1, prefix_key(&ip, &length));
    return system == ASN_NONE ? 0 : file->table.numbers[system];
}

TEST(every_form_is_read)
{
    static const char *const FORMS[] = {
        "network,asn,name\n192.0.2.0/24,64500,Example\n2001:db8::/32,64501\n",
        "# made by hand\n\n192.0.2.0/24,AS64500,\"Example, the "
        "network\"\r\n2001:db8::/32,AS64501\n",
        "192.0.2.0\t192.0.2.255\t64500\tZZ\tEXAMPLE\n"
        "198.51.100.0\t198.51.100.255\t0\tNone\tNot routed\n"
        "2001:db8::\t2001:db8:ffff:ffff:ffff:ffff:ffff:ffff\t64501\tZZ\tOTHER",
        "start,end,asn,name\n192.0.2.0,192.0.2.255,64500,Example\n"
        "2001:db8::,2001:db8:ffff:ffff:ffff:ffff:ffff:ffff,64501,Other\n",
    };

    for (size_t i = 0; i < ARRAY_LEN(FORMS); i++) {
        AUTO(place_done) struct place place = place_new(FORMS[i]);
        AUTO(asn_file_done) struct asn_file file = {.numbers = NULL};
        struct err err = {0};

        CHECK_OK(asn_file_read(place.path, &file, &err));
        CHECK(asn_table_holds(&file.table) && file.table.system_count == 2);
        CHECK(number_at(&file, "192.0.2.0") == 64500 && number_at(&file, "192.0.2.255") == 64500);
        CHECK(number_at(&file, "192.0.3.0") == 0 && number_at(&file, "198.51.100.9") == 0);
        CHECK(number_at(&file, "2001:db8:9::1") == 64501 && number_at(&file, "2001:db9::") == 0);
        if (i > 0)
            CHECK(strncmp(file.table.names, i == 2 ? "EXAMPLE" : "Example", 7) == 0);
    }
}

TEST(the_smaller_network_counts)
{
    static const char TEXT[] = "10.1.0.0/16,2\n10.0.0.0/8,1\n10.1.2.0/24,3\n10.1.2.128/25,0\n"
                               "10.255.0.0/16,4\n10.255.0.0/16,5\n255.0.0.0/8,6\n";
    AUTO(place_done) struct place place = place_new(TEXT);
    AUTO(asn_file_done) struct asn_file file = {.numbers = NULL};
    struct err err = {0};

    CHECK_OK(asn_file_read(place.path, &file, &err));
    CHECK(asn_table_holds(&file.table));
    CHECK(number_at(&file, "10.0.0.1") == 1 && number_at(&file, "10.2.0.1") == 1);
    CHECK(number_at(&file, "10.1.0.1") == 2 && number_at(&file, "10.1.3.1") == 2);
    CHECK(number_at(&file, "10.1.2.1") == 3 && number_at(&file, "10.1.2.200") == 0);
    CHECK(number_at(&file, "10.255.9.9") == 5); /* the last of equal ones */
    CHECK(number_at(&file, "255.255.255.255") == 6);
}

TEST(bad_lines_are_told_with_their_number)
{
    static const char *const CASES[][2] = {
        {"192.0.2.1/24,64500", "the network must be a CIDR"}, /* host bits */
        {"192.0.2.0/24", "too few fields"},
        {"192.0.2.9,192.0.2.1,64500", "two ends of a range"},
        {"192.0.2.0,2001:db8::,64500", "two ends of a range"},
        {"192.0.2.0/24,ASX", "the asn must be a number"},
        {"192.0.2.0/24,4294967296", "the asn must be a number"},
        {"word,64500", "too few fields"},
    };

    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        char text[200];
        struct err err = {0};

        (void)snprintf(text, sizeof text, "198.51.100.0/24,64500\n%s\n", CASES[i][0]);
        {
            AUTO(place_done) struct place place = place_new(text);
            AUTO(asn_file_done) struct asn_file file = {.numbers = NULL};

            CHECK_ERR(ERR_INVALID, asn_file_read(place.path, &file, &err));
            CHECK_HAS(err.text, ":2: ");
            CHECK_HAS(err.text, CASES[i][1]);
        }
    }
}

TEST(a_file_without_any_is_refused)
{
    AUTO(place_done) struct place place = place_new("network,asn\n192.0.2.0/24,0\n");
    AUTO(asn_file_done) struct asn_file file = {.numbers = NULL};
    struct err err = {0};

    CHECK_ERR(ERR_INVALID, asn_file_read(place.path, &file, &err));
    CHECK_HAS(err.text, "names no autonomous system");
    CHECK_ERR(ERR_NOT_FOUND, asn_file_read("/nonexistent/table", &file, &err));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_form_is_read),
        cmocka_unit_test(the_smaller_network_counts),
        cmocka_unit_test(bad_lines_are_told_with_their_number),
        cmocka_unit_test(a_file_without_any_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
