import type { DependencyType, IForbiddenRuleType } from 'dependency-cruiser';

const NODE_BUILTIN: DependencyType[] = ['core'];
const THIRD_PARTY: DependencyType[] = ['npm', 'npm-dev', 'npm-optional', 'npm-peer', 'npm-no-pkg', 'npm-unknown'];
const TESTS = '\\.test\\.tsx?$';

/** What each package may not import: everything of Holdfast that its row does not list. */
const STRATA: Readonly<Record<string, readonly string[]>> = {
  kernel: [],
  wire: ['kernel'],
  crypto: ['kernel', 'wire'],
  trust: ['kernel', 'wire', 'crypto'],
  api: ['kernel'],
  device: ['kernel', 'wire', 'crypto'],
  server: ['kernel', 'wire', 'crypto', 'trust', 'api'],
  console: ['api', 'kernel'],
  cli: ['kernel', 'api', 'server', 'device', 'crypto', 'wire', 'trust'],
};

/** Which sibling rooms a room of trust may import; all may import audit. */
const TRUST_ROOMS: Readonly<Record<string, readonly string[]>> = {
  audit: [],
  storage: ['audit'],
  identity: ['storage', 'audit'],
  boot: ['storage', 'audit'],
  posture: ['identity', 'boot', 'audit'],
  communication: ['identity', 'posture', 'audit'],
  update: ['boot', 'identity', 'posture', 'audit'],
};

function strata(): IForbiddenRuleType[] {
  return Object.entries(STRATA).map(([name, allowed]) => ({
    name: `strata-${name}`,
    severity: 'error',
    from: { path: `^packages/${name}/`, pathNot: TESTS },
    to: { path: '^packages/', pathNot: `^packages/(${[name, ...allowed].join('|')})/` },
  }));
}

function trustRooms(): IForbiddenRuleType[] {
  return Object.entries(TRUST_ROOMS).flatMap(([room, allowed]): IForbiddenRuleType[] => [
    {
      name: `trust-${room}-siblings`,
      severity: 'error',
      from: { path: `^packages/trust/src/${room}/` },
      to: {
        path: '^packages/trust/src/[a-z]+/',
        pathNot: `^packages/trust/src/(${[room, 'ports', ...allowed].join('|')})/`,
      },
    },
    {
      name: `trust-${room}-by-index`,
      severity: 'error',
      from: { path: `^packages/trust/src/${room}/` },
      to: { path: `^packages/trust/src/(?!${room}/|ports/)[a-z]+/(?!index\\.ts$)` },
    },
  ]);
}

/** The import law of ARCHITECTURE section 2 as dependency-cruiser rules. */
export const LAYER_RULES: readonly IForbiddenRuleType[] = [
  ...strata(),
  ...trustRooms(),
  { name: 'no-cycles', severity: 'error', from: {}, to: { circular: true } },
  {
    name: 'unresolvable',
    severity: 'error',
    from: { pathNot: '^packages/console/' },
    to: { couldNotResolve: true },
  },
  {
    name: 'pure-without-node',
    severity: 'error',
    from: { path: '^packages/(kernel|wire)/', pathNot: TESTS },
    to: { dependencyTypes: NODE_BUILTIN },
  },
  {
    name: 'kernel-without-packages',
    severity: 'error',
    from: { path: '^packages/kernel/', pathNot: TESTS },
    to: { dependencyTypes: THIRD_PARTY },
  },
  {
    name: 'wire-takes-cborg-only',
    severity: 'error',
    from: { path: '^packages/wire/', pathNot: TESTS },
    to: { dependencyTypes: THIRD_PARTY, pathNot: 'node_modules/cborg/' },
  },
  {
    name: 'trust-without-io',
    severity: 'error',
    from: { path: '^packages/trust/', pathNot: TESTS },
    to: { dependencyTypes: [...NODE_BUILTIN, ...THIRD_PARTY] },
  },
  {
    name: 'virtual-chip-without-node',
    severity: 'error',
    from: { path: '^packages/crypto/src/virtual-chip/', pathNot: `${TESTS}|/testing/` },
    to: { dependencyTypes: NODE_BUILTIN },
  },
  {
    name: 'protocols-apart',
    severity: 'error',
    from: { path: '^packages/server/src/protocols/([^/]+)/', pathNot: TESTS },
    to: {
      path: '^packages/server/src/protocols/[^/]+/',
      pathNot: '^packages/server/src/protocols/($1/|[^/]+/(ports|index|device-route)\\.ts$)',
    },
  },
  {
    name: 'protocols-without-persistence',
    severity: 'error',
    from: { path: '^packages/server/src/protocols/', pathNot: TESTS },
    to: { path: '^packages/server/src/persistence/' },
  },
];

/** Fewer modules than this means that the reader saw nothing and its silence is worth nothing. */
export const MODULE_FLOOR = 150;
