#pragma once
/* The body of a change about users and tokens: {"name": …, and what is given beside it}. */
struct arena;

const char *access_body(struct arena *arena, const char *name, const char *member,
                        const char *value); /* member NULL = the name alone */
