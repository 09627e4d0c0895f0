/* A program for a Cortex-M4 behind a boot header: vectors, code, constants, data, and memory that starts at zero. */
#ifndef ROUNDS
#define ROUNDS 1
#endif
extern unsigned _estack;
static volatile unsigned counter = ROUNDS;
static const char words[] __attribute__((used, section(".rodata.words"))) = "holdfast cortex-m4";
const unsigned char table[ROUNDS * 37] = {[ROUNDS] = 7};
volatile unsigned scratch[16];

void reset(void) {
  for (;;) {
    counter += words[counter & 15] + table[counter % (ROUNDS * 37)];
    scratch[counter & 15] = counter;
  }
}

__attribute__((section(".vectors"), used)) void *const vectors[] = {&_estack, (void *)reset, (void *)reset};
