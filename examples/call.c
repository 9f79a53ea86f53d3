// SPDX-License-Identifier: Apache-2.0
/* call.c: a thread of the program asks an actor and waits; the first actor forwards what it does
 * not know itself. */
#include <aldis/aldis.h>
#include <stdio.h>
#include <string.h>

struct word {
    char text[16];
};
ALDIS_MESSAGE(lookup, struct word);
ALDIS_MESSAGE(meaning, struct word);
ALDIS_REQUEST(lookup, meaning);

#define BOOK_PROTOCOL(X, kind) X(kind, lookup)
ALDIS_PROTOCOL(book, BOOK_PROTOCOL);

struct book {
    struct word word, meaning;
    book_ref next; /* nobody: this is the last */
};

static aldis_err book_start(void *state, const void *arg, aldis_ctx *ctx)
{
    (void)ctx;
    *(struct book *)state = *(const struct book *)arg;
    return ALDIS_OK;
}

static aldis_err book_on_lookup(struct book *self, const struct word *msg, aldis_ctx *ctx)
{
    if (strcmp(msg->text, self->word.text) == 0)
        return aldis_reply_raw(ctx, &meaning_type, &self->meaning, sizeof self->meaning);
    if (aldis_id_is_nobody(self->next.id))
        return aldis_reply_error(ctx, ALDIS_EREFUSED);
    return aldis_forward(ctx, self->next.id); /* it answers whoever asked us */
}
ALDIS_BEHAVIOUR(book, struct book, BOOK_PROTOCOL, .on_start = book_start);

int main(void)
{
    struct book books[] = {{{"port"}, {"left"}, {.id = ALDIS_NOBODY_INIT}},
                           {{"starboard"}, {"right"}, {.id = ALDIS_NOBODY_INIT}}};
    aldis_system *system;
    book_ref first = {.id = ALDIS_NOBODY_INIT};
    if (aldis_system_create(NULL, &system) != ALDIS_OK)
        return 1;
    for (int i = 0; i < 2; i++) { /* each knows the one before */
        books[i].next = first;
        aldis_spawn_opts opts = {ALDIS_ARG(&books[i])};
        if (aldis_spawn(system, book, &first, &opts) != ALDIS_OK)
            return 1;
    }
    static const char *const words[] = {"port", "starboard", "poop"};
    for (int i = 0; i < 3; i++) {
        struct word asked = {{0}}, answer;
        snprintf(asked.text, sizeof asked.text, "%s", words[i]);
        aldis_err err = aldis_call_raw(system, first.id, &lookup_request, &asked, &answer, 0);
        printf("%s: %s\n", asked.text, err == ALDIS_OK ? answer.text : aldis_error_text(err));
    }
    aldis_system_destroy(system);
    return 0;
}
