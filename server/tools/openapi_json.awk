# api/openapi.yaml → the same document as JSON, members in the same order.
#
#   LC_ALL=C awk -f server/tools/openapi_json.awk api/openapi.yaml > build/gen/openapi.json
#
# Reads the part of YAML the contract is written in, and refuses the rest with exit 1: two blanks a
# level, "key: value", "- item", plain and 'quoted' one-line scalars, "|" blocks, [flow, lists] of
# scalars, whole-line comments. No tabs, anchors, aliases, folded blocks, flow maps, double quotes.
# Plain null, true, false and decimal numbers keep their type; 3.1.0 is text, as in YAML 1.2.

function fail(what) {
    print FILENAME ":" (at <= count ? number[at] : NR) ": " what > "/dev/stderr"
    failed = 1
    exit 1
}

function quote(text) {
    gsub(/\\/, "&&", text)
    gsub(/"/, "\\\"", text)
    gsub(/\n/, "\\n", text)
    if (text ~ /[\001-\037]/)
        fail("a control character")
    return "\"" text "\""
}

# 'it''s' → it's
function unquote(text) {
    if (text !~ /^'([^']|'')*'$/)
        fail("not one quoted text: " text)
    text = substr(text, 2, length(text) - 2)
    gsub(/''/, "'", text)
    return text
}

function scalar(text) {
    if (text ~ /^'/)
        return quote(unquote(text))
    if (text ~ /^[\[{"&*!|>%@`#,?-]/ && text !~ /^-[0-9]/)
        fail("not a plain text: " text)
    if (text ~ /: / || text ~ /:$/ || text ~ / #/)
        fail("quote this: " text)
    if (text ~ /^(null|true|false)$/ || text ~ /^-?(0|[1-9][0-9]*)(\.[0-9]+)?$/)
        return text
    if (text ~ /^(Null|NULL|True|TRUE|False|FALSE|~|yes|no|on|off|Yes|No|[-+.0-9][0-9]*[eE.x][-+0-9]*)$/)
        fail("quote this: " text)
    return quote(text)
}

# [a, 'b, c', 3]
function flow_list(text,    out, item) {
    if (text !~ /^\[.*\]$/)
        fail("a list that does not end: " text)
    text = substr(text, 2, length(text) - 2)
    out = ""
    while (text != "") {
        sub(/^ +/, "", text)
        if (!match(text, text ~ /^'/ ? "^'([^']|'')*'" : "^[^,\\[\\]{}']+"))
            fail("not a list of scalars: " text)
        item = substr(text, 1, RLENGTH)
        text = substr(text, RLENGTH + 1)
        sub(/ +$/, "", item)
        out = out (out == "" ? "" : ",") scalar(item)
        if (text != "" && text !~ /^ *, *[^ ,]/)
            fail("a comma is missing or one too many: " text)
        sub(/^ *, */, "", text)
    }
    return "[" out "]"
}

# The lines under "key: |", without their common indent, each with its line end.
function text_block(indent,    out) {
    out = ""
    while (at <= count && (line[at] == "" || depth[at] >= indent)) {
        if (line[at] != "")
            out = out sprintf("%*s", depth[at] - indent, "") line[at]
        out = out "\n"
        at++
    }
    sub(/\n+$/, "\n", out)
    return quote(out)
}

function skip_blank() {
    while (at <= count && (line[at] == "" || line[at] ~ /^#/))
        at++
}

# What follows "key:" at this depth; at is on its line.
function value_of(text, indent) {
    at++
    if (text == "|")
        return text_block(indent + 2)
    if (text ~ /^\[/)
        return flow_list(text)
    if (text != "")
        return scalar(text)
    skip_blank()
    if (at > count || depth[at] != indent + 2)
        fail("nothing indented by two follows")
    return block(indent + 2)
}

function split_key(text) {
    if (!match(text, /^('([^']|'')+'|[A-Za-z$\/][^ :'"]*):( |$)/))
        fail("not \"key: value\": " text)
    KEY = substr(text, 1, RLENGTH)
    sub(/: ?$/, "", KEY)
    if (KEY ~ /^'/)
        KEY = unquote(KEY)
    REST = substr(text, RLENGTH + 1)
}

function map(indent,    out, seen, key, level) {
    level = ++maps
    out = ""
    for (skip_blank(); at <= count && depth[at] == indent && line[at] !~ /^-( |$)/; skip_blank()) {
        split_key(line[at])
        key = KEY
        if ((level, key) in members)
            fail("given twice: " key)
        members[level, key] = 1
        out = out (out == "" ? "" : ",") quote(key) ":" value_of(REST, indent)
    }
    return "{" out "}"
}

function list(indent,    out, item) {
    out = ""
    for (skip_blank(); at <= count && depth[at] == indent && line[at] ~ /^- /; skip_blank()) {
        item = substr(line[at], 3)
        if (item ~ /^('([^']|'')+'|[A-Za-z$\/][^ :'"]*):( |$)/) { # a map that starts on this line
            line[at] = item
            depth[at] = indent + 2
            item = map(indent + 2)
        } else {
            at++
            item = item ~ /^\[/ ? flow_list(item) : scalar(item)
        }
        out = out (out == "" ? "" : ",") item
    }
    return "[" out "]"
}

function block(indent) {
    return line[at] ~ /^-( |$)/ ? list(indent) : map(indent)
}

/\t/ || /\r/ { fail("a tab or carriage return") }
{
    count++
    number[count] = NR
    match($0, /^ */)
    depth[count] = RLENGTH
    line[count] = substr($0, RLENGTH + 1)
    sub(/ +$/, "", line[count])
}
END {
    if (failed)
        exit 1
    at = 1
    skip_blank()
    document = block(0)
    skip_blank()
    if (at <= count)
        fail("indented in a way that belongs nowhere")
    if (document == "{}" || failed)
        exit 1
    print document
}
