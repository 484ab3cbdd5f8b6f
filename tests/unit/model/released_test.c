/* A model file of each released version loads for ever, and scores for ever the same. They were
 * made by `simulate --entities 20 --days 3 --seed 5 --start 2026-01-01` and `train --vector-dim 4
 * --epochs 2 --spec vpc-egress --spec cloudtrail-principal --asn`, by the version's own program. */
#include "kit.h"

#include <math.h>

struct scored {
    const char *spec, *entity, *ip;
    double dot_product, score;
    enum opinion opinion;
    bool flagged;
    uint32_t asn;
};
static const struct scored VERSION_1[] = {
    {"vpc-egress", "i-001d35d6093216e3e", "124.200.115.18", 0.2380613386631012, -34,
     OPINION_STRANGER, 0, 64500},
    {"vpc-egress", "i-00309d094ba4d7d2e", "10.240.1.39", 0.9752852916717529, -34, OPINION_STRANGER,
     0, 64500},
    {"vpc-egress", "i-00309d094ba4d7d2e", "54.81.244.0", 0.783785879611969, -34, OPINION_STRANGER,
     0, 64500},
    {"vpc-egress", "i-0031c2b59f0e1cb2d", "156.10.146.182", 1.4635460376739502, -34,
     OPINION_STRANGER, 0, 64501},
    {"vpc-egress", "i-007b441f6aeff43b5", "10.242.1.10", 0.5118851661682129, -34, OPINION_STRANGER,
     0, 64500},
    {"vpc-egress", "i-001d35d6093216e3e", "203.0.113.9", -5.4392805099487305, 33.381577635679186,
     OPINION_STRANGER, 1, 64501},
    {"vpc-egress", "i-001d35d6093216e3e", "2001:db8::1", 0.03091941587626934, 30, OPINION_STRANGER,
     1, 64502},
    {"vpc-egress", "nobody", "192.0.2.7", -4.496233940124512, 3.2162056028767876, OPINION_NEWCOMER,
     1, 64501},
    {"cloudtrail-principal", "arn:aws:iam::111122223333:role/role-0003", "142.96.102.124",
     0.7375221848487854, -62.44393577051544, OPINION_STRANGER, 0, 64501},
    {"cloudtrail-principal", "arn:aws:iam::111122223333:role/role-0003", "72.28.232.226",
     0.005868248641490936, -62.44393577051544, OPINION_STRANGER, 0, 64500},
    {"cloudtrail-principal", "arn:aws:iam::111122223333:role/role-0018", "149.118.239.61",
     0.9512162208557129, -62.44393577051544, OPINION_STRANGER, 0, 64501},
    {"cloudtrail-principal", "arn:aws:iam::111122223333:user/user-0002", "103.136.81.237",
     -0.5532498955726624, -62.44393577051544, OPINION_STRANGER, 0, 64500},
    {"cloudtrail-principal", "arn:aws:iam::111122223333:role/role-0003", "203.0.113.9",
     -4.289299964904785, 2.406104617777744, OPINION_STRANGER, 1, 64501},
    {"cloudtrail-principal", "arn:aws:iam::111122223333:role/role-0003", "2001:db8::1",
     0.1604534238576889, 1.5560642294845657, OPINION_STRANGER, 1, 64502},
    {"cloudtrail-principal", "nobody", "192.0.2.7", -4.496233940124512, 3.030276750356129,
     OPINION_NEWCOMER, 1, 64501},
};

/* Another form of the prefix tree's opinions. */
static const struct scored VERSION_2[] = {
    {"vpc-egress", "i-001d35d6093216e3e", "124.200.115.18", 0.2380613386631012, -35.769203899262706,
     OPINION_STRANGER, 0, 64500},
    {"vpc-egress", "i-00309d094ba4d7d2e", "10.240.1.39", 0.97528529167175293, -35.769203899262706,
     OPINION_STRANGER, 0, 64500},
    {"vpc-egress", "i-00309d094ba4d7d2e", "54.81.244.0", 0.78378587961196899, -35.769203899262706,
     OPINION_STRANGER, 0, 64500},
    {"vpc-egress", "i-00309d094ba4d7d2e", "54.81.200.1", -2.6822371482849121, 0.73930938773710153,
     OPINION_STRANGER, 1, 64500},
    {"vpc-egress", "i-0031c2b59f0e1cb2d", "156.10.146.182", 1.4635460376739502, -35.75,
     OPINION_STRANGER, 0, 64501},
    {"vpc-egress", "i-001d35d6093216e3e", "156.10.146.182", 1.1848915815353394, 24.507764659627121,
     OPINION_IMPOSTOR, 1, 64501},
    {"vpc-egress", "i-001d35d6093216e3e", "203.0.113.9", -5.4392805099487305, 33.567296007104403,
     OPINION_STRANGER, 1, 64501},
    {"vpc-egress", "i-001d35d6093216e3e", "2001:db8::1", 0.030919415876269341, 30, OPINION_STRANGER,
     1, 64502},
    {"vpc-egress", "nobody", "192.0.2.7", -4.4962339401245117, 30.260922114034948, OPINION_NEWCOMER,
     1, 64501},
    {"cloudtrail-principal", "arn:aws:iam::111122223333:role/role-0003", "142.96.102.124",
     0.7375221848487854, -64.401017919064159, OPINION_STRANGER, 0, 64501},
    {"cloudtrail-principal", "arn:aws:iam::111122223333:role/role-0018", "149.118.239.61",
     0.95121622085571289, -64.179887223419144, OPINION_STRANGER, 0, 64501},
    {"cloudtrail-principal", "arn:aws:iam::111122223333:role/role-0018", "142.96.102.124",
     0.33633303642272949, -1.2769543741586076, OPINION_IMPOSTOR, 0, 64501},
    {"cloudtrail-principal", "arn:aws:iam::111122223333:role/role-0003", "203.0.113.9",
     -4.2892999649047852, 2.4022952731796381, OPINION_STRANGER, 1, 64501},
    {"cloudtrail-principal", "arn:aws:iam::111122223333:role/role-0003", "2001:db8::1",
     0.1604534238576889, 1.4470614366305274, OPINION_STRANGER, 1, 64502},
    {"cloudtrail-principal", "nobody", "192.0.2.7", -4.4962339401245117, 1.5961071959051247,
     OPINION_NEWCOMER, 1, 64501},
    {"cloudtrail-principal", "nobody", "142.96.102.124", -0.73653531074523926, -13.441601614750365,
     OPINION_NEWCOMER, 0, 64501},
};

/* By how often addresses were used. */
static const struct scored VERSION_3[] = {
    {"vpc-egress", "i-001d35d6093216e3e", "124.200.115.18", 0.2380613386631012, -35.769203899262706,
     OPINION_STRANGER, 0, 64500},
    {"vpc-egress", "i-00309d094ba4d7d2e", "10.240.1.39", 0.97528529167175293, -35.769203899262706,
     OPINION_STRANGER, 0, 64500},
    {"vpc-egress", "i-00309d094ba4d7d2e", "54.81.244.0", 0.78378587961196899, -35.769203899262706,
     OPINION_STRANGER, 0, 64500},
    {"vpc-egress", "i-00309d094ba4d7d2e", "54.81.200.1", -2.6822371482849121, 1.7266227949965867,
     OPINION_STRANGER, 1, 64500},
    {"vpc-egress", "i-0031c2b59f0e1cb2d", "156.10.146.182", 1.4635460376739502, -35.75,
     OPINION_STRANGER, 0, 64501},
    {"vpc-egress", "i-001d35d6093216e3e", "156.10.146.182", 1.1848915815353394, 25.488828303271468,
     OPINION_IMPOSTOR, 1, 64501},
    {"vpc-egress", "i-001d35d6093216e3e", "203.0.113.9", -5.4392805099487305, 35.313654557471111,
     OPINION_STRANGER, 1, 64501},
    {"vpc-egress", "i-001d35d6093216e3e", "2001:db8::1", 0.030919415876269341, 30, OPINION_STRANGER,
     1, 64502},
    {"vpc-egress", "nobody", "192.0.2.7", -4.4962339401245117, 30.260922114034948, OPINION_NEWCOMER,
     1, 64501},
    {"cloudtrail-principal", "arn:aws:iam::111122223333:role/role-0003", "142.96.102.124",
     0.7375221848487854, -65.848079355694694, OPINION_STRANGER, 0, 64501},
    {"cloudtrail-principal", "arn:aws:iam::111122223333:role/role-0018", "149.118.239.61",
     0.95121622085571289, -65.626948660049678, OPINION_STRANGER, 0, 64501},
    {"cloudtrail-principal", "arn:aws:iam::111122223333:role/role-0018", "142.96.102.124",
     0.33633303642272949, 1.2390604397092968, OPINION_IMPOSTOR, 1, 64501},
    {"cloudtrail-principal", "arn:aws:iam::111122223333:role/role-0003", "203.0.113.9",
     -4.2892999649047852, 5.5235743158222848, OPINION_STRANGER, 1, 64501},
    {"cloudtrail-principal", "arn:aws:iam::111122223333:role/role-0003", "2001:db8::1",
     0.1604534238576889, 0, OPINION_STRANGER, 0, 64502},
    {"cloudtrail-principal", "nobody", "192.0.2.7", -4.4962339401245117, 0.15082921621113241,
     OPINION_NEWCOMER, 1, 64501},
    {"cloudtrail-principal", "nobody", "142.96.102.124", -0.73653531074523926, -14.904946816104358,
     OPINION_NEWCOMER, 0, 64501},
};

static bool is_near(double a, double b)
{
    return fabs(a - b) <= 1e-5 * (1 + fabs(b));
}

static void check_file(const char *path, const char *id, const struct scored *pairs, size_t count)
{
    AUTO(model_freep) struct model *model = NULL;
    struct model_info info;
    struct err err = {0};

    CHECK_OK(model_load(path, &model, &err));
    model_info(model, &info);
    CHECK_STR(info.id, id);
    CHECK(info.detector == DETECTOR_PREFIX && info.spec_count == 2 && info.entities > 10);
    CHECK(info.threshold.kind == THRESHOLD_BUDGET && info.threshold.value == 40);
    for (size_t i = 0; i < count; i++) {
        struct model_pair pair = {pairs[i].spec, pairs[i].entity, {{0}}};
        struct model_explanation explained;

        CHECK(ip_parse(pairs[i].ip, &pair.ip));
        model_explain(model, &pair, &explained);
        CHECK_CASE(pairs[i].ip, is_near(explained.score.dot_product, pairs[i].dot_product));
        CHECK_CASE(pairs[i].ip, is_near(explained.score.score, pairs[i].score));
        CHECK_CASE(pairs[i].ip, explained.score.opinion == pairs[i].opinion);
        CHECK_CASE(pairs[i].ip, explained.score.flagged == pairs[i].flagged);
        CHECK_CASE(pairs[i].ip, explained.asn.number == pairs[i].asn);
    }
}

TEST(version_1)
{
    check_file("tests/data/model-1.model", "8ab6321c19c06e97258c08f3e4205e30", VERSION_1,
               ARRAY_LEN(VERSION_1));
}

TEST(version_2)
{
    check_file("tests/data/model-2.model", "6a5081ec3fdbe19675a8d3b7715b90d8", VERSION_2,
               ARRAY_LEN(VERSION_2));
}

TEST(version_3)
{
    check_file("tests/data/model-3.model", "2d8e233773e16b03d58838eb8eb58570", VERSION_3,
               ARRAY_LEN(VERSION_3));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(version_1), cmocka_unit_test(version_2),
                                       cmocka_unit_test(version_3)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
