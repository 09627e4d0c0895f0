import { describe, expect, it } from 'vitest';
import { type AssignmentFacts, EXCLUSIONS, judgeAssignment } from './assignment.ts';
import { judgeProof, type ProofFacts, type ProofVerdict, saysItRestarts } from './proof-rule.ts';

const OLD = 'aa';
const NEW = 'bb';

const fits: AssignmentFacts = {
  device: { state: 'active', product: 'lamp', hardwareRevision: 'rev-a' },
  product: { minimumCounter: 1 },
  release: {
    product: 'lamp',
    hardwareRevision: 'rev-a',
    counter: 3,
    measurement: NEW,
    state: 'published',
    version: '2.0.0',
  },
  evidence: { digest: OLD, counter: 3, bootState: 'confirmed' },
};

const inState = (state: 'revoked' | 'suspended' | 'quarantined' | 'archived' | 'established'): AssignmentFacts => ({
  ...fits,
  device: { state, product: 'lamp', hardwareRevision: 'rev-a' },
});

describe('who a release may go to', () => {
  const exclusions: readonly [string, AssignmentFacts][] = [
    ['unknown-device', { ...fits, device: undefined }],
    ['revoked', inState('revoked')],
    ['suspended', inState('suspended')],
    ['quarantined', inState('quarantined')],
    ['archived', inState('archived')],
    ['other-product', { ...fits, device: { state: 'active', product: 'lock', hardwareRevision: 'rev-a' } }],
    ['other-hardware', { ...fits, device: { state: 'active', product: 'lamp', hardwareRevision: 'rev-b' } }],
    ['release-withdrawn', { ...fits, release: { ...fits.release, state: 'cancelled' } }],
    ['release-below-floor', { ...fits, product: { minimumCounter: 4 } }],
    ['already-installed', { ...fits, evidence: { digest: NEW, counter: 3, bootState: 'confirmed' } }],
    ['counter-above', { ...fits, evidence: { digest: OLD, counter: 4, bootState: 'confirmed' } }],
  ];

  it('has a case here for every exclusion', () => {
    expect(exclusions.map(([code]) => code)).toEqual(EXCLUSIONS.map(({ code }) => code));
  });

  it.each(exclusions)('leaves out: %s', (code, facts) => {
    expect(judgeAssignment(facts)).toMatchObject({ kind: 'excluded', code });
  });

  it.each<[string, AssignmentFacts]>([
    ['an active device with older firmware', fits],
    ['a device that never proved anything', { ...fits, evidence: undefined }],
    ['a device that has not enrolled yet', inState('established')],
    ['one that runs the release on trial', { ...fits, evidence: { digest: NEW, counter: 3, bootState: 'test' } }],
    ['one in safe mode', { ...fits, evidence: { digest: OLD, counter: 3, bootState: 'recovery' } }],
  ])('reaches %s', (_title, facts) => {
    expect(judgeAssignment(facts)).toEqual({ kind: 'target' });
  });
});

describe('what evidence says about an execution', () => {
  const cases: readonly [
    ProofVerdict['kind'],
    'old' | 'new',
    ProofFacts['evidence']['bootState'],
    number | undefined,
  ][] = [
    ['proves', 'new', 'confirmed', undefined],
    ['proves', 'new', 'confirmed', 5],
    ['on-trial', 'new', 'test', undefined],
    ['on-trial', 'new', 'test', 5],
    ['says-nothing', 'new', 'recovery', undefined],
    ['says-nothing', 'new', 'recovery', 5],
    ['says-nothing', 'old', 'confirmed', undefined],
    ['rolled-back', 'old', 'confirmed', 5],
    ['says-nothing', 'old', 'confirmed', 10],
    ['says-nothing', 'old', 'confirmed', 11],
    ['says-nothing', 'old', 'test', undefined],
    ['rolled-back', 'old', 'test', 5],
    ['says-nothing', 'old', 'recovery', 5],
  ];

  it.each(cases)('%s: %s firmware, boot state %s, tried at %s', (kind, digest, bootState, triedAt) => {
    const evidence = { digest: digest === 'new' ? NEW : OLD, bootState, at: 10 };
    expect(judgeProof({ execution: { triedAt }, release: { measurement: NEW }, evidence })).toEqual({ kind });
  });

  it.each<[Record<string, string>, boolean]>([
    [{ self_test: 'ready', updatedBy: '0x00090002' }, true],
    [{ self_test: 'active' }, true],
    [{ step: 'restarting', version: '2.0.0' }, true],
    [{ step: 'downloading' }, false],
    [{ self_test: 'accepted' }, false],
    [{ receive: '1/5' }, false],
    [{}, false],
  ])('reads from %j whether the device boots the new firmware', (details, expected) => {
    expect(saysItRestarts(details)).toBe(expected);
  });
});
