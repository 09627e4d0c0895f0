import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { type ConfigInputs, explainConfig, loadConfig } from './index.ts';

function load(inputs: Partial<ConfigInputs> & { json?: unknown }) {
  const { json, ...rest } = inputs;
  let file: string | undefined;
  if (json !== undefined) {
    file = path.join(mkdtempSync(path.join(tmpdir(), 'holdfast-config-')), 'config.json');
    writeFileSync(file, typeof json === 'string' ? json : JSON.stringify(json));
  }
  return loadConfig({ environment: {}, flags: {}, file, ...rest });
}

const badConfig = expect.objectContaining({ code: 'server.bad_config' });

describe('the configuration', () => {
  it('lets a flag win over the environment, that over the file, and that over the default', () => {
    const json = { portMqtt: 1, portHttps: 1, portPublic: 1 };
    const environment = { HOLDFAST_PORT_HTTPS: '2', HOLDFAST_PORT_PUBLIC: '2' };
    const { config, sources } = load({ json, environment, flags: { portPublic: '3' } });
    expect([config.portMqtt, config.portHttps, config.portPublic, config.portManagement]).toEqual([1, 2, 3, 9443]);
    expect([sources.portMqtt, sources.portHttps, sources.portPublic, sources.portManagement]).toEqual([
      'file',
      'environment',
      'flag',
      'default',
    ]);
  });

  it.each([
    ['an unknown key in the file', { json: { portMqqt: 1 } }],
    ['a doubled key in the file', { json: '{"portMqtt":1,"portMqtt":2}' }],
    ['a file that is a list', { json: [] }],
    ['a misspelt variable', { environment: { HOLDFAST_PORT_MQQT: '1' } }],
    ['a port out of range', { flags: { portMqtt: '65536' } }],
    ['a root key given in clear instead of a reference', { flags: { rootKey: 'c2VjcmV0' } }],
    ['a password in the address of the database', { flags: { store: 'postgres://holdfast:canary@db/fleet' } }],
    ['a password of the database in clear', { flags: { storePassword: 'canary' } }],
    ['another database', { flags: { store: 'mysql://holdfast@db/fleet' } }],
    ['a name that is no host name', { flags: { names: ['-bad-'] } }],
  ])('refuses %s', (_, inputs) => {
    expect(() => load(inputs)).toThrowError(badConfig);
  });

  it('never repeats a refused value in the error', () => {
    const failure = (() => {
      try {
        return load({ flags: { rootKey: 'canary-secret' } });
      } catch (error) {
        return error;
      }
    })();
    expect(JSON.stringify(failure)).not.toContain('canary-secret');
  });

  it('explains every value with its source', () => {
    const rows = explainConfig(load({ environment: { HOLDFAST_NAMES: 'a.example, 10.0.0.1' } }));
    expect(rows.find(({ name }) => name === 'names')).toMatchObject({
      value: '["a.example","10.0.0.1"]',
      source: 'environment',
      flag: '--name',
    });
  });
});
