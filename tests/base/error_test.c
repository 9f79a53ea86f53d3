// SPDX-License-Identifier: Apache-2.0
#include "harness.h"

#include "base/error.h"
#include <pthread.h>

struct listed {
    const char *name, *text;
    int value;
};

static const struct listed all[] = {
#define LISTED(name, value, text) {#name, text, value},
    ALDIS_ERROR_LIST(LISTED)
#undef LISTED
};
enum { COUNT = sizeof all / sizeof all[0] };

TEST(error_values_names_and_texts_are_distinct)
{
    for (int i = 0; i < COUNT; i++) {
        CHECK_INT(all[i].value, i); /* stable numbers: new ones are added at the end */
        CHECK(all[i].text[0] != '\0');
        for (int j = 0; j < i; j++) {
            CHECK(strcmp(all[i].name, all[j].name) != 0);
            CHECK(strcmp(all[i].text, all[j].text) != 0);
        }
    }
}

TEST(error_name_and_text_are_those_of_the_list)
{
    for (int i = 0; i < COUNT; i++) {
        CHECK_STR(aldis_error_name((aldis_err)all[i].value), all[i].name);
        CHECK_STR(aldis_error_text((aldis_err)all[i].value), all[i].text);
    }
}

TEST(error_unknown_value_has_a_text_too)
{
    CHECK_STR(aldis_error_name((aldis_err)(COUNT + 7)), "ALDIS_E?");
    CHECK_STR(aldis_error_text((aldis_err)(COUNT + 7)), "unknown error");
}

TEST(error_set_gives_its_value_back_and_fills_the_record)
{
    aldis_id actor = {0x1234};
    CHECK_INT(aldis__error_set(ALDIS_EFULL, actor, "dock", "mailbox holds %d of %d", 8, 8),
              ALDIS_EFULL);
    const aldis_error_info *last = aldis_error_last();
    CHECK_INT(last->err, ALDIS_EFULL);
    CHECK_UINT(last->actor.bits, 0x1234);
    CHECK_STR(last->type_name, "dock");
    CHECK_STR(last->text, "mailbox holds 8 of 8");
}

TEST(error_set_without_format_takes_the_text_of_the_value)
{
    aldis__error_set(ALDIS_EINVAL, aldis_nobody(), NULL, "something else");
    aldis__error_set(ALDIS_ESTALE, aldis_nobody(), NULL, NULL);
    CHECK_STR(aldis_error_last()->text, aldis_error_text(ALDIS_ESTALE));
    CHECK_STR(aldis_error_last()->type_name, "");
}

TEST(error_text_that_is_too_long_is_cut_and_says_so)
{
    char big[400];
    memset(big, 'x', sizeof big - 1);
    big[sizeof big - 1] = '\0';
    aldis__error_set(ALDIS_EINVAL, aldis_nobody(), NULL, "%s", big);
    CHECK_UINT(strlen(aldis_error_last()->text), 191);
    CHECK_STR(aldis_error_last()->text + 186, "xx...");
    big[191] = '\0'; /* just fits */
    aldis__error_set(ALDIS_EINVAL, aldis_nobody(), NULL, "%s", big);
    CHECK_STR(aldis_error_last()->text, big);
}

TEST(error_text_may_quote_the_last_text)
{
    aldis__error_set(ALDIS_EIO, aldis_nobody(), NULL, "disk %d is full", 3);
    aldis__error_set(ALDIS_EHANDLER, aldis_nobody(), NULL, "saving: %s", aldis_error_last()->text);
    CHECK_STR(aldis_error_last()->text, "saving: disk 3 is full");
}

struct seen {
    aldis_err before, after;
    char text_before[32];
};

static void *fail_elsewhere(void *arg)
{
    struct seen *seen = arg;
    seen->before = aldis_error_last()->err;
    snprintf(seen->text_before, sizeof seen->text_before, "%s", aldis_error_last()->text);
    aldis__error_set(ALDIS_EIO, aldis_nobody(), NULL, "there");
    seen->after = aldis_error_last()->err;
    return NULL;
}

TEST(error_record_belongs_to_its_thread)
{
    aldis__error_set(ALDIS_EFULL, aldis_nobody(), NULL, "here");
    struct seen seen;
    pthread_t thread;
    CHECK_INT(pthread_create(&thread, NULL, fail_elsewhere, &seen), 0);
    CHECK_INT(pthread_join(thread, NULL), 0);
    CHECK_INT(seen.before, ALDIS_OK);
    CHECK_STR(seen.text_before, "ok");
    CHECK_INT(seen.after, ALDIS_EIO);
    CHECK_INT(aldis_error_last()->err, ALDIS_EFULL);
    CHECK_STR(aldis_error_last()->text, "here");
}
