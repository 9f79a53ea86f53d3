// SPDX-License-Identifier: Apache-2.0
/* codec.c: encode and decode a small and a large message; no actors. Layer: bench.
 *
 * N counts the messages of each of the four legs. Every decoded message is checked by
 * its sequence number; at the end what came back must encode to the same bytes again. */
#include "bench.h"

#include "bench.pb.h"

#include <aldis/wire.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

ALDIS_WIRE_STRUCT(BenchVec3);
ALDIS_WIRE_STRUCT(BenchSmall);
ALDIS_WIRE_STRUCT(BenchItem);
ALDIS_WIRE_STRUCT(BenchLarge);
ALDIS_MESSAGE_CODEC(bench_small, BenchSmall, 0, ALDIS_CODEC(BenchSmall));
ALDIS_MESSAGE_CODEC(bench_large, BenchLarge, 0, ALDIS_CODEC(BenchLarge));

struct codec_buffers {
    uint8_t frame[ALDIS_WIRE_BYTES(BenchLarge)];
    uint8_t again[ALDIS_WIRE_BYTES(BenchLarge)]; /* what came back, encoded once more */
    union {
        BenchSmall small;
        BenchLarge large;
    } in, out;
};
_Static_assert(ALDIS_WIRE_BYTES(BenchSmall) <= ALDIS_WIRE_BYTES(BenchLarge),
               "one buffer is enough for both");

/* One of the two messages: its type, and where in its struct the changing seq is. */
struct codec_case {
    const char *encode_name, *decode_name, *bytes_name; /* of the figures */
    aldis_type *type;
    size_t seq_offset;
};

static double seconds_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void set_seq(void *payload, const struct codec_case *which, uint64_t seq)
{
    memcpy((char *)payload + which->seq_offset, &seq, sizeof seq);
}

static uint64_t get_seq(const void *payload, const struct codec_case *which)
{
    uint64_t seq;
    memcpy(&seq, (const char *)payload + which->seq_offset, sizeof seq);
    return seq;
}

static void codec_fault(struct bench *bench, const struct codec_case *which, aldis_err err,
                        const aldis_wire_report *report)
{
    (void)bench_fault(bench, NULL, "%s: %s: %s %s", which->type->name, aldis_error_text(err),
                      report->field, report->text);
}

/* Both legs of one message. False: the run has failed. */
static bool measure_case(struct bench *bench, struct codec_buffers *b,
                         const struct codec_case *which)
{
    uint64_t n = bench->opts.n;
    size_t size = 0;
    aldis_wire_report report;
    aldis_err err = ALDIS_OK;
    double start = seconds_now();
    for (uint64_t i = 0; i < n && err == ALDIS_OK; i++) {
        set_seq(&b->in, which, i);
        err = aldis_wire_encode(which->type, &b->in, b->frame, sizeof b->frame, &size, &report);
    }
    double middle = seconds_now();
    for (uint64_t i = 0; i < n && err == ALDIS_OK; i++) {
        err = aldis_wire_decode(which->type, b->frame, size, &b->out, sizeof b->out, &report);
        if (err == ALDIS_OK && get_seq(&b->out, which) != n - 1)
            (void)bench_fault(bench, NULL, "%s: seq %" PRIu64 " came back as %" PRIu64,
                              which->type->name, n - 1, get_seq(&b->out, which));
    }
    double end = seconds_now();
    size_t size_again = 0;
    if (err == ALDIS_OK)
        err = aldis_wire_encode(which->type, &b->out, b->again, sizeof b->again, &size_again,
                                &report);
    if (err != ALDIS_OK)
        codec_fault(bench, which, err, &report);
    else if (size_again != size || memcmp(b->frame, b->again, size) != 0)
        (void)bench_fault(bench, NULL, "%s: what came back differs", which->type->name);
    bench_add_extra(bench, which->encode_name, (double)n / (middle - start));
    bench_add_extra(bench, which->decode_name, (double)n / (end - middle));
    bench_add_extra(bench, which->bytes_name, (double)size);
    return err == ALDIS_OK;
}

static void fill_small(BenchSmall *small)
{
    *small = (BenchSmall){.from = 17, .to = 4242, .kind = 7, .has_position = true};
    small->position = (BenchVec3){1.5F, -2.25F, 1e6F};
}

static void fill_large(BenchLarge *large)
{
    *large = (BenchLarge){.mass = 12.5F};
    snprintf(large->ship, sizeof large->ship, "MV Patience");
    large->manifest_count = sizeof large->manifest / sizeof large->manifest[0];
    for (pb_size_t i = 0; i < large->manifest_count; i++) {
        BenchItem *item = &large->manifest[i];
        snprintf(item->name, sizeof item->name, "container %d", (int)i);
        item->quantity = (float)i + 0.5F;
        item->unit_value = 99.5F;
    }
}

static void codec_measure(struct bench *bench)
{
    static const struct codec_case small = {"small_encode_per_s", "small_decode_per_s",
                                            "small_frame_bytes", &bench_small_type,
                                            offsetof(BenchSmall, seq)};
    static const struct codec_case large = {"large_encode_per_s", "large_decode_per_s",
                                            "large_frame_bytes", &bench_large_type,
                                            offsetof(BenchLarge, seq)};
    struct codec_buffers *b = calloc(1, sizeof *b);
    if (!b) {
        (void)bench_fault(bench, NULL, "out of memory");
        return;
    }
    bench_start(bench);
    fill_small(&b->in.small);
    if (measure_case(bench, b, &small)) {
        memset(&b->in, 0, sizeof b->in);
        fill_large(&b->in.large);
        (void)measure_case(bench, b, &large);
    }
    bench_end(bench, NULL);
    free(b);
}

const struct bench_workload bench_codec = {
    .name = "codec",
    .unit = "messages",
    .what_n = "messages each way",
    .n_default = 50000,
    .n_max = 1000000000,
    .ops_per_n = 4,
    .measure = codec_measure,
};
