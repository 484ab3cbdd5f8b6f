#pragma once
/* Loading pair specs: those built into the program, and a folder of more. One thread. */
#include "lake/spec.h"

/* folder may be NULL. A file there replaces a built-in spec of the same name. */
NODISCARD enum err_code spec_load(struct spec_set *set, const char *folder, struct err *err);
/* Drops what is not named; NULL keeps every spec but `workshop`. ERR_INVALID names an unknown one
 * and lists the known ones. */
NODISCARD enum err_code spec_choose(struct spec_set *set, const char *const *names,
                                    struct err *err);
/* The same, and keeps what tells which calls were answered: spec_choose lets go of that. */
NODISCARD enum err_code spec_choose_answered(struct spec_set *set, const char *const *names,
                                             struct err *err);
