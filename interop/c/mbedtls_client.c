/*
 * The TLS stack and the MQTT client of a microcontroller: Mbed TLS, TLS 1.2 alone, P-256 alone, SHA-256 alone, and
 * MQTT 3.1.1 packets written by hand.
 *
 *   mbedtls_client HOST PORT CA CERTIFICATE KEY CLIENT_ID
 *
 * Subscribes to devices/CLIENT_ID/echo, publishes to it with QoS 1, and prints the cipher suite and what came back.
 */
#include <stdio.h>
#include <string.h>

#include <mbedtls/ctr_drbg.h>
#include <mbedtls/entropy.h>
#include <mbedtls/error.h>
#include <mbedtls/net_sockets.h>
#include <mbedtls/ssl.h>
#include <mbedtls/version.h>
#include <mbedtls/x509_crt.h>

static const int suites[] = {MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, 0};
static const mbedtls_ecp_group_id curves[] = {MBEDTLS_ECP_DP_SECP256R1, MBEDTLS_ECP_DP_NONE};
static const int hashes[] = {MBEDTLS_MD_SHA256, MBEDTLS_MD_NONE};

static mbedtls_ssl_context ssl;

static int fail(const char *step, int code) {
  char words[120] = "";
  if (code < 0) mbedtls_strerror(code, words, sizeof words);
  fprintf(stderr, "%s: %s (%d)\n", step, words, code);
  return 1;
}

/* Writes a packet whose remaining length fits one octet. */
static int send_packet(unsigned char type, const unsigned char *body, size_t length) {
  unsigned char packet[130] = {type, (unsigned char)length};
  if (length > 127) return -1;
  memcpy(packet + 2, body, length);
  return mbedtls_ssl_write(&ssl, packet, length + 2) == (int)(length + 2) ? 0 : -1;
}

static int read_exactly(unsigned char *to, size_t length) {
  while (length > 0) {
    int got = mbedtls_ssl_read(&ssl, to, length);
    if (got <= 0) return -1;
    to += got;
    length -= (size_t)got;
  }
  return 0;
}

/* Reads one packet of up to 127 octets; returns its length, or -1. */
static int receive_packet(unsigned char *type, unsigned char *body) {
  unsigned char head[2];
  if (read_exactly(head, 2) != 0 || head[1] > 127 || read_exactly(body, head[1]) != 0) return -1;
  *type = head[0];
  return head[1];
}

static size_t put_text(unsigned char *to, const char *text) {
  size_t length = strlen(text);
  to[0] = (unsigned char)(length >> 8);
  to[1] = (unsigned char)length;
  memcpy(to + 2, text, length);
  return length + 2;
}

static int exchange(const char *client_id) {
  unsigned char body[127], type;
  char topic[80];
  size_t length;
  int got;
  if (snprintf(topic, sizeof topic, "devices/%s/echo", client_id) >= (int)sizeof topic) return fail("client id", 0);

  length = put_text(body, "MQTT");
  memcpy(body + length, "\x04\x02\x00\x3c", 4); /* level 4, clean session, keep-alive 60 s */
  length += 4;
  length += put_text(body + length, client_id);
  if (send_packet(0x10, body, length) != 0) return fail("CONNECT", -1);
  if (receive_packet(&type, body) != 2 || type != 0x20 || body[1] != 0) return fail("CONNACK", body[1]);

  memcpy(body, "\x00\x01", 2);
  length = 2 + put_text(body + 2, topic);
  body[length++] = 1;
  if (send_packet(0x82, body, length) != 0) return fail("SUBSCRIBE", -1);
  if (receive_packet(&type, body) != 3 || type != 0x90 || body[2] > 1) return fail("SUBACK", body[2]);

  length = put_text(body, topic);
  memcpy(body + length, "\x00\x02heard", 7);
  if (send_packet(0x32, body, length + 7) != 0) return fail("PUBLISH", -1);
  for (int acknowledged = 0, heard = 0; !acknowledged || !heard;) {
    got = receive_packet(&type, body);
    if (got < 0) return fail("no message", got);
    if (type == 0x40) acknowledged = 1;
    if ((type & 0xf0) == 0x30 && got > 5 && memcmp(body + got - 5, "heard", 5) == 0) heard = 1;
  }
  printf("%s %s heard\n", mbedtls_ssl_get_version(&ssl), mbedtls_ssl_get_ciphersuite(&ssl));
  return send_packet(0xe0, body, 0) == 0 ? 0 : 1;
}

int main(int argc, char **argv) {
  mbedtls_net_context net;
  mbedtls_ssl_config config;
  mbedtls_x509_crt ca, own;
  mbedtls_pk_context key;
  mbedtls_entropy_context entropy;
  mbedtls_ctr_drbg_context random;
  mbedtls_x509_crt_profile profile = mbedtls_x509_crt_profile_default;
  int code;

  if (argc == 2 && strcmp(argv[1], "--version") == 0) {
    puts(MBEDTLS_VERSION_STRING);
    return 0;
  }
  if (argc != 7) return fail("usage: HOST PORT CA CERTIFICATE KEY CLIENT_ID", 0);
  mbedtls_net_init(&net);
  mbedtls_ssl_init(&ssl);
  mbedtls_ssl_config_init(&config);
  mbedtls_x509_crt_init(&ca);
  mbedtls_x509_crt_init(&own);
  mbedtls_pk_init(&key);
  mbedtls_entropy_init(&entropy);
  mbedtls_ctr_drbg_init(&random);

  if ((code = mbedtls_ctr_drbg_seed(&random, mbedtls_entropy_func, &entropy, NULL, 0)) != 0) return fail("seed", code);
  if ((code = mbedtls_x509_crt_parse_file(&ca, argv[3])) != 0) return fail("CA", code);
  if ((code = mbedtls_x509_crt_parse_file(&own, argv[4])) != 0) return fail("certificate", code);
  if ((code = mbedtls_pk_parse_keyfile(&key, argv[5], NULL)) != 0) return fail("key", code);
  if ((code = mbedtls_net_connect(&net, argv[1], argv[2], MBEDTLS_NET_PROTO_TCP)) != 0) return fail("connect", code);

  mbedtls_ssl_config_defaults(&config, MBEDTLS_SSL_IS_CLIENT, MBEDTLS_SSL_TRANSPORT_STREAM, MBEDTLS_SSL_PRESET_DEFAULT);
  profile.allowed_mds = MBEDTLS_X509_ID_FLAG(MBEDTLS_MD_SHA256);
  profile.allowed_curves = MBEDTLS_X509_ID_FLAG(MBEDTLS_ECP_DP_SECP256R1);
  mbedtls_ssl_conf_cert_profile(&config, &profile);
  mbedtls_ssl_conf_ciphersuites(&config, suites);
  mbedtls_ssl_conf_curves(&config, curves);
  mbedtls_ssl_conf_sig_hashes(&config, hashes);
  mbedtls_ssl_conf_authmode(&config, MBEDTLS_SSL_VERIFY_REQUIRED);
  mbedtls_ssl_conf_ca_chain(&config, &ca, NULL);
  mbedtls_ssl_conf_own_cert(&config, &own, &key);
  mbedtls_ssl_conf_rng(&config, mbedtls_ctr_drbg_random, &random);
  mbedtls_ssl_conf_read_timeout(&config, 5000);
  if ((code = mbedtls_ssl_setup(&ssl, &config)) != 0) return fail("setup", code);
  if ((code = mbedtls_ssl_set_hostname(&ssl, argv[1])) != 0) return fail("hostname", code);
  mbedtls_ssl_set_bio(&ssl, &net, mbedtls_net_send, mbedtls_net_recv, mbedtls_net_recv_timeout);
  while ((code = mbedtls_ssl_handshake(&ssl)) != 0)
    if (code != MBEDTLS_ERR_SSL_WANT_READ && code != MBEDTLS_ERR_SSL_WANT_WRITE) return fail("handshake", code);
  return exchange(argv[6]);
}
