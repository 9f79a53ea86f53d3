// SPDX-License-Identifier: Apache-2.0
/* recording.c: writes a recording. Layer: observe.
 *
 * The last block of the file is always an end. An input is written over it, with a new end behind
 * it, in one call; where that fails half way, the old end is put back over what it had occupied, so
 * it needs no room that a full disk could refuse.
 *
 * Threads: inputs come from any, one at a time: the system calls under its lock. */
#include "observe/block.h"

#include "base/error.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    END_BYTES = ALDIS__BLOCK_END_BYTES + ALDIS__BLOCK_MORE_BYTES,
    BUFFER_BYTES = ALDIS__BLOCK_CONTENT_MAX + ALDIS__BLOCK_MORE_BYTES + END_BYTES
};

struct aldis_recording {
    int file;
    aldis_system *system; /* NULL: not attached */
    uint64_t end_at;      /* where the end stands */
    uint32_t crc;         /* of the block before it */
    aldis_record_end end; /* as it stands in the file */
    int error;            /* errno of the write that ended it early */
    uint8_t buffer[BUFFER_BYTES];
};

/* All bytes or none that matter: on a failure the caller writes the end again. */
static bool write_at(int file, const uint8_t *bytes, size_t size, uint64_t offset)
{
    while (size > 0) {
        ssize_t count = pwrite(file, bytes, size, (off_t)offset);
        if (count < 0 && errno == EINTR)
            continue;
        if (count <= 0)
            return false;
        bytes += count;
        size -= (size_t)count;
        offset += (uint64_t)count;
    }
    return true;
}

/* The end as a block behind one with checksum crc. */
static void put_end(uint8_t *block, const aldis_record_end *end, uint32_t crc)
{
    uint8_t *at = block + ALDIS__BLOCK_HEAD_BYTES;
    at = aldis__put_u32(at, (uint32_t)end->state);
    at = aldis__put_u32(at, (uint32_t)end->end_reason);
    at = aldis__put_u64(at, end->windows);
    at = aldis__put_u64(at, end->print);
    at = aldis__put_u64(at, (uint64_t)end->now_ns);
    aldis__put_u64(at, end->inputs);
    aldis__seal_block(block, ALDIS__BLOCK_END, ALDIS__BLOCK_END_BYTES, crc);
}

/* Write the end where it stands, and let it be the last block. */
static bool write_end(aldis_recording *recording)
{
    uint8_t block[END_BYTES];
    put_end(block, &recording->end, recording->crc);
    return write_at(recording->file, block, sizeof block, recording->end_at) &&
           ftruncate(recording->file, (off_t)(recording->end_at + sizeof block)) == 0;
}

static void note_place(aldis_recording *recording)
{
    recording->end.windows = aldis_system_windows(recording->system);
    recording->end.print = aldis_system_run_print(recording->system);
    recording->end.now_ns = aldis_system_now(recording->system);
}

/* Nothing more is recorded. */
static void end_early(aldis_recording *recording, aldis_record_state state)
{
    recording->error = state == ALDIS_RECORD_FULL ? errno : 0;
    recording->end.state = state;
    note_place(recording);
    recording->end.lost = 1;
    (void)write_end(recording); /* where it fails, the file is what could be left of it */
}

/* A block of `size` bytes of content stands in the buffer: append it. */
static bool append(aldis_recording *recording, enum aldis__block_kind kind, uint32_t size)
{
    size_t bytes = size + (size_t)ALDIS__BLOCK_MORE_BYTES;
    uint32_t crc = aldis__seal_block(recording->buffer, kind, size, recording->crc);
    put_end(recording->buffer + bytes, &recording->end, crc);
    if (!write_at(recording->file, recording->buffer, bytes + END_BYTES, recording->end_at))
        return false;
    recording->end_at += bytes;
    recording->crc = crc;
    return true;
}

/* ------------------------------------------------------------------ inputs */

static uint8_t *put_input(uint8_t *at, const aldis_input *input)
{
    at = aldis__put_u64(at, input->window);
    at = aldis__put_u64(at, (uint64_t)input->now_ns);
    at = aldis__put_u64(at, (uint64_t)input->at_ns);
    at = aldis__put_u64(at, input->sequence);
    return aldis__put_u64(at, input->to.bits);
}

static uint8_t *put_message(uint8_t *at, const aldis_input *input)
{
    size_t name_size = strlen(input->type_name);
    at = aldis__put_u32(at, input->type_number);
    at = aldis__put_u32(at, input->type_size);
    at = aldis__put_u32(at, (uint32_t)input->lane);
    at = aldis__put_u32(at, (uint32_t)name_size);
    memcpy(at, input->type_name, name_size);
    at += name_size;
    if (input->size > 0)
        memcpy(at, input->payload, input->size);
    return at + input->size;
}

static void on_input(void *arg, const aldis_input *input)
{
    aldis_recording *recording = arg;
    if (recording->end.state != ALDIS_RECORD_OPEN) {
        recording->end.lost++;
        return;
    }
    if (input->kind == ALDIS_INPUT_SPAWN) {
        end_early(recording, ALDIS_RECORD_SPAWNED);
        return;
    }
    uint8_t *start = recording->buffer + ALDIS__BLOCK_HEAD_BYTES, *at = put_input(start, input);
    enum aldis__block_kind kind = ALDIS__BLOCK_COMMAND;
    if (input->kind == ALDIS_INPUT_MESSAGE) {
        kind = ALDIS__BLOCK_MESSAGE;
        at = put_message(at, input);
    } else {
        at = aldis__put_u64(aldis__put_u64(at, (uint64_t)input->command),
                            (uint64_t)input->deadline_ns);
    }
    note_place(recording);
    recording->end.inputs++;
    if (append(recording, kind, (uint32_t)(at - start)))
        return;
    recording->end.inputs--;
    end_early(recording, ALDIS_RECORD_FULL);
}

/* ------------------------------------------------------------------ life */

static aldis_err refuse_file(const char *path, const char *reason)
{
    return aldis__error_set(ALDIS_EIO, aldis_nobody(), "", "recording %s: %s", path, reason);
}

static bool write_head(aldis_recording *recording, const char *head)
{
    uint8_t magic[ALDIS__RECORD_MAGIC_BYTES];
    size_t size = strlen(head);
    recording->crc = aldis__put_magic(magic);
    recording->end_at = sizeof magic;
    memcpy(recording->buffer + ALDIS__BLOCK_HEAD_BYTES, head, size);
    return write_at(recording->file, magic, sizeof magic, 0) &&
           append(recording, ALDIS__BLOCK_HEAD, (uint32_t)size);
}

aldis_err aldis_recording_create(const char *path, const char *head,
                                 aldis_recording **out_recording)
{
    struct stat facts;
    if (!path || !head || !out_recording || strlen(head) > ALDIS_RECORD_HEAD_MAX)
        return aldis__error_set(ALDIS_EINVAL, aldis_nobody(), "",
                                "recording: path, head (65,536 bytes at most) and out_recording "
                                "are needed");
    aldis_recording *recording = calloc(1, sizeof *recording);
    if (!recording)
        return aldis__error_set(ALDIS_ENOMEM, aldis_nobody(), "", "recording %s", path);
    recording->file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NONBLOCK, 0666);
    if (recording->file < 0) {
        free(recording);
        return refuse_file(path, strerror(errno));
    }
    if (fstat(recording->file, &facts) != 0 || !S_ISREG(facts.st_mode)) {
        refuse_file(path, "not a regular file");
        goto undo_file;
    }
    if (!write_head(recording, head)) {
        refuse_file(path, strerror(errno));
        goto undo_file;
    }
    *out_recording = recording;
    return ALDIS_OK;
undo_file:
    close(recording->file);
    free(recording);
    return ALDIS_EIO;
}

aldis_err aldis_recording_attach(aldis_recording *recording, aldis_system *system)
{
    if (!recording || recording->system)
        return aldis__error_set(recording ? ALDIS_ESTATE : ALDIS_EINVAL, aldis_nobody(), "",
                                "recording: %s", recording ? "it records already" : "NULL");
    recording->system = system;
    aldis_err err = aldis_system_on_input(system, on_input, recording);
    if (err != ALDIS_OK)
        recording->system = NULL;
    return err;
}

aldis_err aldis_recording_close(aldis_recording *recording, aldis_run_end end_reason,
                                aldis_record_end *out_end)
{
    if (!recording)
        return ALDIS_OK;
    if (recording->system)
        (void)aldis_system_on_input(recording->system, NULL, NULL);
    bool early = recording->end.state != ALDIS_RECORD_OPEN, written = true;
    if (!early) {
        recording->end.state = ALDIS_RECORD_CLOSED;
        recording->end.end_reason = end_reason;
        if (recording->system)
            note_place(recording);
        written = write_end(recording);
    }
    int error = written ? recording->error : errno;
    if (close(recording->file) != 0 && written && !early) {
        written = false;
        error = errno;
    }
    aldis_record_end end = recording->end;
    free(recording);
    if (out_end)
        *out_end = end;
    if (!early && written)
        return ALDIS_OK;
    return aldis__error_set(
        ALDIS_EIO, aldis_nobody(), "", "recording: it ended after %llu inputs, %llu were lost: %s",
        (unsigned long long)end.inputs, (unsigned long long)end.lost,
        end.state == ALDIS_RECORD_SPAWNED ? "an actor was spawned from outside" : strerror(error));
}
