#pragma once
/* The vectors that addresses can have, one for each leaf (ip_tree.h), for scoring many pairs: a
 * pair then costs two rows and not nine, and no dense layer. They are worth their making when as
 * many pairs were scored as there are leaves, and are made then; the numbers are the same. Any
 * thread. Private to this folder. */
#include "base/ip.h"
#include <stdbool.h>
#include <stddef.h>

struct model;
struct leaves;
/* A model with more of them goes without. */
#define LEAVES_BYTES_MAX (1024.0 * 1024 * 1024)

struct leaves *leaves_new(void);
void leaves_freep(struct leaves **leaves); /* NULL is fine */
/* Count more pairs are about to be scored. False: leaves_vector may not be asked. */
bool leaves_ready(struct leaves *leaves, const struct model *model, size_t count);
/* Of stride floats; lives as long as leaves. */
const float *leaves_vector(const struct leaves *leaves, const struct ip *ip);
/* Soon it will be asked for. */
void leaves_fetch(const struct leaves *leaves, const struct ip *ip);
