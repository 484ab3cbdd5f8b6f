/* Where a database is refused, whatever the machine that tests it has mounted: statfs is the test's
 * own. */
#include "check.h"

#include <stdlib.h>
#include <sys/vfs.h>

#include "store/db.h"
#include "store/network_fs.h"

static struct err err;
static long magic;
static char asked[256];

int statfs(const char *path, struct statfs *ret)
{
    (void)snprintf(asked, sizeof asked, "%s", path);
    *ret = (struct statfs){.f_type = magic};
    return magic == 0 ? -1 : 0;
}

TEST(network_file_systems_are_refused_by_name)
{
    static const struct {
        long magic;
        const char *name;
    } CASES[] = {{0x6969, "(NFS)"},
                 {(long)0xff534d42, "(CIFS)"},
                 {(long)0xfe534d42, "(SMB2)"},
                 {0x00c36400, "(Ceph)"},
                 {0x01021997, "(9P)"}};

    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        struct db *db = NULL;

        magic = CASES[i].magic;
        CHECK_ERR(ERR_INVALID, network_fs_refuse("/srv/pairwatch.db", &err));
        CHECK_HAS(err.text, CASES[i].name);
        CHECK_ERR(ERR_INVALID, db_open("sqlite:/srv/pairwatch.db", DB_WRITE, &db, &err));
        CHECK_HAS(err.text, "/srv/pairwatch.db: it is on a network file system");
    }
}

TEST(local_ones_and_unknown_ones_are_not)
{
    static const long LOCAL[] = {0xef53, 0x58465342, (long)0x9123683e, 0x01021994, 0x794c7630, 0};

    for (size_t i = 0; i < ARRAY_LEN(LOCAL); i++) {
        magic = LOCAL[i];
        CHECK_OK(network_fs_refuse("/srv/pairwatch.db", &err));
    }
    magic = 0x65735546; /* FUSE, and no mount that is known as one over a network */
    CHECK_OK(network_fs_refuse("/proc/self/x", &err));
}

TEST(the_folder_is_what_counts)
{
    magic = 0xef53;
    CHECK_OK(network_fs_refuse("/srv/pairwatch.db", &err));
    CHECK_STR(asked, "/srv");
    CHECK_OK(network_fs_refuse("/pairwatch.db", &err));
    CHECK_STR(asked, "/");
    CHECK_OK(network_fs_refuse("pairwatch.db", &err));
    CHECK_STR(asked, ".");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(network_file_systems_are_refused_by_name),
        cmocka_unit_test(local_ones_and_unknown_ones_are_not),
        cmocka_unit_test(the_folder_is_what_counts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
