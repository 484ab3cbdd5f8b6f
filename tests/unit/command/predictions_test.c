/* What endpoints answer, byte for byte, and which form is chosen. */
#include "check.h"

#include "base/own.h"
#include "command/predictions.h"
#include "kit.h"

TEST(the_first_form_that_we_have_is_chosen)
{
    static const struct {
        const char *accept;
        int lines, verbose; /* -1: none */
    } CASES[] = {
        {NULL, 0, 0},
        {"", 0, 0},
        {"*/*", 0, 0},
        {"application/json", 0, 0},
        {"application/jsonlines", 1, 0},
        {"Application/JSONLines", 1, 0},
        {"application/json;verbose=True", 0, 1},
        {"application/json; verbose=True", 0, 1},
        {"application/jsonlines;verbose=true", 1, 1},
        {"application/jsonlines ; verbose = \"true\"", 1, 1},
        {"application/json;verbose=false", 0, 0},
        {"text/csv, application/jsonlines;q=0.9, application/json", 1, 0},
        {"application/jsonlines;q=0, */*", 0, 0},
        {"text/html, application/json;charset=utf-8", 0, 0},
        {"text/csv", -1, -1},
        {"application/jsonlinesx", -1, -1},
        {"application/json;q=0", -1, -1},
    };

    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        const char *name = CASES[i].accept != NULL ? CASES[i].accept : "(none)";
        struct predictions_form form;

        CHECK_CASE(name, predictions_accept(CASES[i].accept, &form) == (CASES[i].lines >= 0));
        if (CASES[i].lines >= 0)
            CHECK_CASE(name, form.lines == CASES[i].lines && form.verbose == CASES[i].verbose);
    }
}

static void predict(const struct model *model, bool lines, bool verbose, struct str *ret)
{
    AUTO(pairs_batch_done) struct pairs_batch batch;
    struct predictions predictions = {
        .model = model, .spec = "", .form = {.lines = lines, .verbose = verbose}};
    struct pairs_row row = {.entity = "host-2"};

    pairs_batch_init(&batch, 100);
    CHECK(ip_parse("10.2.0.1", &row.ip) && pairs_batch_add(&batch, &row));
    row.entity = "nobody";
    CHECK(pairs_batch_add(&batch, &row));
    predictions_begin(&predictions, ret);
    predictions_add(&predictions, &batch, 0, 1, ret);
    predictions_add(&predictions, &batch, 1, 2, ret);
    predictions_end(&predictions, ret);
    CHECK(!ret->failed && ret->length <= 64 + 2 * predictions_bytes_max(model, &predictions.form));
}

/* Reads the number at the end of the text before `at`. */
static double number_at(const char *text, const char *key)
{
    const char *at = strstr(text, key);
    double number = 0;

    CHECK(at != NULL && sscanf(at + strlen(key), "%lf", &number) == 1);
    return number;
}

TEST(predictions_are_printed_as_the_container_prints_them)
{
    AUTO(kit_freep) struct kit *kit = kit_new();
    AUTO(model_freep) struct model *model = kit_model(kit);
    AUTO(str_done) struct str json = {.bytes_max = 1000}, lines = {.bytes_max = 1000};
    double known = kit_score(model, "", "host-2", "10.2.0.1").dot_product;
    double unknown = kit_score(model, "", "nobody", "10.2.0.1").dot_product;
    char wanted[200], numbers[2][32];

    (void)str_from_double(numbers[0], known);
    (void)str_from_double(numbers[1], unknown);
    predict(model, false, false, &json);
    (void)snprintf(wanted, sizeof wanted,
                   "{\"predictions\": [{\"dot_product\": %s}, {\"dot_product\": %s}]}", numbers[0],
                   numbers[1]);
    CHECK_STR(json.text, wanted);
    predict(model, true, false, &lines);
    (void)snprintf(wanted, sizeof wanted, "{\"dot_product\": %s}\n{\"dot_product\": %s}\n",
                   numbers[0], numbers[1]);
    CHECK_STR(lines.text, wanted);
}

/* The dot product is that of the two vectors, and their names come in the documented order. */
TEST(verbose_shows_both_vectors)
{
    AUTO(kit_freep) struct kit *kit = kit_new();
    AUTO(model_freep) struct model *model = kit_model(kit);
    AUTO(str_done) struct str text = {.bytes_max = 10000};
    const char *ip, *entity;
    double sum = 0;

    predict(model, true, true, &text);
    ip = strstr(text.text, ", \"ip_embedding\": [");
    entity = strstr(text.text, "], \"entity_embedding\": [");
    CHECK(ip != NULL && entity != NULL && ip < entity && strstr(entity, "]}\n") != NULL);
    ip += strlen(", \"ip_embedding\": [");
    entity += strlen("], \"entity_embedding\": [");
    for (size_t i = 0; i < model_dim(model); i++) {
        double a = 0, b = 0;

        CHECK(sscanf(ip, "%lf", &a) == 1 && sscanf(entity, "%lf", &b) == 1);
        sum += a * b;
        ip += strcspn(ip, ",]") + 2;
        entity += strcspn(entity, ",]") + 2;
    }
    sum -= number_at(text.text, "{\"dot_product\": ");
    CHECK(sum < 1e-4 && sum > -1e-4);
}

TEST(a_batch_has_a_limit)
{
    AUTO(pairs_batch_done) struct pairs_batch batch;
    struct pairs_row row = {.entity = "1234"};

    pairs_batch_init(&batch, 12);
    CHECK(pairs_batch_add(&batch, &row) && pairs_batch_add(&batch, &row));
    CHECK(!pairs_batch_add(&batch, &row) && batch.count == 2);
    pairs_batch_clear(&batch);
    CHECK(pairs_batch_add(&batch, &row) && batch.count == 1);
    CHECK_STR(pairs_batch_pair(&batch, 0, "x").entity, "1234");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_form_that_we_have_is_chosen),
        cmocka_unit_test(predictions_are_printed_as_the_container_prints_them),
        cmocka_unit_test(verbose_shows_both_vectors),
        cmocka_unit_test(a_batch_has_a_limit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
