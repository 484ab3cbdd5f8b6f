# Writes the assembly that builds files into the binary: the table behind base/asset.h.
#
#   LC_ALL=C awk -f server/tools/assets.awk FILE… [NAME=FILE]… > build/gen/assets.S
#
# Run from the top of the tree, as is the assembler (paths go into .incbin as they are). A file is
# found under its own path, or under NAME when it is given as NAME=FILE ("api/openapi.json=
# build/gen/openapi.json"). The output does not change when only the contents do, so the object must
# depend on every FILE. Refused with exit 1: a file that cannot be read, a name given twice, a name
# with other characters than letters, digits and ._/@+-.
#
# struct asset is three words of eight bytes (name, bytes, length) on x86-64 and arm64. The table
# holds addresses, so it lives in .data.rel.ro: written once by the loader, read-only afterwards.

function fail(what) {
    print "assets.awk: " what > "/dev/stderr"
    failed = 1
    exit 1
}

function add(argument,    at, name, path, line, status) {
    at = index(argument, "=")
    name = at > 0 ? substr(argument, 1, at - 1) : argument
    path = at > 0 ? substr(argument, at + 1) : argument
    if (name !~ /^[A-Za-z0-9._\/@+-]+$/ || path !~ /^[A-Za-z0-9._\/@+-]+$/)
        fail("a name with characters that do not belong there: " argument)
    if (name in paths)
        fail("given twice: " name)
    status = (getline line < path)
    if (status < 0)
        fail("cannot be read: " path)
    close(path)
    paths[name] = path
    names[++count] = name
}

# Insertion sort in byte order, the order of strcmp that asset_find searches by.
function sort(    i, j, name) {
    for (i = 2; i <= count; i++) {
        name = names[i]
        for (j = i - 1; j >= 1 && names[j] "" > name ""; j--)
            names[j + 1] = names[j]
        names[j + 1] = name
    }
}

function write_bytes(    i) {
    print "\t.section .rodata"
    for (i = 1; i <= count; i++) {
        print ".Lname" i ":\n\t.asciz \"" names[i] "\""
        print "\t.balign 8"
        print ".Lbytes" i ":\n\t.incbin \"" paths[names[i]] "\"\n.Lend" i ":"
    }
    print "\t.balign 8\n\t.globl ASSET_COUNT\n\t.type ASSET_COUNT, %object"
    print "ASSET_COUNT:\n\t.quad " count + 0 "\n\t.size ASSET_COUNT, 8"
}

function write_table(    i) {
    print "\t.section .data.rel.ro,\"aw\",%progbits"
    print "\t.balign 8\n\t.globl ASSETS\n\t.type ASSETS, %object\nASSETS:"
    for (i = 1; i <= count; i++)
        print "\t.quad .Lname" i ", .Lbytes" i ", .Lend" i " - .Lbytes" i
    print "\t.size ASSETS, . - ASSETS"
}

BEGIN {
    for (n = 1; n < ARGC; n++)
        add(ARGV[n])
    sort()
    print "/* Made by server/tools/assets.awk. */"
    write_bytes()
    write_table()
    print "\t.section .note.GNU-stack,\"\",%progbits"
    exit failed
}
