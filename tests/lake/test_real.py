"""The real files of Security Lake and of the OCSF examples: what the program extracts against what
an independent reading of each file's JSON twin gives."""
import datetime
import glob
import ipaddress
import json
import os
import unittest

import kit

LAKE = os.path.join(kit.REFERENCE, "lake")
REFUSED_ACTIVITY = 5


def get(row, path):
    for name in path.split("."):
        row = row.get(name) if isinstance(row, dict) else None
    return None if row in ("", "-") else row


def first(row, *paths):
    return next((value for value in (get(row, path) for path in paths) if value is not None), None)


def is_refused(row):
    return get(row, "disposition_id") == 2 or get(row, "action_id") == 2


def is_flow_refused(row):
    return is_refused(row) or get(row, "activity_id") == REFUSED_ACTIVITY


def is_flow(row):
    return get(row, "status_code") not in ("NODATA", "SKIPDATA")


def is_eks(row):
    return get(row, "metadata.product.name") in ("Amazon EKS", "Elastic Kubernetes Service")


def is_caller_service(row):
    names = (get(row, "src_endpoint.domain"), get(row, "actor.invoked_by"),
             get(row, "src_endpoint.ip"))
    return (any(name and (name.endswith(".amazonaws.com") or name == "AWS Internal")
                for name in names) or get(row, "actor.user.type") == "AWSService")


def principal(row):
    """The role behind a session, else the ARN, which is user.uuid in rc.2 and user.uid in 1.1.0."""
    issuer = get(row, "actor.session.issuer")
    if issuer is not None:
        return issuer
    users = [get(row, "actor.user." + name) for name in ("uuid", "uid", "uid_alt", "name")]
    users = [user for user in users if user is not None]
    arns = [user for user in users if user.startswith("arn:")]
    return (arns + users + [None])[0]


def answers(row):
    found = row.get("answers")
    if isinstance(found, dict):
        found = found.get("array", [found])
    return [a.get("rdata") for a in found or [] if a.get("type") in ("A", "AAAA")]


def wanted(spec, row):
    """[(entity, address)] and whether the traffic was refused."""
    group = {"vpc-ingress": (4001,), "vpc-egress": (4001,), "dns-answer": (4003,),
             "cloudtrail-principal": (3001, 3002, 3005, 3006, 6003), "eks-user": (6003,),
             "waf-client": (4002,), "workshop": (4001, 4003)}[spec]
    if row.get("class_uid") not in group:
        return [], False
    source, target = get(row, "src_endpoint.ip"), get(row, "dst_endpoint.ip")
    if spec == "vpc-ingress":
        found = [(get(row, "dst_endpoint.instance_uid"), source)] if is_flow(row) else []
        return found, is_flow_refused(row)
    if spec == "vpc-egress":
        found = [(get(row, "src_endpoint.instance_uid"), target)] if is_flow(row) else []
        return found, is_flow_refused(row)
    if spec == "dns-answer":
        entity = get(row, "src_endpoint.instance_uid")
        return [(entity, answer) for answer in answers(row)], is_refused(row)
    if spec == "cloudtrail-principal":
        skip = is_eks(row) or is_caller_service(row)
        return ([] if skip else [(principal(row), source)]), False
    if spec == "eks-user":
        user = first(row, "actor.user.name", "actor.user.uid")
        return ([(user, source)] if is_eks(row) else []), False
    if spec == "waf-client":
        acl = first(row, "metadata.product.feature.uid", "http_request.url.hostname")
        return [(acl, source)], is_refused(row)
    return [(get(row, "src_endpoint.instance_uid"), source)], is_refused(row)


def address(text):
    try:
        return str(ipaddress.ip_address(text or ""))
    except ValueError:
        return None


def time_text(row):
    time = row.get("time")
    if isinstance(time, str):
        return time.replace("Z", ".000Z")
    if time is None:
        return None
    if time < 10 ** 11:
        time *= 1000
    moment = datetime.datetime.fromtimestamp(time / 1000, datetime.timezone.utc)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{time % 1000:03d}Z"


def pairs_of(spec, rows):
    """Every sample has its rows in one hour."""
    found = {}
    for row in rows:
        pairs, refused = wanted(spec, row)
        for entity, ip in pairs:
            if entity is None or address(ip) is None or time_text(row) is None:
                continue
            account = first(row, "cloud.account.uid", "cloud.account_uid")
            if spec == "cloudtrail-principal" and account is None:
                account = first(row, "actor.user.account.uid", "actor.user.account_uid")
            pair = found.setdefault((entity, address(ip)), {
                "time": time_text(row), "count": 0, "account": account or "",
                "region": get(row, "cloud.region") or "", "rejected": True})
            pair["count"] += 1
            pair["rejected"] = pair["rejected"] and refused
    return [(p["time"], entity, ip, p["count"], p["account"], p["region"], p["rejected"])
            for (entity, ip), p in found.items()]


@unittest.skipUnless(os.path.isdir(LAKE), "no reference data here")
class Real(unittest.TestCase):
    def check(self, rows_of):
        """rows_of: path → rows. Every spec reads all files; each must give its own pairs."""
        self.assertGreater(len(rows_of), 0)
        total = 0
        for spec in kit.SPECS:
            answer = kit.pairs(spec, *rows_of)
            self.assertEqual(answer.status, 0, answer.errors)
            total += len(answer.lines)
            for path, rows in rows_of.items():
                with self.subTest(file=os.path.basename(path), spec=spec):
                    self.assertEqual(answer.pairs(path), pairs_of(spec, rows))
        self.assertGreater(total, 0)

    def test_parquet(self):
        rows_of = {}
        for path in sorted(glob.glob(os.path.join(LAKE, "parquet", "*.parquet"))):
            with open(os.path.join(LAKE, "expected", os.path.basename(path) + ".json")) as twin:
                rows_of[path] = json.load(twin)["rows"]
        self.check(rows_of)

    def test_json(self):
        rows_of = {}
        for path in sorted(glob.glob(os.path.join(LAKE, "json", "*.*"))):
            try:
                with open(path) as file:
                    rows = json.load(file)
            except ValueError:
                continue
            rows = rows if isinstance(rows, list) else [rows]
            if all(isinstance(row, dict) and "class_uid" in row for row in rows):
                rows_of[path] = rows
        self.check(rows_of)


if __name__ == "__main__":
    unittest.main()
