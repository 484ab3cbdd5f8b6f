#pragma once
/* The body of a change about users and tokens: {"name", "changed", "role"}. */
struct arena;

/* changed: what was, as "role, password"; role: the new one. NULL: left out. */
const char *access_body(struct arena *arena, const char *name, const char *changed,
                        const char *role);
