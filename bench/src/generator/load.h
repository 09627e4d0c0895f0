/* A load generator that costs less than the server it loads: one thread, epoll, OpenSSL. */
#ifndef LOAD_H
#define LOAD_H
#include <openssl/ssl.h>
#include <stddef.h>
#include <stdint.h>

struct settings {
  const char *mode, *ca, *identities;
  int port, count, concurrency, qos, size, window, publishers, subscribers, resume, seconds, burst;
  const char *groups;
};

struct identity {
  char name[128];
  /* DER: OpenSSL uses a session object once (RFC 8446 C.4), and Node gives no new ticket on a resumed connection. */
  uint8_t *ticket;
  int ticket_length;
};

enum stage { CLOSED, CONNECTING, HANDSHAKING, AWAITING_CONNACK, OPEN };

struct connection {
  int fd;
  enum stage stage;
  SSL *ssl;
  struct identity *identity;
  uint8_t *out;
  size_t out_length, out_capacity;
  uint8_t in[16384 + 512];
  size_t in_length;
  int slot, wants_write, unacknowledged;
  uint16_t packet_id;
};

/* What a mode does when something happens to a connection. */
struct handlers {
  void (*opened)(struct connection *);
  void (*packet)(struct connection *, uint8_t first, const uint8_t *body, size_t length);
  void (*closed)(struct connection *, int failed);
};

extern struct settings settings;
extern struct identity *identities;
extern int identity_count;

void tls_start(const struct handlers *handlers);
struct connection *connection_make(int slot);
void connection_open(struct connection *connection, struct identity *identity);
void connection_close(struct connection *connection, int failed);
void connection_append(struct connection *connection, const uint8_t *bytes, size_t length);
void connection_flush(struct connection *connection);
/* One wait; returns after at most `milliseconds`. */
void turn(int milliseconds);
double now_seconds(void);
uint64_t now_nanos(void);
/* Says that everything is prepared and waits for the word. */
void ready_and_wait(void);

size_t encode_connect(uint8_t *out, const char *client_id);
size_t encode_publish(uint8_t *out, const char *topic, int size, int qos, uint16_t packet_id);
size_t encode_subscribe(uint8_t *out, const char *filter, int qos);

void run_connect(void);
void run_fan(void);
void run_hold(void);
#endif
