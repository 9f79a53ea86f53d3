// SPDX-License-Identifier: Apache-2.0
/* listen.c: see listen.h. Layer: cli. */
#include "listen.h"

#include "command.h"
#include "proto/space.pb.h"

#include <aldis/router.h>
#include <aldis/wire.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

ALDIS_WIRE_STRUCT(SetDestination);
ALDIS_WIRE_STRUCT(Pause);
ALDIS_WIRE_STRUCT(Resume);
ALDIS_WIRE_STRUCT(Shutdown);
ALDIS_MESSAGE_CODEC(set_destination, SetDestination, 0, ALDIS_CODEC(SetDestination));
ALDIS_MESSAGE_CODEC(pause, Pause, 0, ALDIS_CODEC(Pause));
ALDIS_MESSAGE_CODEC(resume, Resume, 0, ALDIS_CODEC(Resume));
ALDIS_MESSAGE_CODEC(shutdown, Shutdown, 0, ALDIS_CODEC(Shutdown));

/* What may be sent. */
static aldis_type *const order_types[] = {&set_destination_type, &pause_type, &resume_type,
                                          &shutdown_type};
union order {
    SetDestination set_destination;
    Pause pause;
    Resume resume;
    Shutdown shutdown;
};

/* An order is a few bytes; newer versions may add fields. */
enum { INPUT_BYTES = 4096, CLIENTS = LISTEN_CLIENTS_MAX };

struct listen_client {
    int socket; /* -1: free */
    size_t size;
    uint8_t input[INPUT_BYTES];
};

/* ------------------------------------------------------------------ orders */

static void hang_up(struct listen_client *client)
{
    close(client->socket);
    client->socket = -1;
}

/* A client that does not read its answers is hung up on: nobody waits for it. */
static bool answer(struct listen_client *client, const char *line)
{
    size_t size = strlen(line);
    return send(client->socket, line, size, MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)size;
}

static bool answer_error(struct listen_client *client, aldis_err err, const char *field,
                         const char *text)
{
    char line[512];
    snprintf(line, sizeof line, "error %s: %s%s%s\n", aldis_error_name(err), field,
             field[0] ? ": " : "", text);
    for (char *at = line; at[1]; at++) /* one line, whatever stood in a name */
        if ((unsigned char)*at < 0x20)
            *at = '?';
    return answer(client, line);
}

static aldis_type *type_of(uint32_t number)
{
    for (size_t i = 0; i < sizeof order_types / sizeof order_types[0]; i++)
        if (aldis_type_number(order_types[i]) == number)
            return order_types[i];
    return NULL;
}

/* One whole order: false hangs up. */
static bool take_order(struct listener *listener, struct listen_client *client, const char *name,
                       uint32_t number, const uint8_t *frame, size_t size)
{
    union order order;
    aldis_type *type = type_of(number);
    aldis_id to;
    aldis_wire_report report = {.err = ALDIS_OK};
    if (!type) {
        listener->bad++;
        return answer_error(client, ALDIS_ECODEC, "", "no such type of order");
    }
    aldis_err err = aldis_wire_decode(type, frame, size, &order, sizeof order, &report);
    if (err != ALDIS_OK) {
        listener->bad++;
        return answer_error(client, err, report.field, report.text);
    }
    err = aldis_system_lookup(listener->system, name, &to);
    if (err == ALDIS_OK)
        err = aldis_system_send_raw(listener->system, to, type, &order, type->size);
    if (err != ALDIS_OK) {
        listener->refused++;
        return answer_error(client, err, "", aldis_error_last()->text);
    }
    listener->taken++;
    return answer(client, "ok\n");
}

/* The first order of the client's input. Gives its length; 0: more bytes are needed; SIZE_MAX: hang
 * up. */
static size_t read_order(struct listener *listener, struct listen_client *client)
{
    char name[ALDIS_NAME_MAX + 1];
    uint32_t number;
    size_t name_size = client->input[0], frame_size, head = 1 + name_size;
    if (name_size == 0 || name_size > ALDIS_NAME_MAX) {
        listener->bad++;
        (void)answer_error(client, ALDIS_ECODEC, "", "a receiver's name has 1 to 63 bytes");
        return SIZE_MAX;
    }
    if (client->size <= head)
        return 0;
    const uint8_t *frame = client->input + head;
    aldis_err err = aldis_wire_peek(frame, client->size - head, &number, &frame_size);
    if (err == ALDIS_OK && head + frame_size > INPUT_BYTES)
        err = ALDIS_ETOOLARGE;
    if (err == ALDIS_EAGAIN || (err == ALDIS_OK && client->size - head < frame_size))
        return 0;
    if (err != ALDIS_OK) {
        listener->bad++;
        (void)answer_error(client, err, "", "not the frame of an order");
        return SIZE_MAX;
    }
    memcpy(name, client->input + 1, name_size);
    name[name_size] = '\0';
    if (!take_order(listener, client, name, number, frame, frame_size))
        return SIZE_MAX;
    return head + frame_size;
}

static void read_client(struct listener *listener, struct listen_client *client)
{
    ssize_t count = recv(client->socket, client->input + client->size, INPUT_BYTES - client->size,
                         MSG_DONTWAIT);
    if (count < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (count <= 0) {
        hang_up(client);
        return;
    }
    client->size += (size_t)count;
    size_t used;
    while (client->size > 0 && (used = read_order(listener, client)) > 0) {
        if (used == SIZE_MAX) {
            hang_up(client);
            return;
        }
        client->size -= used;
        memmove(client->input, client->input + used, client->size);
    }
}

/* ------------------------------------------------------------------ the thread */

static void greet_client(struct listener *listener)
{
    int socket = accept4(listener->socket, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (socket < 0)
        return;
    for (int i = 0; i < CLIENTS; i++)
        if (listener->clients[i].socket < 0) {
            listener->clients[i].socket = socket;
            listener->clients[i].size = 0;
            return;
        }
    close(socket); /* not reached: with all places taken nobody is accepted */
}

static void *serve(void *arg)
{
    struct listener *listener = arg;
    for (;;) {
        struct pollfd waits[CLIENTS + 2];
        bool full = true;
        for (int i = 0; i < CLIENTS; i++) {
            waits[i] = (struct pollfd){.fd = listener->clients[i].socket, .events = POLLIN};
            full = full && waits[i].fd >= 0;
        }
        waits[CLIENTS] = (struct pollfd){.fd = full ? -1 : listener->socket, .events = POLLIN};
        waits[CLIENTS + 1] = (struct pollfd){.fd = listener->wake, .events = POLLIN};
        if (poll(waits, CLIENTS + 2, -1) < 0)
            continue; /* EINTR: signals are blocked here, but a debugger may cause it */
        if (waits[CLIENTS + 1].revents)
            return NULL;
        for (int i = 0; i < CLIENTS; i++)
            if (waits[i].fd >= 0 && waits[i].revents)
                read_client(listener, &listener->clients[i]);
        if (waits[CLIENTS].revents)
            greet_client(listener);
    }
}

/* ------------------------------------------------------------------ life */

/* Is it a socket that nobody listens to, left by a program that was killed? */
static bool is_left_over(const struct sockaddr_un *address)
{
    struct stat facts;
    if (lstat(address->sun_path, &facts) != 0 || !S_ISSOCK(facts.st_mode))
        return false;
    int probe = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool refused = probe >= 0 &&
                   connect(probe, (const struct sockaddr *)address, sizeof *address) != 0 &&
                   errno == ECONNREFUSED;
    if (probe >= 0)
        close(probe);
    return refused;
}

static bool bind_socket(int file, const struct sockaddr_un *address)
{
    const struct sockaddr *any = (const struct sockaddr *)address;
    if (bind(file, any, sizeof *address) == 0)
        return true;
    if (errno != EADDRINUSE || !is_left_over(address)) {
        errno = errno == ECONNREFUSED ? EADDRINUSE : errno;
        return false;
    }
    return unlink(address->sun_path) == 0 && bind(file, any, sizeof *address) == 0;
}

static int refuse(const char *path, int error)
{
    fprintf(stderr, "aldis: %s cannot be listened to: %s\n", path, strerror(error));
    return EXIT_NO_OUTPUT;
}

int listen_open(struct listener *listener, const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    *listener = (struct listener){.path = path, .socket = -1, .wake = -1};
    if (path[0] == '\0' || strlen(path) >= sizeof address.sun_path)
        return refuse(path, path[0] ? ENAMETOOLONG : ENOENT);
    memcpy(address.sun_path, path, strlen(path) + 1);
    int file = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (file < 0)
        return refuse(path, errno);
    if (!bind_socket(file, &address)) {
        int error = errno;
        close(file);
        return refuse(path, error);
    }
    listener->socket = file;
    listener->wake = eventfd(0, EFD_CLOEXEC);
    listener->clients = calloc(CLIENTS, sizeof *listener->clients);
    if (listener->wake >= 0 && listener->clients && listen(file, SOMAXCONN) == 0)
        return EXIT_GOOD;
    int error = errno;
    listen_close(listener);
    return refuse(path, error);
}

int listen_start(struct listener *listener, aldis_system *system)
{
    sigset_t all, old;
    listener->system = system;
    for (int i = 0; i < CLIENTS; i++)
        listener->clients[i].socket = -1;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old); /* signals are the main thread's */
    int failed = pthread_create(&listener->thread, NULL, serve, listener);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    listener->has_thread = failed == 0;
    if (!failed)
        return EXIT_GOOD;
    fprintf(stderr, "aldis: a thread could not be made: %s\n", strerror(failed));
    return EXIT_SYSTEM;
}

void listen_stop(struct listener *listener)
{
    if (!listener->has_thread)
        return;
    (void)eventfd_write(listener->wake, 1);
    pthread_join(listener->thread, NULL);
    listener->has_thread = false;
    for (int i = 0; i < CLIENTS; i++)
        if (listener->clients[i].socket >= 0)
            hang_up(&listener->clients[i]);
}

void listen_close(struct listener *listener)
{
    listen_stop(listener);
    if (listener->socket >= 0) {
        close(listener->socket);
        (void)unlink(listener->path);
    }
    if (listener->wake >= 0)
        close(listener->wake);
    free(listener->clients);
    listener->socket = listener->wake = -1;
    listener->clients = NULL;
}
