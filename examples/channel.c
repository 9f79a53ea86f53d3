// SPDX-License-Identifier: Apache-2.0
/* channel.c: threads that are not actors talk over channels, and to an actor. Two sensors send
 * readings to the main thread; it passes the high ones on to an actor that raises the alarm. */
#include <aldis/aldis.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>

struct reading {
    uint32_t sensor;
    int32_t value;
};
ALDIS_MESSAGE(reading, struct reading);
ALDIS_CHANNEL(reading); /* gives reading_tx and reading_rx */
ALDIS_SIGNAL(all_quiet);

#define ALARM_PROTOCOL(X, kind) X(kind, reading) X(kind, all_quiet)
ALDIS_PROTOCOL(alarm, ALARM_PROTOCOL);

struct alarm {
    int readings, sum;
};

static aldis_err alarm_on_reading(struct alarm *self, const struct reading *msg, aldis_ctx *ctx)
{
    (void)ctx;
    self->readings++;
    self->sum += msg->value;
    return ALDIS_OK;
}

static aldis_err alarm_on_all_quiet(struct alarm *self, const aldis_none *msg, aldis_ctx *ctx)
{
    (void)msg;
    printf("alarm: %d high readings, sum %d\n", self->readings, self->sum);
    aldis_halt(ctx);
    return ALDIS_OK;
}
ALDIS_BEHAVIOUR(alarm, struct alarm, ALARM_PROTOCOL);

struct sensor {
    reading_tx to;
    uint32_t number;
};

static void *sensor_run(void *arg)
{
    struct sensor *self = arg;
    for (int32_t i = 0; i < 1000; i++) /* waits while the channel is full */
        if (aldis_channel_send(self->to, reading, self->number, i % 100) != ALDIS_OK)
            break;
    aldis_tx_drop(self->to.raw); /* the last one to do so closes the channel */
    return NULL;
}

/* Takes what the sensors send, until they are done. */
static int collect(reading_rx from, reading_tx to_alarm)
{
    struct reading it;
    int count = 0;
    aldis_err err;
    while ((err = aldis_channel_receive(from, reading, &it)) == ALDIS_OK) {
        count++;
        if (it.value >= 98)
            (void)aldis_channel_send(to_alarm, reading, it.sensor, it.value);
    }
    printf("main: %d readings, then: %s\n", count, aldis_error_text(err));
    return err != ALDIS_ENOSENDER;
}

int main(void)
{
    aldis_system *system;
    alarm_ref alarm;
    reading_tx to, to_alarm;
    reading_rx from;
    aldis_channel_opts opts = {.capacity_msgs = 16};
    if (aldis_system_create(NULL, &system) != ALDIS_OK ||
        aldis_spawn(system, alarm, &alarm, NULL) != ALDIS_OK ||
        aldis_channel_to_actor_ended(system, alarm, reading, all_quiet, &to_alarm) != ALDIS_OK ||
        aldis_channel_create(reading, &to, &from, &opts) != ALDIS_OK) {
        fprintf(stderr, "channel: %s\n", aldis_error_last()->text);
        return 1;
    }
    struct sensor sensors[2] = {{.number = 1}, {.number = 2}};
    pthread_t threads[2];
    for (int i = 0; i < 2; i++) {
        (void)aldis_tx_clone(to.raw, &sensors[i].to.raw);
        pthread_create(&threads[i], NULL, sensor_run, &sensors[i]);
    }
    aldis_tx_drop(to.raw);
    int status = collect(from, to_alarm);
    aldis_channel_stats stats;
    aldis_rx_stats(from.raw, &stats);
    printf("channel: sent %" PRIu64 " = received %" PRIu64 " + refused %" PRIu64 "\n", stats.sent,
           stats.received, stats.refused);
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    aldis_rx_drop(from.raw);
    aldis_tx_drop(to_alarm.raw); /* which tells the actor that there will be no more */
    aldis_system_run(system, ALDIS_FOREVER, NULL);
    aldis_system_destroy(system);
    return status;
}
