#include "load.h"
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct settings settings = {.concurrency = 32, .size = 256, .window = 200, .publishers = 1, .subscribers = 1, .seconds = 60, .burst = 1, .groups = "X25519"};
struct identity *identities;
int identity_count;

void ready_and_wait(void) {
  char line[16];
  printf("ready\n");
  fflush(stdout);
  if (!fgets(line, sizeof line, stdin)) exit(0);
}

static void read_identities(void) {
  char file[512], line[128];
  FILE *list;
  snprintf(file, sizeof file, "%s/names", settings.identities);
  list = fopen(file, "r");
  if (!list) exit(2);
  while (fgets(line, sizeof line, list)) {
    line[strcspn(line, "\n")] = 0;
    identities = realloc(identities, (size_t)(identity_count + 1) * sizeof *identities);
    memset(&identities[identity_count], 0, sizeof *identities);
    snprintf(identities[identity_count++].name, sizeof identities->name, "%s", line);
  }
  fclose(list);
}

int main(int argc, char **argv) {
  static const struct { const char *flag; const char **text; int *number; } flags[] = {
      {"mode", &settings.mode, NULL},         {"ca", &settings.ca, NULL},
      {"identities", &settings.identities, NULL}, {"groups", &settings.groups, NULL},
      {"port", NULL, &settings.port},         {"count", NULL, &settings.count},
      {"concurrency", NULL, &settings.concurrency}, {"qos", NULL, &settings.qos},
      {"size", NULL, &settings.size},         {"window", NULL, &settings.window},
      {"publishers", NULL, &settings.publishers}, {"subscribers", NULL, &settings.subscribers},
      {"burst", NULL, &settings.burst},       {"resume", NULL, &settings.resume},     {"seconds", NULL, &settings.seconds},
  };
  signal(SIGPIPE, SIG_IGN);
  for (int i = 1; i + 1 < argc; i += 2) {
    for (size_t f = 0; f < sizeof flags / sizeof *flags; f++) {
      if (strcmp(argv[i] + 2, flags[f].flag) != 0) continue;
      if (flags[f].text) *flags[f].text = argv[i + 1];
      else *flags[f].number = atoi(argv[i + 1]);
    }
  }
  if (!settings.mode || !settings.identities || !settings.ca) return 64;
  read_identities();
  if (strcmp(settings.mode, "connect") == 0) run_connect();
  else if (strcmp(settings.mode, "fan") == 0) run_fan();
  else if (strcmp(settings.mode, "hold") == 0) run_hold();
  else return 64;
  return 0;
}
