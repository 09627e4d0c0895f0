/* An application for the ESP32-C3 with the descriptor that ESP-IDF puts into one. */
#ifndef ROUNDS
#define ROUNDS 1
#endif
struct app_descriptor {
  unsigned magic, secure_version, reserved[2];
  char version[32], project[32], time[16], date[16], idf[32];
  unsigned char elf_sha256[32];
  unsigned short min_block_revision, max_block_revision;
  unsigned char page_size, reserved_bytes[3];
  unsigned reserved_words[18];
};

__attribute__((section(".appdesc"), used)) const struct app_descriptor descriptor = {
    .magic = 0xABCD5432, .secure_version = ROUNDS, .version = "1.2.3", .project = "holdfast",
    .time = "12:00:00", .date = "Jan  1 2026", .idf = "v5.4", .max_block_revision = 199, .page_size = 16};

static volatile unsigned counter = ROUNDS;
const unsigned char table[ROUNDS * 997] = {[ROUNDS] = 7};

void start(void) {
  for (;;) counter += table[counter % sizeof table];
}
