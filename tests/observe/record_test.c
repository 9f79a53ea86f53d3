// SPDX-License-Identifier: Apache-2.0
/* record_test.c: runs that hear from outside, recorded and repeated. */
#include "../core/fixture.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PUPPETS = 12, SENDERS = 3, SENDS = 60, FILE_MAX = 1 << 20 };

/* ---- Files ---- */

static char folder[64];
static char path[128];

__attribute__((destructor)) static void remove_files(void)
{
    char command[160];
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    if (folder[0] && system(command) != 0)
        perror(folder);
}

static const char *in_folder(const char *name)
{
    static char found[192];
    if (!folder[0]) {
        strcpy(folder, "/tmp/aldis-record-XXXXXX");
        CHECK(mkdtemp(folder) != NULL);
        snprintf(path, sizeof path, "%s/recording", folder);
    }
    snprintf(found, sizeof found, "%s/%s", folder, name);
    return found;
}

static size_t read_file(const char *name, uint8_t *bytes)
{
    FILE *file = fopen(name, "rb");
    CHECK(file != NULL);
    size_t size = fread(bytes, 1, FILE_MAX, file);
    fclose(file);
    CHECK(size < FILE_MAX);
    return size;
}

static void write_file(const char *name, const uint8_t *bytes, size_t size)
{
    FILE *file = fopen(name, "wb");
    CHECK(file != NULL);
    CHECK_UINT(fwrite(bytes, 1, size, file), size);
    CHECK_INT(fclose(file), 0);
}

/* ---- A system that goes on by itself, and hears from outside ---- */

static puppet_ref puppets[PUPPETS];

static aldis_err wander(struct puppet *self, uint64_t value, aldis_ctx *ctx)
{
    (void)self;
    puppet_ref to = puppets[aldis_random_below(ctx, PUPPETS)];
    aldis_ns delay_ns = ALDIS_MS + (aldis_ns)aldis_random_below(ctx, 9000) * ALDIS_US;
    if (value > 0)
        EXPECT_OK(aldis_send_after(ctx, delay_ns, to, num, value - 1));
    return ALDIS_OK;
}

static aldis_err listen_to(struct puppet *self, const unsigned char *bytes, size_t size,
                           aldis_ctx *ctx)
{
    (void)ctx;
    for (size_t i = 0; i < size; i++)
        self->last = self->last * 31 + bytes[i];
    return ALDIS_OK;
}

static aldis_system *open_system(uint32_t workers)
{
    static const struct script script = {.num = wander, .raw = listen_to};
    aldis_system *made;
    aldis_system_opts opts = {
        .clock = ALDIS_CLOCK_VIRTUAL, .workers = workers, .shards = 4, .seed = 11};
    CHECK_OK(aldis_system_create(&opts, &made));
    for (uint32_t i = 0; i < PUPPETS; i++) {
        aldis_spawn_opts spawn = {
            .arg = &script, .arg_size = sizeof script, .placement = ALDIS_PLACE_ANYWHERE};
        CHECK_OK(aldis_spawn(made, puppet, &puppets[i], &spawn));
        CHECK_OK(aldis_send(made, puppets[i], num, 100000));
    }
    return made;
}

static void close_system(aldis_system *made)
{
    CHECK_OK(aldis_system_audit(made, NULL));
    aldis_system_destroy(made);
}

/* ---- Recording ---- */

struct sender {
    pthread_t thread;
    aldis_system *system;
    uint32_t number;
};

static void *send_things(void *arg)
{
    const struct sender *sender = arg;
    unsigned char bytes[SENDS];
    for (uint32_t i = 0; i < SENDS; i++) {
        puppet_ref to = puppets[(i * 7 + sender->number) % PUPPETS];
        aldis_send_opts opts = {.delay_ns = (aldis_ns)(i % 3) * ALDIS_MS,
                                .lane = i % 4 == 0 ? ALDIS_LANE_HIGH : ALDIS_LANE_NORMAL};
        uint64_t value = i;
        memset(bytes, (int)i, sizeof bytes);
        if (i % 5 == 0)
            (void)aldis_system_send_opts_raw(sender->system, to.id, &raw_type, bytes, i, &opts);
        else if (i % 11 == 0)
            (void)aldis_pause(sender->system, to.id);
        else if (i % 13 == 0)
            (void)aldis_resume(sender->system, to.id);
        else
            (void)aldis_system_send_opts_raw(sender->system, to.id, &num_type, &value, sizeof value,
                                             &opts);
    }
    return NULL;
}

struct outcome {
    uint64_t windows, print;
    aldis_run_end end;
};

/* Record a paced run to which threads send, in two pieces; it is over when the time is. */
static struct outcome record(aldis_recording *recording, uint32_t workers, bool spawn)
{
    aldis_system *made = open_system(workers);
    aldis_pace_opts pace = {.factor = 2};
    CHECK_OK(aldis_system_pace(made, &pace));
    CHECK_OK(aldis_recording_attach(recording, made));
    CHECK_ERR(aldis_recording_attach(recording, made), ALDIS_ESTATE);
    struct sender senders[SENDERS];
    struct outcome outcome;
    for (uint32_t i = 0; i < SENDERS; i++) {
        senders[i] = (struct sender){.system = made, .number = i};
        CHECK_INT(pthread_create(&senders[i].thread, NULL, send_things, &senders[i]), 0);
    }
    CHECK_OK(aldis_system_run(made, 8500 * ALDIS_US, NULL));
    if (spawn) {
        puppet_ref late;
        CHECK_OK(aldis_spawn(made, puppet, &late, NULL));
        CHECK_OK(aldis_send(made, late, num, 0));
    }
    for (uint32_t i = 0; i < SENDERS; i++)
        CHECK_INT(pthread_join(senders[i].thread, NULL), 0);
    CHECK_OK(aldis_send(made, puppets[0], num, 1000));
    CHECK_OK(aldis_system_run(made, 40 * ALDIS_MS, &outcome.end));
    outcome.windows = aldis_system_windows(made);
    outcome.print = aldis_system_run_print(made);
    CHECK_INT(outcome.end, ALDIS_RUN_UNTIL);
    aldis_record_end end;
    aldis_err err = aldis_recording_close(recording, outcome.end, &end);
    if (end.state == ALDIS_RECORD_CLOSED) {
        CHECK_INT(err, ALDIS_OK);
        CHECK(end.inputs > 0);
        CHECK_UINT(end.lost, 0);
        CHECK_UINT(end.windows, outcome.windows);
        CHECK_UINT(end.print, outcome.print);
    } else {
        CHECK_INT(err, ALDIS_EIO);
        CHECK(end.lost > 0);
    }
    close_system(made);
    return outcome;
}

static struct outcome record_file(uint32_t workers)
{
    aldis_recording *recording;
    in_folder("");
    CHECK_OK(aldis_recording_create(path, "what it is\n", &recording));
    return record(recording, workers, false);
}

/* ---- Replaying ---- */

struct player {
    aldis_replay *replay;
    aldis_system *system;
    aldis_err err;
};

static void feed(void *arg, const aldis_window *window)
{
    struct player *player = arg;
    if (player->err == ALDIS_OK)
        player->err = aldis_replay_feed(player->replay, player->system);
    if (window->index + 1 == aldis_replay_end(player->replay).windows)
        aldis_system_halt(player->system);
}

/* Give the recording's inputs to the same actors; gives the print after the recording's last
 * window. */
static uint64_t replay(aldis_replay *recorded, uint32_t workers)
{
    aldis_system *made = open_system(workers);
    struct player player = {.replay = recorded, .system = made};
    CHECK_OK(aldis_system_on_window(made, feed, &player));
    if (aldis_replay_end(recorded).windows == 0)
        aldis_system_halt(made);
    aldis_run_end end = ALDIS_RUN_UNTIL;
    const aldis_ns until_ns[] = {8500 * ALDIS_US, 40 * ALDIS_MS};
    for (int i = 0; i < 2 && end == ALDIS_RUN_UNTIL; i++) {
        CHECK_OK(aldis_replay_feed(recorded, made));
        CHECK_OK(aldis_system_run(made, until_ns[i], &end));
    }
    CHECK_OK(player.err);
    CHECK_UINT(aldis_system_windows(made), aldis_replay_end(recorded).windows);
    uint64_t print = aldis_system_run_print(made);
    close_system(made);
    return print;
}

TEST(a_replay_has_the_print_of_the_recorded_run)
{
    for (uint32_t workers = 1; workers <= 4; workers *= 2) {
        struct outcome outcome = record_file(workers);
        for (uint32_t other = 1; other <= 3; other++) {
            aldis_replay *recorded;
            CHECK_OK(aldis_replay_open(path, &recorded, NULL));
            CHECK_STR(aldis_replay_head(recorded), "what it is\n");
            aldis_record_end end = aldis_replay_end(recorded);
            CHECK_INT(end.state, ALDIS_RECORD_CLOSED);
            CHECK_INT(end.end_reason, ALDIS_RUN_UNTIL);
            CHECK_UINT(end.windows, outcome.windows);
            CHECK_UINT(end.print, outcome.print);
            CHECK_UINT(replay(recorded, other), outcome.print);
            aldis_replay_close(recorded);
        }
    }
}

TEST(a_run_without_its_inputs_is_another_one)
{
    struct outcome outcome = record_file(1);
    aldis_system *made = open_system(1);
    CHECK_OK(aldis_system_run(made, 8500 * ALDIS_US, NULL));
    CHECK_OK(aldis_system_run(made, 40 * ALDIS_MS, NULL));
    CHECK(aldis_system_run_print(made) != outcome.print);
    close_system(made);
}

TEST(a_moment_that_has_passed_is_an_error)
{
    record_file(1);
    aldis_replay *recorded;
    CHECK_OK(aldis_replay_open(path, &recorded, NULL));
    aldis_system *made = open_system(1);
    CHECK_OK(aldis_system_run(made, 39 * ALDIS_MS, NULL));
    CHECK_ERR(aldis_replay_feed(recorded, made), ALDIS_ESTATE);
    aldis_replay_close(recorded);
    close_system(made);
}

/* ---- Files that are not whole ---- */

static uint8_t good[FILE_MAX], bad[FILE_MAX];

/* A recording of few inputs, so that every byte of it can be tried. */
static size_t small_recording(void)
{
    aldis_recording *recording;
    in_folder("");
    CHECK_OK(aldis_recording_create(path, "small", &recording));
    aldis_system *made = open_system(1);
    CHECK_OK(aldis_recording_attach(recording, made));
    CHECK_OK(aldis_send(made, puppets[0], num, 7));
    CHECK_OK(aldis_system_run(made, 3 * ALDIS_MS, NULL));
    CHECK_OK(aldis_pause(made, puppets[1].id));
    CHECK_OK(aldis_send(made, puppets[2], num, 9));
    CHECK_OK(aldis_system_run(made, 6 * ALDIS_MS, NULL));
    CHECK_OK(aldis_recording_close(recording, ALDIS_RUN_UNTIL, NULL));
    close_system(made);
    return read_file(path, good);
}

static size_t block_size(const uint8_t *bytes, size_t offset)
{
    return offset == 0 ? 16 : (size_t)bytes[offset] + 256u * bytes[offset + 1] + 12;
}

/* Where the block begins in which `place` lies. */
static size_t block_of(size_t place)
{
    size_t offset = 0;
    while (offset + block_size(good, offset) <= place)
        offset += block_size(good, offset);
    return offset;
}

static uint64_t refused_at(size_t size)
{
    aldis_replay *recorded;
    aldis_record_fault fault = {.offset = UINT64_MAX};
    char name[192];
    snprintf(name, sizeof name, "%s", in_folder("bad"));
    write_file(name, bad, size);
    CHECK_ERR(aldis_replay_open(name, &recorded, &fault), ALDIS_ECODEC);
    CHECK(fault.text[0] != '\0');
    return fault.offset;
}

TEST(a_cut_file_is_refused_at_the_block_that_is_cut)
{
    size_t size = small_recording();
    memcpy(bad, good, size);
    for (size_t cut = 0; cut < size; cut++)
        CHECK_UINT(refused_at(cut), block_of(cut));
}

TEST(an_altered_byte_is_refused_at_its_block)
{
    size_t size = small_recording();
    for (size_t i = 0; i < size; i++)
        for (int bit = 0; bit < 8; bit += 3) {
            memcpy(bad, good, size);
            bad[i] = (uint8_t)(bad[i] ^ 1 << bit);
            CHECK_UINT(refused_at(size), block_of(i));
        }
}

TEST(a_block_that_is_missing_doubled_or_moved_is_refused)
{
    size_t size = small_recording();
    size_t first = 16 + block_size(good, 16), second = first + block_size(good, first);
    size_t length = second - first, third = second + block_size(good, second);
    memcpy(bad, good, first);
    memcpy(bad + first, good + second, size - second);
    CHECK_UINT(refused_at(size - length), first);
    memcpy(bad, good, second);
    memcpy(bad + second, good + first, size - first);
    CHECK_UINT(refused_at(size + length), second);
    memcpy(bad, good, first);
    memcpy(bad + first, good + second, third - second);
    memcpy(bad + first + third - second, good + first, length);
    memcpy(bad + third, good + third, size - third);
    CHECK_UINT(refused_at(size), first);
    memcpy(bad, good, size);
    bad[size] = 0;
    CHECK_UINT(refused_at(size + 1), block_of(size - 1));
}

/* ---- Recordings that end early ---- */

static void check_early(aldis_record_state state, const char *name)
{
    aldis_replay *recorded;
    CHECK_OK(aldis_replay_open(name, &recorded, NULL));
    aldis_record_end end = aldis_replay_end(recorded);
    CHECK_INT(end.state, state);
    CHECK(end.inputs > 0);
    CHECK_UINT(replay(recorded, 2), end.print);
    aldis_replay_close(recorded);
}

TEST(a_full_disk_ends_the_recording_with_a_mark_and_not_the_run)
{
    struct rlimit old, small;
    in_folder("");
    signal(SIGXFSZ, SIG_IGN);
    CHECK_INT(getrlimit(RLIMIT_FSIZE, &old), 0);
    for (rlim_t bytes = 1200; bytes < 1320; bytes += 17) {
        aldis_recording *recording;
        small = (struct rlimit){bytes, old.rlim_max};
        CHECK_INT(setrlimit(RLIMIT_FSIZE, &small), 0);
        aldis_err err = aldis_recording_create(path, "what it is\n", &recording);
        if (err == ALDIS_OK)
            record(recording, 2, false);
        CHECK_INT(setrlimit(RLIMIT_FSIZE, &old), 0);
        CHECK_OK(err);
        struct stat facts;
        CHECK_INT(stat(path, &facts), 0);
        CHECK(facts.st_size > 700 && facts.st_size <= (off_t)bytes);
        check_early(ALDIS_RECORD_FULL, path);
    }
}

TEST(a_spawn_from_outside_ends_the_recording)
{
    aldis_recording *recording;
    in_folder("");
    CHECK_OK(aldis_recording_create(path, "", &recording));
    record(recording, 2, true);
    aldis_replay *recorded;
    CHECK_OK(aldis_replay_open(path, &recorded, NULL));
    aldis_record_end end = aldis_replay_end(recorded);
    CHECK_INT(end.state, ALDIS_RECORD_SPAWNED);
    CHECK_UINT(replay(recorded, 1), end.print);
    aldis_replay_close(recorded);
}

TEST(a_recording_that_nobody_closed_is_whole_up_to_its_last_input)
{
    aldis_recording *recording;
    in_folder("");
    CHECK_OK(aldis_recording_create(path, "", &recording));
    aldis_system *made = open_system(2);
    CHECK_OK(aldis_recording_attach(recording, made));
    CHECK_OK(aldis_send(made, puppets[0], num, 7));
    CHECK_OK(aldis_system_run(made, 8500 * ALDIS_US, NULL));
    CHECK_OK(aldis_send(made, puppets[3], num, 8));
    CHECK_OK(aldis_system_run(made, 20 * ALDIS_MS, NULL));
    size_t size = read_file(path, good); /* as a killed program would leave it */
    CHECK_OK(aldis_recording_close(recording, ALDIS_RUN_UNTIL, NULL));
    close_system(made);
    char name[192];
    snprintf(name, sizeof name, "%s", in_folder("killed"));
    write_file(name, good, size);
    check_early(ALDIS_RECORD_OPEN, name);
}

TEST(what_cannot_be_a_recordings_file_is_refused)
{
    aldis_recording *recording;
    aldis_replay *recorded;
    in_folder("");
    CHECK_ERR(aldis_recording_create(folder, "", &recording), ALDIS_EIO);
    CHECK_ERR(aldis_recording_create("/dev/full", "", &recording), ALDIS_EIO);
    CHECK_ERR(aldis_recording_create(in_folder("none/file"), "", &recording), ALDIS_EIO);
    CHECK_ERR(aldis_recording_create(NULL, "", &recording), ALDIS_EINVAL);
    CHECK_ERR(aldis_recording_create(path, NULL, &recording), ALDIS_EINVAL);
    CHECK_ERR(aldis_replay_open(folder, &recorded, NULL), ALDIS_EIO);
    CHECK_ERR(aldis_replay_open("/dev/null", &recorded, NULL), ALDIS_EIO);
    CHECK_ERR(aldis_replay_open(in_folder("none"), &recorded, NULL), ALDIS_EIO);
    CHECK_ERR(aldis_replay_open(NULL, &recorded, NULL), ALDIS_EINVAL);
    CHECK_OK(aldis_recording_close(NULL, ALDIS_RUN_UNTIL, NULL));
    aldis_replay_close(NULL);
}
