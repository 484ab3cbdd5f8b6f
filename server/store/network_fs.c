/* The kernel's magic numbers are those of statfs(2); behind FUSE many file systems share one, and
 * the list of mounts says which (proc(5), /proc/PID/mountinfo). */
#include "store/network_fs.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>

#include "base/str.h"

enum { FUSE_MAGIC = 0x65735546, PATH_BYTES_MAX = 4096, LINE_BYTES_MAX = 8192, MOUNTS_MAX = 10000 };

static const struct {
    unsigned long magic;
    const char *name;
} NETWORK[] = {
    {0x6969, "NFS"},        {0xff534d42, "CIFS"},   {0x517b, "SMB"},       {0xfe534d42, "SMB2"},
    {0x5346414f, "AFS"},    {0x6b414653, "AFS"},    {0x73757245, "Coda"},  {0x00c36400, "Ceph"},
    {0x0bd00bd0, "Lustre"}, {0x01021997, "9P"},     {0x7461636f, "OCFS2"}, {0x01161970, "GFS2"},
    {0x47504653, "GPFS"},   {0x19830326, "BeeGFS"}, {0x564c, "NCP"},
};
/* Behind FUSE, as the list of mounts names them. */
static const char *const NETWORK_FUSE[] = {
    "fuse.sshfs",     "fuse.s3fs",   "fuse.gcsfuse",   "fuse.glusterfs", "fuse.rclone",
    "fuse.davfs",     "fuse.ceph",   "fuse.ceph-fuse", "fuse.mfs",       "fuse.curlftpfs",
    "fuse.juicefs",   "fuse.goofys", "fuse.mount-s3",  "fuse.blobfuse2", "fuse.afpfs",
    "fuse.seaweedfs", "fuse.cvmfs2", "fuse.JuiceFS",
};

/* The folder that a file is in, or will be. */
static void folder_of(const char *path, char ret[static PATH_BYTES_MAX])
{
    const char *slash = strrchr(path, '/');
    int length = slash == NULL ? 0 : slash == path ? 1 : (int)(slash - path);

    if (length == 0)
        (void)snprintf(ret, PATH_BYTES_MAX, ".");
    else
        (void)snprintf(ret, PATH_BYTES_MAX, "%.*s", length, path);
}

/* "36 35 98:0 /mnt1 /mnt2 rw - ext3 /dev/root rw": the third word is the device, the first after
 * the dash the file system. */
static bool read_mount(const char *line, dev_t *ret_device, char ret_type[static 64])
{
    const char *dash = strstr(line, " - ");
    char major_text[16], minor_text[16];
    uint64_t major_number, minor_number;

    if (dash == NULL || sscanf(dash, " - %63s", ret_type) != 1 ||
        sscanf(line, "%*s %*s %15[0-9]:%15[0-9]", major_text, minor_text) != 2 ||
        !str_to_u64(major_text, &major_number) || !str_to_u64(minor_text, &minor_number))
        return false;
    *ret_device = makedev((unsigned)major_number, (unsigned)minor_number);
    return true;
}

static const char *fuse_name(const char *folder)
{
    char line[LINE_BYTES_MAX], type[64];
    const char *found = NULL;
    dev_t device;
    struct stat status;
    FILE *mounts;

    if (stat(folder, &status) != 0)
        return NULL;
    mounts = fopen("/proc/self/mountinfo", "re");
    if (mounts == NULL)
        return NULL;
    for (int i = 0; i < MOUNTS_MAX && fgets(line, sizeof line, mounts) != NULL; i++) {
        if (!read_mount(line, &device, type) || device != status.st_dev)
            continue;
        for (size_t k = 0; k < ARRAY_LEN(NETWORK_FUSE); k++)
            if (strcmp(type, NETWORK_FUSE[k]) == 0)
                found = NETWORK_FUSE[k];
    }
    (void)fclose(mounts);
    return found;
}

static const char *network_name(const char *folder)
{
    struct statfs status;

    if (statfs(folder, &status) != 0)
        return NULL;
    if ((uint32_t)status.f_type == FUSE_MAGIC)
        return fuse_name(folder);
    for (size_t i = 0; i < ARRAY_LEN(NETWORK); i++)
        if ((uint32_t)status.f_type == NETWORK[i].magic)
            return NETWORK[i].name;
    return NULL;
}

enum err_code network_fs_refuse(const char *path, struct err *err)
{
    char folder[PATH_BYTES_MAX];
    const char *name;

    folder_of(path, folder);
    name = network_name(folder);
    if (name == NULL)
        return ERR_NONE;
    return err_set(err, ERR_INVALID,
                   "opening the database %s: it is on a network file system (%s), where SQLite "
                   "damages it sooner or later; keep it on a local disk, or use PostgreSQL",
                   path, name);
}
