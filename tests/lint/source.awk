# House rules that a compiler does not check, for C files given as arguments (from the top of the
# tree). Prints "file:line: rule: what"; exit 1 when anything was printed. Needs LC_ALL=C.
#
# Text rules look at the raw line. Code rules look at the line without comments and with text
# literals emptied, so a word inside a message is no fault.

BEGIN {
    FUNCTION_LINES_MAX = 70
    FILE_LINES_MAX = 500
    TEST_FILE_LINES_MAX = 800
    COLUMNS_MAX = 100
    ban("strcpy strcat sprintf vsprintf strncpy strncat strtok atoi atol atoll atof gets alloca " \
        "tmpnam rand srand localtime gmtime ctime asctime", "everywhere")
    ban("system popen", "server")
    ban("strtol strtoul strtoll strtoull strtod strtof strtold", "str")
    ban("malloc calloc realloc strdup strndup", "memory")
}

function ban(words, where,    list, n, i) {
    n = split(words, list, " ")
    for (i = 1; i <= n; i++)
        banned[list[i]] = where
}

function report(line, rule, what) {
    print FILENAME_NOW ":" line ": " rule ": " what
    faults++
}

# Whether the ban counts in this file.
function applies(where) {
    if (where == "server" || where == "memory")
        return in_server && !(where == "memory" && FILENAME_NOW ~ /^server\/(base|model)\//)
    return !(where == "str" && FILENAME_NOW == "server/base/str.c")
}

function end_of_file(    limit) {
    limit = in_server ? FILE_LINES_MAX : TEST_FILE_LINES_MAX
    if (FILENAME_NOW != "" && lines > limit)
        report(lines, "file-length", lines " lines, at most " limit)
}

function start_of_file() {
    FILENAME_NOW = FILENAME
    in_server = FILENAME ~ /^server\//
    in_comment = macro_line = function_line = 0
    macro = ""
}

# Sets code and, per text literal, literal[1..literals].
function split_line(raw,    i, n, c, two, quote) {
    code = ""
    literals = 0
    n = length(raw)
    for (i = 1; i <= n; i++) {
        c = substr(raw, i, 1)
        two = substr(raw, i, 2)
        if (in_comment) {
            if (two == "*/") {
                in_comment = 0
                i++
            }
        } else if (two == "/*") {
            in_comment = 1
            code = code " "
            i++
        } else if (two == "//") {
            report(FNR, "line-comment", "// is for notes to oneself")
            return
        } else if (c == "\"" || c == "'") {
            quote = c
            literal[++literals] = ""
            for (i++; i <= n && substr(raw, i, 1) != quote; i++) {
                literal[literals] = literal[literals] substr(raw, i, 1)
                if (substr(raw, i, 1) == "\\")
                    literal[literals] = literal[literals] substr(raw, ++i, 1)
            }
            code = code quote quote
        } else {
            code = code c
        }
    }
}

function check_text(    width) {
    if ($0 ~ /\t/)
        report(FNR, "tab", "a tab")
    if ($0 ~ /[ \t\r]$/)
        report(FNR, "trailing-blank", "blanks at the end of the line")
    if ($0 ~ /(^|[^A-Za-z0-9_])(TODO|FIXME|XXX)([^A-Za-z0-9_]|$)/)
        report(FNR, "unfinished", "a note of unfinished work")
    width = $0
    gsub(/[\200-\277]/, "", width) # bytes that continue a character
    if (length(width) > COLUMNS_MAX)
        report(FNR, "columns", length(width) " columns, at most " COLUMNS_MAX)
}

function has_word(text, word) {
    return text ~ ("(^|[^A-Za-z0-9_])" word "([^A-Za-z0-9_]|$)")
}

# Every "name(" of the line.
function check_calls(    rest, name) {
    rest = code
    while (match(rest, /[A-Za-z_][A-Za-z0-9_]* *\(/)) {
        name = substr(rest, RSTART, RLENGTH - 1)
        sub(/ +$/, "", name)
        rest = substr(rest, RSTART + RLENGTH)
        if (name in banned && applies(banned[name]))
            report(FNR, "banned", name "()")
    }
}

function check_sql(    i, lake) {
    if (!in_server || FILENAME_NOW !~ /\.c$/ || FILENAME_NOW ~ /^server\/store\/(db_[a-z0-9_]*|migrate)\.c$/)
        return
    lake = FILENAME_NOW ~ /^server\/lake\//
    for (i = 1; i <= literals; i++)
        if (literal[i] ~ /^ *(SELECT|INSERT|UPDATE|DELETE|CREATE)( |\\n)/ && !(lake && literal[i] ~ /^ *SELECT/))
            report(FNR, "sql", "statements live in server/store/*.sql")
}

# A definition's body starts with { and ends with } alone in the first column (clang-format).
function check_function() {
    if (code ~ /^[A-Za-z_]/)
        signature_line = FNR
    if ($0 == "{")
        function_line = signature_line
    if ($0 == "}" && function_line > 0) {
        if (FNR - function_line + 1 > FUNCTION_LINES_MAX)
            report(function_line, "function-length", FNR - function_line + 1 " lines, at most " FUNCTION_LINES_MAX)
        function_line = 0
    }
}

function check_macro(    more) {
    if (macro_line == 0 && code ~ /^ *# *define /)
        macro_line = FNR
    if (macro_line == 0)
        return
    more = code ~ /\\$/
    macro = macro " " code
    if (more)
        return
    if (has_word(macro, "return") && macro !~ /define +TRY\(/)
        report(macro_line, "macro-return", "only TRY may return from its caller")
    macro_line = 0
    macro = ""
}

FNR == 1 {
    end_of_file()
    start_of_file()
}
{
    lines = FNR
    check_text()
    split_line($0)
    if (has_word(code, "goto"))
        report(FNR, "goto", "leave by return; AUTO() cleans up")
    if (code ~ /(^|[^A-Za-z0-9_])typedef +(struct|union)([^A-Za-z0-9_]|$)/)
        report(FNR, "typedef-struct", "a struct keeps its name")
    check_calls()
    check_sql()
    check_function()
    check_macro()
}
END {
    end_of_file()
    exit faults > 0
}
