/* OCSF 1.1.0 as Security Lake's source version 2 writes it. */
#include "command/simulate_rows.h"

const char *const SIM_CSV_HEADERS[2] = {
    "time,src_ip,src_port,src_instance,dst_ip,dst_port,dst_instance,direction,action,status,"
    "packets,bytes,account,region\n",
    "time,arn,issuer,principal,type,user,ip,domain,operation,service,account,region,agent,uid\n",
};

#define COMMON(product, feature, class_name, class_uid, category, category_uid)                    \
    "struct_pack(product := struct_pack(name := '" product "', version := '5', vendor_name := "    \
    "'AWS', feature := struct_pack(name := '" feature "')), profiles := ['cloud', "                \
    "'security_control', 'datetime'], version := '1.1.0') AS metadata, "                           \
    "struct_pack(account := struct_pack(uid := account), region := region, provider := 'AWS') "    \
    "AS cloud, "                                                                                   \
    "time::BIGINT AS time, make_timestamp(time::BIGINT * 1000) AS time_dt, "                       \
    "'Informational' AS severity, 1::INTEGER AS severity_id, '" class_name                         \
    "' AS class_name, " class_uid "::INTEGER AS class_uid, '" category                             \
    "' AS category_name, " category_uid "::INTEGER AS category_uid, "

#define ENDPOINT(side, other, owner)                                                               \
    "struct_pack(port := " side "_port::INTEGER, svc_name := '-', ip := " side                     \
    "_ip, intermediate_ips := []::VARCHAR[], interface_uid := CASE WHEN direction = '" owner       \
    "' THEN 'eni-' || substr(" side "_instance, 3) END, vpc_uid := CASE WHEN direction = '" owner  \
    "' THEN 'vpc-0a1b2c3d' END, instance_uid := " side                                             \
    "_instance, subnet_uid := CASE WHEN direction = '" owner                                       \
    "' THEN 'subnet-0a1b2c3d' END) AS " side "_endpoint, "

const char *const SIM_SELECTS[2] = {
    COMMON("Amazon VPC", "Flowlogs", "Network Activity", "4001", "Network Activity", "4")
        ENDPOINT("src", "dst", "2") ENDPOINT(
            "dst", "src",
            "1") "struct_pack(protocol_num := 6::INTEGER, tcp_flags := CASE action WHEN '2' THEN 2 "
                 "ELSE 3 END::INTEGER, protocol_ver := " /* a SYN; a connection that ended, too */
                 "CASE WHEN "
                 "contains(src_ip, ':') THEN 'IPv6' ELSE 'IPv4' END, boundary_id := 99::INTEGER, "
                 "boundary := "
                 "'-', direction_id := direction::INTEGER, direction := CASE direction WHEN '1' "
                 "THEN 'Inbound' "
                 "WHEN '2' THEN 'Outbound' ELSE '-' END) AS connection_info, "
                 "struct_pack(packets := packets::BIGINT, bytes := bytes::BIGINT) AS traffic, "
                 "make_timestamp(time::BIGINT * 1000) AS start_time_dt, "
                 "make_timestamp((time::BIGINT + 59000) * 1000) AS end_time_dt, status AS "
                 "status_code, "
                 "CASE action WHEN '1' THEN 'Traffic' WHEN '2' THEN 'Refuse' ELSE 'Unknown' END AS "
                 "activity_name, CASE action WHEN '1' THEN 6 WHEN '2' THEN 5 ELSE 0 END::INTEGER "
                 "AS "
                 "activity_id, CASE action WHEN '1' THEN 'Allowed' WHEN '2' THEN 'Denied' ELSE '-' "
                 "END AS "
                 "action, action::INTEGER AS action_id, CASE action WHEN '1' THEN 'Allowed' WHEN "
                 "'2' THEN "
                 "'Blocked' ELSE '-' END AS disposition, (400100 + CASE action WHEN '1' THEN 6 "
                 "WHEN '2' THEN 5 "
                 "ELSE 0 END)::BIGINT AS type_uid, "
                 "[struct_pack(name := 'src_endpoint.ip', type := 'IP Address', type_id := "
                 "2::INTEGER, value "
                 ":= src_ip), struct_pack(name := 'dst_endpoint.ip', type := 'IP Address', type_id "
                 ":= "
                 "2::INTEGER, value := dst_ip)] AS observables, "
                 "MAP {'sublocation_id': '-', 'sublocation_type': '-'} AS unmapped",

    COMMON(
        "CloudTrail", "Management", "API Activity", "6003", "Application Activity",
        "6") "struct_pack(operation := operation, service := struct_pack(name := service), "
             "response := "
             "struct_pack(error := NULL::VARCHAR, message := NULL::VARCHAR), request := "
             "struct_pack(uid := "
             "uid)) AS api, "
             "struct_pack(\"user\" := struct_pack(type := type, name := \"user\", uid := arn, "
             "uid_alt := "
             "principal, account := struct_pack(uid := account), credential_uid := NULL::VARCHAR), "
             "session "
             ":= struct_pack(issuer := issuer, is_mfa := false, uid := NULL::VARCHAR), invoked_by "
             ":= "
             "domain) AS actor, "
             "struct_pack(user_agent := agent) AS http_request, "
             "struct_pack(uid := NULL::VARCHAR, ip := ip, \"domain\" := \"domain\") AS "
             "src_endpoint, "
             "'Success' AS status, 1::INTEGER AS status_id, 'Read' AS activity_name, 2::INTEGER AS "
             "activity_id, 600302::BIGINT AS type_uid, "
             "[struct_pack(name := 'src_endpoint.ip', type := 'IP Address', type_id := 2::INTEGER, "
             "value "
             ":= ip)] AS observables, MAP {'eventType': 'AwsApiCall'} AS unmapped",
};
