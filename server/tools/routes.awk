# api/openapi.yaml → DIR/routes.h (a prototype for every handler) and DIR/routes.c (the table behind
# struct route in http/server.h, sorted by path, then method).
# Usage: awk -v dir=DIR -f server/tools/routes.awk api/openapi.yaml
#
# Reads block style with two spaces a level. Below `paths:` a path stands at column 2, a method at 4,
# the members of an operation at 6; whatever stands deeper is not looked at. Of an operation it takes
# operationId (the handler's name), x-role (none, notify, ingest, read, triage or admin) and x-body-bytes-max
# (absent or 0: no body is taken). Anything it does not understand is an error, exit 1: a route that
# is read wrongly would be a door left open.
function fail(message) {
    printf "%s:%d: %s\n", FILENAME, FNR, message > "/dev/stderr"
    failed = 1
    exit 1
}

# The key of "key: value"; sets value, without a comment behind it.
function key_of(line,    at, key) {
    at = index(line, ":")
    if (at == 0)
        fail("not \"key: value\": " line)
    key = substr(line, 1, at - 1)
    value = substr(line, at + 1)
    if (value != "" && value !~ /^ /)
        fail("a colon without a blank after it: " line)
    sub(/(^| )#.*$/, "", value)
    gsub(/^ +| +$/, "", value)
    return key
}

function check_path(path,    parts, n, i, shape, parameters) {
    if (path !~ /^\//)
        fail("a path begins with /: " path)
    if (path !~ /^[A-Za-z0-9._\/{}-]+$/)
        fail("a path with characters that do not belong there: " path)
    n = split(substr(path, 2), parts, "/")
    for (i = 1; i <= n; i++) {
        if (parts[i] == "")
            fail("a path with an empty segment: " path)
        if (parts[i] ~ /[{}]/) {
            if (parts[i] !~ /^{[a-z][a-z0-9_]*}$/)
                fail("a parameter is a whole segment, {name}: " path)
            if ((path, parts[i]) in parameter_seen)
                fail("a parameter twice in one path: " path)
            parameter_seen[path, parts[i]] = 1
            if (++parameters > 4)
                fail("more than 4 parameters: " path)
            shape = shape "/{}"
        } else
            shape = shape "/" parts[i]
    }
    if (shape in shapes)
        fail("the path is there already, as " shapes[shape] ": " path)
    shapes[shape] = path
}

# The operation that is being read has ended.
function finish(    i) {
    if (method == "")
        return
    if (operation == "")
        fail(toupper(method) " " path " has no operationId")
    if (role == "")
        fail(operation " has no x-role")
    if (operation in operations)
        fail("the operationId is used twice: " operation)
    if (++count > 256)
        fail("more than 256 operations: struct http_metrics counts no more")
    operations[operation] = count
    keys[count] = path " " toupper(method)
    rows[count] = sprintf("    {\"%s\", \"%s\", \"%s\", %s, ROLE_%s, %s},", toupper(method), path,
                          operation, operation, toupper(role), bytes == "" ? "0" : bytes)
    names[count] = operation
    method = operation = role = bytes = ""
}

function start_method(key) {
    if (value != "")
        fail("an operation in flow style or by reference: " key)
    if (key !~ /^(get|put|post|patch|delete)$/)
        fail("not a method or key that routes have: " key)
    if ((path, key) in method_seen)
        fail("twice for one path: " key " " path)
    method_seen[path, key] = 1
    method = key
}

function take_member(key) {
    if (key == "operationId") {
        if (operation != "" || value !~ /^[a-z][a-z0-9_]*$/)
            fail("an operationId is given once, in lower case with _: " value)
        operation = value
    } else if (key == "x-role") {
        if (role != "" || value !~ /^(none|notify|ingest|read|triage|admin)$/)
            fail("an x-role is none, notify, ingest, read, triage or admin: " value)
        role = value
    } else if (key == "x-body-bytes-max") {
        if (bytes != "" || value !~ /^[0-9]+$/ || length(value) > 12)
            fail("x-body-bytes-max is a number of bytes: " value)
        bytes = value
    }
}

# Insertion sort in byte order: a literal segment stands before {name}, '{' being a late character.
function sort(    i, j, key) {
    for (i = 1; i <= count; i++) {
        key = keys[i] ""
        for (j = i - 1; j >= 1 && keys[sorted[j]] "" > key; j--)
            sorted[j + 1] = sorted[j]
        sorted[j + 1] = i
    }
}

/\t/ { fail("a tab") }
/\r$/ { fail("a carriage return") }
/^ *$/ || /^ *#/ { next }
/^[^ ]/ {
    finish()
    path = ""
    in_paths = key_of($0) == "paths"
    if (in_paths && (paths_seen++ || value != ""))
        fail("paths is given once, in block style")
    next
}
!in_paths { next }
{
    match($0, /^ */)
    indent = RLENGTH
    line = substr($0, indent + 1)
}
indent == 2 {
    finish()
    path = key_of(line)
    if (value != "")
        fail("a path in flow style or by reference: " path)
    check_path(path)
    other = 0
    next
}
indent == 4 {
    finish()
    if (path == "")
        fail("a method without a path: " line)
    key = key_of(line)
    other = key ~ /^(summary|description|parameters|servers)$/
    if (!other)
        start_method(key)
    next
}
indent == 6 && method != "" { take_member(line ~ /^- / ? "-" : key_of(line)); next }
indent < 6 && !other { fail("an indentation that is not understood: " line) }

END {
    if (failed)
        exit 1
    finish()
    if (failed)
        exit 1
    if (count == 0)
        fail("no operations")
    sort()
    h = dir "/routes.h"
    c = dir "/routes.c"
    print "#pragma once\n/* Generated from api/openapi.yaml by server/tools/routes.awk. */" > h
    print "#include \"base/err.h\"\n#include \"http/reply.h\"\n#include \"http/request.h\"" > h
    print "#include \"http/server.h\"\n" > h
    print "/* Generated from api/openapi.yaml by server/tools/routes.awk. */" > c
    print "#include \"gen/routes.h\"\n\nconst struct route ROUTES[] = {" > c
    for (i = 1; i <= count; i++) {
        printf "enum err_code %s(struct request *req, struct reply *reply, struct err *err);\n", names[sorted[i]] > h
        print rows[sorted[i]] > c
    }
    print "};\nconst size_t ROUTE_COUNT = sizeof(ROUTES) / sizeof(ROUTES[0]);" > c
}
