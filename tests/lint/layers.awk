# The direction of includes, for C files given as arguments (from the top of the tree):
#   main → command → api, worker → lake, sink → store, model, http, aws → base
# A file includes its own folder and folders further right; folders of one step never see each
# other. Vendor and generated headers appear in one folder each. A unit test has the rights of the
# folder it tests. Prints "file:line: rule: what"; exit 1 when anything was printed.

BEGIN {
    step("base", 0)
    step("store model http aws", 1)
    step("lake sink", 2)
    step("api worker", 3)
    step("command", 4)
    step("main", 5)
    own("cJSON.h cjson/ openssl/ zlib.h", "base")
    own("sqlite3.h libpq-fe.h gen/statements.h", "store")
    own("microhttpd.h", "http")
    own("curl/", "aws")
    own("dlfcn.h duckdb.h", "lake")
    own("gen/routes.h", "api")
}

function step(folders, height,    list, n, i) {
    n = split(folders, list, " ")
    for (i = 1; i <= n; i++)
        heights[list[i]] = height
}

function own(headers, folder,    list, n, i) {
    n = split(headers, list, " ")
    for (i = 1; i <= n; i++)
        owners[list[i]] = folder
}

function report(rule, what) {
    print FILENAME ":" FNR ": " rule ": " what
    faults++
}

# "server/store/db.c" and "tests/unit/store/db_test.c" are of store, "server/main.c" of main; other
# tests are of no folder.
function folder_of(path,    parts, n) {
    n = split(path, parts, "/")
    if (parts[1] == "server")
        return n == 2 ? "main" : parts[2]
    if (parts[1] == "tests" && parts[2] == "unit" && n == 4)
        return parts[3]
    return ""
}

function owner_of(header,    known) {
    for (known in owners)
        if (header == known || (known ~ /\/$/ && index(header, known) == 1))
            return owners[known]
    return ""
}

function check_own_header(header,    target) {
    target = header
    sub(/\/.*/, "", target)
    if (!(target in heights) || header !~ /\//) {
        if (in_test && header !~ /\//)
            return # the kit and fixtures beside the tests
        report("include", "\"" header "\" is not named from server/ on")
    } else if (folder in heights && target != folder && heights[target] >= heights[folder]) {
        report("layer", folder " must not include " target)
    }
}

FNR == 1 {
    folder = folder_of(FILENAME)
    in_test = FILENAME ~ /^tests\//
    if (!in_test && !(folder in heights))
        report("layer", "no such layer: " folder)
}
/^[ \t]*#[ \t]*include/ {
    header = $0
    quoted = header ~ /include[ \t]*"/
    sub(/^[^<"]*[<"]/, "", header)
    sub(/[>"].*/, "", header)
    owner = owner_of(header)
    if (owner != "" && folder != owner && !(in_test && folder == ""))
        report("vendor", "<" header "> belongs to " owner)
    else if (owner == "" && header ~ /^gen\//)
        report("include", "\"" header "\" belongs to no folder")
    else if (owner == "" && quoted)
        check_own_header(header)
}
END {
    exit faults > 0
}
