import { createPrivateKey, createPublicKey, sign } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { nsibFirmware } from '../../../wire/src/nordic/sample-firmware.ts';
import { boot } from './sample-boot.ts';

const VECTORS = path.resolve(import.meta.dirname, '../../../wire/vectors');
const vector = (name: string): string => path.join(VECTORS, name);

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'holdfast-formats-'));
  writeFileSync(at('firmware.bin'), nsibFirmware({ version: 6 }));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));
const at = (name: string): string => path.join(folder, name);

interface Format {
  readonly format: string;
  readonly key: string;
  readonly input: () => string;
  readonly options: readonly string[];
  /** What a verifier is told beside the key. */
  readonly trust: string;
  readonly fact: string;
}

const SIGNING_TIME = ['--signing-time', '2027-03-01T00:00:00Z'];
const FORMATS: readonly Format[] = [
  {
    format: 'nrf5-dfu',
    key: vector('nordic/key.pem'),
    input: () => vector('nordic/app.bin'),
    options: [
      '--firmware-version',
      '7',
      '--hardware-version',
      '52',
      '--sd-req',
      '0x100',
      '--boot-validation',
      'sha256',
    ],
    trust: vector('nordic/key.pem'),
    fact: 'firmware version',
  },
  {
    format: 'nsib',
    key: vector('nordic/key.pem'),
    input: () => at('firmware.bin'),
    options: [],
    trust: vector('nordic/key.pem'),
    fact: 'boot address',
  },
  {
    format: 'nxp-lpc55',
    key: vector('nxp/leaf.pem'),
    input: () => vector('nxp/app.bin'),
    options: [
      ['--certificate', vector('nxp/rootca1.der'), '--certificate', vector('nxp/leaf.der')],
      ['--root-key', vector('nxp/root0.der'), '--root-key', vector('nxp/rootca1.der')],
    ].flat(),
    trust: vector('nxp/rootca1.der'),
    fact: 'RKTH',
  },
  {
    format: 'psoc64',
    key: vector('psoc64/key.pem'),
    input: () => vector('psoc64/app.bin'),
    options: ['--policy', vector('psoc64/policy_single_CM0_CM4_swap.json'), '--image-type', 'boot'],
    trust: vector('psoc64/key.pem'),
    fact: 'SEC_CNT',
  },
  {
    format: 'rauc',
    key: vector('rauc/ec.key'),
    input: () => vector('rauc/rsa.raucb'),
    options: ['--certificate', vector('rauc/ec.pem'), ...SIGNING_TIME],
    trust: vector('rauc/ca.pem'),
    fact: 'root hash',
  },
  {
    format: 'swupdate',
    key: vector('swupdate/ec.key'),
    input: () => vector('swupdate/unsigned.swu'),
    options: ['--certificate', vector('swupdate/ec.pem'), ...SIGNING_TIME],
    trust: vector('swupdate/ca.pem'),
    fact: 'hardware',
  },
];

/** The authorities of the vectors begin to be valid when they were made, which may lie ahead of a machine's clock. */
const OWN_KEY: ReadonlySet<string> = new Set(['rauc', 'swupdate']);
const trusted = ({ format, key, trust }: Format): string => (OWN_KEY.has(format) ? key : trust);

describe.each(FORMATS)('holdfast boot for $format', (row) => {
  const { format, key, options, fact } = row;

  it('signs what it then verifies and shows', async () => {
    expect(await boot(['sign', row.input(), at('out'), '--format', format, '--key', key, ...options])).toMatchObject({
      exit: 0,
    });
    expect(await boot(['verify', at('out'), '--format', format, '--key', trusted(row)])).toMatchObject({ exit: 0 });
    const shown = await boot(['inspect', at('out'), '--format', format]);
    expect(shown.out).toContain(fact);
  });

  it('says no to a changed image, with exit code 1', async () => {
    await boot(['sign', row.input(), at('out'), '--format', format, '--key', key, ...options]);
    const bytes = readFileSync(at('out'));
    bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] ?? 0) ^ 1;
    writeFileSync(at('out'), bytes);
    expect((await boot(['verify', at('out'), '--format', format, '--key', trusted(row)])).exit).toBe(1);
  });

  it('signs in two steps when the key never comes here', async () => {
    const privateKey = createPrivateKey(readFileSync(key));
    writeFileSync(at('pub.pem'), createPublicKey(privateKey).export({ type: 'spki', format: 'pem' }));
    const both = ['--format', format, '--key', at('pub.pem'), ...options];
    const asked = await boot(['sign', row.input(), '--to-be-signed', at('tbs'), ...both]);
    expect(asked).toMatchObject({ exit: 0 });
    writeFileSync(at('sig'), sign('sha256', readFileSync(at('tbs')), privateKey));
    expect(await boot(['sign', row.input(), at('out'), '--signature', at('sig'), ...both])).toMatchObject({ exit: 0 });
    expect(await boot(['verify', at('out'), '--format', format, '--key', trusted(row)])).toMatchObject({ exit: 0 });
  });
});

describe('holdfast boot', () => {
  it('asks for the time that both steps of a CMS signature share', async () => {
    const rauc = ['--format', 'rauc', '--key', vector('rauc/ec.pem'), '--certificate', vector('rauc/ec.pem')];
    const run = await boot(['sign', vector('rauc/rsa.raucb'), '--to-be-signed', at('tbs'), ...rauc]);
    expect(run).toMatchObject({ exit: 64, code: 'boot.bad_option' });
  });

  it.each([
    ['nrf5-c', 'nordic/key.pem', /^const unsigned char pk\[\] = \{/m],
    ['nsib-hash', 'nordic/key.pem', /^[0-9a-f]{32}\n$/],
    ['nxp-rkh', 'nxp/root0.pem', /^[0-9a-f]{64}\n$/],
    ['psoc64-jwk', 'psoc64/key.pem', /"crv": "P-256"/],
  ])('exports a key as %s', async (form, key, expected) => {
    expect((await boot(['export-key', vector(key), '--form', form])).out).toMatch(expected);
  });

  it('exports the digest that the eFuses of an ESP32 hold', async () => {
    expect(
      (await boot(['export-key', vector('esp32/ecdsa256.pem'), at('digest'), '--form', 'esp32-digest'])).exit,
    ).toBe(0);
    expect(readFileSync(at('digest'))).toEqual(readFileSync(vector('esp32/digest-ecdsa256.bin')));
  });
});
