#include "command/model_spec.h"

#include <stddef.h>

#include "base/own.h"
#include "base/str.h"
#include "model/model.h"

enum { NAMES_BYTES_MAX = 1024 };

static void add_names(const struct model_info *info, struct str *names)
{
    for (size_t i = 0; i < info->spec_count; i++)
        str_addf(names, "%s%s", i > 0 ? ", " : "", info->specs[i]);
}

enum err_code model_spec_choose(const struct model *model, const char *asked, const char **ret,
                                struct err *err)
{
    AUTO(str_done) struct str names = {.bytes_max = NAMES_BYTES_MAX};
    struct model_info info;

    model_info(model, &info);
    add_names(&info, &names);
    if (*asked == '\0' && info.spec_count > 1)
        return err_set(err, ERR_USAGE, "the model has several specs, say with --spec which: %s",
                       names.text);
    if (*asked == '\0')
        asked = info.spec_count == 1 ? info.specs[0] : "";
    for (size_t i = 0; i < info.spec_count; i++)
        if (str_equal(info.specs[i], asked)) {
            *ret = info.specs[i];
            return ERR_NONE;
        }
    if (info.spec_count == 1 && info.specs[0][0] == '\0')
        return err_set(
            err, ERR_USAGE,
            "the model was trained on bare pairs, it has no spec \"%s\": leave --spec out", asked);
    return err_set(err, ERR_USAGE, "the model has no spec \"%s\", but: %s", asked,
                   names.text != NULL ? names.text : "none");
}
