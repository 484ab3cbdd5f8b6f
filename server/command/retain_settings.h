#pragma once
/* The settings of retention, which serve and retention share. type has a member of the type struct
 * retain_options. */
#include "base/conf.h"
#include "worker/retain.h"

#define RETAIN_AT(type, member, what)                                                              \
    (offsetof(type, member) + offsetof(struct retain_options, what))
#define RETAIN_SETTINGS(type, member)                                                              \
    {"keep-observations",                                                                          \
     CONF_DURATION,                                                                                \
     RETAIN_AT(type, member, rules.observations_ms),                                               \
     0,                                                                                            \
     0,                                                                                            \
     0,                                                                                            \
     "TIME",                                                                                       \
     "let go of observations that nothing flagged after this time, as 90d; for good unless "       \
     "given"},                                                                                     \
        {"keep-findings",                                                                          \
         CONF_DURATION,                                                                            \
         RETAIN_AT(type, member, rules.findings_ms),                                               \
         0,                                                                                        \
         0,                                                                                        \
         0,                                                                                        \
         "TIME",                                                                                   \
         "let go of resolved and suppressed findings so long after they were seen or changed "     \
         "last"},                                                                                  \
        {"keep-changes",                                                                           \
         CONF_DURATION,                                                                            \
         RETAIN_AT(type, member, rules.changes_ms),                                                \
         0,                                                                                        \
         0,                                                                                        \
         0,                                                                                        \
         "TIME",                                                                                   \
         "let go of changes, the feed and audit trail, after this time"},                          \
        {"keep-objects",                                                                           \
         CONF_DURATION,                                                                            \
         RETAIN_AT(type, member, rules.objects_ms),                                                \
         0,                                                                                        \
         0,                                                                                        \
         0,                                                                                        \
         "TIME",                                                                                   \
         "let go of the ledger's objects after this time, a day after their observations at the "  \
         "earliest; what is delivered again later is read again"},                                 \
        {"keep-hours",                                                                             \
         CONF_DURATION,                                                                            \
         RETAIN_AT(type, member, rules.hours_ms),                                                  \
         0,                                                                                        \
         0,                                                                                        \
         0,                                                                                        \
         "TIME",                                                                                   \
         "keep the charts' counts by hour for this time, afterwards by day"},                      \
        {"keep-rollups",                                                                           \
         CONF_DURATION,                                                                            \
         RETAIN_AT(type, member, rules.rollups_ms),                                                \
         0,                                                                                        \
         0,                                                                                        \
         0,                                                                                        \
         "TIME",                                                                                   \
         "let go of those too after this time"},                                                   \
        {"database-bytes-max",                                                                     \
         CONF_BYTES,                                                                               \
         RETAIN_AT(type, member, rules.bytes_max),                                                 \
         0,                                                                                        \
         0,                                                                                        \
         1e15,                                                                                     \
         "BYTES",                                                                                  \
         "let go of the oldest days of observations while the database is larger; 0 = never"},     \
        {"archive",                                                                                \
         CONF_TEXT,                                                                                \
         RETAIN_AT(type, member, archive.target),                                                  \
         0,                                                                                        \
         0,                                                                                        \
         0,                                                                                        \
         "DIR|s3://BUCKET/PREFIX",                                                                 \
         "write observations there as Parquet, laid out as a custom source of Security Lake, "     \
         "before they go"},                                                                        \
        {"archive-source",                                                                         \
         CONF_TEXT,                                                                                \
         RETAIN_AT(type, member, archive.source),                                                  \
         0,                                                                                        \
         0,                                                                                        \
         0,                                                                                        \
         "NAME",                                                                                   \
         "the custom source's name, in the path ext/NAME/"},                                       \
        {"archive-region",                                                                         \
         CONF_TEXT,                                                                                \
         RETAIN_AT(type, member, archive.region),                                                  \
         0,                                                                                        \
         0,                                                                                        \
         0,                                                                                        \
         "REGION",                                                                                 \
         "in the path region=REGION; that of AWS, or \"local\" in a folder, unless given"},        \
    {                                                                                              \
        "archive-account", CONF_TEXT, RETAIN_AT(type, member, archive.account), 0, 0, 0,           \
            "ACCOUNT", "in the path accountId=ACCOUNT"                                             \
    }
