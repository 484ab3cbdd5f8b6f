#pragma once
/* The rows of an archive's object as OCSF 1.1.0, over the columns of ARCHIVE_CSV_HEADER, all of
 * them text: https://schema.ocsf.io/1.1.0/classes/network_activity. Private to archive.c. */

#define ARCHIVE_CSV_HEADER                                                                         \
    "time,first,count,spec,entity,ip,model,score,percentile,bucket,key,etag\n"

/* Of these specs the address is what the entity talks to; of all others where it comes from. */
#define ARCHIVE_OUTBOUND "spec IN ('vpc-egress', 'dns-answer')"

#define ARCHIVE_SELECT                                                                             \
    "struct_pack(product := struct_pack(name := 'pairwatch', vendor_name := 'pairwatch', "         \
    "version := '" PAIRWATCH_VERSION "'), version := '1.1.0') AS metadata, "                       \
    "time::BIGINT AS time, make_timestamp(time::BIGINT * 1000) AS time_dt, "                       \
    "first::BIGINT AS start_time, time::BIGINT AS end_time, count::BIGINT AS count, "              \
    "'Informational' AS severity, 1::INTEGER AS severity_id, "                                     \
    "'Network Activity' AS class_name, 4001::INTEGER AS class_uid, "                               \
    "'Network Activity' AS category_name, 4::INTEGER AS category_uid, "                            \
    "'Traffic' AS activity_name, 6::INTEGER AS activity_id, 400106::BIGINT AS type_uid, "          \
    "'Network Activity: Traffic' AS type_name, "                                                   \
    "struct_pack(ip := CASE WHEN NOT " ARCHIVE_OUTBOUND " THEN ip END, "                           \
    "name := CASE WHEN " ARCHIVE_OUTBOUND " THEN entity END) AS src_endpoint, "                    \
    "struct_pack(ip := CASE WHEN " ARCHIVE_OUTBOUND " THEN ip END, "                               \
    "name := CASE WHEN NOT " ARCHIVE_OUTBOUND " THEN entity END) AS dst_endpoint, "                \
    "struct_pack(direction_id := CASE WHEN " ARCHIVE_OUTBOUND " THEN 2 ELSE 1 END::INTEGER, "      \
    "direction := CASE WHEN " ARCHIVE_OUTBOUND " THEN 'Outbound' ELSE 'Inbound' END) "             \
    "AS connection_info, "                                                                         \
    "[struct_pack(name := CASE WHEN " ARCHIVE_OUTBOUND " THEN 'dst_endpoint.ip' "                  \
    "ELSE 'src_endpoint.ip' END, type := 'IP Address', type_id := 2::INTEGER, value := ip)] "      \
    "AS observables, "                                                                             \
    "struct_pack(spec := spec, entity := entity, ip := ip, model := model, "                       \
    "score := score::DOUBLE, percentile := percentile::DOUBLE, "                                   \
    "object_bucket := bucket, object_key := \"key\", object_etag := etag) AS unmapped"
