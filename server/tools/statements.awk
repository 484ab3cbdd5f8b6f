# server/store/*.sql → DIR/statements.h (enum sql_id) and DIR/statements.c (names and texts).
# Usage: awk -v dir=DIR -f statements.awk FILE.sql…
# A statement starts at "-- name: FINDING_GET" and ends before the next. "-- mode: write" on the
# line after marks one that only a writing connection prepares; what follows "-- postgres:" is the
# statement for PostgreSQL, where it has to be another (the same parameters in the same order). Parameters $1, $2 … must first
# appear in that order: SQLite numbers them by first appearance, PostgreSQL by their number.
function fail(message) {
    printf "%s:%d: %s\n", FILENAME, FNR, message > "/dev/stderr"
    failed = 1
    exit 1
}
function check_parameters(text,    rest, number, next_new) {
    rest = text
    next_new = 1
    while (match(rest, /\$[0-9]+/)) {
        number = substr(rest, RSTART + 1, RLENGTH - 1) + 0
        if (number > next_new)
            fail(names[count] ": $" number " appears before $" next_new)
        if (number == next_new)
            next_new++
        rest = substr(rest, RSTART + RLENGTH)
    }
    parameters[count] = next_new - 1
}
function quoted(text) {
    gsub(/\\/, "&&", text)
    gsub(/"/, "\\\"", text)
    gsub(/\n/, "\\n\"\n     \"", text)
    return "\"" text "\""
}
function finish() {
    if (count == 0)
        return
    sub(/[ \n;]+$/, "", texts[count])
    if (texts[count] == "")
        fail(names[count] ": the statement is empty")
    sub(/[ \n;]+$/, "", others[count])
    if (of_postgres && others[count] == "")
        fail(names[count] ": the statement for PostgreSQL is empty")
    if (others[count] ~ /\$[0-9]/)
        check_parameters(others[count])
    check_parameters(texts[count])
}
/^-- name: / {
    finish()
    name = $3
    if (name !~ /^[A-Z][A-Z0-9_]*$/)
        fail("a statement's name is upper case: " name)
    if (name in seen)
        fail("the name is used twice: " name)
    seen[name] = 1
    names[++count] = name
    modes[count] = "false"
    of_postgres = 0
    next
}
/^-- postgres:$/ {
    if (count == 0)
        fail("it is of no statement")
    of_postgres = 1
    next
}
/^-- mode: write$/ { modes[count] = "true"; next }
/^--/ || /^[ ]*$/ { next }
{
    if (count == 0)
        fail("text before the first \"-- name:\"")
    if (of_postgres)
        others[count] = others[count] $0 "\n"
    else
        texts[count] = texts[count] $0 "\n"
}
END {
    if (failed)
        exit 1
    finish()
    if (failed)
        exit 1
    h = dir "/statements.h"
    c = dir "/statements.c"
    print "#pragma once\n/* Generated from the .sql files of server/store by server/tools/statements.awk. */" > h
    print "#include <stdbool.h>\n\nenum sql_id {" > h
    for (i = 1; i <= count; i++)
        print "    SQL_" names[i] "," > h
    print "    SQL__MAX\n};\n\nstruct sql_statement {\n    const char *name, *text;" > h
    print "    const char *postgres; /* NULL: the same */" > h
    print "    int parameters;\n    bool write; /* prepared on writing connections only */\n};" > h
    print "extern const struct sql_statement SQL_STATEMENTS[SQL__MAX];" > h
    print "/* Generated from the .sql files of server/store by server/tools/statements.awk. */" > c
    print "#include \"gen/statements.h\"\n\n#include <stddef.h>\n" > c
    print "const struct sql_statement SQL_STATEMENTS[SQL__MAX] = {" > c
    for (i = 1; i <= count; i++)
        printf "    {\"%s\",\n     %s,\n     %s, %d, %s},\n", names[i], quoted(texts[i]), others[i] == "" ? "NULL" : quoted(others[i]), parameters[i], modes[i] > c
    print "};" > c
}
