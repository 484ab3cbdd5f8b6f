#pragma once
/* A model as the contract's Model; shared by get and patch. */
struct json_writer;
struct model_row;

void model_view_write(struct json_writer *w, const char *key, const struct model_row *model);
