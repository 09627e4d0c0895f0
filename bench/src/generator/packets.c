#include "load.h"
#include <string.h>

/* MQTT 3.1.1, clean session, keep-alive 300 s. */
size_t encode_connect(uint8_t *out, const char *client_id) {
  static const uint8_t variable[] = {0, 4, 'M', 'Q', 'T', 'T', 4, 2, 0x01, 0x2c};
  size_t name = strlen(client_id), at = 0;
  out[at++] = 0x10;
  out[at++] = (uint8_t)(sizeof variable + 2 + name);
  memcpy(out + at, variable, sizeof variable);
  at += sizeof variable;
  out[at++] = 0;
  out[at++] = (uint8_t)name;
  memcpy(out + at, client_id, name);
  return at + name;
}

static size_t encode_length(uint8_t *out, size_t length) {
  size_t at = 0;
  do {
    out[at] = (uint8_t)(length & 0x7f);
    length >>= 7;
    if (length) out[at] |= 0x80;
    at++;
  } while (length);
  return at;
}

size_t encode_publish(uint8_t *out, const char *topic, int size, int qos, uint16_t packet_id) {
  size_t name = strlen(topic), at = 1;
  out[0] = (uint8_t)(0x30 | qos << 1);
  at += encode_length(out + at, 2 + name + (qos ? 2 : 0) + (size_t)size);
  out[at++] = (uint8_t)(name >> 8);
  out[at++] = (uint8_t)name;
  memcpy(out + at, topic, name);
  at += name;
  if (qos) {
    out[at++] = (uint8_t)(packet_id >> 8);
    out[at++] = (uint8_t)packet_id;
  }
  memset(out + at, 'x', (size_t)size);
  return at + (size_t)size;
}

size_t encode_subscribe(uint8_t *out, const char *filter, int qos) {
  size_t name = strlen(filter), at = 1;
  out[0] = 0x82;
  at += encode_length(out + at, 5 + name);
  out[at++] = 0;
  out[at++] = 1;
  out[at++] = 0;
  out[at++] = (uint8_t)name;
  memcpy(out + at, filter, name);
  at += name;
  out[at++] = (uint8_t)qos;
  return at;
}
