#include "base/tally.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* guards what follows */
static struct tally tallies[TALLY_NAMES_MAX];
static size_t tally_count;

static void clean(char *label)
{
    static const char GOOD[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";

    for (; *label != '\0'; label++)
        if (strchr(GOOD, *label) == NULL)
            *label = '_';
}

static void append(char name[static TALLY_NAME_BYTES], const char *label)
{
    size_t length = strlen(name);

    if (label == NULL)
        return;
    (void)snprintf(name + length, TALLY_NAME_BYTES - length, "|%s", label);
    if (name[length] != '\0')
        clean(name + length + 1);
}

void tally_add(const char *name, const char *label, const char *label2, uint64_t value)
{
    char whole[TALLY_NAME_BYTES];
    size_t at = 0;

    (void)snprintf(whole, sizeof whole, "%s", name);
    append(whole, label);
    append(whole, label2);
    (void)pthread_mutex_lock(&lock);
    while (at < tally_count && strcmp(tallies[at].name, whole) != 0)
        at++;
    if (at == tally_count && at < TALLY_NAMES_MAX)
        (void)memcpy(tallies[tally_count++].name, whole, sizeof whole);
    if (at < TALLY_NAMES_MAX)
        tallies[at].value += value;
    (void)pthread_mutex_unlock(&lock);
}

size_t tally_read(struct tally ret[static TALLY_NAMES_MAX])
{
    size_t count;

    (void)pthread_mutex_lock(&lock);
    count = tally_count;
    (void)memcpy(ret, tallies, count * sizeof *ret);
    (void)pthread_mutex_unlock(&lock);
    return count;
}
