#include "load.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct connection **all;
static int opened, finished, failures, resumed;


/* Connects: each slot works through identities of its own, so that no two connections ever have one name. */

static int budget;

static void next_connection(struct connection *connection) {
  int current = connection->identity ? (int)(connection->identity - identities) : -1;
  int next = current < 0 ? connection->slot : current + settings.concurrency;
  if (next >= identity_count) next = connection->slot;
  if (budget-- > 0) connection_open(connection, &identities[next]);
}

static void connect_opened(struct connection *connection) {
  static const uint8_t disconnect[] = {0xe0, 0};
  finished++;
  if (SSL_session_reused(connection->ssl)) resumed++;
  connection_append(connection, disconnect, sizeof disconnect);
  connection_flush(connection);
  connection_close(connection, 0);
}

static void connect_closed(struct connection *connection, int failed) {
  if (failed) failures++, finished++;
  next_connection(connection);
}

static void ignore_packet(struct connection *connection, uint8_t first, const uint8_t *body, size_t length) {
  (void)connection, (void)first, (void)body, (void)length;
}

static void connect_batch(int count) {
  int slots = settings.concurrency < count ? settings.concurrency : count;
  budget = count;
  finished = 0;
  for (int i = 0; i < slots; i++) {
    all[i]->identity = NULL;
    next_connection(all[i]);
  }
  while (finished < count) turn(1000);
}

void run_connect(void) {
  static const struct handlers handlers = {connect_opened, ignore_packet, connect_closed};
  double start;
  tls_start(&handlers);
  if (settings.concurrency > identity_count) settings.concurrency = identity_count;
  all = calloc((size_t)settings.concurrency, sizeof *all);
  for (int i = 0; i < settings.concurrency; i++) all[i] = connection_make(i);
  if (settings.resume) connect_batch(identity_count);
  failures = resumed = 0;
  ready_and_wait();
  start = now_seconds();
  connect_batch(settings.count);
  printf("{\"operations\":%d,\"failures\":%d,\"resumed\":%d,\"seconds\":%.6f}\n", settings.count, failures, resumed,
         now_seconds() - start);
}

/* Fan: subscribers first, then publishers; as many messages on their way as the window allows. */

static long sent, delivered, acknowledged;

static void fan_opened(struct connection *connection) {
  uint8_t packet[256];
  opened++;
  if (connection->slot >= settings.subscribers) return;
  connection_append(connection, packet, encode_subscribe(packet, settings.publishers == 1 ? "bench/all" : "bench/+/up", settings.qos));
}

static void fan_packet(struct connection *connection, uint8_t first, const uint8_t *body, size_t length) {
  switch (first >> 4) {
  case 3: {
    size_t name = (size_t)body[0] << 8 | body[1];
    delivered++;
    if (((first >> 1) & 3) == 1 && 2 + name + 2 <= length) {
      uint8_t ack[] = {0x40, 2, body[2 + name], body[3 + name]};
      connection_append(connection, ack, sizeof ack);
    }
    break;
  }
  case 4:
    acknowledged++;
    connection->unacknowledged--;
    break;
  case 9:
    finished++;
    if (body[2] > 2) failures++;
    break;
  default:
    break;
  }
}

static void lost(struct connection *connection, int failed) {
  (void)failed;
  fprintf(stderr, "%s lost its connection\n", connection->identity->name);
  exit(2);
}

static void publish_one(struct connection *publisher) {
  uint8_t packet[70000];
  char topic[256];
  if (settings.publishers == 1) snprintf(topic, sizeof topic, "bench/all");
  else snprintf(topic, sizeof topic, "bench/%s/up", publisher->identity->name);
  if (++publisher->packet_id == 0) publisher->packet_id = 1;
  connection_append(publisher, packet, encode_publish(packet, topic, settings.size, settings.qos, publisher->packet_id));
  if (settings.qos) publisher->unacknowledged++;
  sent++;
}

/* One publisher after the other, each as many at once as a burst has. */
static void publish_some(long limit) {
  static int next;
  for (int tried = 0; tried < settings.publishers && sent < limit; next = (next + 1) % settings.publishers) {
    struct connection *publisher = all[settings.subscribers + next];
    if (sent - delivered / settings.subscribers + settings.burst > settings.window) break;
    if (publisher->unacknowledged + settings.burst > 50 || publisher->out_length > 65536) {
      tried++;
      continue;
    }
    for (int i = 0; i < settings.burst && sent < limit; i++) publish_one(publisher);
    connection_flush(publisher);
  }
}

/* Sends until `limit` messages are out and everything has arrived, or nothing has for ten seconds. */
static void fan_batch(long limit) {
  double quiet = now_seconds();
  long before = -1;
  while (delivered < limit * settings.subscribers || (settings.qos && acknowledged < limit)) {
    publish_some(limit);
    turn(100);
    if (delivered + acknowledged != before) before = delivered + acknowledged, quiet = now_seconds();
    else if (now_seconds() - quiet > 10) break;
  }
}

void run_fan(void) {
  static const struct handlers handlers = {fan_opened, fan_packet, lost};
  int total = settings.publishers + settings.subscribers;
  double start;
  long before;
  tls_start(&handlers);
  if (total > identity_count) exit(2);
  all = calloc((size_t)total, sizeof *all);
  for (int i = 0; i < total; i++) {
    all[i] = connection_make(i);
    connection_open(all[i], &identities[i]);
    while (i - opened > 100) turn(1000);
  }
  while (opened < total || finished < settings.subscribers) turn(1000);
  /* What is made on the first message of a connection is not what is measured. */
  fan_batch(settings.publishers * 2);
  before = delivered;
  ready_and_wait();
  start = now_seconds();
  fan_batch(settings.publishers * 2 + settings.count);
  printf("{\"operations\":%ld,\"failures\":%ld,\"seconds\":%.6f}\n", delivered - before,
         (long)settings.count * settings.subscribers - (delivered - before) + failures, now_seconds() - start);
}

/* Hold: everything stays open; who is cut, and when. */

static uint64_t *cut_at;

static void hold_opened(struct connection *connection) {
  (void)connection;
  opened++;
}

static void hold_closed(struct connection *connection, int failed) {
  (void)failed;
  cut_at[connection->slot] = now_nanos();
  finished++;
}

void run_hold(void) {
  static const struct handlers handlers = {hold_opened, ignore_packet, hold_closed};
  const char *separator = "";
  double end;
  tls_start(&handlers);
  all = calloc((size_t)settings.count, sizeof *all);
  cut_at = calloc((size_t)settings.count, sizeof *cut_at);
  for (int i = 0; i < settings.count; i++) {
    all[i] = connection_make(i);
    connection_open(all[i], &identities[i]);
    while (i - opened - finished > 200) turn(1000);
  }
  while (opened + finished < settings.count) turn(1000);
  printf("ready\n");
  fflush(stdout);
  end = now_seconds() + settings.seconds;
  while (finished < settings.window && now_seconds() < end) turn(50);
  printf("{\"operations\":%d,\"failures\":%d,\"seconds\":0,\"cuts\":[", finished, settings.window - finished);
  for (int i = 0; i < settings.count; i++) {
    if (!cut_at[i]) continue;
    printf("%s[\"%s\",%llu]", separator, identities[i].name, (unsigned long long)cut_at[i]);
    separator = ",";
  }
  printf("]}\n");
}
