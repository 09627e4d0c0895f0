#include "load.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static SSL_CTX *context;
static int epoll_fd;
static const struct handlers *handle;

static void fail(const char *what) {
  fprintf(stderr, "%s\n", what);
  ERR_print_errors_fp(stderr);
  exit(2);
}

double now_seconds(void) { return (double)now_nanos() / 1e9; }

uint64_t now_nanos(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static int keep_session(SSL *ssl, SSL_SESSION *session) {
  struct connection *connection = SSL_get_app_data(ssl);
  if (!settings.resume) return 0;
  free(connection->identity->ticket);
  connection->identity->ticket = NULL;
  connection->identity->ticket_length = i2d_SSL_SESSION(session, &connection->identity->ticket);
  return 0;
}

static void offer_ticket(struct connection *connection) {
  const uint8_t *at = connection->identity->ticket;
  SSL_SESSION *session = d2i_SSL_SESSION(NULL, &at, connection->identity->ticket_length);
  SSL_set_session(connection->ssl, session);
  SSL_SESSION_free(session);
}

void tls_start(const struct handlers *handlers) {
  handle = handlers;
  epoll_fd = epoll_create1(0);
  context = SSL_CTX_new(TLS_client_method());
  SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION);
  if (SSL_CTX_set1_groups_list(context, settings.groups) != 1) fail("unknown groups");
  if (SSL_CTX_load_verify_locations(context, settings.ca, NULL) != 1) fail("no trust anchors");
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
  SSL_CTX_sess_set_new_cb(context, keep_session);
  SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
}

struct connection *connection_make(int slot) {
  struct connection *connection = calloc(1, sizeof *connection);
  connection->slot = slot;
  connection->fd = -1;
  return connection;
}

static void watch(struct connection *connection, int operation) {
  struct epoll_event event = {.events = EPOLLIN, .data.ptr = connection};
  if (connection->wants_write || connection->stage == CONNECTING) event.events |= EPOLLOUT;
  epoll_ctl(epoll_fd, operation, connection->fd, &event);
}

void connection_open(struct connection *connection, struct identity *identity) {
  char file[512];
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)settings.port)};
  int one = 1;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  connection->identity = identity;
  connection->in_length = connection->out_length = 0;
  connection->wants_write = connection->unacknowledged = 0;
  connection->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (connection->fd < 0) fail("no more sockets");
  setsockopt(connection->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  connection->ssl = SSL_new(context);
  SSL_set_app_data(connection->ssl, connection);
  snprintf(file, sizeof file, "%s/%s.pem", settings.identities, identity->name);
  if (SSL_use_certificate_file(connection->ssl, file, SSL_FILETYPE_PEM) != 1) fail(file);
  if (SSL_use_PrivateKey_file(connection->ssl, file, SSL_FILETYPE_PEM) != 1) fail(file);
  if (settings.resume && identity->ticket) offer_ticket(connection);
  SSL_set_connect_state(connection->ssl);
  SSL_set_fd(connection->ssl, connection->fd);
  connection->stage = CONNECTING;
  if (connect(connection->fd, (struct sockaddr *)&address, sizeof address) != 0 && errno != EINPROGRESS) fail("connect");
  watch(connection, EPOLL_CTL_ADD);
}

void connection_close(struct connection *connection, int failed) {
  if (connection->stage == CLOSED) return;
  connection->stage = CLOSED;
  if (!failed) SSL_shutdown(connection->ssl);
  SSL_free(connection->ssl);
  close(connection->fd);
  connection->ssl = NULL;
  handle->closed(connection, failed);
}

void connection_append(struct connection *connection, const uint8_t *bytes, size_t length) {
  if (connection->out_length + length > connection->out_capacity) {
    connection->out_capacity = (connection->out_length + length) * 2;
    connection->out = realloc(connection->out, connection->out_capacity);
  }
  memcpy(connection->out + connection->out_length, bytes, length);
  connection->out_length += length;
}

/* 1 when the operation may go on now, 0 when it has to wait, -1 when the connection is gone. */
static int outcome(struct connection *connection, int result) {
  int error = SSL_get_error(connection->ssl, result);
  int wants = error == SSL_ERROR_WANT_WRITE;
  if (result > 0) return 1;
  if (error != SSL_ERROR_WANT_READ && !wants) return -1;
  if (wants != connection->wants_write) {
    connection->wants_write = wants;
    watch(connection, EPOLL_CTL_MOD);
  }
  return 0;
}

void connection_flush(struct connection *connection) {
  while (connection->out_length > 0 && connection->stage >= AWAITING_CONNACK) {
    int written = SSL_write(connection->ssl, connection->out, (int)connection->out_length);
    int next = outcome(connection, written);
    if (next < 0) connection_close(connection, 1);
    if (next <= 0) return;
    connection->out_length -= (size_t)written;
    memmove(connection->out, connection->out + written, connection->out_length);
  }
  if (connection->wants_write && connection->stage >= AWAITING_CONNACK) {
    connection->wants_write = 0;
    watch(connection, EPOLL_CTL_MOD);
  }
}

static void shake(struct connection *connection) {
  uint8_t packet[256];
  int next;
  if (connection->stage == CONNECTING) {
    connection->stage = HANDSHAKING;
    watch(connection, EPOLL_CTL_MOD);
  }
  next = outcome(connection, SSL_do_handshake(connection->ssl));
  if (next < 0) connection_close(connection, 1);
  if (next <= 0) return;
  connection->stage = AWAITING_CONNACK;
  connection->wants_write = 1;
  connection_append(connection, packet, encode_connect(packet, connection->identity->name));
  connection_flush(connection);
}

/* Takes every whole packet out of the buffer. */
static void split(struct connection *connection) {
  size_t at = 0;
  while (connection->stage >= AWAITING_CONNACK) {
    size_t head = 1, length = 0;
    int shift = 0;
    uint8_t byte;
    do {
      if (at + head >= connection->in_length) goto done;
      byte = connection->in[at + head++];
      length |= (size_t)(byte & 0x7f) << shift;
      shift += 7;
    } while (byte & 0x80);
    if (at + head + length > connection->in_length) break;
    if (connection->stage == AWAITING_CONNACK) {
      if ((connection->in[at] >> 4) != 2 || connection->in[at + head + 1] != 0) return connection_close(connection, 1);
      connection->stage = OPEN;
      handle->opened(connection);
    } else {
      handle->packet(connection, connection->in[at], connection->in + at + head, length);
    }
    /* Closed, and perhaps opened anew for the next identity: the buffer is not this one's any more. */
    if (connection->stage != OPEN) return;
    at += head + length;
  }
done:
  connection->in_length -= at;
  memmove(connection->in, connection->in + at, connection->in_length);
}

static void receive(struct connection *connection) {
  while (connection->stage >= AWAITING_CONNACK) {
    size_t space = sizeof connection->in - connection->in_length;
    int got = SSL_read(connection->ssl, connection->in + connection->in_length, (int)space);
    int next = outcome(connection, got);
    if (next < 0) connection_close(connection, 1);
    if (next <= 0) return;
    connection->in_length += (size_t)got;
    split(connection);
  }
}

void turn(int milliseconds) {
  struct epoll_event events[256];
  int count = epoll_wait(epoll_fd, events, 256, milliseconds);
  for (int i = 0; i < count; i++) {
    struct connection *connection = events[i].data.ptr;
    ERR_clear_error();
    if (connection->stage == CONNECTING || connection->stage == HANDSHAKING) shake(connection);
    if (connection->stage >= AWAITING_CONNACK) receive(connection);
    if (connection->stage >= AWAITING_CONNACK) connection_flush(connection);
  }
}
