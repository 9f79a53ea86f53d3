// SPDX-License-Identifier: Apache-2.0
/* replay.c: reads a recording, and puts its inputs in again. Layer: observe.
 *
 * The file is read whole and checked to its end before anything of it is used. Its bytes are not
 * trusted: every length is held against what is left, every value against its range. */
#include "observe/block.h"

#include "base/error.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

struct aldis_replay {
    uint8_t *bytes;
    size_t size;
    size_t next; /* block to be put in */
    char *head;
    aldis_record_end end;
};

/* ------------------------------------------------------------------ blocks */

struct block {
    uint32_t kind, size;
    const uint8_t *content;
};

static struct block block_at(const aldis_replay *replay, size_t offset)
{
    const uint8_t *at = replay->bytes + offset;
    return (struct block){.kind = aldis__get_u32(at + 4),
                          .size = aldis__get_u32(at),
                          .content = at + ALDIS__BLOCK_HEAD_BYTES};
}

/* Is there a whole block, with a true checksum? *crc goes on to it. */
static const char *check_block(const aldis_replay *replay, size_t offset, uint32_t *crc)
{
    size_t left = replay->size - offset;
    if (left < ALDIS__BLOCK_MORE_BYTES)
        return "cut short";
    struct block block = block_at(replay, offset);
    if (block.size > ALDIS__BLOCK_CONTENT_MAX)
        return "altered: its length cannot be";
    if (block.size > left - ALDIS__BLOCK_MORE_BYTES)
        return "cut short, or its length was altered";
    *crc = aldis__crc32c(*crc, replay->bytes + offset, ALDIS__BLOCK_HEAD_BYTES + block.size);
    return *crc == aldis__get_u32(block.content + block.size) ? NULL
                                                              : "altered: its checksum is wrong";
}

static bool read_end(const struct block *block, aldis_record_end *end)
{
    if (block->size != ALDIS__BLOCK_END_BYTES)
        return false;
    const uint8_t *at = block->content;
    uint32_t state = aldis__get_u32(at), reason = aldis__get_u32(at + 4);
    *end = (aldis_record_end){.state = (aldis_record_state)state,
                              .end_reason = (aldis_run_end)reason,
                              .windows = aldis__get_u64(at + 8),
                              .print = aldis__get_u64(at + 16),
                              .now_ns = (aldis_ns)aldis__get_u64(at + 24),
                              .inputs = aldis__get_u64(at + 32)};
    return state <= ALDIS_RECORD_SPAWNED && reason <= ALDIS_RUN_LAG && end->now_ns >= 0;
}

/* name gets the type's name of a message. */
static bool read_input(const struct block *block, aldis_input *input,
                       char name[ALDIS__BLOCK_TYPE_NAME_MAX + 1])
{
    const uint8_t *at = block->content;
    if (block->size < ALDIS__BLOCK_INPUT_BYTES + 16)
        return false;
    *input = (aldis_input){.window = aldis__get_u64(at),
                           .now_ns = (aldis_ns)aldis__get_u64(at + 8),
                           .at_ns = (aldis_ns)aldis__get_u64(at + 16),
                           .sequence = aldis__get_u64(at + 24),
                           .to = {aldis__get_u64(at + 32)}};
    at += ALDIS__BLOCK_INPUT_BYTES;
    if (input->now_ns < 0 || input->at_ns < input->now_ns)
        return false;
    if (block->kind == ALDIS__BLOCK_COMMAND) {
        uint64_t command = aldis__get_u64(at);
        input->kind = ALDIS_INPUT_COMMAND;
        input->command = (aldis_command)command;
        input->deadline_ns = (aldis_ns)aldis__get_u64(at + 8);
        return block->size == ALDIS__BLOCK_INPUT_BYTES + 16 && command <= ALDIS_CMD_RESUME;
    }
    uint32_t lane = aldis__get_u32(at + 8), name_size = aldis__get_u32(at + 12);
    size_t left = block->size - ALDIS__BLOCK_INPUT_BYTES - 16u;
    if (lane > ALDIS_LANE_LOW || name_size == 0 || name_size > ALDIS__BLOCK_TYPE_NAME_MAX ||
        name_size > left || memchr(at + 16, '\0', name_size))
        return false;
    memcpy(name, at + 16, name_size);
    name[name_size] = '\0';
    input->kind = ALDIS_INPUT_MESSAGE;
    input->type_number = aldis__get_u32(at);
    input->type_size = aldis__get_u32(at + 4);
    input->lane = (aldis_lane)lane;
    input->type_name = name;
    input->payload = at + 16 + name_size;
    input->size = left - name_size;
    return true;
}

/* ------------------------------------------------------------------ reading */

static const char *check_magic(const aldis_replay *replay, uint32_t *crc)
{
    uint8_t magic[ALDIS__RECORD_MAGIC_BYTES];
    *crc = aldis__put_magic(magic);
    if (replay->size < sizeof magic || memcmp(replay->bytes, magic, 8) != 0)
        return "not a recording";
    return memcmp(replay->bytes, magic, sizeof magic) == 0 ? NULL : "of another version";
}

static const char *take_head(aldis_replay *replay, const struct block *block)
{
    if (block->kind != ALDIS__BLOCK_HEAD || memchr(block->content, '\0', block->size))
        return "the head is wrong";
    replay->head = calloc(1, block->size + 1u);
    if (!replay->head)
        return "no memory";
    memcpy(replay->head, block->content, block->size);
    return NULL;
}

/* Every block, and that they fit together; *offset goes on to the first that does not. */
static const char *check_all(aldis_replay *replay, size_t *offset)
{
    uint32_t crc;
    uint64_t inputs = 0;
    char name[ALDIS__BLOCK_TYPE_NAME_MAX + 1];
    aldis_input input, last = {.window = 0};
    const char *fault = check_magic(replay, &crc);
    for (*offset = fault ? 0 : ALDIS__RECORD_MAGIC_BYTES; !fault;) {
        fault = check_block(replay, *offset, &crc);
        if (fault)
            break;
        struct block block = block_at(replay, *offset);
        size_t after = *offset + block.size + ALDIS__BLOCK_MORE_BYTES;
        if (!replay->head) {
            fault = take_head(replay, &block);
            replay->next = after;
        } else if (block.kind == ALDIS__BLOCK_END) {
            if (!read_end(&block, &replay->end) || replay->end.inputs != inputs)
                return "the end is wrong";
            return after == replay->size ? NULL : "something stands behind the end";
        } else if ((block.kind != ALDIS__BLOCK_MESSAGE && block.kind != ALDIS__BLOCK_COMMAND) ||
                   !read_input(&block, &input, name) || input.window < last.window ||
                   input.now_ns < last.now_ns) {
            fault = "not an input that can follow here";
        } else {
            last = input;
            inputs++;
        }
        if (!fault)
            *offset = after;
    }
    return fault;
}

static bool read_all(int file, uint8_t *bytes, size_t size)
{
    while (size > 0) {
        ssize_t count = read(file, bytes, size);
        if (count < 0 && errno == EINTR)
            continue;
        if (count <= 0)
            return false;
        bytes += count;
        size -= (size_t)count;
    }
    return true;
}

static aldis_err load(const char *path, aldis_replay *replay)
{
    struct stat facts;
    const char *reason = NULL;
    int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (file < 0 || fstat(file, &facts) != 0)
        reason = strerror(errno);
    else if (!S_ISREG(facts.st_mode))
        reason = "not a regular file";
    if (!reason) {
        replay->size = (size_t)facts.st_size;
        replay->bytes = malloc(replay->size + 1);
        if (!replay->bytes)
            reason = "no memory";
        else if (!read_all(file, replay->bytes, replay->size))
            reason = "cannot be read to its end";
    }
    if (file >= 0)
        close(file);
    if (!reason)
        return ALDIS_OK;
    return aldis__error_set(file >= 0 && replay->size && !replay->bytes ? ALDIS_ENOMEM : ALDIS_EIO,
                            aldis_nobody(), "", "%s: %s", path, reason);
}

aldis_err aldis_replay_open(const char *path, aldis_replay **out_replay, aldis_record_fault *fault)
{
    if (!path || !out_replay)
        return aldis__error_set(ALDIS_EINVAL, aldis_nobody(), "",
                                "replay: path and out_replay are needed");
    aldis_replay *replay = calloc(1, sizeof *replay);
    if (!replay)
        return aldis__error_set(ALDIS_ENOMEM, aldis_nobody(), "", "replay %s", path);
    aldis_err err = load(path, replay);
    if (err == ALDIS_OK) {
        size_t offset;
        const char *wrong = check_all(replay, &offset);
        if (!wrong) {
            *out_replay = replay;
            return ALDIS_OK;
        }
        err = aldis__error_set(ALDIS_ECODEC, aldis_nobody(), "", "%s: byte %zu: %s", path, offset,
                               wrong);
        if (fault) {
            fault->offset = offset;
            snprintf(fault->text, sizeof fault->text, "%s", wrong);
        }
    }
    aldis_replay_close(replay);
    return err;
}

const char *aldis_replay_head(const aldis_replay *replay)
{
    return replay->head;
}

aldis_record_end aldis_replay_end(const aldis_replay *replay)
{
    return replay->end;
}

aldis_err aldis_replay_feed(aldis_replay *replay, aldis_system *system)
{
    uint64_t windows = aldis_system_windows(system);
    aldis_ns now_ns = aldis_system_now(system);
    char name[ALDIS__BLOCK_TYPE_NAME_MAX + 1];
    for (;;) {
        struct block block = block_at(replay, replay->next);
        aldis_input input;
        if (block.kind == ALDIS__BLOCK_END || !read_input(&block, &input, name) ||
            input.window > windows || input.now_ns > now_ns)
            return ALDIS_OK;
        if (input.window < windows || input.now_ns < now_ns)
            return aldis__error_set(ALDIS_ESTATE, input.to, "",
                                    "replay: the run is not the recorded one: an input of window "
                                    "%llu at %lld ns could not be put in",
                                    (unsigned long long)input.window, (long long)input.now_ns);
        aldis_err err = aldis_system_input(system, &input);
        if (err != ALDIS_OK)
            return err;
        replay->next += block.size + (size_t)ALDIS__BLOCK_MORE_BYTES;
    }
}

void aldis_replay_close(aldis_replay *replay)
{
    if (!replay)
        return;
    free(replay->bytes);
    free(replay->head);
    free(replay);
}
